//! `cargo xtask bench --peer`: our training step and a peer's, measured in turn.
//!
//! Both are programs that print one line of JSON about the same decoder, batch and optimiser: `fireclay bench train`,
//! and the script of the peer in `scripts/peers`. They run one after the other, again and again, so that other load
//! of the machine affects all of them.

mod arguments;
mod comparison;
mod machine;
mod program;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::build::{Invocation, workspace};
use arguments::{Arguments, Compile};
use comparison::{Comparison, Side, grouped};
use machine::Crowd;

const HELP: &str = "\
Compare fireclay's training step with a peer's: the same decoder, batch, optimiser, threads and number format, \
measured in turn.

Usage: cargo xtask bench --peer pytorch [FLAGS]

  --peer pytorch         whom to compare with
  --shape NAME           medium if left out
                           small   4 layers, width 128, 4 heads, context 128, batch 32, vocabulary 1024
                           medium  6 layers, width 384, 6 heads, context 256, batch 8, vocabulary 4096
                           gpt2    12 layers, width 768, 12 heads, context 512, batch 4, vocabulary 50257
  --layers N, --width N, --heads N, --context N, --batch N, --vocab N
                         one number of the shape, instead of what its name stands for
  --steps N              steps a run, of which the first three are not timed [8]
  --precision f32|bf16   number format of the matrix products [f32]
  --threads N            threads of either side [every core]
  --rounds N             runs of each, in turn [3]
  --isa avx2|avx512      hold either side to an instruction set below the CPU's best
  --compile              PyTorch must compile; it is an error if it cannot
  --no-compile           PyTorch does not compile
  --python PATH          the interpreter that has the peer installed [python3]
  --json                 print one JSON object, with every run
  --features, --no-default-features, --help

Each round runs fireclay, PyTorch eager and PyTorch compiled. The faster of the latter two counts; compiled falls \
away where it does not work.
A ratio is fireclay's tokens a second by the peer's, the median over the rounds of the ratio in each: above 1 \
fireclay is faster. Both compute on
the CPU.

Measure on a quiet machine. PyTorch's threads wait for one another by spinning; where other programs take the cores, \
two threads of it can be
several times slower than one, and the ratio flatters fireclay. Before each round the cores that others keep busy are \
counted, and the result says
so when too few are left. Where no machine is quiet, --threads 1 is fair to both; OMP_WAIT_POLICY=PASSIVE in front \
makes PyTorch's threads sleep
instead of spin.

PyTorch is not part of this workspace:
  python3 -m venv .venv && .venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
  cargo xtask bench --peer pytorch --python .venv/bin/python

Examples
  cargo xtask bench --peer pytorch --shape small --threads 1
  cargo xtask bench --peer pytorch --shape gpt2 --precision bf16 --rounds 5 --json
  cargo xtask bench --peer pytorch --width 512 --heads 8 --no-compile
  cargo xtask bench --peer pytorch --isa avx2 --no-compile

A program that ends without a result, or counts other parameters, is an error. Compiling takes a minute, once for \
each shape.";

/// Whether `cargo xtask bench …` asks for a peer. If not, it is fireclay's own `bench`.
pub fn is_asked_for(words: &[OsString]) -> bool {
    let words = words.iter().filter_map(|word| word.to_str());
    words.take_while(|&word| word != "--").any(|word| word == "--peer" || word.starts_with("--peer="))
}

/// Measures and prints. `words` are the arguments after `bench`.
pub fn run(words: &[OsString]) -> Result<ExitCode> {
    let mut out = io::stdout();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        writeln!(out, "{HELP}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let invocation = Invocation::parse(words.iter().cloned())?;
    let arguments = Arguments::parse(invocation.arguments())?;
    // Before the build, so that a missing program is reported at once.
    let version = program::version(Command::new(&arguments.python).arg(script()))?;
    let binary = invocation.build()?;
    let mut sides = sides(&arguments, &binary);
    let crowd = measure_in_turn(&mut sides, arguments.rounds)?;
    let comparison = Comparison::new(&arguments, version, crowd, &sides);
    let text = if arguments.json { comparison.json().to_string() } else { comparison.table() };
    writeln!(out, "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn script() -> PathBuf {
    workspace().join("scripts/peers/pytorch_train_step.py")
}

/// Who runs: fireclay first, then `PyTorch` as asked.
fn sides(arguments: &Arguments, binary: &Path) -> Vec<Side> {
    let measured = arguments.measured();
    let threads = arguments.threads.to_string();
    let mut ours = Command::new(binary);
    ours.args(["bench", "train", "--json", "--device", "cpu"]).args(&measured).env("RAYON_NUM_THREADS", &threads);
    if let Some(isa) = arguments.isa {
        ours.args(["--isa", isa]);
    }
    let peer = |mode: &[&str]| {
        let mut command = Command::new(&arguments.python);
        command.arg(script()).args(&measured).args(["--threads", &threads]).args(mode).env("OMP_NUM_THREADS", &threads);
        command.envs(arguments.environment_of_peer());
        command
    };
    let mut sides = vec![Side::new("fireclay", ours), Side::new("PyTorch eager", peer(&[]))];
    if arguments.compile != Compile::Never {
        let optional = arguments.compile == Compile::IfItWorks;
        sides.push(Side { optional, ..Side::new("PyTorch compiled", peer(&["--compile"])) });
    }
    sides
}

/// Runs A B C A B C … and reports progress on standard error. Returns the largest share of the machine that other
/// programs took, if known.
fn measure_in_turn(sides: &mut [Side], rounds: usize) -> Result<Option<Crowd>> {
    let (mut parameters, mut crowd) = (None, None::<Crowd>);
    for round in 1..=rounds {
        let now = Crowd::look();
        if now.is_some_and(|now| crowd.is_none_or(|most| now.busy > most.busy)) {
            crowd = now;
        }
        for side in sides.iter_mut().filter(|side| side.failure.is_none()) {
            eprint!("round {round} of {rounds}, {}: ", side.name);
            match program::measure(&mut side.command) {
                Ok(run) => {
                    eprintln!("{} tokens/s", grouped(run.tokens_per_s));
                    check_parameters(side.name, run.parameters, *parameters.get_or_insert(run.parameters))?;
                    side.runs.push(run);
                }
                Err(error) if side.optional => {
                    eprintln!("{error:#}");
                    side.failure = Some(format!("{error:#}"));
                }
                Err(error) => {
                    eprintln!("no result");
                    return Err(error.context(side.name));
                }
            }
        }
    }
    Ok(crowd)
}

/// Two that train different decoders are not compared.
fn check_parameters(name: &str, parameters: u64, ours: u64) -> Result<()> {
    if parameters != ours {
        let script = script();
        let script = script.display();
        bail!(
            "fireclay trains {ours} parameters and {name} {parameters}: crates/train/src/bench.rs and {script} must \
             describe one decoder"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_asked_for_before_two_dashes() {
        let asked = |words: &str| is_asked_for(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("bench --peer pytorch") && asked("bench --json --peer=pytorch"));
        assert!(!asked("bench train --json") && !asked("bench -- --peer"));
    }

    #[test]
    fn different_decoders_are_not_compared() {
        assert!(check_parameters("PyTorch eager", 7872, 7872).is_ok());
        let error = check_parameters("PyTorch eager", 7873, 7872).unwrap_err().to_string();
        assert!(error.starts_with("fireclay trains 7872 parameters and PyTorch eager 7873"), "{error}");
    }

    /// A script in place of a program that measures.
    #[cfg(unix)]
    fn stand_in(name: &'static str, script: &str, optional: bool) -> Side {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Side { optional, ..Side::new(name, command) }
    }

    #[test]
    #[cfg(unix)]
    fn all_take_turns_and_an_optional_one_may_fall_away() {
        let works = "echo '{\"tokens_per_s\": 5, \"peak_bytes\": 1, \"parameters\": 3, \"losses\": [1]}'";
        let fails = "echo no compiler >&2; exit 1";
        let mut sides = [stand_in("a", works, false), stand_in("b", works, false), stand_in("c", fails, true)];
        measure_in_turn(&mut sides, 2).unwrap();
        assert_eq!(sides.each_ref().map(|side| side.runs.len()), [2, 2, 0]);
        assert_eq!(sides[2].failure.as_deref(), Some("no compiler"));
        let error = measure_in_turn(&mut [stand_in("a", fails, false)], 1).unwrap_err();
        assert_eq!(format!("{error:#}"), "a: no compiler");
    }
}
