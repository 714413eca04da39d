//! What the runs say together.

use std::fmt::Write;
use std::iter;

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::figure::{Figure, grouped};
use super::machine::Crowd;
use super::side::{Side, median};

/// The runs of fireclay, which come first, and of the peer in its modes.
#[derive(Debug)]
pub struct Comparison<'a> {
    arguments: &'a Arguments,
    version: String,
    /// What others took of the machine, where that is known.
    crowd: Option<Crowd>,
    /// What every side found.
    figures: Vec<Figure>,
    ours: &'a Side,
    modes: &'a [Side],
    /// The faster of `modes`, by the first figure.
    peer: &'a Side,
}

impl<'a> Comparison<'a> {
    /// Of sides that have run as often as one another, but for those that fell away.
    pub fn new(arguments: &'a Arguments, version: String, crowd: Option<Crowd>, sides: &'a [Side]) -> Self {
        let (ours, modes) = sides.split_first().expect("fireclay runs");
        let mut figures = arguments.work.figures();
        let speed = figures[0].clone();
        let whole = || modes.iter().filter(|side| side.failure.is_none());
        let faster = |a: &&Side, b: &&Side| a.median(&speed).total_cmp(&b.median(&speed));
        let peer = whole().max_by(faster).expect("a mode that must work");
        figures.retain(|figure| whole().chain([ours]).all(|side| side.has(figure)));
        Self { arguments, version, crowd, figures, ours, modes, peer }
    }

    fn sides(&self) -> impl Iterator<Item = &'a Side> {
        iter::once(self.ours).chain(self.modes)
    }

    /// How many times as fast as the peer we are: the median over the rounds.
    fn ratio(&self, figure: &Figure) -> f64 {
        median(self.ours.ratios(self.peer, figure))
    }

    /// For people.
    pub fn table(&self) -> String {
        let Arguments { work, threads, rounds, .. } = self.arguments;
        let (subject, how) = work.description();
        let (parameters, (_, peer)) = (grouped(self.ours.runs[0].parameters as f64), work.peer());
        let mut text = format!(
            "{subject}: {parameters} parameters\n{how}, threads {threads}, rounds {rounds}, {peer} {}\n{}",
            self.version,
            self.instruction_sets(),
        );
        for (index, figure) in self.figures.iter().enumerate() {
            text += "\n";
            text += &self.block(figure, index == 0);
        }
        if let [figure] = &self.figures[..] {
            let _ = write!(text, "\nfireclay / {peer}: {:.2}", self.ratio(figure));
            if self.modes.len() > 1 {
                let _ = write!(text, ", with {}, the faster of its modes", self.peer.name);
            }
        }
        text.trim_end().to_owned() + &self.warning()
    }

    /// What each side says of the CPU that it used, as a line.
    fn instruction_sets(&self) -> String {
        let sides = [("fireclay", self.ours), (self.arguments.work.peer().1, self.peer)];
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
             {} far more than fireclay. Measure on a quiet machine, or with fewer --threads.",
            self.arguments.threads,
            self.arguments.work.peer().1,
        )
    }

    /// One figure of every side, and, the first time, what else is known of the side's runs.
    fn block(&self, figure: &Figure, first: bool) -> String {
        let name_width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0).max(16);
        let has_loss = self.ours.last_loss().is_some();
        let row = |name: &str, number: &str, peak: &str, loss: &str| {
            let mut row = format!("{name:name_width$} {number:>10}");
            if first {
                let _ = write!(row, " {peak:>12}");
            }
            if first && has_loss {
                let _ = write!(row, " {loss:>11}");
            }
            row
        };
        let heading = row(&figure.name, figure.unit.symbol(), "peak memory", "last loss");
        let mut text = format!("{heading}   {}\n", figure.unit.ratio_heading());
        for side in self.sides() {
            if let Some(failure) = &side.failure {
                let _ = writeln!(text, "{:name_width$} does not count: {failure}", side.name);
                continue;
            }
            let mebibytes = |bytes: u64| format!("{} MiB", grouped(bytes as f64 / (1u64 << 20) as f64));
            let peak = side.peak_bytes().map_or_else(|| "unknown".into(), mebibytes);
            let loss = side.last_loss().map_or_else(String::new, |loss| format!("{loss:.4}"));
            text += &row(side.name, &figure.number(side.median(figure)), &peak, &loss);
            text += &self.spread(side, figure);
            text += "\n";
        }
        text
    }

    /// The ratio to another side, with the least and the most of any round.
    fn spread(&self, side: &Side, figure: &Figure) -> String {
        if std::ptr::eq(side, self.ours) {
            return String::new();
        }
        let ratios = self.ours.ratios(side, figure);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        format!("     {:.2} ({least:.2} to {most:.2})", median(ratios))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Arguments { work, threads, rounds, .. } = self.arguments;
        let ratio = |figure: &Figure| (figure.key.to_owned(), json!(self.ratio(figure)));
        let sides = self.sides().map(|side| side.json(self.ours, &self.figures));
        let mut json = json!({
            "peer": work.peer().0,
            "work": work.name(),
            "version": self.version,
            "parameters": self.ours.runs[0].parameters,
            "threads": threads,
            "rounds": rounds,
            "ratios": self.figures.iter().map(ratio).collect::<Value>(),
            "against": self.peer.name,
            "cores_busy_with_others": self.crowd.map(|crowd| crowd.busy),
            "crowded": self.crowded(),
            "sides": sides.collect::<Vec<_>>(),
        });
        if let [figure] = &self.figures[..] {
            json["ratio"] = self.ratio(figure).into();
        }
        for (key, value) in work.json().as_object().expect("an object") {
            json[key] = value.clone();
        }
        json
    }
}

#[cfg(test)]
mod tests;
