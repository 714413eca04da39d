//! Pairs of answers, which reward models and preference optimisation learn from.

use fireclay_tokenizer::Message;
use serde::{Deserialize, Serialize};

use super::beside::with_beside;
use super::conversation;
use super::prompt::{fault, prompt};
use super::read::{self, Examples};
use super::record::Record;
use super::{CORPUS, Rating, answer, reason, repeated, trees};
use crate::DataError;
use crate::documents::Known;
use fireclay_corpus::{Corruption, PreferencePair};

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// The messages so far, the last one not the assistant's.
    pub prompt: Vec<Message>,
    /// The better answer.
    pub chosen: String,
    /// The worse answer.
    pub rejected: String,
    /// Margin by which the chosen answer is better, if known.
    pub margin: Option<f32>,
    /// Fault of the rejected answer, for reporting: "rude", "2 ranks lower".
    pub kind: Option<String>,
    /// Its origin: `path:line`, or the generator's name.
    pub origin: String,
}

impl Preference {
    /// The two answers, each judged on its own: the chosen one good, the rejected one bad.
    #[must_use]
    pub fn ratings(&self) -> [Rating; 2] {
        [(&self.chosen, true), (&self.rejected, false)].map(|(completion, good)| Rating {
            prompt: self.prompt.clone(),
            completion: completion.clone(),
            good,
            origin: self.origin.clone(),
        })
    }
}

impl From<PreferencePair> for Preference {
    fn from(pair: PreferencePair) -> Self {
        let kind = match pair.corruption {
            Corruption::Wrong => "wrong",
            Corruption::Truncated => "truncated",
            Corruption::Repetitive => "repetitive",
            Corruption::Rude => "rude",
            Corruption::OffTopic => "off_topic",
        };
        Self {
            prompt: conversation::messages(pair.messages),
            chosen: pair.chosen,
            rejected: pair.rejected,
            margin: None,
            kind: Some(kind.into()),
            origin: CORPUS.into(),
        }
    }
}

/// Keys of a better and a worse answer.
const ANSWERS: [[&str; 2]; 3] =
    [["chosen", "rejected"], ["chosen_response", "rejected_response"], ["response_j", "response_k"]];
/// Keys of two answers of which another key names the better one.
const ANSWER_0_1: [&str; 2] = ["response_0", "response_1"];
const BETTER: &str = "better_response_id";

const EXPECTED: &str = "`chosen` and `rejected` (with or without `prompt`, `question`, `instruction` or the messages \
                        so far under `conversations`), `input` with `preferred_output` and `non_preferred_output`, or `message_tree_id` with `prompt`";

/// Reads preference pairs.
///
/// | keys | form |
/// |---|---|
/// | `prompt` (or `question`, `query`, `instruction` with `input`), `chosen`, `rejected` | each text, one message or, as in TRL, messages; the answers may repeat the prompt |
/// | `conversations` or `messages` (those so far), `chosen`, `rejected` | the same |
/// | `chosen`, `rejected` as messages | whole conversations that differ in the last message only |
/// | `chosen`, `rejected` as text | `Human:` and `Assistant:` in turn, as in Anthropic's HH-RLHF (Bai et al. 2022, <https://arxiv.org/abs/2204.05862>) |
/// | `chosen_response` and `rejected_response`, or `response_j` and `response_k` | other names of `chosen` and `rejected` |
/// | `messages`, `rejected_response` | the last message is the better answer |
/// | `response_0`, `response_1`, `better_response_id` | the better answer's number |
/// | `input` with `messages`, `preferred_output`, `non_preferred_output` | `OpenAI` |
/// | `message_tree_id`, `prompt` with nested `replies` | `OpenAssistant`: each ranked answer against each that is ranked lower |
///
/// `margin` (a number) and `kind` (text) are read too if present.
///
/// # Errors
/// When a path or a file's form is wrong, and when everything in a file has to be left out.
pub fn read_preferences(paths: &[String]) -> Result<Examples<Preference>, DataError> {
    read::read(paths, Known::EXAMPLES, parse)
}

fn parse(record: &Record, found: &mut Examples<Preference>) -> Result<(), DataError> {
    if record.has("message_tree_id") {
        for (prompt, chosen, rejected, ranks) in trees::ranked(record, &mut found.skips)? {
            let kind = Some(format!("{ranks} {} lower", if ranks == 1 { "rank" } else { "ranks" }));
            add(Preference { prompt, chosen, rejected, margin: None, kind, origin: record.origin() }, found);
        }
        return Ok(());
    }
    if is_null(record) {
        found.skips.add(reason::EMPTY_ANSWER, record.origin());
        return Ok(());
    }
    let mut prompt = prompt(record)?.unwrap_or_default();
    let (mut chosen, mut rejected) = match answers(record)? {
        (Some(chosen), rejected) => (whole(record, chosen, &prompt)?, whole(record, rejected, &prompt)?),
        (None, rejected) => {
            let chosen = prompt.clone();
            prompt.pop_if(|last| last.role == "assistant");
            (chosen, whole(record, rejected, &prompt)?)
        }
    };
    chosen = with_beside(record, chosen)?;
    rejected = with_beside(record, rejected)?;
    let margin = record.optional_number("margin")?;
    if let Some(margin) = margin.filter(|margin| !(*margin as f32).is_finite()) {
        return Err(record.wrong("a number of 32 bits under `margin`", format!("{margin:e}")));
    }
    let margin = margin.map(|margin| margin as f32);
    let kind = record.optional_string("kind")?.map(str::to_owned);
    let origin = record.origin();
    let (Some(last_chosen), Some(last_rejected)) = (chosen.pop(), rejected.pop()) else {
        found.skips.add(reason::EMPTY_ANSWER, origin);
        return Ok(());
    };
    if last_chosen.role != "assistant" || last_rejected.role != "assistant" {
        found.skips.add(reason::NOT_AN_ANSWER, origin);
    } else if chosen != rejected {
        found.skips.add(reason::OTHER_PROMPTS, origin);
    } else if let Some(reason) = [&last_chosen, &last_rejected].into_iter().find_map(answer::fault) {
        found.skips.add(reason, origin);
    } else {
        answer::count_fields(&last_chosen, record, &mut found.ignored);
        answer::count_fields(&last_rejected, record, &mut found.ignored);
        let (prompt, chosen, rejected) = (chosen, last_chosen.content, last_rejected.content);
        add(Preference { prompt, chosen, rejected, margin, kind, origin }, found);
    }
    Ok(())
}

/// The keys of the better and the worse answer; the better one may be the last message of the conversation.
fn answers(record: &Record) -> Result<(Option<&str>, &str), DataError> {
    for [chosen, rejected] in ANSWERS {
        if record.has(chosen) && record.has(rejected) {
            return Ok((Some(chosen), rejected));
        }
    }
    if record.first_of(&["messages", "conversations", "conversation"]).is_some() && record.has("rejected_response") {
        return Ok((None, "rejected_response"));
    }
    let Some(better) = record.value(BETTER).filter(|_| ANSWER_0_1.iter().all(|key| record.has(key))) else {
        return Err(record.unknown(EXPECTED));
    };
    match better.as_u64() {
        Some(better @ (0 | 1)) => Ok((Some(ANSWER_0_1[better as usize]), ANSWER_0_1[1 - better as usize])),
        _ => Err(record.wrong(format!("0 or 1 under `{BETTER}`"), better.to_string())),
    }
}

/// The prompt with the answer under `key`, which may repeat the prompt.
fn whole(record: &Record, key: &str, prompt: &[Message]) -> Result<Vec<Message>, DataError> {
    let (mut messages, mut answer) = repeated::answer(record, key, prompt)?;
    messages.append(&mut answer);
    Ok(messages)
}

/// Whether an answer is null where the others have one: a column that this row does not use.
fn is_null(record: &Record) -> bool {
    let pairs = || ANSWERS.iter().chain([&ANSWER_0_1]);
    let is_whole = |pair: &[&str; 2]| pair.iter().all(|key| record.has(key));
    let has_place = |pair: &[&str; 2]| pair.iter().all(|key| record.object.contains_key(*key));
    !pairs().any(is_whole) && pairs().any(has_place)
}

/// Adds a pair, or counts the reason why it cannot be learned from.
fn add(pair: Preference, found: &mut Examples<Preference>) {
    match reason_to_skip(&pair) {
        Some(reason) => found.skips.add(reason, pair.origin),
        None => found.examples.push(pair),
    }
}

fn reason_to_skip(pair: &Preference) -> Option<&'static str> {
    if let Some(reason) = fault(&pair.prompt) {
        return Some(reason);
    }
    if pair.chosen.trim().is_empty() || pair.rejected.trim().is_empty() {
        return Some(reason::EMPTY_ANSWER);
    }
    (pair.chosen.trim() == pair.rejected.trim()).then_some(reason::EQUAL)
}
