//! Where the assistant's words lie in a rendered conversation, for templates that do not mark them.

use std::ops::Range;

use super::Message;
use crate::TokenizerError;

/// How the tokenizer spells its special tokens.
pub(super) struct Marks {
    /// Those that are known to end a turn.
    pub(super) ends: Vec<String>,
    /// Every one: within what a message adds, whichever follows its words must be the one that ends the turn.
    pub(super) all: Vec<String>,
}

/// The span of each assistant message in `whole`, with the token that ends its turn. `render` renders other
/// conversations by the same template; where it fails, the other ways of finding a bound are used.
pub(super) fn of_assistant(
    messages: &[Message],
    whole: &str,
    marks: &Marks,
    render: impl Fn(&[Message], bool) -> Result<String, TokenizerError>,
) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (index, _) in messages.iter().enumerate().filter(|(_, message)| message.role == "assistant") {
        let before = render(&messages[..index], true).ok().filter(|before| whole.starts_with(before.as_str()));
        let after = render(&messages[..=index], false).ok().filter(|after| whole.starts_with(after.as_str()));
        let content = content_span(messages, index, whole, &render).or_else(|| {
            // The message has no text of its own, as when it only calls a tool: then all that it adds.
            let (before, after) = (before.as_ref()?, after.as_ref()?);
            (before.len() < after.len()).then(|| before.len()..after.trim_end().len())
        });
        let Some(content) = content else { continue };
        let start = before.map_or(content.start, |before| before.len()).min(content.start);
        let candidates = if after.is_some() { &marks.all } else { &marks.ends };
        let limit = after.map_or(whole.len(), |after| after.len()).max(content.end);
        let end = content.end + end_of_turn(&whole[content.end..limit], candidates);
        let start = start.max(spans.last().map_or(0, |last| last.end));
        if start < end {
            spans.push(start..end);
        }
    }
    spans
}

/// How much of what follows the content belongs to it: up to the end mark, if only white space comes between.
fn end_of_turn(rest: &str, marks: &[String]) -> usize {
    let trimmed = rest.trim_start();
    let mark = marks.iter().filter(|mark| trimmed.starts_with(mark.as_str())).map(String::len).max();
    mark.map_or(0, |mark| rest.len() - trimmed.len() + mark)
}

/// Where the message's own text lies: what changes when another text stands in its place.
fn content_span(
    messages: &[Message],
    index: usize,
    whole: &str,
    render: &impl Fn(&[Message], bool) -> Result<String, TokenizerError>,
) -> Option<Range<usize>> {
    let mut messages = messages.to_vec();
    let stand_in = (0..u64::MAX).map(|n| format!("\u{FDD1}{n}\u{FDD1}")).find(|stand_in| !whole.contains(stand_in))?;
    messages[index].content.clone_from(&stand_in);
    let changed = render(&messages, false).ok()?;
    let at = changed.find(&stand_in)?;
    let (prefix, suffix) = (&changed[..at], &changed[at + stand_in.len()..]);
    let start = prefix.bytes().zip(whole.bytes()).take_while(|(a, b)| a == b).count();
    let same_end = suffix.bytes().rev().zip(whole.bytes().rev()).take_while(|(a, b)| a == b).count();
    let end = whole.len() - same_end.min(whole.len() - start);
    let start = (0..=start).rev().find(|&start| whole.is_char_boundary(start))?;
    let end = (end..=whole.len()).find(|&end| whole.is_char_boundary(end))?;
    Some(start..end)
}
