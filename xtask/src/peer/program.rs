//! Running a program that measures, and reading its line.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use super::figure::Figure;
use crate::error::user;

/// What one run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// The figures that it is compared by, by their keys.
    pub figures: BTreeMap<&'static str, f64>,
    /// The most memory the program had at once; 0 where the system does not say.
    pub peak_bytes: u64,
    /// Trainable numbers.
    pub parameters: u64,
    /// Loss of each step, where there is training.
    pub losses: Vec<f64>,
    /// The instruction set that it used, if it says so.
    pub instruction_set: Option<String>,
}

impl Measurement {
    /// The last line of JSON that a program printed; other programs talk before it.
    fn read(text: &str, figures: &[Figure]) -> Result<Self> {
        let line = text.lines().rfind(|line| line.starts_with('{')).ok_or_else(|| anyhow!("it printed no result"))?;
        let value: Value = serde_json::from_str(line).map_err(|error| anyhow!("{error} in its result {line}"))?;
        let missing = |key: &str| anyhow!("no number {key} in its result {line}");
        let mut found = BTreeMap::new();
        for figure in figures {
            match value[figure.key].as_f64() {
                Some(number) if number.is_finite() && number > 0.0 => drop(found.insert(figure.key, number)),
                Some(_) => bail!("its {} is not valid: {line}", figure.key),
                None if figure.is_required() => return Err(missing(figure.key)),
                None => {}
            }
        }
        let losses: Option<Vec<f64>> = match &value["losses"] {
            Value::Null => Some(vec![]),
            losses => losses.as_array().and_then(|losses| losses.iter().map(Value::as_f64).collect()),
        };
        Ok(Self {
            figures: found,
            peak_bytes: value["peak_bytes"].as_u64().ok_or_else(|| missing("peak_bytes"))?,
            parameters: value["parameters"].as_u64().ok_or_else(|| missing("parameters"))?,
            losses: losses.ok_or_else(|| missing("losses"))?,
            instruction_set: value["instruction_set"].as_str().map(str::to_owned),
        })
    }

    /// As the program printed it.
    pub fn json(&self) -> Value {
        let mut json = json!(self.figures);
        json["peak_bytes"] = self.peak_bytes.into();
        json["instruction_set"] = self.instruction_set.clone().into();
        if !self.losses.is_empty() {
            json["losses"] = self.losses.clone().into();
        }
        json
    }
}

/// Runs a program to its end and reads its result.
///
/// # Errors
/// As [`run`], and when it prints no result.
pub fn measure(command: &mut Command, figures: &[Figure]) -> Result<Measurement> {
    Measurement::read(&run(command)?, figures)
}

/// The version of a peer, which its script prints when asked.
///
/// # Errors
/// As [`run`].
pub fn version(script: &mut Command) -> Result<String> {
    Ok(run(script.arg("--version"))?.trim().to_owned())
}

/// Runs a program to its end; what it printed.
///
/// # Errors
/// When it cannot be started or fails. What it blames on the user is blamed on the user here.
pub fn run(command: &mut Command) -> Result<String> {
    text_of(&output(command)?)
}

fn output(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| {
        user(format!("{program} cannot be started ({error}); --python PATH names the interpreter that has the peer"))
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
    use super::super::figure::Unit;
    use super::*;

    fn figures() -> [Figure; 2] {
        let figure = |key, unit| Figure { key, name: String::new(), unit };
        [figure("tokens_per_s", Unit::TokensPerSecond), figure("first_token_mean_s", Unit::Seconds)]
    }

    #[test]
    fn the_line_is_found_and_read() {
        let text = "a warning\n{\"tokens_per_s\": 12.5, \"peak_bytes\": 7, \"parameters\": 9, \"losses\": [2, 1.5], \
                    \"instruction_set\": \"avx2\"}\n";
        let mut expected = Measurement {
            figures: [("tokens_per_s", 12.5)].into(),
            peak_bytes: 7,
            parameters: 9,
            losses: vec![2.0, 1.5],
            instruction_set: Some("avx2".into()),
        };
        assert_eq!(Measurement::read(text, &figures()).unwrap(), expected);
        let text = "{\"tokens_per_s\": 12.5, \"first_token_mean_s\": 0.5, \"peak_bytes\": 7, \"parameters\": 9}";
        expected.figures.insert("first_token_mean_s", 0.5);
        let expected = Measurement { losses: vec![], instruction_set: None, ..expected };
        assert_eq!(Measurement::read(text, &figures()).unwrap(), expected);
        let json = serde_json::json!({
            "tokens_per_s": 12.5, "first_token_mean_s": 0.5, "peak_bytes": 7, "instruction_set": null,
        });
        assert_eq!(expected.json(), json);
    }

    #[test]
    fn what_is_no_result_is_refused() {
        for (text, expect) in [
            ("", "it printed no result"),
            ("{\"tokens_per_s\": 1", "in its result"),
            ("{\"peak_bytes\": 0, \"parameters\": 3}", "no number tokens_per_s"),
            ("{\"tokens_per_s\": 1, \"parameters\": 3, \"losses\": []}", "no number peak_bytes"),
            // Python's JSON has NaN, and no other has.
            ("{\"tokens_per_s\": NaN, \"peak_bytes\": 0, \"parameters\": 3, \"losses\": []}", "in its result"),
            ("{\"tokens_per_s\": 0, \"peak_bytes\": 0, \"parameters\": 3}", "its tokens_per_s is not valid"),
            ("{\"tokens_per_s\": 1, \"peak_bytes\": 0, \"parameters\": 3, \"losses\": [null]}", "no number losses"),
        ] {
            let error = Measurement::read(text, &figures()).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_the_users_to_mend() {
        let error = measure(&mut Command::new("no-such-python"), &[]).unwrap_err();
        assert!(error.to_string().starts_with("no-such-python cannot be started"), "{error}");
        assert_eq!(crate::error::exit_code(&error), 2);
    }

    #[test]
    #[cfg(unix)]
    fn a_failure_keeps_its_last_line_and_its_blame() {
        let shell = |script: &str| measure(Command::new("sh").args(["-c", script]), &[]).unwrap_err();
        let error = shell("echo first >&2; echo 'error: --heads 7: no' >&2; exit 2");
        assert_eq!((error.to_string().as_str(), crate::error::exit_code(&error)), ("--heads 7: no", 2));
        let error = shell("echo broken >&2; exit 1");
        assert_eq!((error.to_string().as_str(), crate::error::exit_code(&error)), ("broken", 1));
        assert!(shell("kill -9 $$").to_string().contains("signal"), "{}", shell("kill -9 $$"));
    }
}
