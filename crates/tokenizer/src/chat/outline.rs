//! Places of all messages in a rendered conversation, found by rendering it once more with other text.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Message;
use super::message::REASONING;
use super::stand_in::{STAND_IN, call_names, stand_in};

/// The bytes of a rendered conversation that come from each message.
pub(super) struct Outline {
    /// For each message, the range from the first to the last byte of its text, its reasoning and the names of its
    /// calls; `None` if it is empty or the template omits it.
    pub(super) said: Vec<Option<Range<usize>>>,
}

impl Outline {
    /// The outline of `whole`, which `render` makes of the messages. `None` if the template does more with text than
    /// show it unchanged or trimmed: then more than the text differs between the renderings.
    pub(super) fn of(
        messages: &[Message],
        whole: &str,
        render: &dyn Fn(&[Message], bool) -> Option<String>,
    ) -> Option<Self> {
        if whole.contains(STAND_IN) {
            return None;
        }
        let mut replaced = messages.to_vec();
        let mut originals: Vec<(usize, String)> = vec![];
        let mut seen = BTreeSet::new();
        for (index, message) in replaced.iter_mut().enumerate() {
            replace_each(message, &mut |words| {
                originals.push((index, words.to_owned()));
                stand_in(originals.len() as u64 - 1)
            });
        }
        let rendered = render(&replaced, false)?;
        let mut said = vec![None; messages.len()];
        let mut at = 0;
        let mut parts = rendered.split(STAND_IN);
        let first = parts.next().unwrap_or_default();
        let mut rest = whole.strip_prefix(first)?;
        at += first.len();
        while let Some(number) = parts.next() {
            let number = number.parse::<usize>().ok()?;
            let (message, original) = originals.get(number)?;
            let behind = parts.next()?;
            let shown = [original, original.trim_end(), original.trim_start(), original.trim()].into_iter();
            let mut shown = shown.filter_map(|shown| Some((shown, rest.strip_prefix(shown)?.strip_prefix(behind)?)));
            let (shown, later) = shown.next()?;
            let words = at..at + shown.len();
            // A tool's answer may repeat the name of the call.
            let repeats = !seen.insert(number) && messages[*message].calls_tools();
            said[*message] = Some(match said[*message].take() {
                Some(said) if repeats => said,
                Some(Range { start, .. }) => start..words.end,
                None => words.clone(),
            });
            at = words.end + behind.len();
            rest = later;
        }
        rest.is_empty().then_some(Self { said })
    }

    /// The beginning of the text of the messages after `index`.
    pub(super) fn next_words(&self, index: usize) -> Option<usize> {
        Some(self.said[index + 1..].iter().flatten().next()?.start)
    }
}

/// Replaces all texts of a message. Empty ones stay empty, because templates test for that.
fn replace_each(message: &mut Message, other: &mut dyn FnMut(&str) -> String) {
    if !message.content.trim().is_empty() {
        message.content = other(&message.content);
    }
    for key in REASONING {
        if let Some(value) = message.extra.get_mut(key)
            && let Some(words) = value.as_str().filter(|words| !words.trim().is_empty())
        {
            *value = other(words).into();
        }
    }
    for name in call_names(message) {
        if let Some(words) = name.as_str().filter(|words| !words.is_empty()) {
            *name = other(words).into();
        }
    }
}
