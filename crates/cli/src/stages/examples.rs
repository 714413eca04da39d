//! The examples that alignment stages learn from: files, or the embedded corpus.

use anyhow::Result;
use fireclay_data::corpus::{self, Split};
use fireclay_data::{
    Conversation, EncodedPair, EncodedRating, EncodedTask, Examples, Preference, Prompted, Skips, Task, encode_pairs,
    encode_ratings, encode_tasks, read_conversations, read_preferences, read_ratings, read_tasks, split_by_prompt,
};
use fireclay_tokenizer::Tokenizer;

use crate::error::user;
use crate::recipe::{ConversationData, PreferenceData, PromptData, Stage};

/// Samples that a stage shows.
const SAMPLES: usize = 8;
/// Decides which examples of a file are kept for validation.
const SPLIT_SEED: u64 = 0;

/// Says what was passed over, and why.
pub fn report(stage: &str, skips: &Skips, kept: usize) {
    if !skips.is_empty() {
        tracing::warn!("{stage}: {kept} examples; {skips}");
    }
}

/// Reads examples, says what was passed over, and keeps some for validation.
fn read<T: Prompted>(stage: &str, found: Examples<T>, fraction: f64) -> (Vec<T>, Vec<T>) {
    report(stage, &found.skips, found.examples.len());
    split_by_prompt(found.examples, fraction, SPLIT_SEED)
}

/// Conversations to learn, and others for validation.
///
/// # Errors
/// When a file is missing or holds something else.
pub fn conversations(data: &ConversationData) -> Result<(Vec<Conversation>, Vec<Conversation>)> {
    if !data.data.is_empty() {
        return Ok(read("sft", read_conversations(&data.data)?, data.validation_fraction));
    }
    let some = |split, count| corpus::conversations(&data.corpus, split).take(count).map(Into::into).collect();
    Ok((some(Split::Train, data.conversations), some(Split::Validation, data.validation_conversations)))
}

/// What samples of fine-tuning answer: prompts of the embedded corpus, or the beginnings of validation conversations.
///
/// # Errors
/// When a prompt cannot be encoded.
pub fn sample_tasks(
    data: &ConversationData,
    validation: &[Conversation],
    tokenizer: &Tokenizer,
    context: usize,
) -> Result<Vec<EncodedTask>> {
    let _ = data;
    let tasks: Vec<Task> = validation.iter().filter_map(Task::first_of).take(SAMPLES).collect();
    Ok(encode_tasks(tasks, tokenizer, context / 2)?.examples)
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
    let (train, validation) = preferences(data, stage)?;
    let mut encode = |examples: Vec<Preference>| -> Result<Vec<EncodedPair>> {
        let found = encode_pairs(examples, tokenizer, context)?;
        report(stage.name(), &found.skips, found.examples.len());
        Ok(found.examples)
    };
    Ok((some_left(encode(train)?, stage)?, encode(validation)?))
}

fn preferences(data: &PreferenceData, stage: Stage) -> Result<(Vec<Preference>, Vec<Preference>)> {
    if !data.data.is_empty() {
        return Ok(read(stage.name(), read_preferences(&data.data)?, data.validation_fraction));
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
) -> Result<(Vec<EncodedRating>, Vec<EncodedRating>)> {
    let (train, validation) = if data.data.is_empty() {
        let (train, validation) = preferences(data, Stage::Kto)?;
        let both = |pairs: Vec<Preference>| pairs.iter().flat_map(Preference::ratings).collect::<Vec<_>>();
        (both(train), both(validation))
    } else {
        read("kto", read_ratings(&data.data)?, data.validation_fraction)
    };
    let encode = |examples| -> Result<Vec<EncodedRating>> {
        let found = encode_ratings(examples, tokenizer, context)?;
        report("kto", &found.skips, found.examples.len());
        Ok(found.examples)
    };
    Ok((some_left(encode(train)?, Stage::Kto)?, encode(validation)?))
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
    let (train, mut held_out): (Vec<Task>, Vec<Task>) = if data.data.is_empty() {
        let some = |split, count| corpus::prompts(&data.corpus, split).take(count).map(Into::into).collect();
        (some(Split::Train, data.prompts), some(Split::Validation, data.held_out))
    } else {
        read(stage.name(), read_tasks(&data.data)?, data.validation_fraction)
    };
    held_out.truncate(data.held_out);
    let encode = |examples| -> Result<Vec<EncodedTask>> {
        let found = encode_tasks(examples, tokenizer, longest)?;
        report(stage.name(), &found.skips, found.examples.len());
        Ok(found.examples)
    };
    Ok((some_left(encode(train)?, stage)?, encode(held_out)?))
}

fn some_left<T>(examples: Vec<T>, stage: Stage) -> Result<Vec<T>> {
    match examples.is_empty() {
        true => Err(user(format!(
            "`{}` has no example to learn from: all were passed over, or kept for validation",
            stage.name()
        ))),
        false => Ok(examples),
    }
}
