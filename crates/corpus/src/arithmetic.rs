//! Sums and differences as text, with an exact verifier.

use serde::{Deserialize, Serialize};

use super::Split;
use super::dice::{Dice, fingerprint};
use super::number_words::english_number;

/// A sum or a difference of numbers from 0 to 99, never below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// The first number.
    pub left: u32,
    /// The second number.
    pub right: u32,
    /// Whether the second is taken away rather than added.
    pub minus: bool,
}

/// Shares of the kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProblemMix {
    /// The share, in percent, whose numbers have one digit.
    pub one_digit_percent: u8,
    /// The share, in percent, that are differences; the others are sums.
    pub minus_percent: u8,
}

impl Problem {
    /// The right result.
    #[must_use]
    pub fn result(self) -> u32 {
        if self.minus { self.left.saturating_sub(self.right) } else { self.left + self.right }
    }

    /// `23 + 45`
    #[must_use]
    pub fn expression(self) -> String {
        format!("{} {} {}", self.left, if self.minus { '-' } else { '+' }, self.right)
    }

    /// Prompt of the problem: `23 + 45 =`
    #[must_use]
    pub fn prompt(self) -> String {
        format!("{} =", self.expression())
    }

    /// The whole line: `23 + 45 = 68`
    #[must_use]
    pub fn solved(self) -> String {
        format!("{} = {}", self.expression(), self.result())
    }

    /// The calculation as somebody would write it down: `7 + 5 = 12`, and for two numbers of two digits
    /// `47 + 38 = 47 + 30 + 8 = 77 + 8 = 85`: the tens first and then the ones, so that no step needs more than one
    /// carry.
    #[must_use]
    pub fn worked(self) -> String {
        let sign = if self.minus { '-' } else { '+' };
        match self.steps().as_slice() {
            [only] => only.solved(),
            [tens, ones] => {
                format!("{} = {} {sign} {} = {}", self.expression(), tens.expression(), ones.right, ones.solved())
            }
            _ => unreachable!("a calculation has one or two steps"),
        }
    }

    /// `forty-seven plus thirty-eight`
    fn in_words(self, dice: &mut Dice) -> String {
        let sign = if self.minus { dice.word(&["minus", "less", "take away"]) } else { dice.word(&["plus", "and"]) };
        format!("{} {sign} {}", english_number(self.left), english_number(self.right))
    }

    /// The problems that [`worked`](Self::worked) solves one after the other.
    fn steps(self) -> Vec<Self> {
        let ones = self.right % 10;
        if self.left < 10 || self.right < 10 || ones == 0 {
            return vec![self];
        }
        let tens = Self { right: self.right - ones, ..self };
        vec![tens, Self { left: tens.result(), right: ones, ..self }]
    }

    /// The split that the problem belongs to: of 8 problems, about one is in validation alone. `a + b` and `b + a` are
    /// in the same split, so that no held-out sum is known the other way round.
    #[must_use]
    pub fn split(self) -> Split {
        let (low, high) = (self.left.min(self.right), self.left.max(self.right));
        let key = if self.minus { format!("{}-{}", self.left, self.right) } else { format!("{low}+{high}") };
        if fingerprint(&key).is_multiple_of(8) { Split::Validation } else { Split::Train }
    }

    /// Whether `answer` gives the right result. See [`verify`].
    #[must_use]
    pub fn answer_is_right(self, answer: &str) -> bool {
        let line = answer.trim_start().lines().next().unwrap_or("");
        if line.matches('=').count() >= 2 {
            return self.is_worked_out_by(line);
        }
        let numbers = whole_numbers(line);
        let echo = [self.left, self.right].map(Some);
        let given = match numbers.as_slice() {
            [only] => *only,
            [left, right, result] if [*left, *right] == echo => *result,
            _ => None,
        };
        given == Some(self.result())
    }

    /// Whether a line of equations begins with the problem, has the result at its end, and is true at every step.
    fn is_worked_out_by(self, line: &str) -> bool {
        let parts: Vec<&str> = line.trim_end_matches(['.', '。', '!', ' ']).split('=').map(str::trim).collect();
        let begins = parts[0].split_whitespace().collect::<String>() == self.expression().replace(' ', "");
        let ends = parts[parts.len() - 1].parse() == Ok(i64::from(self.result()));
        begins && ends && parts.iter().all(|part| value(part) == Some(i64::from(self.result())))
    }

    /// Draws a problem of `split`. One of training has no step in its calculation that belongs to validation.
    pub(super) fn draw(split: Split, mix: ProblemMix, dice: &mut Dice) -> Self {
        loop {
            let below = if dice.chance(usize::from(mix.one_digit_percent)) { 10 } else { 100 };
            let minus = dice.chance(usize::from(mix.minus_percent));
            let a = dice.below(below) as u32;
            let b = match dice.weighted(&[62, 23, 15]) {
                0 => dice.below(below) as u32,
                1 => dice.below(10) as u32,
                // Small differences, which two numbers drawn apart seldom have, are the hard ones.
                _ if minus => a.saturating_sub(dice.below(12) as u32),
                _ => dice.below(below) as u32,
            };
            let (left, right) = if minus { (a.max(b), a.min(b)) } else { (a, b) };
            let problem = Self { left, right, minus };
            let steps_known = || problem.steps().iter().all(|step| step.split() == Split::Train);
            if problem.split() == split && (split == Split::Validation || steps_known()) {
                return problem;
            }
        }
    }

    /// The last expression of a text: what "23 + 45 =" and "What is 23 + 45?" ask for.
    #[must_use]
    pub fn find_in(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| word.trim_end_matches(['?', '=', '.', '!', '？', '。']).parse::<u32>().ok();
        words.windows(3).rev().find_map(|window| {
            let minus = match window[1] {
                "+" => false,
                "-" => true,
                _ => return None,
            };
            let problem = Self { left: number(window[0])?, right: number(window[2])?, minus };
            (problem.left < 100 && problem.right < 100 && !(minus && problem.right > problem.left)).then_some(problem)
        })
    }
}

/// Every problem of `split`, in order: what an evaluation asks.
#[must_use]
pub fn problems(split: Split) -> Vec<Problem> {
    let pairs = (0..100).flat_map(|left| (0..100).map(move |right| (left, right)));
    pairs
        .flat_map(|(left, right)| [false, true].map(|minus| Problem { left, right, minus }))
        .filter(|problem| !(problem.minus && problem.right > problem.left) && problem.split() == split)
        .collect()
}

/// Whether `completion` is right for the last problem in `prompt`. False where `prompt` has no problem.
///
/// Only the first line counts, so that a completer may go on with other problems. It must hold the result as its only
/// number (`68`, `The answer is 68.`), or repeat the problem before it (`23 + 45 = 68`). Two different tries are wrong,
/// and so is a number that only begins right (`681`, `68.5`).
#[must_use]
pub fn verify(prompt: &str, completion: &str) -> bool {
    Problem::find_in(prompt).is_some_and(|problem| problem.answer_is_right(completion))
}

/// The value of `12 + 30 - 2`; `None` if that is not what `text` is.
fn value(text: &str) -> Option<i64> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let signed = compact.replace('-', "+-");
    signed.split('+').map(|number| number.parse::<i64>().ok()).sum()
}

/// The numbers of a line. One that is no whole number from 0 on (`-3`, `6.5`, too many digits) is `None`.
fn whole_numbers(line: &str) -> Vec<Option<u32>> {
    let chars: Vec<char> = line.chars().collect();
    let mut numbers = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < chars.len() && (chars[at].is_ascii_digit() || is_inner_mark(&chars, at)) {
            at += 1;
        }
        let sign = start.checked_sub(1).map(|before| chars[before]);
        let operand_before = start >= 2 && chars[start - 2].is_ascii_digit();
        let signed = matches!(sign, Some('.')) || matches!(sign, Some('-' | '−')) && !operand_before;
        let digits: String = chars[start..at].iter().collect();
        numbers.push(if signed { None } else { digits.parse().ok() });
    }
    numbers
}

/// A point or comma between two digits belongs to the number: "68.5" is not 68.
fn is_inner_mark(chars: &[char], at: usize) -> bool {
    matches!(chars[at], '.' | ',') && chars.get(at + 1).is_some_and(char::is_ascii_digit)
}

/// A document of problems that are worked out, one a line. In one of three each is said in words first, as people do.
pub(super) fn document(split: Split, mix: ProblemMix, dice: &mut Dice) -> String {
    let in_words = dice.chance(33);
    let line = |_| {
        let problem = Problem::draw(split, mix, dice);
        if in_words { format!("{}: {}", problem.in_words(dice), problem.worked()) } else { problem.worked() }
    };
    (0..if in_words { 5 } else { 8 }).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SUM: &str = "23 + 45 =";

    #[track_caller]
    fn check(prompt: &str, completion: &str, right: bool) {
        assert_eq!(verify(prompt, completion), right, "{prompt:?} {completion:?}");
    }

    #[test]
    fn the_result_is_right_in_every_usual_form() {
        for completion in
            [" 68", "68", " 68\n1 + 2 = 4", "The answer is 68.", "23 + 45 = 68", "23 plus 45 is 68.", "068"]
        {
            check(SUM, completion, true);
        }
        check("What is 7 - 7?", "0", true);
        check("9 - 4 =", "9-4=5", true);
        check("1 + 1 = 2\n9 - 4 =", " 5", true);
        check("请问 3 + 4 等于多少？", "3 + 4 = 7。", true);
    }

    #[test]
    fn everything_else_is_wrong() {
        for completion in
            ["", "67", "681", "68.5", "-68", "6 8", "67 or 68", "68 or 67", "23 + 45", "45 + 23 = 68 69", "six", "\n"]
        {
            check(SUM, completion, false);
        }
        check("no problem here", "68", false);
        check("23 + 45 =", "99999999999999999999", false);
    }

    #[test]
    fn a_calculation_must_be_true_at_every_step() {
        let problem = |left, right, minus| Problem { left, right, minus };
        assert_eq!(problem(47, 38, false).worked(), "47 + 38 = 47 + 30 + 8 = 77 + 8 = 85");
        assert_eq!(problem(52, 27, true).worked(), "52 - 27 = 52 - 20 - 7 = 32 - 7 = 25");
        assert_eq!(problem(7, 38, false).worked(), "7 + 38 = 45");
        assert_eq!(problem(12, 30, false).worked(), "12 + 30 = 42");
        let right = |answer: &str| problem(47, 38, false).answer_is_right(answer);
        assert!(right("47 + 38 = 47 + 30 + 8 = 77 + 8 = 85"));
        assert!(right("47+38 = 77 + 8 = 85."));
        for wrong in [
            "47 + 38 = 47 + 30 + 8 = 76 + 8 = 85",
            "47 + 38 = 77 + 8 = 84",
            "47 + 39 = 77 + 8 = 85",
            "47 + 38 = 77 + 8 = 85 = ?",
        ] {
            assert!(!right(wrong), "{wrong}");
        }
    }

    #[test]
    fn every_problem_is_right_with_its_result_and_wrong_with_any_other() {
        for problem in [Split::Train, Split::Validation].into_iter().flat_map(problems) {
            assert_eq!(Problem::find_in(&problem.prompt()), Some(problem));
            assert!(problem.answer_is_right(&problem.solved()), "{problem:?}");
            assert!(problem.answer_is_right(&problem.worked()), "{problem:?}");
            assert!(problem.answer_is_right(&problem.result().to_string()));
            for other in [problem.result() + 1, problem.result() + 10, problem.result().wrapping_sub(1)] {
                assert!(!problem.answer_is_right(&other.to_string()), "{problem:?} {other}");
            }
        }
    }

    #[test]
    fn the_splits_share_no_problem_and_hold_all_of_them() {
        let (train, held_out) = (problems(Split::Train), problems(Split::Validation));
        assert_eq!(train.len() + held_out.len(), 10_000 + 5_050);
        let train: BTreeSet<_> = train.into_iter().collect();
        assert!(held_out.iter().all(|problem| !train.contains(problem)));
        let swapped = |p: &Problem| Problem { left: p.right, right: p.left, minus: false };
        assert!(held_out.iter().filter(|p| !p.minus).all(|p| !train.contains(&swapped(p))));
        assert!((1500..2300).contains(&held_out.len()), "{}", held_out.len());
    }

    #[test]
    fn documents_hold_right_problems_of_their_split_only() {
        for split in [Split::Train, Split::Validation] {
            for index in 0..200 {
                let mix = ProblemMix { one_digit_percent: 50, minus_percent: 50 };
                let text = document(split, mix, &mut Dice::new(5, "test", index));
                for line in text.lines() {
                    let line = line.split_once(": ").map_or(line, |(_in_words, line)| line);
                    let problem = Problem::find_in(line.split('=').next().unwrap_or(line)).expect("a problem a line");
                    assert_eq!(problem.split(), split);
                    assert!(verify(&problem.prompt(), line));
                }
            }
        }
    }
}
