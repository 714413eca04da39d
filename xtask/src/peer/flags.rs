//! The words of the command line as flags with their values.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;

use anyhow::Result;

use crate::error::user;

/// Flags that a value follows.
const VALUED: [&str; 20] = [
    "--peer",
    "--work",
    "--shape",
    "--layers",
    "--width",
    "--heads",
    "--context",
    "--batch",
    "--vocab",
    "--steps",
    "--precision",
    "--isa",
    "--model",
    "--gguf",
    "--server",
    "--weights",
    "--streams",
    "--threads",
    "--rounds",
    "--python",
];

/// Flags that stand alone.
const SWITCHES: [&str; 3] = ["--compile", "--no-compile", "--json"];

/// What was given and nobody has taken yet.
#[derive(Debug)]
pub struct Flags(Vec<(&'static str, OsString)>);

impl Flags {
    /// A flag's value is the next word or follows a `=`.
    ///
    /// # Errors
    /// When a word is no flag, or a value is missing.
    pub fn parse(words: &[OsString]) -> Result<Self> {
        let (mut given, mut words) = (vec![], words.iter());
        while let Some(word) = words.next() {
            let text = word.to_str().ok_or_else(|| unknown(&word.to_string_lossy()))?;
            let (name, joined) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.into())),
                None => (text, None),
            };
            let known = |flags: &[&'static str]| flags.iter().copied().find(|&flag| flag == name);
            given.push(match (known(&VALUED), known(&SWITCHES), joined) {
                (Some(flag), _, Some(value)) => (flag, value),
                (Some(flag), _, None) => (flag, words.next().cloned().ok_or_else(|| without_value(flag))?),
                (None, Some(switch), None) => (switch, OsString::new()),
                _ => return Err(unknown(text)),
            });
        }
        Ok(Self(given))
    }

    /// Takes a flag; the last of several values holds.
    pub fn value(&mut self, flag: &str) -> Option<OsString> {
        self.last(&[flag]).map(|(_, value)| value)
    }

    /// Takes flags of which the last holds; its name.
    pub fn switch(&mut self, flags: &[&str]) -> Option<&'static str> {
        self.last(flags).map(|(flag, _)| flag)
    }

    fn last(&mut self, flags: &[&str]) -> Option<(&'static str, OsString)> {
        self.0.extract_if(.., |(flag, _)| flags.contains(flag)).last()
    }

    /// Takes a flag whose value is a whole number.
    ///
    /// # Errors
    /// When it is none, or out of range.
    pub fn number(&mut self, flag: &str, range: RangeInclusive<usize>) -> Result<Option<usize>> {
        let Some(value) = self.value(flag) else { return Ok(None) };
        let value = value.to_string_lossy();
        let number = value.parse().ok().filter(|number| range.contains(number));
        let (least, most) = range.into_inner();
        let refused = || user(format!("{flag} {value}: give a whole number from {least} to {most}"));
        number.map(Some).ok_or_else(refused)
    }

    /// Takes a flag whose value is a name.
    ///
    /// # Errors
    /// When it is another name.
    pub fn one_of<const N: usize>(&mut self, flag: &str, names: [&'static str; N]) -> Result<Option<&'static str>> {
        let Some(value) = self.value(flag) else { return Ok(None) };
        let found = names.into_iter().find(|name| value == OsStr::new(name));
        let refused = || user(format!("{flag} {}: there is {}", value.to_string_lossy(), names.join(", ")));
        found.map(Some).ok_or_else(refused)
    }

    /// Checks that everything was taken by a work of this name.
    ///
    /// # Errors
    /// With the first flag that was not.
    pub fn finish(self, work: &str) -> Result<()> {
        match self.0.first() {
            Some((flag, _)) => Err(user(format!("{flag} means nothing for {work}; leave it out"))),
            None => Ok(()),
        }
    }
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

    fn flags(words: &str) -> Result<Flags> {
        Flags::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn each_is_taken_once_and_the_last_holds() {
        let mut flags = flags("--steps 3 --compile --python=p --steps=5 --no-compile --json").unwrap();
        assert_eq!(flags.number("--steps", 1..=9).unwrap(), Some(5));
        assert_eq!(flags.number("--steps", 1..=9).unwrap(), None);
        assert_eq!(flags.switch(&["--compile", "--no-compile"]), Some("--no-compile"));
        assert_eq!(flags.value("--python"), Some("p".into()));
        let error = flags.finish("this work").unwrap_err();
        assert_eq!(error.to_string(), "--json means nothing for this work; leave it out");
        assert_eq!(crate::error::exit_code(&error), 2);
    }

    #[test]
    fn words_that_are_no_flags_are_refused() {
        for (words, expect) in [
            ("train --peer pytorch", "train: unknown argument"),
            ("--json=yes", "--json=yes: unknown argument"),
            ("--fast", "--fast: unknown argument"),
            ("--peer pytorch --rounds", "--rounds needs a value"),
        ] {
            let error = flags(words).unwrap_err();
            assert!(error.to_string().starts_with(expect), "{words}: {error}");
            assert_eq!(crate::error::exit_code(&error), 2, "{words}");
        }
    }
}
