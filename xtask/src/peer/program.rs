//! Running a program that measures, and reading its line.

use std::process::{Command, Output, Stdio};

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use crate::error::user;

/// What one run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Tokens a second, from the median time of the steps that are timed.
    pub tokens_per_s: f64,
    /// The most memory the program had at once; 0 where the system does not say.
    pub peak_bytes: u64,
    /// Trainable numbers.
    pub parameters: u64,
    /// Loss of each step.
    pub losses: Vec<f64>,
    /// The instruction set that it used, if it says so.
    pub instruction_set: Option<String>,
}

impl Measurement {
    /// The last line of JSON that a program printed; other programs talk before it.
    fn read(text: &str) -> Result<Self> {
        let line = text.lines().rfind(|line| line.starts_with('{')).ok_or_else(|| anyhow!("it printed no result"))?;
        let value: Value = serde_json::from_str(line).map_err(|error| anyhow!("{error} in its result {line}"))?;
        let missing = |key: &str| anyhow!("no number {key} in its result {line}");
        let losses = value["losses"].as_array().ok_or_else(|| missing("losses"))?;
        let losses: Option<Vec<f64>> = losses.iter().map(Value::as_f64).collect();
        let result = Self {
            tokens_per_s: value["tokens_per_s"].as_f64().ok_or_else(|| missing("tokens_per_s"))?,
            peak_bytes: value["peak_bytes"].as_u64().ok_or_else(|| missing("peak_bytes"))?,
            parameters: value["parameters"].as_u64().ok_or_else(|| missing("parameters"))?,
            losses: losses.ok_or_else(|| missing("losses"))?,
            instruction_set: value["instruction_set"].as_str().map(str::to_owned),
        };
        if !(result.tokens_per_s.is_finite() && result.tokens_per_s > 0.0) {
            bail!("its speed is not valid: {line}");
        }
        Ok(result)
    }

    /// As the program printed it.
    pub fn json(&self) -> Value {
        json!({
            "tokens_per_s": self.tokens_per_s,
            "peak_bytes": self.peak_bytes,
            "losses": self.losses,
            "instruction_set": self.instruction_set,
        })
    }
}

/// Runs a program to its end and reads its result.
///
/// # Errors
/// When it cannot be started, fails, or prints no result. What it blames on the user is blamed on the user here.
pub fn measure(command: &mut Command) -> Result<Measurement> {
    Measurement::read(&text_of(&output(command)?)?)
}

/// The version of a peer, which its script prints when asked.
pub fn version(script: &mut Command) -> Result<String> {
    Ok(text_of(&output(script.arg("--version"))?)?.trim().to_owned())
}

fn output(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| {
        user(format!("{program} cannot be started ({error}); --python PATH names the interpreter that has PyTorch"))
    })
}

/// Standard output of a program that succeeded; of one that failed, the last line of its output.
fn text_of(output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let last = complaints.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let last = last.strip_prefix("error: ").unwrap_or(last);
    if output.status.code() == Some(2) {
        return Err(user(last));
    }
    // No code: a signal. Most often the system's, when memory runs out.
    let end = if output.status.code().is_some() { String::new() } else { format!("{}: ", output.status) };
    Err(anyhow!("{end}{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_and_read() {
        let text = "a warning\n{\"tokens_per_s\": 12.5, \"peak_bytes\": 7, \"parameters\": 9, \"losses\": [2, 1.5], \"instruction_set\": \"avx2\"}\n";
        let expected = Measurement {
            tokens_per_s: 12.5,
            peak_bytes: 7,
            parameters: 9,
            losses: vec![2.0, 1.5],
            instruction_set: Some("avx2".into()),
        };
        assert_eq!(Measurement::read(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_result_is_refused() {
        for (text, expect) in [
            ("", "it printed no result"),
            ("{\"tokens_per_s\": 1", "in its result"),
            ("{\"tokens_per_s\": 1, \"parameters\": 3, \"losses\": []}", "no number peak_bytes"),
            // Python's JSON has NaN, and no other has.
            ("{\"tokens_per_s\": NaN, \"peak_bytes\": 0, \"parameters\": 3, \"losses\": []}", "in its result"),
            ("{\"tokens_per_s\": 0, \"peak_bytes\": 0, \"parameters\": 3, \"losses\": [1]}", "its speed is not valid"),
            ("{\"tokens_per_s\": 1, \"peak_bytes\": 0, \"parameters\": 3, \"losses\": [null]}", "no number losses"),
        ] {
            let error = Measurement::read(text).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_the_users_to_mend() {
        let error = measure(&mut Command::new("no-such-python")).unwrap_err();
        assert!(error.to_string().starts_with("no-such-python cannot be started"), "{error}");
        assert_eq!(crate::error::exit_code(&error), 2);
    }

    #[test]
    #[cfg(unix)]
    fn a_failure_keeps_its_last_line_and_its_blame() {
        let shell = |script: &str| measure(Command::new("sh").args(["-c", script])).unwrap_err();
        let error = shell("echo first >&2; echo 'error: --heads 7: no' >&2; exit 2");
        assert_eq!((error.to_string().as_str(), crate::error::exit_code(&error)), ("--heads 7: no", 2));
        let error = shell("echo broken >&2; exit 1");
        assert_eq!((error.to_string().as_str(), crate::error::exit_code(&error)), ("broken", 1));
        assert!(shell("kill -9 $$").to_string().contains("signal"), "{}", shell("kill -9 $$"));
    }
}
