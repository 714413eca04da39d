//! Numbers by which programs are compared.

/// One of the numbers of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name in the result of either program.
    pub key: &'static str,
    /// Its name for people; empty where it is the only one.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    /// The more the better.
    TokensPerSecond,
    /// The fewer the better.
    Seconds,
}

impl Figure {
    /// Whether a result is none without it.
    pub fn is_required(&self) -> bool {
        self.unit == Unit::TokensPerSecond
    }

    /// Ours by another's, so that above 1 we are faster.
    pub fn ratio(&self, ours: f64, other: f64) -> f64 {
        match self.unit {
            Unit::TokensPerSecond => ours / other,
            Unit::Seconds => other / ours,
        }
    }

    /// A value without its unit.
    pub fn number(&self, value: f64) -> String {
        match self.unit {
            Unit::TokensPerSecond => grouped(value),
            Unit::Seconds => format!("{value:.3}"),
        }
    }

    /// A value with all that it means.
    pub fn sentence(&self, value: f64) -> String {
        format!("{} {} {}", self.number(value), self.unit.symbol(), self.name).trim_end().into()
    }
}

impl Unit {
    /// As it stands above a column, or behind a number.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::TokensPerSecond => "tokens/s",
            Self::Seconds => "s",
        }
    }

    /// What a ratio of ours and another's is, as it stands above a column.
    pub fn ratio_heading(self) -> &'static str {
        match self {
            Self::TokensPerSecond => "fireclay / it",
            Self::Seconds => "it / fireclay",
        }
    }
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

    #[test]
    fn above_one_fireclay_is_faster() {
        let rate = Figure { key: "k", name: String::new(), unit: Unit::TokensPerSecond };
        let wait = Figure { key: "k", name: "first token, alone".into(), unit: Unit::Seconds };
        assert_eq!([rate.ratio(6.0, 3.0), wait.ratio(3.0, 6.0)].map(|ratio| ratio.to_string()), ["2", "2"]);
        assert_eq!(rate.sentence(1234.4), "1,234 tokens/s");
        assert_eq!(wait.sentence(0.05), "0.050 s first token, alone");
        assert!(rate.is_required() && !wait.is_required());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([7.4, 999.6, 12_345.0, 1e6].map(grouped), ["7", "1,000", "12,345", "1,000,000"]);
    }
}
