//! The command lines of the sides.

use std::path::Path;
use std::process::Command;

use super::arguments::Arguments;
use super::side::Side;
use super::work::{Compile, FreshDecoder, Requests, Work};

/// What holds `PyTorch`'s own kernels, oneDNN and MKL to an instruction set.
fn environment_of_pytorch(isa: &str) -> [(&'static str, &'static str); 3] {
    let (aten, onednn, mkl) = match isa {
        "avx2" => ("avx2", "AVX2", "AVX2"),
        _ => ("avx512", "AVX512_CORE", "AVX512"),
    };
    [("ATEN_CPU_CAPABILITY", aten), ("ONEDNN_MAX_CPU_ISA", onednn), ("MKL_ENABLE_INSTRUCTIONS", mkl)]
}

/// Who runs: fireclay first, then the peer as asked. `exported` is what llama.cpp reads where
/// the user names no file.
pub fn sides(arguments: &Arguments, binary: &Path, exported: Option<&Path>) -> Vec<Side> {
    match &arguments.work {
        Work::Train { decoder, steps } => {
            let mut measured = decoder.shape.flags();
            measured.extend(["--steps", &steps.to_string(), "--precision", decoder.precision].map(str::to_owned));
            beside_pytorch(arguments, decoder, ours(arguments, binary, "train", &measured), &measured)
        }
        Work::Prefill(decoder) => {
            let (ours_measure, they_measure) = prefill(decoder);
            beside_pytorch(arguments, decoder, ours(arguments, binary, "generate", &ours_measure), &they_measure)
        }
        Work::Generate(requests) => {
            let gguf = requests.gguf.as_deref().or(exported).expect("a file, if the user names none");
            let mut ours = ours(arguments, binary, "generate", &generated(requests));
            ours.arg("--model").arg(&requests.model).args(["--weights", requests.weights]);
            let mut peer = arguments.work.program(&arguments.python);
            peer.arg(gguf).args(generated(requests)).args([
                "--threads",
                &arguments.threads.to_string(),
                "--rounds",
                "1",
            ]);
            vec![Side::new("fireclay", ours), Side::new("llama.cpp", peer)]
        }
    }
}

/// The flags of a single prompt, ours and those of the peer.
fn prefill(decoder: &FreshDecoder) -> (Vec<String>, Vec<String>) {
    let FreshDecoder { shape, precision, .. } = decoder;
    // Tokens behind the prompt are not part of the figure.
    let behind = ["--preset", "gpt2", "--steps", "8", "--precision", precision, "--weights", precision];
    let ours = shape.flags().into_iter().chain(behind.map(str::to_owned)).collect();
    let prompt = ["--prompt".into(), (shape.context / 2).to_string(), "--precision".into(), (*precision).into()];
    let numbers = shape.flags();
    // The peer's script knows no batch.
    let kept = numbers.chunks(2).filter(|flag| flag[0] != "--batch").flatten().cloned();
    (ours, kept.chain(prompt).collect())
}

/// The flags of several requests, which both programs take.
fn generated(requests: &Requests) -> [String; 4] {
    ["--streams".into(), requests.streams.to_string(), "--steps".into(), requests.steps.to_string()]
}

fn ours(arguments: &Arguments, binary: &Path, benchmark: &str, measured: &[String]) -> Command {
    let mut command = Command::new(binary);
    command.args(["bench", benchmark, "--json", "--device", "cpu"]).args(measured);
    command.env("RAYON_NUM_THREADS", arguments.threads.to_string());
    command
}

/// Fireclay, `PyTorch` eager, and `PyTorch` compiled if that is wanted.
fn beside_pytorch(arguments: &Arguments, decoder: &FreshDecoder, mut ours: Command, measured: &[String]) -> Vec<Side> {
    let threads = arguments.threads.to_string();
    let pytorch = |mode: &[&str]| {
        let mut command = arguments.work.program(&arguments.python);
        command.args(measured).args(["--threads", &threads]).args(mode).env("OMP_NUM_THREADS", &threads);
        command.envs(decoder.isa.into_iter().flat_map(environment_of_pytorch));
        command
    };
    ours.envs(decoder.isa.map(|isa| ("FIRECLAY_ISA", isa)));
    let mut sides = vec![Side::new("fireclay", ours), Side::new("PyTorch eager", pytorch(&[]))];
    if decoder.compile != Compile::Never {
        let optional = decoder.compile == Compile::IfItWorks;
        sides.push(Side { optional, ..Side::new("PyTorch compiled", pytorch(&["--compile"])) });
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::super::arguments::tests::arguments;
    use super::*;

    /// Each side's words, without the program and the folder of scripts, and its variables.
    fn lines(words: &str) -> Vec<String> {
        let sides = sides(&arguments(words), Path::new("fireclay"), Some(Path::new("m.gguf")));
        let line = |side: &Side| {
            let word = |word: &std::ffi::OsStr| Path::new(word).file_name().unwrap().to_string_lossy().into_owned();
            let variable = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
                format!("{}={}", name.to_string_lossy(), value.unwrap().to_string_lossy())
            };
            let words = side.command.get_envs().map(variable).chain(side.command.get_args().map(word));
            words.collect::<Vec<_>>().join(" ")
        };
        sides.iter().map(line).collect()
    }

    #[test]
    fn training_has_the_same_flags_on_both_sides() {
        let numbers = "--layers 4 --width 128 --heads 4 --context 128 --batch 32 --vocab 1024 --steps 8";
        let expected = [
            format!("RAYON_NUM_THREADS=2 bench train --json --device cpu {numbers} --precision f32"),
            format!("OMP_NUM_THREADS=2 pytorch_train_step.py {numbers} --precision f32 --threads 2"),
            format!("OMP_NUM_THREADS=2 pytorch_train_step.py {numbers} --precision f32 --threads 2 --compile"),
        ];
        assert_eq!(lines("--peer pytorch --shape small --threads 2"), expected);
    }

    #[test]
    fn a_prompt_is_half_a_context() {
        let numbers = "--layers 12 --width 768 --heads 12 --context 1024";
        let expected = [
            format!(
                "RAYON_NUM_THREADS=2 bench generate --json --device cpu {numbers} --batch 1 --vocab 50257 \
                 --preset gpt2 --steps 8 --precision bf16 --weights bf16"
            ),
            format!(
                "OMP_NUM_THREADS=2 pytorch_prefill.py {numbers} --vocab 50257 --prompt 512 --precision bf16 --threads 2"
            ),
        ];
        assert_eq!(lines("--peer pytorch --work prefill --precision bf16 --threads 2 --no-compile"), expected);
    }

    #[test]
    fn requests_go_to_a_model_and_to_its_file() {
        let expected = [
            "RAYON_NUM_THREADS=2 bench generate --json --device cpu --streams 8 --steps 16 --model m --weights int4",
            "llamacpp_generate.py m.gguf --streams 8 --steps 16 --threads 2 --rounds 1",
        ];
        let words = "--peer llamacpp --model m --weights int4 --steps 16 --threads 2";
        assert_eq!(lines(words), expected);
        let expected =
            "llamacpp_generate.py --server llama-server m.gguf --streams 8 --steps 16 --threads 2 --rounds 1";
        assert_eq!(lines(&format!("{words} --server bin/llama-server"))[1], expected);
    }

    #[test]
    fn both_sides_are_held_to_an_instruction_set() {
        let held = |isa| lines(&format!("--peer pytorch --work prefill --no-compile --isa {isa}"));
        let [ours, theirs] = held("avx2").try_into().unwrap();
        assert!(ours.starts_with("FIRECLAY_ISA=avx2 RAYON"), "{ours}");
        let variables = "ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 OMP_NUM_THREADS=";
        assert!(theirs.starts_with(variables) && theirs.contains("ONEDNN_MAX_CPU_ISA=AVX2"), "{theirs}");
        assert!(held("avx512")[1].contains("ONEDNN_MAX_CPU_ISA=AVX512_CORE"));
    }
}
