//! Evaluators on decoders whose opinions are known from a plain forward pass.

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_data::examples::{AnswerCheck, Continuation, MultipleChoice, Preference, Schema, Task};
use fireclay_infer::SamplingConfig;
use fireclay_model::{DecoderConfig, InferenceDecoder, WeightStorage};
use fireclay_tokenizer::{BpeConfig, Message, Tokenizer};

use super::{
    EvalModel, TaskReport, completion, exact_match, multiple_choice, preferences_by_likelihood, schema, table,
};

const TEXT: &str = "the red clay is in the kiln. the wet clay is on the wheel. a pot of clay, a pot of red clay.";

/// A tokenizer of some merges and a decoder with opinions, of a context of 24 tokens.
fn model() -> (InferenceDecoder, Tokenizer) {
    let texts = std::iter::repeat_n(TEXT.to_owned(), 4);
    let tokenizer = Tokenizer::train_bpe(texts, &BpeConfig { vocab_size: 290, ..BpeConfig::default() }).unwrap();
    let device = fireclay_model::device::parse("cpu").unwrap();
    let config = DecoderConfig { init_std: 0.3, ..DecoderConfig::modern(tokenizer.vocab_size(), 32, 2, 4, 24) };
    (InferenceDecoder::new(config.init(5, &device), WeightStorage::F32), tokenizer)
}

fn eval_model<'a>(decoder: &'a InferenceDecoder, tokenizer: &'a Tokenizer) -> EvalModel<'a> {
    EvalModel { decoder, tokenizer, leading: None, batch: 3, memory: 1 << 20 }
}

/// log p of `answer` after `before`, whose ids join at a border, and whether greedy decoding gives it: by one
/// forward pass of one row.
fn by_hand(decoder: &InferenceDecoder, tokenizer: &Tokenizer, before: &str, answer: &str) -> (f64, usize, bool) {
    let (given, whole) = (tokenizer.encode(before), tokenizer.encode(&format!("{before} {answer}")));
    assert!(whole.starts_with(&given), "{before:?} and {answer:?} have a clean border");
    let data: Vec<i32> = whole.iter().map(|&id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(data, [1, whole.len()]), &decoder.device());
    let logits: Vec<f32> = decoder.forward(ids, None).into_data().convert::<f32>().try_to_vec().unwrap();
    let (mut sum, mut greedy) = (0.0, true);
    for at in given.len()..whole.len() {
        let row = &logits[(at - 1) * tokenizer.vocab_size()..at * tokenizer.vocab_size()];
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        let logit = row[whole[at] as usize];
        sum += f64::from(logit) - total.ln();
        greedy &= row.iter().all(|&other| other <= logit);
    }
    (sum, whole.len() - given.len(), greedy)
}

fn check(outcome: &TaskReport, metrics: &[(&str, f64)]) {
    for (name, expect) in metrics {
        let found = outcome.value(name).unwrap_or_else(|| panic!("{name} in {outcome:?}"));
        assert!((found - expect).abs() < 1e-4 * expect.abs().max(1.0), "{name} is {found}, not {expect}");
    }
}

#[test]
fn the_most_probable_choice_is_chosen() {
    let (decoder, tokenizer) = model();
    // Choices of one token each, or of several, that share no beginning.
    let choices = ["clay", "wheel", "a pot", "kiln"].map(str::to_owned).to_vec();
    let (mut questions, mut right) = (vec![], [0.0, 0.0]);
    for (index, query) in ["the red", "the wet clay is on the", "a pot of", "in the"].into_iter().enumerate() {
        let scores: Vec<_> = choices.iter().map(|choice| by_hand(&decoder, &tokenizer, query, choice)).collect();
        let gold = index % choices.len();
        let best = |value: &dyn Fn(usize) -> f64| (0..4).max_by(|&a, &b| value(a).total_cmp(&value(b)));
        right[0] += f64::from(u8::from(best(&|i| scores[i].0) == Some(gold)));
        right[1] += f64::from(u8::from(best(&|i| scores[i].0 / scores[i].1 as f64) == Some(gold)));
        // Each question is asked with every answer as the right one, too: exactly one of them is chosen.
        questions.push(MultipleChoice { query: query.into(), choices: choices.clone(), gold });
    }
    let outcome = multiple_choice(&eval_model(&decoder, &tokenizer), &questions).unwrap();
    check(&outcome, &[("accuracy", right[0] / 4.0), ("accuracy_normalised", right[1] / 4.0)]);
    assert_eq!((outcome.n, outcome.truncated, outcome.baseline()), (4, 0, Some(0.25)));
    let all: Vec<_> = (0..4).map(|gold| MultipleChoice { gold, ..questions[0].clone() }).collect();
    let outcome = multiple_choice(&eval_model(&decoder, &tokenizer), &all).unwrap();
    check(&outcome, &[("accuracy", 0.25), ("accuracy_normalised", 0.25)]);
}

#[test]
fn a_choice_that_another_begins_with_and_an_empty_question_can_be_judged() {
    let (decoder, tokenizer) = model();
    let choices = ["clay", "clay is wet"].map(str::to_owned).to_vec();
    let questions = [
        MultipleChoice { query: "the red".into(), choices: choices.clone(), gold: 0 },
        MultipleChoice { query: String::new(), choices: vec!["a".into(), "the".into()], gold: 0 },
        MultipleChoice { query: "the wet clay is on the wheel ".repeat(9), choices, gold: 0 },
    ];
    let outcome = multiple_choice(&eval_model(&decoder, &tokenizer), &questions).unwrap();
    assert_eq!((outcome.n, outcome.truncated), (3, 2));
}

#[test]
fn the_context_that_makes_the_ending_most_probable_is_chosen() {
    let (decoder, tokenizer) = model();
    let contexts = ["the red clay", "the wheel", "a pot"].map(str::to_owned).to_vec();
    let scores: Vec<f64> =
        contexts.iter().map(|context| by_hand(&decoder, &tokenizer, context, "is in the kiln.").0).collect();
    let best = (0..3).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
    for gold in 0..3 {
        let question = Schema { context_options: contexts.clone(), continuation: "is in the kiln.".into(), gold };
        let outcome = schema(&eval_model(&decoder, &tokenizer), &[question]).unwrap();
        check(&outcome, &[("accuracy", f64::from(u8::from(gold == best)))]);
        assert_eq!(outcome.baseline().map(|chance| (chance * 3.0).round()), Some(1.0));
    }
}

#[test]
fn a_completion_is_right_where_greedy_decoding_writes_it() {
    let (decoder, tokenizer) = model();
    let texts = ["clay", "kiln", "pot of clay", "wheel"];
    let scores = texts.map(|text| by_hand(&decoder, &tokenizer, "the red clay is in the", text));
    let completions =
        texts.map(|text| Continuation { context: "the red clay is in the \n".into(), continuation: text.into() });
    let outcome = completion(&eval_model(&decoder, &tokenizer), &completions).unwrap();
    let right = scores.iter().filter(|score| score.2).count() as f64 / 4.0;
    let nats: f64 = scores.iter().map(|score| score.0).sum();
    let tokens: usize = scores.iter().map(|score| score.1).sum();
    check(
        &outcome,
        &[("accuracy", right), ("logprob", nats / 4.0), ("perplexity_per_token", (-nats / tokens as f64).exp())],
    );
}

#[test]
fn answers_are_checked_and_compared_word_by_word() {
    let (decoder, tokenizer) = model();
    let task = |text: &str, check: AnswerCheck, reference: Option<&str>| Task {
        messages: vec![Message::new("user", text)],
        topic: None,
        check,
        reference: reference.map(str::to_owned),
        origin: "test:1".into(),
    };
    let any = AnswerCheck::Regex { pattern: fireclay_data::examples::Pattern::new("").unwrap() };
    let tasks = [task("a pot", any, None), task("a", AnswerCheck::Exact { text: "no".into() }, Some("no"))];
    let decoder = {
        // Room for the template.
        let config = DecoderConfig { context: 96, ..decoder.config().clone() };
        InferenceDecoder::new(config.init(5, &decoder.device()), WeightStorage::F32)
    };
    let sampling = SamplingConfig::greedy(4);
    let outcome = exact_match(&eval_model(&decoder, &tokenizer), &tasks, &sampling).unwrap();
    check(&outcome, &[("correct", 0.5), ("exact", 0.0)]);
    assert_eq!(outcome.n, 2);
    let open = [task("a pot", AnswerCheck::OPEN, None)];
    let error = exact_match(&eval_model(&decoder, &tokenizer), &open, &sampling).unwrap_err();
    assert!(error.to_string().contains("no right answers are given"), "{error}");
}

#[test]
fn a_model_prefers_the_same_as_itself_by_no_margin() {
    let (decoder, tokenizer) = model();
    let config = DecoderConfig { context: 96, ..decoder.config().clone() };
    let [decoder, other] =
        [5, 6].map(|seed| InferenceDecoder::new(config.init(seed, &decoder.device()), WeightStorage::F32));
    let pair = |chosen: &str, rejected: &str| Preference {
        prompt: vec![Message::new("user", "a pot")],
        chosen: chosen.into(),
        rejected: rejected.into(),
        margin: None,
        kind: None,
        origin: "test:1".into(),
    };
    let pairs = [pair("the kiln", "the wheel"), pair("the wheel", "the kiln")];
    let (model, other) = (eval_model(&decoder, &tokenizer), eval_model(&other, &tokenizer));
    let outcome = preferences_by_likelihood(&model, Some(&model), &pairs).unwrap();
    check(&outcome, &[("implicit_accuracy", 0.0), ("implicit_margin", 0.0)]);
    // Any judge prefers one of two opposite pairs.
    let outcome = preferences_by_likelihood(&model, Some(&other), &pairs).unwrap();
    check(&outcome, &[("implicit_accuracy", 0.5), ("accuracy", 0.5), ("accuracy_normalised", 0.5)]);
}

#[test]
fn a_table_has_a_line_for_every_metric() {
    let metrics = vec![super::Metric::share("accuracy", 3.0, 4).by_chance(0.5), super::Metric::number("loss", 1.5, 10)];
    let outcome = TaskReport { task: "copa".into(), kind: "multiple_choice", n: 4, metrics, ..TaskReport::default() };
    let text = table(std::slice::from_ref(&outcome));
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["copa", "accuracy", "0.7500", "0.3006", "–", "0.9544", "4", "0.5000"]);
    assert_eq!(lines[2], ["loss", "1.5000", "10"]);
    let json = outcome.json();
    assert_eq!((&json["baseline"], &json["counts"]), (&0.5.into(), &serde_json::json!({"loss": 10})));
}
