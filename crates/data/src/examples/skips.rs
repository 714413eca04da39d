//! Skipped examples by reason.

use std::collections::BTreeMap;
use std::fmt;

/// Skipped examples: for each reason, their number and the place of the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skips {
    reasons: BTreeMap<String, Skipped>,
}

/// Number of examples that were skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The number.
    pub count: u64,
    /// Place of the first one: `path:line`.
    pub first: String,
}

impl Skips {
    /// Counts one example that is left out.
    pub fn add(&mut self, reason: impl Into<String>, origin: impl Into<String>) {
        let skipped = self.reasons.entry(reason.into());
        skipped.or_insert_with(|| Skipped { count: 0, first: origin.into() }).count += 1;
    }

    /// Counts those of `later` too.
    pub fn extend(&mut self, later: Self) {
        for (reason, skipped) in later.reasons {
            match self.reasons.get_mut(&reason) {
                Some(known) => known.count += skipped.count,
                None => {
                    self.reasons.insert(reason, skipped);
                }
            }
        }
    }

    /// Number of skipped examples.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|skipped| skipped.count).sum()
    }

    /// Number of examples skipped for this reason.
    #[must_use]
    pub fn count(&self, reason: &str) -> u64 {
        self.reasons.get(reason).map_or(0, |skipped| skipped.count)
    }

    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Reasons in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Skipped)> {
        self.reasons.iter().map(|(reason, skipped)| (reason.as_str(), skipped))
    }

    /// The most frequent reason with its first place, in one line.
    pub(crate) fn main_reason(&self) -> Option<String> {
        let (reason, skipped) = self.reasons.iter().max_by_key(|(_, skipped)| skipped.count)?;
        Some(format!("{reason} (first: {})", skipped.first))
    }
}

/// One line a reason: `3 skipped: the assistant says nothing (first: a.jsonl:17)`.
impl fmt::Display for Skips {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (reason, Skipped { count, first })) in self.reasons.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(formatter, "{line_end}{count} skipped: {reason} (first: {first})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_a_line_with_its_count_and_first_place() {
        let mut skips = Skips::default();
        assert_eq!((skips.to_string(), skips.total(), skips.is_empty()), (String::new(), 0, true));
        for line in [17, 3, 20] {
            skips.add("the assistant says nothing", format!("a.jsonl:{line}"));
        }
        let mut later = Skips::default();
        later.add("an answer is empty", "b.jsonl:1");
        later.add("the assistant says nothing", "b.jsonl:2");
        skips.extend(later);
        assert_eq!(
            skips.to_string(),
            "1 skipped: an answer is empty (first: b.jsonl:1)\n\
             4 skipped: the assistant says nothing (first: a.jsonl:17)"
        );
        assert_eq!((skips.total(), skips.count("an answer is empty"), skips.count("other")), (5, 1, 0));
        assert_eq!(skips.main_reason().as_deref(), Some("the assistant says nothing (first: a.jsonl:17)"));
    }
}
