//! Shared parts of encoding examples.

use std::collections::BTreeSet;

use fireclay_tokenizer::TokenizerError;
use rayon::prelude::*;

use super::omissions::Omissions;
use crate::DataError;
use crate::examples::Skips;

/// Encoded examples, and the skipped ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded<T> {
    /// In the order of the examples.
    pub items: Vec<T>,
    /// Skipped examples by reason.
    pub skips: Skips,
    /// What the chat template leaves out of all examples.
    pub omissions: Omissions,
}

/// Result for one example: ids, or a reason to skip it.
pub(super) type EncodedOrSkip<T> = Result<T, String>;

/// The reason that an example is too long.
pub(super) fn too_long(context: usize) -> String {
    format!("longer than the context of {context} tokens")
}

pub(super) const NOTHING_MARKED: &str = "the chat template shows nothing that the assistant says";
pub(super) const NOT_LEARNED: &str = "every answer has `weight` 0 or `train` false";
pub(super) const ROUNDED: &str =
    "a call has a whole number of more than 64 bits, which this chat template cannot show: it takes objects";
pub(super) const TORN: &str = "the chat template does not show where a message of the assistant's ends: it writes no end \
                               after a call, or shows words after a later message; use another template";
pub(super) const HIDDEN_CALLS: &str = "the chat template leaves out the tool calls; use one that shows them";

/// Encodes examples on all cores; `what` names them, and `origin` returns the origin of one. The omissions are the
/// caller's to add.
///
/// # Errors
/// When there are no examples, the tokenizer has no chat template, or every example has to be left out.
pub(super) fn encode_all<S: Sync, T: Send>(
    what: &'static str,
    examples: &[S],
    origin: impl Fn(&S) -> &str,
    encode: impl Fn(&S) -> Result<EncodedOrSkip<T>, TokenizerError> + Send + Sync,
) -> Result<Encoded<T>, DataError> {
    if examples.is_empty() {
        return Err(DataError::NoExamples { what });
    }
    let outcomes: Vec<_> = examples.par_iter().map(encode).collect();
    let (items, skips) = (Vec::with_capacity(examples.len()), Skips::default());
    let mut encoded = Encoded { items, skips, omissions: Omissions::default() };
    let mut unknown = (BTreeSet::new(), vec![]);
    for (outcome, example) in outcomes.into_iter().zip(examples) {
        match outcome {
            Ok(Ok(item)) => encoded.items.push(item),
            Ok(Err(reason)) => encoded.skips.add(reason, origin(example)),
            // An error that is the same for every conversation.
            Err(error @ TokenizerError::NoChatTemplate) => return Err(DataError::ChatTemplate(error.to_string())),
            Err(TokenizerError::TemplateRender { detail, .. }) => {
                encoded.skips.add(format!("the chat template refuses it: {detail}"), origin(example));
            }
            Err(TokenizerError::UnknownCharacters { characters }) => {
                unknown.0.extend(characters);
                unknown.1.push(origin(example));
            }
            Err(error) => encoded.skips.add(error.to_string(), origin(example)),
        }
    }
    // All of them in one reason, which names each character once.
    let reason = TokenizerError::unknown(unknown.0).to_string();
    unknown.1.into_iter().for_each(|origin| encoded.skips.add(reason.clone(), origin));
    if encoded.items.is_empty() {
        let reason = encoded.skips.main_reason().unwrap_or_default();
        return Err(DataError::NothingUsable { what: what.into(), count: encoded.skips.total(), reason });
    }
    Ok(encoded)
}
