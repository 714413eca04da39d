//! All sides in turn.

use anyhow::{Result, bail};

use super::figure::{Figure, grouped};
use super::machine::Crowd;
use super::program;
use super::side::Side;

/// Runs A B C A B C … and reports progress on standard error. Returns the largest share of the machine that other
/// programs took, if known.
///
/// # Errors
/// When a side that must work does not, or works on another decoder.
pub fn measure_in_turn(sides: &mut [Side], figures: &[Figure], rounds: usize) -> Result<Option<Crowd>> {
    let (mut parameters, mut crowd) = (None, None::<Crowd>);
    for round in 1..=rounds {
        let now = Crowd::look();
        if now.is_some_and(|now| crowd.is_none_or(|most| now.busy > most.busy)) {
            crowd = now;
        }
        for side in sides.iter_mut().filter(|side| side.failure.is_none()) {
            eprint!("round {round} of {rounds}, {}: ", side.name);
            match program::measure(&mut side.command, figures) {
                Ok(run) => {
                    let found =
                        figures.iter().filter_map(|figure| Some(figure.sentence(*run.figures.get(figure.key)?)));
                    eprintln!("{}", found.collect::<Vec<_>>().join("; "));
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

/// Two that compute different decoders are not compared.
fn check_parameters(name: &str, parameters: u64, ours: u64) -> Result<()> {
    if parameters != ours {
        let [ours, parameters] = [ours, parameters].map(|number| grouped(number as f64));
        bail!(
            "fireclay's decoder has {ours} parameters and that of {name} {parameters}: the peer's script, or the file \
             of --gguf, must describe the same decoder"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::figure::Unit;
    use super::*;

    #[test]
    fn different_decoders_are_not_compared() {
        assert!(check_parameters("PyTorch eager", 7872, 7872).is_ok());
        let error = check_parameters("PyTorch eager", 7873, 7872).unwrap_err().to_string();
        assert!(
            error.starts_with("fireclay's decoder has 7,872 parameters and that of PyTorch eager 7,873"),
            "{error}"
        );
    }

    /// A script in place of a program that measures.
    #[cfg(unix)]
    fn stand_in(name: &'static str, script: &str, optional: bool) -> Side {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        Side { optional, ..Side::new(name, command) }
    }

    #[test]
    #[cfg(unix)]
    fn all_take_turns_and_an_optional_one_may_fall_away() {
        let works = "echo '{\"tokens_per_s\": 5, \"peak_bytes\": 1, \"parameters\": 3, \"losses\": [1]}'";
        let fails = "echo no compiler >&2; exit 1";
        let figures = [Figure { key: "tokens_per_s", name: String::new(), unit: Unit::TokensPerSecond }];
        let mut sides = [stand_in("a", works, false), stand_in("b", works, false), stand_in("c", fails, true)];
        measure_in_turn(&mut sides, &figures, 2).unwrap();
        assert_eq!(sides.each_ref().map(|side| side.runs.len()), [2, 2, 0]);
        assert_eq!(sides[2].failure.as_deref(), Some("no compiler"));
        let error = measure_in_turn(&mut [stand_in("a", fails, false)], &figures, 1).unwrap_err();
        assert_eq!(format!("{error:#}"), "a: no compiler");
    }
}
