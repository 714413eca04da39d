//! Exact checks of answers.

use regex::Regex;
use serde::{Deserialize, Serialize};

use fireclay_corpus::Check;

/// Check of the answer to a [`Task`](super::Task).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnswerCheck {
    /// GSM8K (Cobbe et al. 2021, <https://arxiv.org/abs/2110.14168>): the number with which the answer ends.
    ///
    /// If the answer has `####`: the last number of the first line after the last `####` that has one; where it has
    /// none, the last number of the whole. Commas between digits, spaces and currency signs do not count: `$1,000.00`
    /// is `1000`.
    FinalNumber {
        /// The right number.
        value: String,
    },
    /// The answer must be this text, white space around it aside.
    Exact {
        /// The right answer.
        text: String,
    },
    /// The pattern must match somewhere in the answer.
    Regex {
        /// The pattern; `^` and `$` tie it to the ends of the answer.
        pattern: Pattern,
    },
    /// The answer must be one JSON value and nothing else.
    Json,
    /// A check of the embedded corpus, which may be that there is none.
    #[serde(untagged)]
    Corpus(Check),
}

impl AnswerCheck {
    /// Any answer is allowed: only a reward model can judge it.
    pub const OPEN: Self = Self::Corpus(Check::Open);

    /// Whether any answer is allowed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_right("").is_none()
    }

    /// Whether `completion` is right, or `None` if there is no right or wrong.
    #[must_use]
    pub fn is_right(&self, completion: &str) -> Option<bool> {
        Some(match self {
            Self::FinalNumber { value } => {
                let right = DecimalNumber::last_of(value);
                right.is_some() && final_number(completion) == right
            }
            Self::Exact { text } => completion.trim() == text.trim(),
            Self::Regex { pattern } => pattern.0.is_match(completion),
            Self::Json => serde_json::from_str::<serde::de::IgnoredAny>(completion).is_ok(),
            Self::Corpus(check) => return check.answer_is_right(completion),
        })
    }
}

impl From<Check> for AnswerCheck {
    fn from(check: Check) -> Self {
        Self::Corpus(check)
    }
}

/// A regular expression, in the syntax of the `regex` crate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Describes the problem in one line.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Regex::new(pattern).map(Self).map_err(|error| {
            // The parser's message shows the pattern and the place; its last line names the problem.
            let message = error.to_string();
            message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }
}

impl Pattern {
    /// Whether no answer can be wrong, as with an empty pattern.
    pub(super) fn matches_everything(&self) -> bool {
        ["", "\u{1}", "x\n9"].iter().all(|text| self.0.is_match(text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(pattern: String) -> Result<Self, String> {
        Self::new(&pattern)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

/// Mark before the final number of an answer.
pub(super) const FINAL_MARK: &str = "####";

/// The number that an answer ends with.
fn final_number(answer: &str) -> Option<DecimalNumber> {
    match answer.rsplit_once(FINAL_MARK) {
        Some((_, after)) => after.lines().find_map(DecimalNumber::last_of),
        None => DecimalNumber::last_of(answer),
    }
}

/// A decimal number: equal numbers are equal however they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DecimalNumber {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl DecimalNumber {
    /// The last number of a text.
    pub(super) fn last_of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let end = bytes.iter().rposition(u8::is_ascii_digit)? + 1;
        let digit_at = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        // A point or comma belongs to the number between two digits.
        let inner = |at: usize| digit_at(at) || (matches!(bytes[at], b'.' | b',') && at > 0 && digit_at(at - 1));
        let mut start = end;
        while start > 0 && inner(start - 1) {
            start -= 1;
        }
        // ".5" is a number too.
        let point_first = text[..start].ends_with('.');
        let before = text[..start].trim_end_matches('.').trim_end_matches(['$', '€', '£', '¥', ' ']);
        // In "10-7" the sign stands between two numbers.
        let signed = ['-', '−'].into_iter().find_map(|sign| before.strip_suffix(sign));
        let negative = signed.is_some_and(|left| !left.trim_end().ends_with(|c: char| c.is_ascii_digit() || c == ')'));
        let digits = text[start..end].replace(',', "");
        let digits = if point_first { format!(".{digits}") } else { digits };
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        if fraction.contains('.') {
            // A date or a version.
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned());
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction })
    }
}

#[cfg(test)]
mod tests {
    use fireclay_corpus::arithmetic::Problem;

    use super::*;

    #[track_caller]
    fn check(check: &AnswerCheck, answer: &str, right: bool) {
        assert_eq!(check.is_right(answer), Some(right), "{check:?} {answer:?}");
    }

    #[test]
    fn the_final_number_is_found_however_it_is_written() {
        let thousand = AnswerCheck::FinalNumber { value: "1,000".into() };
        for answer in [
            "#### 1000",
            "####1,000",
            "First 3, then 4.\n#### $1,000.00",
            "#### 1 + 999 = 1000",
            "####\n1000 apples\nThen 5 more.",
            "So the answer is $1000.",
            "7 and 1,000, I think",
            "#### 5\n#### 1000",
            "#### 01000.0",
        ] {
            check(&thousand, answer, true);
        }
        for answer in ["", "#### ", "1000 #### none", "#### 999", "#### -1000", "1000, or 7", "10000", "#### 1000.5"] {
            check(&thousand, answer, false);
        }
        check(&AnswerCheck::FinalNumber { value: "-0.5".into() }, "it is - $.50", true);
        check(&AnswerCheck::FinalNumber { value: "3".into() }, "10-7 is 10-3", true);
        check(&AnswerCheck::FinalNumber { value: "0".into() }, "#### -0.0", true);
        check(&AnswerCheck::FinalNumber { value: "nothing".into() }, "no number", false);
    }

    #[test]
    fn text_patterns_and_json_are_compared_as_they_say() {
        let exact = AnswerCheck::Exact { text: "Paris".into() };
        check(&exact, " Paris\n", true);
        check(&exact, "paris", false);
        let pattern = AnswerCheck::Regex { pattern: Pattern::new("^(?i)yes\\b").unwrap() };
        check(&pattern, "Yes, of course", true);
        check(&pattern, "Oh yes", false);
        check(&AnswerCheck::Json, " {\"a\": [1, null]}\n", true);
        check(&AnswerCheck::Json, "{\"a\": [1, null]} and more", false);
        check(&AnswerCheck::Json, "", false);
        assert_eq!(AnswerCheck::OPEN.is_right("anything"), None);
    }

    #[test]
    fn a_pattern_that_does_not_compile_says_why_in_one_line() {
        let message = Pattern::new("a(b").unwrap_err();
        assert_eq!(message, "unclosed group");
    }

    #[test]
    fn checks_survive_json() {
        let checks = [
            AnswerCheck::FinalNumber { value: "7".into() },
            AnswerCheck::Regex { pattern: Pattern::new("a+").unwrap() },
            AnswerCheck::Json,
            AnswerCheck::Corpus(Check::Arithmetic { problem: Problem { left: 3, right: 4, minus: false } }),
        ];
        let text = serde_json::to_string(&checks).unwrap();
        assert!(text.contains(r#"{"kind":"regex","pattern":"a+"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Vec<AnswerCheck>>(&text).unwrap(), checks);
    }
}
