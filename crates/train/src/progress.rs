//! The progress line during training, or, without a terminal, a log line at intervals.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::metrics::names;
use crate::{Sample, StepMetrics};

/// Interval of logged lines where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Shows the progress of training.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    steps: u64,
    first: u64,
    started: Instant,
    logged: Instant,
    /// The metrics in the line by name, smoothed.
    shown: Vec<(&'static str, Option<f64>)>,
}

impl Progress {
    /// A line for `steps` steps of which `done` are made, with the loss and the metrics named in `shows`. It is live
    /// only if standard error is a terminal.
    #[must_use]
    pub fn new(steps: u64, done: u64, shows: &[&'static str], quiet: bool) -> Self {
        let live = !quiet && stderr().is_terminal();
        let bar = live.then(|| {
            let style =
                ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}").unwrap_or(ProgressStyle::default_bar());
            let bar = ProgressBar::new(steps).with_style(style);
            bar.set_position(done);
            bar
        });
        let now = Instant::now();
        let shown = std::iter::once(names::LOSS).chain(shows.iter().copied()).map(|name| (name, None)).collect();
        Self { bar, quiet, steps, first: done, started: now, logged: now, shown }
    }

    /// Shows a step.
    pub fn step(&mut self, line: &StepMetrics) {
        for (name, shown) in &mut self.shown {
            let value = if *name == names::LOSS { line.loss } else { line.extra.get(*name).copied() };
            if let Some(value) = value.filter(|value| value.is_finite()) {
                // Metrics that are measured at intervals are not smoothed.
                let smooth = *name != names::BATTERY;
                *shown = Some(shown.filter(|_| smooth).map_or(value, |smoothed| 0.9 * smoothed + 0.1 * value));
            }
        }
        let numbers = self.shown.iter().filter_map(|(name, value)| Some((name.replace('_', " "), (*value)?)));
        let numbers = numbers.map(|(name, value)| format!("{name} {}  ", short(value))).collect::<Vec<_>>().concat();
        let mfu = line.mfu.map(|mfu| format!("MFU {:.0} %  ", 100.0 * mfu)).unwrap_or_default();
        let message = format!(
            "{numbers}{:.0} tokens/s  {mfu}{} left",
            line.tokens_per_s.unwrap_or(0.0),
            in_words(self.left(line.step)),
        );
        if let Some(bar) = &self.bar {
            bar.set_position(line.step);
            bar.set_message(message.clone());
        }
        if line.skipped.is_some() {
            self.say(|| tracing::warn!("step {}: loss or gradient not finite, step skipped", line.step));
        }
        if let Some(val_loss) = line.val_loss {
            let bits = line.val_bits_per_byte.map(|bits| format!(", {bits:.3} bits per byte")).unwrap_or_default();
            self.say(|| tracing::info!("step {}: validation loss {val_loss:.4}{bits}", line.step));
        }
        if let Some(share) = line.extra.get(names::BATTERY) {
            let sampled = line.extra.get(names::BATTERY_SAMPLED).unwrap_or(&f64::NAN);
            let (share, sampled) = (100.0 * share, 100.0 * sampled);
            self.say(|| tracing::info!("step {}: battery {share:.1} % right, {sampled:.1} % sampled", line.step));
        }
        if self.bar.is_none() && !self.quiet && (self.logged.elapsed() > LOG_EVERY || line.step == self.steps) {
            self.logged = Instant::now();
            tracing::info!("step {}/{}: {message}", line.step, self.steps);
        }
    }

    /// Shows a sample of a step before the last; the caller shows those of the last step as the result.
    pub fn sample(&self, sample: &Sample) {
        let Sample { step, prompt, text } = sample;
        if *step == self.steps {
            return;
        }
        self.say(|| tracing::info!("step {step}, sample: {prompt}\u{2502}{text}"));
    }

    /// Removes the line.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, log: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(log),
            None => log(),
        }
    }

    fn left(&self, step: u64) -> Duration {
        let made = step.saturating_sub(self.first).max(1);
        let a_step = self.started.elapsed().as_secs_f64() / made as f64;
        Duration::from_secs_f64(a_step * self.steps.saturating_sub(step) as f64)
    }
}

/// A duration in words: `45 s`, `12 min`, `3 h 20 min`.
#[must_use]
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Three decimal places; scientific notation with one digit if these would all be 0.
fn short(value: f64) -> String {
    if value != 0.0 && value.abs() < 5e-4 { format!("{value:.0e}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_as_people_round() {
        let check = |seconds, expect| assert_eq!(in_words(Duration::from_secs(seconds)), expect);
        check(45, "45 s");
        check(150, "3 min");
        check(12_000, "3 h 20 min");
    }

    #[test]
    fn small_numbers_keep_a_digit() {
        assert_eq!([0.0, 2.4e-6, 4.9e-4, 0.0012, 1.25].map(short), ["0.000", "2e-6", "5e-4", "0.001", "1.250"]);
    }
}
