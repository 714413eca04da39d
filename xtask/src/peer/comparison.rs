//! What the runs say together.

use std::fmt::Write;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::arguments::{Arguments, NUMBERS};
use super::machine::Crowd;
use super::program::Measurement;

/// One of those that run in turn.
#[derive(Debug)]
pub struct Side {
    /// As it is shown.
    pub name: &'static str,
    /// What is run.
    pub command: Command,
    /// Whether it falls away where it does not work.
    pub optional: bool,
    /// Why it fell away.
    pub failure: Option<String>,
    /// A run each round.
    pub runs: Vec<Measurement>,
}

impl Side {
    /// One that must work and has not run yet.
    pub fn new(name: &'static str, command: Command) -> Self {
        Self { name, command, optional: false, failure: None, runs: vec![] }
    }

    /// Median tokens a second.
    fn tokens_per_s(&self) -> f64 {
        median(self.runs.iter().map(|run| run.tokens_per_s).collect())
    }

    /// The most that any run took.
    fn peak_bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0)
    }

    /// The instruction set that it used, if it says so.
    fn instruction_set(&self) -> Option<&str> {
        self.runs.last()?.instruction_set.as_deref()
    }

    fn losses(&self) -> &[f64] {
        self.runs.last().map_or(&[], |run| &run.losses)
    }
}

/// The runs of fireclay, which come first, and of the peer in its modes.
#[derive(Debug)]
pub struct Comparison<'a> {
    arguments: &'a Arguments,
    version: String,
    /// What others took of the machine, where that is known.
    crowd: Option<Crowd>,
    ours: &'a Side,
    modes: &'a [Side],
    /// The faster of `modes`.
    peer: &'a Side,
}

impl<'a> Comparison<'a> {
    /// Of sides that have run as often as one another, but for those that fell away.
    pub fn new(arguments: &'a Arguments, version: String, crowd: Option<Crowd>, sides: &'a [Side]) -> Self {
        let (ours, modes) = sides.split_first().expect("fireclay runs");
        let whole = modes.iter().filter(|side| side.failure.is_none());
        let peer = whole.max_by(|a, b| a.tokens_per_s().total_cmp(&b.tokens_per_s())).expect("PyTorch eager runs");
        Self { arguments, version, crowd, ours, modes, peer }
    }

    /// Our tokens a second by another's, round by round.
    fn ratios(&self, other: &Side) -> Vec<f64> {
        self.ours.runs.iter().zip(&other.runs).map(|(ours, other)| ours.tokens_per_s / other.tokens_per_s).collect()
    }

    /// For people.
    pub fn table(&self) -> String {
        let a = self.arguments;
        let [layers, width, heads, context, batch, vocab] = a.numbers;
        let mut text = format!(
            "{}: {layers} layers, width {width}, {heads} heads, context {context}, batch {batch}, vocabulary {vocab}: \
             {} parameters\n\
             {}, threads {}, rounds {}, steps {}, PyTorch {}\n{}\n",
            a.shape,
            grouped(self.ours.runs[0].parameters as f64),
            a.precision,
            a.threads,
            a.rounds,
            a.steps,
            self.version,
            self.instruction_sets(),
        );
        text += "                   tokens/s  peak memory   last loss   fireclay / it\n";
        for side in std::iter::once(self.ours).chain(self.modes) {
            text += &self.row(side);
        }
        let ratio = median(self.ratios(self.peer));
        let _ = write!(text, "\nfireclay / PyTorch: {ratio:.2}");
        if self.modes.len() > 1 {
            let _ = write!(text, ", with {}, the faster of its modes", self.peer.name);
        }
        text + &self.warning()
    }

    /// What each side says of the CPU that it used, as a line.
    fn instruction_sets(&self) -> String {
        let sides = [("fireclay", self.ours), ("PyTorch", self.peer)];
        let said = sides.iter().filter_map(|(name, side)| Some(format!("{name} {}", side.instruction_set()?)));
        let said = said.collect::<Vec<_>>().join(", ");
        if said.is_empty() { said } else { format!("instruction sets: {said}\n") }
    }

    /// Whether too few cores were left for a ratio that means something.
    fn crowded(&self) -> bool {
        self.crowd.is_some_and(|crowd| crowd.leaves_too_little_for(self.arguments.threads))
    }

    fn warning(&self) -> String {
        let Some(Crowd { busy, cores }) = self.crowd.filter(|_| self.crowded()) else { return String::new() };
        format!(
            "\n\nDo not trust this ratio: other programs kept {busy:.1} of {cores} cores busy, and {} threads found \
             no core each, which slows\n\
             PyTorch far more than fireclay. Measure on a quiet machine, or with fewer --threads.",
            self.arguments.threads,
        )
    }

    fn row(&self, side: &Side) -> String {
        if let Some(failure) = &side.failure {
            return format!("{:16} does not count: {failure}\n", side.name);
        }
        let peak = match side.peak_bytes() {
            0 => "unknown".into(),
            bytes => format!("{} MiB", grouped(bytes as f64 / (1u64 << 20) as f64)),
        };
        let loss = side.losses().last().map_or_else(String::new, |loss| format!("{loss:.4}"));
        let row = format!("{:16} {:>10} {peak:>12} {loss:>11}", side.name, grouped(side.tokens_per_s()));
        if std::ptr::eq(side, self.ours) {
            return row + "\n";
        }
        let ratios = self.ratios(side);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        format!("{row}     {:.2} ({least:.2} to {most:.2})\n", median(ratios))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let a = self.arguments;
        let shape: Map<String, Value> =
            NUMBERS.iter().zip(a.numbers).map(|(&name, number)| (name.into(), json!(number))).collect();
        let sides: Vec<Value> = std::iter::once(self.ours).chain(self.modes).map(|side| self.side_json(side)).collect();
        json!({
            "peer": "pytorch",
            "version": self.version,
            "shape": a.shape,
            "numbers": shape,
            "parameters": self.ours.runs[0].parameters,
            "steps": a.steps,
            "precision": a.precision,
            "isa": a.isa,
            "threads": a.threads,
            "ratio": median(self.ratios(self.peer)),
            "against": self.peer.name,
            "cores_busy_with_others": self.crowd.map(|crowd| crowd.busy),
            "crowded": self.crowded(),
            "sides": sides,
        })
    }

    fn side_json(&self, side: &Side) -> Value {
        if let Some(failure) = &side.failure {
            return json!({ "name": side.name, "failure": failure });
        }
        json!({
            "name": side.name,
            "tokens_per_s": side.tokens_per_s(),
            "peak_bytes": side.peak_bytes(),
            "ratio": median(self.ratios(side)),
            "runs": side.runs.iter().map(Measurement::json).collect::<Vec<_>>(),
        })
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { 0.5 * (numbers[middle - 1] + numbers[middle]) }
}

/// A whole number with its thousands set apart: `1,234,567`.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs at these speeds.
    fn side(name: &'static str, speeds: &[f64], mebibytes: u64) -> Side {
        let run = |&tokens_per_s: &f64| Measurement {
            tokens_per_s,
            peak_bytes: mebibytes << 20,
            parameters: 13_891_584,
            losses: vec![8.4, 6.9],
            instruction_set: Some(if name == "fireclay" { "avx2" } else { "AVX2" }.into()),
        };
        Side { runs: speeds.iter().map(run).collect(), ..Side::new(name, Command::new("nothing")) }
    }

    #[test]
    fn the_ratio_is_the_median_of_pairs_with_the_faster_mode() {
        // The machine is half as fast in the second round; ratios do not see it.
        let sides = [
            side("fireclay", &[1500.0, 700.0, 1600.0], 894),
            side("PyTorch eager", &[1000.0, 500.0, 1000.0], 1390),
            side("PyTorch compiled", &[1200.0, 600.0, 1250.0], 0),
        ];
        let arguments = Arguments { threads: 2, ..Arguments::default() };
        let comparison = Comparison::new(&arguments, "2.15.0".into(), None, &sides);
        let expected = "\
medium: 6 layers, width 384, 6 heads, context 256, batch 8, vocabulary 4096: 13,891,584 parameters
f32, threads 2, rounds 3, steps 8, PyTorch 2.15.0
instruction sets: fireclay avx2, PyTorch AVX2

                   tokens/s  peak memory   last loss   fireclay / it
fireclay              1,500      894 MiB      6.9000
PyTorch eager         1,000    1,390 MiB      6.9000     1.50 (1.40 to 1.60)
PyTorch compiled      1,200      unknown      6.9000     1.25 (1.17 to 1.28)

fireclay / PyTorch: 1.25, with PyTorch compiled, the faster of its modes";
        assert_eq!(comparison.table(), expected);
        let json = comparison.json();
        assert_eq!((json["ratio"].as_f64(), json["against"].as_str()), (Some(1.25), Some("PyTorch compiled")));
        assert_eq!(json["sides"][0]["runs"].as_array().unwrap().len(), 3);
        assert_eq!(json["numbers"]["vocab"], 4096);
    }

    #[test]
    fn a_mode_that_fell_away_does_not_count() {
        let compiled = Side { failure: Some("no compiler".into()), ..side("PyTorch compiled", &[9000.0], 1) };
        let sides = [side("fireclay", &[900.0, 1100.0], 1), side("PyTorch eager", &[1000.0, 1000.0], 1), compiled];
        let arguments = Arguments::default();
        let comparison = Comparison::new(&arguments, "2".into(), None, &sides);
        let table = comparison.table();
        assert!(table.contains("PyTorch compiled does not count: no compiler\n"), "{table}");
        assert!(table.ends_with("fireclay / PyTorch: 1.00, with PyTorch eager, the faster of its modes"), "{table}");
        assert_eq!(comparison.json()["sides"][2]["failure"], "no compiler");
    }

    #[test]
    fn a_ratio_from_a_crowded_machine_is_marked() {
        let sides = [side("fireclay", &[900.0], 1), side("PyTorch eager", &[100.0], 1)];
        let arguments = Arguments { threads: 2, ..Arguments::default() };
        let with = |busy| Comparison::new(&arguments, "2".into(), Some(Crowd { busy, cores: 2 }), &sides);
        assert!(with(1.9).table().contains("Do not trust this ratio: other programs kept 1.9 of 2 cores busy"));
        assert_eq!(with(1.9).json()["crowded"], true);
        assert!(!with(0.1).table().contains("trust") && with(0.1).json()["crowded"] == false);
    }

    #[test]
    fn one_mode_needs_no_words() {
        let sides = [side("fireclay", &[900.0], 1), side("PyTorch eager", &[1000.0], 1)];
        let arguments = Arguments::default();
        let table = Comparison::new(&arguments, "2".into(), None, &sides).table();
        assert!(table.ends_with("\nfireclay / PyTorch: 0.90"), "{table}");
    }

    #[test]
    fn medians_and_thousands() {
        assert_eq!([median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0])].map(|m| m as u32), [2, 2]);
        assert_eq!([7.4, 999.6, 12_345.0, 1e6].map(grouped), ["7", "1,000", "12,345", "1,000,000"]);
    }
}
