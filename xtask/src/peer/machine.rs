//! Whether the machine has idle cores for the measurement.

use std::fs;
use std::thread;
use std::time::Duration;

/// What other programs take of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crowd {
    /// Cores that were busy while nothing of ours ran.
    pub busy: f64,
    /// Cores there are.
    pub cores: usize,
}

impl Crowd {
    /// Looks at the machine for a second, in which the caller runs nothing. `None` where the system does not say (only
    /// Linux does).
    pub fn look() -> Option<Self> {
        let before = Times::read(&fs::read_to_string("/proc/stat").ok()?)?;
        thread::sleep(Duration::from_secs(1));
        let after = Times::read(&fs::read_to_string("/proc/stat").ok()?)?;
        Some(before.until(after))
    }

    /// Whether several threads find no core each. A program whose threads wait for one another by spinning, as
    /// `PyTorch`'s do, is then slowed several times, and one whose threads take work from one another hardly: a ratio
    /// of the two says nothing. One thread waits for none.
    pub fn leaves_too_little_for(self, threads: usize) -> bool {
        /// What a quiet system does by itself.
        const QUIET: f64 = 0.2;
        threads > 1 && self.busy > QUIET && self.busy - QUIET + threads as f64 > self.cores as f64
    }
}

/// Clock ticks of all cores since the system was started.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    idle: u64,
    all: u64,
    cores: usize,
}

impl Times {
    /// From the text of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq and steal, of which guests are
    /// part.
    fn read(text: &str) -> Option<Self> {
        let ticks = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = ticks.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let idle = ticks.get(3)? + ticks.get(4)?;
        let one =
            |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        Some(Self { idle, all: ticks.iter().sum(), cores: text.lines().filter(one).count() })
    }

    fn until(self, later: Self) -> Crowd {
        let all = later.all.saturating_sub(self.all).max(1) as f64;
        let idle = later.idle.saturating_sub(self.idle) as f64;
        Crowd { busy: (1.0 - idle / all).max(0.0) * self.cores as f64, cores: self.cores }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_cores() {
        let before =
            "cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 50 0 25 400 25 0 0 0 0 0\ncpu1 50 0 25 400 25 0 0 0 0 0\nintr 5\n";
        let before = Times::read(before).unwrap();
        assert_eq!(before, Times { idle: 850, all: 1000, cores: 2 });
        let after = Times { idle: 900, all: 1200, cores: 2 };
        assert_eq!(before.until(after), Crowd { busy: 1.5, cores: 2 });
        assert_eq!(before.until(before).cores, 2);
        assert_eq!(Times::read("processes 5"), None);
    }

    #[test]
    fn threads_need_a_core_each() {
        let crowd = |busy, cores| Crowd { busy, cores };
        assert!(crowd(1.0, 2).leaves_too_little_for(2));
        assert!(!crowd(2.0, 2).leaves_too_little_for(1), "half a core slows either side alike");
        assert!(!crowd(0.1, 2).leaves_too_little_for(2), "a quiet machine");
        assert!(!crowd(0.1, 2).leaves_too_little_for(4), "more threads than cores, by whoever asked for them");
        assert!(!crowd(3.0, 8).leaves_too_little_for(4));
    }
}
