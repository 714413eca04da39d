//! Examples of alignment stages: files, or the embedded corpus.

use anyhow::Result;
use fireclay_corpus::{self as corpus, Split};
use fireclay_data::DataError;
use fireclay_data::chat::{
    Encoded, EncodedChats, EncodedPair, EncodedRating, EncodedTask, Omissions, encode_preferences, encode_ratings,
    encode_tasks,
};
use fireclay_data::examples::{
    AnswerCheck, Conversation, Examples, Preference, Prompted, Skips, Task, read_conversations, read_preferences,
    read_ratings, read_tasks, split_by_prompt,
};
use fireclay_tokenizer::Tokenizer;

use super::Stage;
use crate::recipe::{ConversationData, PreferenceData, PromptData};

/// Number of samples that a stage shows.
const SAMPLES: usize = 8;
/// Seed of the split of files into training and validation.
const SPLIT_SEED: u64 = 0;

/// Warns of skipped examples and their reasons.
pub fn report(stage: &str, skips: &Skips, kept: usize) {
    if !skips.is_empty() {
        tracing::warn!("{stage}: {kept} examples; {skips}");
    }
}

/// Warns of skipped examples and of unread keys in files of examples.
pub fn report_read<T>(stage: &str, found: &Examples<T>) {
    report(stage, &found.skips, found.examples.len());
    for (what, ignored) in found.ignored.iter() {
        tracing::warn!("{stage}: {what} ({} examples, the first {})", ignored.count, ignored.first);
    }
}

/// Warns of parts of conversations that are not learned.
pub fn report_chats(stage: &str, chats: &EncodedChats, context: usize) {
    report(stage, chats.skips(), chats.len());
    if chats.cut() > 0 {
        tracing::warn!("{stage}: {} conversations are cut at the context of {context} tokens", chats.cut());
    }
    report_omissions(stage, chats.omissions());
    if chats.hidden() > 0 {
        tracing::warn!("{stage}: the chat template shows nothing of {} answers, which are not learned", chats.hidden());
    }
}

/// Warns of parts of examples that the chat template does not show.
pub fn report_omissions(stage: &str, omissions: &Omissions) {
    let Omissions { fields, roles, tools, words, spelled } = omissions;
    if let Some(count) = spelled.values().max() {
        let tokens: Vec<String> = spelled.keys().map(|token| format!("`{token}`")).collect();
        tracing::warn!(
            "{stage}: messages of {count} examples spell out {}, which the chat template writes around each message: \
             give the messages as they are said, not as a template has rendered them",
            tokens.join(" and ")
        );
    }
    for (field, count) in fields {
        tracing::warn!("{stage}: the chat template does not show the field `{field}` of messages ({count} examples)");
    }
    if *tools > 0 {
        tracing::warn!("{stage}: the chat template shows none of the tools of {tools} examples");
    }
    if *words > 0 {
        tracing::warn!("{stage}: the chat template shows the calls of {words} messages, and not the words beside them");
    }
    for role in roles {
        tracing::warn!("{stage}: the chat template shows nothing of messages of role `{role}`, which are left out");
    }
}

/// Reads examples, warns of skipped ones, and keeps some for validation.
fn read<T: Prompted>(stage: &str, found: Examples<T>, fraction: f64) -> Result<(Vec<T>, Vec<T>)> {
    report_read(stage, &found);
    Ok(split_by_prompt(found.examples, fraction, SPLIT_SEED)?)
}

/// Conversations to learn, and others for validation.
///
/// # Errors
/// When a file is missing or holds something else.
pub fn conversations(data: &ConversationData, stage: Stage) -> Result<(Vec<Conversation>, Vec<Conversation>)> {
    if !data.data.is_empty() {
        return read(stage.name(), read_conversations(&data.data)?, data.validation_fraction);
    }
    let some = |split, count| corpus::conversations(&data.corpus, split).take(count).map(Into::into).collect();
    Ok((some(Split::Train, data.conversations), some(Split::Validation, data.validation_conversations)))
}

/// Prompts of fine-tuning samples: the beginnings of validation conversations, up to the first answer.
pub fn sample_tasks(
    validation: &[Conversation],
    tokenizer: &Tokenizer,
    context: usize,
    stage: Stage,
) -> Vec<EncodedTask> {
    let task = |conversation: &Conversation| {
        let answer = conversation.messages.iter().position(|message| message.role == "assistant")?;
        let messages = conversation.messages[..answer].to_vec();
        let origin = conversation.origin.clone();
        (answer > 0).then_some(Task { messages, topic: None, check: AnswerCheck::OPEN, reference: None, origin })
    };
    let tasks: Vec<Task> = validation.iter().filter_map(task).take(SAMPLES).collect();
    let encode = |tasks: &[Task]| Ok(encode_tasks(tasks, tokenizer, context / 2)?.items);
    held_out(stage.name(), &tasks, encode)
}

/// Pairs to learn from, and others for validation.
///
/// # Errors
/// When a file is missing or holds something else, or nothing is left to learn from.
pub fn pairs(
    data: &PreferenceData,
    tokenizer: &Tokenizer,
    context: usize,
    stage: Stage,
) -> Result<(Vec<EncodedPair>, Vec<EncodedPair>)> {
    encoded(preferences(data, stage)?, stage, |examples| encode_preferences(examples, tokenizer, context))
}

fn preferences(data: &PreferenceData, stage: Stage) -> Result<(Vec<Preference>, Vec<Preference>)> {
    if !data.data.is_empty() {
        return read(stage.name(), read_preferences(&data.data)?, data.validation_fraction);
    }
    let some = |split, count| corpus::preferences(&data.corpus, split).take(count).map(Into::into).collect();
    Ok((some(Split::Train, data.pairs), some(Split::Validation, data.validation_pairs)))
}

/// Ratings to learn from, and others for validation; the embedded corpus' pairs give two each.
///
/// # Errors
/// As [`pairs`].
pub fn ratings(
    data: &PreferenceData,
    tokenizer: &Tokenizer,
    context: usize,
    stage: Stage,
) -> Result<(Vec<EncodedRating>, Vec<EncodedRating>)> {
    let (train, validation) = if data.data.is_empty() {
        let (train, validation) = preferences(data, stage)?;
        let both = |pairs: Vec<Preference>| pairs.iter().flat_map(Preference::ratings).collect::<Vec<_>>();
        (both(train), both(validation))
    } else {
        read(stage.name(), read_ratings(&data.data)?, data.validation_fraction)?
    };
    encoded((train, validation), stage, |examples| encode_ratings(examples, tokenizer, context))
}

/// Prompts to learn from, and others that are held out. None is longer than `longest` tokens.
///
/// # Errors
/// As [`pairs`].
pub fn tasks(
    data: &PromptData,
    tokenizer: &Tokenizer,
    longest: usize,
    stage: Stage,
) -> Result<(Vec<EncodedTask>, Vec<EncodedTask>)> {
    let (train, mut others): (Vec<Task>, Vec<Task>) = if data.data.is_empty() {
        let some = |split, count| corpus::prompts(&data.corpus, split).take(count).map(Into::into).collect();
        (some(Split::Train, data.prompts), some(Split::Validation, data.held_out))
    } else {
        read(stage.name(), read_tasks(&data.data)?, data.validation_fraction)?
    };
    others.truncate(data.held_out);
    encoded((train, others), stage, |examples| encode_tasks(examples, tokenizer, longest))
}

/// Encodes examples to learn from and examples for validation, and warns of skipped ones.
fn encoded<T, E>(
    (train, validation): (Vec<T>, Vec<T>),
    stage: Stage,
    encode: impl Fn(&[T]) -> Result<Encoded<E>, DataError>,
) -> Result<(Vec<E>, Vec<E>)> {
    let encode = |examples: &[T]| -> Result<Vec<E>> {
        let found = encode(examples)?;
        report(stage.name(), &found.skips, found.items.len());
        report_omissions(stage.name(), &found.omissions);
        Ok(found.items)
    };
    Ok((encode(&train)?, held_out(stage.name(), &validation, encode)))
}

/// Encodes validation examples. If none can be used, training continues without, with a warning.
pub fn held_out<T, E>(stage: &str, examples: &[T], encode: impl Fn(&[T]) -> Result<Vec<E>>) -> Vec<E> {
    if examples.is_empty() {
        return vec![];
    }
    encode(examples).unwrap_or_else(|error| {
        tracing::warn!("{stage}: nothing is left for validation: {error}");
        vec![]
    })
}
