//! What `cargo xtask bench --peer` is asked for.

use std::ffi::OsString;
use std::num::NonZero;
use std::thread;

use anyhow::Result;

use super::flags::Flags;
use super::shape::MOST;
use super::work::Work;

/// The command line, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// What is measured, and beside whom.
    pub work: Work,
    /// Threads of either side.
    pub threads: usize,
    /// Runs of each side.
    pub rounds: usize,
    /// The interpreter.
    pub python: OsString,
    /// One JSON object instead of a table.
    pub json: bool,
}

impl Arguments {
    /// What the words mean.
    ///
    /// # Errors
    /// When a word is no flag, a value means nothing, or a flag means nothing for the work.
    pub fn parse(words: &[OsString]) -> Result<Self> {
        let mut flags = Flags::parse(words)?;
        let every_core = || thread::available_parallelism().map_or(1, NonZero::get);
        let result = Self {
            work: Work::take(&mut flags)?,
            threads: flags.number("--threads", 1..=MOST)?.unwrap_or_else(every_core),
            rounds: flags.number("--rounds", 1..=MOST)?.unwrap_or(3),
            python: flags.value("--python").unwrap_or_else(|| "python3".into()),
            json: flags.switch(&["--json"]).is_some(),
        };
        flags.finish(&result.work.asked_by())?;
        Ok(result)
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::work::{Compile, FreshDecoder, Requests};
    use super::*;

    /// The arguments of words that are right.
    pub fn arguments(words: &str) -> Arguments {
        parse(words).unwrap()
    }

    fn parse(words: &str) -> Result<Arguments> {
        Arguments::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    /// The requests of words that are right behind `--peer llamacpp`.
    pub fn requests(words: &str) -> Requests {
        match arguments(&format!("--peer llamacpp {words}")).work {
            Work::Generate(requests) => requests,
            work => panic!("{work:?}"),
        }
    }

    fn decoder(words: &str) -> FreshDecoder {
        match arguments(words).work {
            Work::Train { decoder, .. } | Work::Prefill(decoder) => decoder,
            work @ Work::Generate(_) => panic!("{work:?}"),
        }
    }

    #[test]
    fn a_shape_has_a_name_and_its_numbers_can_be_changed() {
        let medium = decoder("--peer pytorch --work train");
        assert_eq!((medium.shape.name, medium.precision, medium.isa), ("medium", "f32", None));
        assert_eq!((medium.compile, arguments("--peer pytorch").rounds), (Compile::IfItWorks, 3));
        let small = decoder("--layers=2 --peer=pytorch --shape small --vocab 65");
        assert_eq!(small.shape.name, "custom");
        let flags = "--layers 2 --width 128 --heads 4 --context 128 --batch 32 --vocab 65";
        assert_eq!(small.shape.flags().join(" "), flags);
    }

    #[test]
    fn a_prompt_is_as_long_as_a_row_of_training() {
        let gpt2 = decoder("--peer pytorch --work prefill").shape;
        assert_eq!((gpt2.name, gpt2.context, gpt2.batch, gpt2.vocab), ("gpt2", 1024, 1, 50257));
        let medium = decoder("--peer pytorch --work prefill --shape medium --context 64").shape;
        assert_eq!((medium.name, medium.context), ("custom", 64));
    }

    #[test]
    fn everything_can_be_asked_for() {
        let words = "--peer pytorch --shape gpt2 --precision bf16 --threads 3 --rounds 5 --steps 6 --isa avx2 \
                     --compile --python p --json";
        let all = arguments(words);
        let Work::Train { decoder, steps: 6 } = &all.work else { panic!("{all:?}") };
        assert_eq!((decoder.shape.name, decoder.shape.context), ("gpt2", 512));
        assert_eq!((decoder.precision, decoder.isa, decoder.compile), ("bf16", Some("avx2"), Compile::Must));
        assert_eq!((all.threads, all.rounds, all.python, all.json), (3, 5, "p".into(), true));
        assert_eq!(super::tests::decoder("--peer pytorch --no-compile").compile, Compile::Never);
        let expected = Requests {
            model: "m".into(),
            gguf: Some("m.gguf".into()),
            server: Some("bin/llama-server".into()),
            weights: "int4",
            streams: 4,
            steps: 16,
        };
        let words = "--model m --gguf m.gguf --server bin/llama-server --weights int4 --streams 4 --steps 16";
        assert_eq!(requests(words), expected);
        let (model, weights) = ("m".into(), "int8");
        let expected = Requests { model, gguf: None, server: None, weights, streams: 8, steps: 128 };
        assert_eq!(requests("--model m"), expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (words, expect) in [
            ("--peer tensorflow", "--peer tensorflow: there is pytorch, llamacpp"),
            ("--peer pytorch --work generate", "--work generate: there is train, prefill"),
            ("--peer pytorch --shape huge", "--shape huge: there is small, medium, gpt2"),
            ("--peer pytorch --precision f16", "--precision f16: there is f32, bf16"),
            ("--peer pytorch --isa sse2", "--isa sse2: there is avx2, avx512"),
            ("--peer pytorch --rounds", "--rounds needs a value"),
            ("--peer pytorch --threads 0", "--threads 0: give a whole number from 1"),
            ("--peer pytorch --steps 3", "--steps 3: give a whole number from 4"),
            ("--peer pytorch --width ten", "--width ten: give a whole number"),
            ("--peer pytorch --heads 7", "--width 384 is not a multiple of --heads 7"),
            ("--peer pytorch --work prefill --context 65", "--context 65: give an even number"),
            ("--peer llamacpp", "--peer llamacpp needs --model DIR"),
            ("--peer llamacpp --model m --weights int5", "--weights int5: there is int8, bf16, int4, f32"),
            ("--peer llamacpp --model m --streams 257", "--streams 257: give a whole number from 1 to 256"),
            ("--peer llamacpp --model m --isa avx2", "--isa: llama.cpp cannot be held to an instruction set"),
        ] {
            refused(words, expect);
        }
    }

    #[test]
    fn flags_of_other_works_are_named() {
        let fresh = ["--model m", "--gguf m.gguf", "--server s", "--weights int8", "--streams 8"];
        for flag in fresh.into_iter().chain(["--steps 8", "--batch 1"]) {
            let expect = format!("{} means nothing for --peer pytorch --work prefill", flag.split_once(' ').unwrap().0);
            refused(&format!("--peer pytorch --work prefill {flag}"), &expect);
        }
        for flag in fresh {
            let expect = format!("{} means nothing for --peer pytorch --work train", flag.split_once(' ').unwrap().0);
            refused(&format!("{flag} --peer pytorch"), &expect);
        }
        for flag in ["--work=train", "--shape=gpt2", "--layers=2", "--vocab=9", "--precision=f32", "--compile"] {
            let expect = format!("{} means nothing for --peer llamacpp", flag.split('=').next().unwrap());
            refused(&format!("--peer llamacpp --model m {flag}"), &expect);
        }
    }

    fn refused(words: &str, expect: &str) {
        let error = parse(words).unwrap_err();
        assert!(error.to_string().starts_with(expect), "{words}: {error}");
        assert_eq!(crate::error::exit_code(&error), 2, "{words}");
    }
}
