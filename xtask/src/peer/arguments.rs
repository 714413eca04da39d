//! What `cargo xtask bench --peer` is asked for.

use std::ffi::OsString;
use std::num::NonZero;
use std::thread;

use anyhow::Result;

use crate::error::user;

/// The numbers of a shape, in the order in which they are shown. Both programs take them as flags of these names.
pub const NUMBERS: [&str; 6] = ["layers", "width", "heads", "context", "batch", "vocab"];

/// Shapes that have a name.
const SHAPES: [(&str, [usize; 6]); 3] = [
    ("small", [4, 128, 4, 128, 32, 1024]),
    ("medium", [6, 384, 6, 256, 8, 4096]),
    ("gpt2", [12, 768, 12, 512, 4, 50257]),
];

/// Instruction sets to which either side can be held, with what holds oneDNN, MKL and `PyTorch`'s own kernels to them.
const INSTRUCTION_SETS: [(&str, [(&str, &str); 3]); 2] =
    [("avx2", held("avx2", "AVX2", "AVX2")), ("avx512", held("avx512", "AVX512_CORE", "AVX512"))];

const fn held(aten: &'static str, onednn: &'static str, mkl: &'static str) -> [(&'static str, &'static str); 3] {
    [("ATEN_CPU_CAPABILITY", aten), ("ONEDNN_MAX_CPU_ISA", onednn), ("MKL_ENABLE_INSTRUCTIONS", mkl)]
}

/// Whether the peer compiles its model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compile {
    /// As well as not, if it can.
    IfItWorks,
    /// As well as not.
    Must,
    /// Not at all.
    Never,
}

/// The command line, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The name of the shape, `custom` where a number of it was changed.
    pub shape: &'static str,
    /// [`NUMBERS`], with the given values.
    pub numbers: [usize; 6],
    /// Steps of a run.
    pub steps: usize,
    /// `f32` or `bf16`.
    pub precision: &'static str,
    /// Threads of either side.
    pub threads: usize,
    /// Runs of each side.
    pub rounds: usize,
    /// The instruction set to which either side is held; `None`: each one's choice.
    pub isa: Option<&'static str>,
    /// Whether the peer compiles.
    pub compile: Compile,
    /// The interpreter.
    pub python: OsString,
    /// One JSON object instead of a table.
    pub json: bool,
}

impl Arguments {
    /// What the words mean. A flag's value is the next word or follows a `=`; the last of several values holds.
    pub fn parse(words: &[OsString]) -> Result<Self> {
        let (mut shape, mut given) = (SHAPES[1], [None; 6]);
        let mut result = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.to_str().ok_or_else(|| unknown(&word.to_string_lossy()))?;
            let (flag, joined) = match text.split_once('=') {
                Some((flag, value)) => (flag, Some(OsString::from(value))),
                None => (text, None),
            };
            let mut value = || joined.clone().or_else(|| words.next().cloned()).ok_or_else(|| without_value(flag));
            match flag {
                "--peer" => drop(one_of(flag, &value()?, ["pytorch"])?),
                "--shape" => {
                    let name = one_of(flag, &value()?, SHAPES.map(|(name, _)| name))?;
                    shape = *SHAPES.iter().find(|shape| shape.0 == name).expect("a name of the list");
                }
                "--steps" => result.steps = number(flag, &value()?, 4)?,
                "--precision" => result.precision = one_of(flag, &value()?, ["f32", "bf16"])?,
                "--isa" => result.isa = Some(one_of(flag, &value()?, INSTRUCTION_SETS.map(|(name, _)| name))?),
                "--threads" => result.threads = number(flag, &value()?, 1)?,
                "--rounds" => result.rounds = number(flag, &value()?, 1)?,
                "--python" => result.python = value()?,
                "--compile" if joined.is_none() => result.compile = Compile::Must,
                "--no-compile" if joined.is_none() => result.compile = Compile::Never,
                "--json" if joined.is_none() => result.json = true,
                _ => {
                    let index = NUMBERS.iter().position(|name| flag.strip_prefix("--") == Some(name));
                    let index = index.ok_or_else(|| unknown(text))?;
                    given[index] = Some(number(flag, &value()?, 1)?);
                }
            }
        }
        for (i, number) in result.numbers.iter_mut().enumerate() {
            *number = given[i].unwrap_or(shape.1[i]);
        }
        result.shape = if result.numbers == shape.1 { shape.0 } else { "custom" };
        let [_, width, heads, ..] = result.numbers;
        if !width.is_multiple_of(heads) {
            return Err(user(format!("--width {width} is not a multiple of --heads {heads}; make it one")));
        }
        Ok(result)
    }

    /// The flags that both programs take.
    pub fn measured(&self) -> Vec<String> {
        let numbers = NUMBERS.into_iter().zip(self.numbers).chain([("steps", self.steps)]);
        let numbers = numbers.flat_map(|(name, number)| [format!("--{name}"), number.to_string()]);
        numbers.chain(["--precision".into(), self.precision.into()]).collect()
    }

    /// The variables that hold the peer to the instruction set.
    pub fn environment_of_peer(&self) -> Vec<(&'static str, &'static str)> {
        let held = INSTRUCTION_SETS.into_iter().find(|(name, _)| Some(*name) == self.isa);
        held.map_or_else(Vec::new, |(_, variables)| variables.to_vec())
    }
}

impl Default for Arguments {
    fn default() -> Self {
        let (shape, numbers) = SHAPES[1];
        Self {
            shape,
            numbers,
            steps: 8,
            precision: "f32",
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            rounds: 3,
            isa: None,
            compile: Compile::IfItWorks,
            python: "python3".into(),
            json: false,
        }
    }
}

fn number(flag: &str, value: &OsString, least: usize) -> Result<usize> {
    let value = value.to_string_lossy();
    let number = value.parse().ok().filter(|&number| (least..=1 << 24).contains(&number));
    number.ok_or_else(|| user(format!("{flag} {value}: give a whole number from {least} to {}", 1 << 24)))
}

fn one_of<const N: usize>(flag: &str, value: &OsString, choices: [&'static str; N]) -> Result<&'static str> {
    let found = choices.into_iter().find(|choice| value == choice);
    found.ok_or_else(|| user(format!("{flag} {}: there is {}", value.to_string_lossy(), choices.join(", "))))
}

fn without_value(flag: &str) -> anyhow::Error {
    user(format!("{flag} needs a value; cargo xtask bench --peer pytorch --help lists what it takes"))
}

fn unknown(word: &str) -> anyhow::Error {
    user(format!("{word}: unknown argument; cargo xtask bench --peer pytorch --help lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments> {
        Arguments::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_shape_has_a_name_and_its_numbers_can_be_changed() {
        assert_eq!(parse("--peer pytorch").unwrap(), Arguments::default());
        let small = parse("--layers=2 --peer=pytorch --shape small --vocab 65").unwrap();
        assert_eq!((small.shape, small.numbers), ("custom", [2, 128, 4, 128, 32, 65]));
        let flags = "--layers 2 --width 128 --heads 4 --context 128 --batch 32 --vocab 65 --steps 8 --precision f32";
        assert_eq!(small.measured().join(" "), flags);
    }

    #[test]
    fn everything_can_be_asked_for() {
        let words = "--peer pytorch --shape gpt2 --precision bf16 --threads 3 --rounds 5 --steps 6 --isa avx2 --compile --python p --json";
        let expected = Arguments {
            shape: "gpt2",
            numbers: SHAPES[2].1,
            steps: 6,
            precision: "bf16",
            threads: 3,
            rounds: 5,
            isa: Some("avx2"),
            compile: Compile::Must,
            python: "p".into(),
            json: true,
        };
        assert_eq!(parse(words).unwrap(), expected);
        assert!(expected.environment_of_peer().contains(&("ONEDNN_MAX_CPU_ISA", "AVX2")));
        assert_eq!(Arguments::default().environment_of_peer(), []);
        assert_eq!(parse("--peer pytorch --no-compile").unwrap().compile, Compile::Never);
    }

    #[test]
    fn mistakes_are_named() {
        for (words, expect) in [
            ("--peer tensorflow", "--peer tensorflow: there is pytorch"),
            ("--peer pytorch --shape huge", "--shape huge: there is small, medium, gpt2"),
            ("--peer pytorch --precision f16", "--precision f16: there is f32, bf16"),
            ("--peer pytorch --isa sse2", "--isa sse2: there is avx2, avx512"),
            ("--peer pytorch --rounds", "--rounds needs a value"),
            ("--peer pytorch --threads 0", "--threads 0: give a whole number from 1"),
            ("--peer pytorch --steps 3", "--steps 3: give a whole number from 4"),
            ("--peer pytorch --width ten", "--width ten: give a whole number"),
            ("--peer pytorch --heads 7", "--width 384 is not a multiple of --heads 7"),
            ("train --peer pytorch", "train: unknown argument"),
            ("--peer pytorch --json=yes", "--json=yes: unknown argument"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.to_string().starts_with(expect), "{words}: {error}");
            assert_eq!(crate::error::exit_code(&error), 2, "{words}");
        }
    }
}
