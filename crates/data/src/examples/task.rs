//! Prompts whose answers can be judged: for reinforcement learning and evaluation.

use fireclay_tokenizer::Message;
use serde::{Deserialize, Serialize};

use super::beside::with_beside;
use super::check::{DecimalNumber, FINAL_MARK};
use super::conversation;
use super::prompt::{fault, is_null, prompt_under};
use super::read::{self, Examples};
use super::record::Record;
use super::{AnswerCheck, CORPUS, Pattern, reason};
use crate::DataError;
use crate::documents::Known;
use fireclay_corpus as corpus;

/// A conversation that waits for the assistant's next turn, with a check of that turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The messages so far, the last one not the assistant's.
    pub messages: Vec<Message>,
    /// Check of the answer.
    pub check: AnswerCheck,
    /// The topic that evaluations report it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// A good answer, if one is known.
    pub reference: Option<String>,
    /// Its origin: `path:line`, or the generator's name.
    pub origin: String,
}

impl From<corpus::Prompt> for Task {
    fn from(prompt: corpus::Prompt) -> Self {
        Self {
            messages: conversation::messages(prompt.messages),
            topic: Some(prompt.topic.name().into()),
            check: prompt.check.into(),
            reference: Some(prompt.reference),
            origin: CORPUS.into(),
        }
    }
}

const EXPECTED: &str =
    "`question` with `answer`, or `prompt` or `messages` (with one or none of `answer`, `regex`, `json`)";

/// Reads tasks.
///
/// | keys | form |
/// |---|---|
/// | `question`, `answer` with `#### number` at its end | GSM8K: the final number is compared |
/// | `prompt` (text or messages) or `messages` | anything may be answered |
/// | … and `answer` | the answer must be this text |
/// | … and `regex` | the pattern must match somewhere in the answer |
/// | … and `json`: true | the answer must be JSON |
/// | any, and `topic` | evaluations report a share for it |
///
/// # Errors
/// When a path or a file's form is wrong, and when everything in a file has to be left out.
pub fn read_tasks(paths: &[String]) -> Result<Examples<Task>, DataError> {
    read::read(paths, Known::EXAMPLES, parse)
}

fn parse(record: &Record, found: &mut Examples<Task>) -> Result<(), DataError> {
    let (messages, check, reference) = if record.has("question") {
        let (check, answer) = final_number(record)?;
        (prompt_under(record, "question")?, check, Some(answer))
    } else if record.has("prompt") || record.has("messages") {
        let key = if record.has("prompt") { "prompt" } else { "messages" };
        let (check, reference) = check(record)?;
        (prompt_under(record, key)?, check, reference)
    } else if let Some(key) = record.first_of(&["conversations", "conversation", "instruction", "query", "problem"]) {
        let (check, reference) = check(record)?;
        let messages = match key {
            "instruction" | "query" | "problem" => prompt_under(record, key)?,
            _ => record.turns(key)?,
        };
        (messages, check, reference)
    } else if is_null(record) {
        found.skips.add(reason::EMPTY_PROMPT, record.origin());
        return Ok(());
    } else {
        return Err(record.unknown(EXPECTED));
    };
    let messages = with_beside(record, messages)?;
    let origin = record.origin();
    let topic = record.string("topic").ok().map(str::to_owned);
    match fault(&messages) {
        Some(reason) => found.skips.add(reason, origin),
        None => found.examples.push(Task { messages, check, topic, reference, origin }),
    }
    Ok(())
}

fn final_number(record: &Record) -> Result<(AnswerCheck, String), DataError> {
    let answer = record.string_or_number("answer")?;
    if record.object["answer"].is_number() {
        return Ok((AnswerCheck::FinalNumber { value: answer.clone() }, answer));
    }
    let value = answer.rsplit_once(FINAL_MARK).map(|(_, value)| value.trim());
    match value.filter(|value| DecimalNumber::last_of(value).is_some()) {
        Some(value) => Ok((AnswerCheck::FinalNumber { value: value.into() }, answer)),
        None => Err(record.wrong("an `answer` that ends with `#### number`", "none (for exact answers say `prompt`)")),
    }
}

fn check(record: &Record) -> Result<(AnswerCheck, Option<String>), DataError> {
    let given: Vec<_> = ["answer", "regex", "json"].into_iter().filter(|key| record.has(key)).collect();
    match given.as_slice() {
        [] => Ok((AnswerCheck::OPEN, None)),
        ["answer"] => {
            let text = record.string_or_number("answer")?;
            if text.trim().is_empty() {
                return Err(
                    record.wrong("the right text under `answer`", "none; leave the key out if any answer will do")
                );
            }
            Ok((AnswerCheck::Exact { text: text.clone() }, Some(text)))
        }
        ["regex"] => match Pattern::new(record.string("regex")?) {
            Ok(pattern) if pattern.matches_everything() => {
                let expected = "a regular expression under `regex` that tells answers apart";
                Err(record.wrong(expected, "one that matches every text; leave the key out if any answer will do"))
            }
            Ok(pattern) => Ok((AnswerCheck::Regex { pattern }, None)),
            Err(reason) => Err(record.wrong("a regular expression under `regex`", reason)),
        },
        ["json"] => Ok((if record.bool("json")? { AnswerCheck::Json } else { AnswerCheck::OPEN }, None)),
        several => {
            Err(record.wrong("at most one of `answer`, `regex` and `json`", format!("`{}`", several.join("`, `"))))
        }
    }
}
