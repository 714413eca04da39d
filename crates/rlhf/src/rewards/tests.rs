#![expect(clippy::float_cmp, reason = "0 and 1 are exact")]

use fireclay_data::examples::AnswerCheck;
use fireclay_tokenizer::Message;

use super::*;

fn task(check: AnswerCheck) -> Task {
    Task { messages: vec![Message::new("user", "?")], topic: None, check, reference: None, origin: "a test".into() }
}

/// The score of one answer: a text, or where only the tokens count, these.
fn score(reward: &dyn Reward, check: AnswerCheck, text: &str, completion: &[u32], finished: bool) -> f64 {
    let task = task(check);
    let answer = Answer { task: &task, prompt: &[1], completion, text, finished };
    reward.score(&[answer]).unwrap()[0]
}

#[test]
fn correctness_is_the_tasks_own_check() {
    let check = |check: AnswerCheck, text: &str, expect: f64| {
        assert_eq!(score(&Correctness, check, text, &[5], true), expect, "{text:?}");
    };
    let final_number = || AnswerCheck::FinalNumber { value: "72".into() };
    check(final_number(), "48 / 2 = 24, and 48 + 24 = 72\n#### 72", 1.0);
    check(final_number(), "#### 71", 0.0);
    check(AnswerCheck::Json, "{\"kiln\": [1, 2]}", 1.0);
    check(AnswerCheck::Json, "{\"kiln\": ", 0.0);
    // What cannot be checked earns nothing.
    check(AnswerCheck::OPEN, "Anything.", 0.0);
}

#[test]
fn form_costs_what_it_says() {
    let check = |reward: &dyn Reward, completion: &[u32], finished, expect: f64| {
        let got = score(reward, AnswerCheck::OPEN, "", completion, finished);
        assert!((got - expect).abs() < 1e-12, "{completion:?}: {got}, not {expect}");
    };
    let length = LengthPenalty { most: 4 };
    check(&length, &[1, 2, 3, 4], true, 0.0);
    check(&length, &[1, 2, 3, 4, 5, 6], true, -0.5);
    let repetition = RepetitionPenalty { n: 2 };
    check(&repetition, &[1, 2, 3, 4], true, 0.0);
    check(&repetition, &[1, 2, 1, 2, 1], true, -0.5);
    check(&repetition, &[1], true, 0.0);
    check(&Unfinished, &[1], true, 0.0);
    check(&Unfinished, &[1], false, -1.0);
}

#[test]
fn a_sum_is_weighted_and_leaves_out_what_has_no_weight() {
    let sum = WeightedSum::new().with(2.0, Unfinished).with(0.5, LengthPenalty { most: 1 }).with(0.0, Correctness);
    assert!((score(&sum, AnswerCheck::OPEN, "", &[1, 2, 3], false) - -3.0).abs() < 1e-12);
    assert!(!sum.is_empty() && WeightedSum::new().with(0.0, Unfinished).is_empty());
}
