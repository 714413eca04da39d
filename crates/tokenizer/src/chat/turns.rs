//! Where each of the assistant's turns lies in a rendered conversation.
//!
//! One definition for everything that learns from answers: a turn begins behind the words that open a reply and goes to
//! the token that ends it. Both are found by rendering: the conversation before the turn with the opening of a reply,
//! and the conversation up to the turn's end. Where an earlier turn renders differently once later ones follow
//! (reasoning that is dropped, say), what changes when other words stand in the turn's place tells where it lies.

use std::ops::Range;

use super::Message;
use super::template::REASONING;

/// A turn in the rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// The index of its message.
    pub(super) message: usize,
    /// Its bytes, the token that ends it included.
    pub(super) text: Range<usize>,
    /// How many of them, the last, spell the token that ends it; 0 if none does.
    pub(super) end: usize,
}

/// What finding turns needs.
pub(super) struct Finder<'a> {
    pub(super) messages: &'a [Message],
    /// The rendered conversation.
    pub(super) whole: &'a str,
    /// How tokens that end a turn are spelled.
    pub(super) stops: &'a [String],
    /// What opens a reply, as a shorter conversation shows it.
    pub(super) opening: &'a str,
    /// Renders another conversation by the same template, with the opening of a reply or without; `None` where the
    /// template refuses it.
    pub(super) render: &'a dyn Fn(&[Message], bool) -> Option<String>,
}

impl Finder<'_> {
    /// The turns of the assistant in order. A turn of which the template shows nothing is missing.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for (index, _) in self.messages.iter().enumerate().filter(|(_, message)| message.role == "assistant") {
            let from = turns.last().map_or(0, |turn| turn.text.end);
            turns.extend(self.turn(index, from).filter(|turn| !turn.text.is_empty()));
        }
        turns
    }

    /// The turn of the message at `index`, which lies behind the byte `from`.
    fn turn(&self, index: usize, from: usize) -> Option<Turn> {
        let turn = |start: usize, end: usize, token: usize| Turn { message: index, text: start..end, end: token };
        let prefix = |end: usize, opened: bool| (self.render)(&self.messages[..end], opened);
        let opened = prefix(index, true);
        let start = opened.as_ref().filter(|opened| self.whole.starts_with(opened.as_str())).map(String::len);
        let after = prefix(index + 1, false).filter(|after| self.whole.starts_with(after.as_str()));
        if let (Some(start), Some(after)) = (start, &after)
            && let Some((end, token)) = self.single_end(start..after.len())
        {
            return Some(turn(start.max(from), end, token));
        }
        let touched = self.touched(index);
        if start.is_none() && touched.is_none() {
            return None;
        }
        let start = start.unwrap_or_else(|| self.start(index, from, opened.as_deref(), touched.as_ref()));
        let start = touched.as_ref().map_or(start, |touched| start.min(touched.start)).max(from);
        let limit = match &after {
            Some(after) => after.len(),
            None => self.next_words(index).unwrap_or(self.whole.len()),
        };
        // Where a tool's answer repeats the name of the call, more changes than the turn.
        let said = touched.as_ref().map_or(start, |touched| touched.end).min(limit).max(start);
        let tail = &self.whole[said..limit.max(said)];
        let (end, token) = match (first_of(tail, self.stops), &after) {
            (Some((at, length)), _) => (said + at + length, length),
            (None, Some(_)) => (said + tail.trim_end().len(), 0),
            (None, None) => (said, 0),
        };
        Some(turn(start, end.max(start), token))
    }

    /// The end of a turn that has a single end token with white space at most behind it, and that token's length.
    fn single_end(&self, added: Range<usize>) -> Option<(usize, usize)> {
        let text = self.whole.get(added.clone())?;
        let (at, length) = first_of(text, self.stops)?;
        let rest = &text[at + length..];
        rest.trim().is_empty().then_some((added.start + at + length, length))
    }

    /// The start of a turn before which the conversation renders differently.
    fn start(&self, index: usize, from: usize, opened: Option<&str>, touched: Option<&Range<usize>>) -> usize {
        let words = touched.map_or(self.whole.len(), |touched| touched.start);
        // The opening says more than the turn shows, `<think>` say: what they have in common opens it.
        let before = (self.render)(&self.messages[..index], false);
        if let (Some(opened), Some(before)) = (opened, before)
            && self.whole.starts_with(before.as_str())
        {
            let common = common_prefix(opened, self.whole);
            if common >= before.len() {
                return common.min(words);
            }
        }
        let found = self.whole.get(from..words).and_then(|between| between.rfind(self.opening));
        match found {
            Some(at) if !self.opening.is_empty() => from + at + self.opening.len(),
            _ => words,
        }
    }

    /// Where the words of the message behind `index` begin.
    fn next_words(&self, index: usize) -> Option<usize> {
        (index + 1..self.messages.len()).find_map(|next| Some(self.touched(next)?.start))
    }

    /// The bytes that change when other words, calls and reasoning stand in the message's place.
    fn touched(&self, index: usize) -> Option<Range<usize>> {
        let stand_in = (0..u64::MAX).map(stand_in).find(|stand_in| !self.whole.contains(stand_in))?;
        let mut messages = self.messages.to_vec();
        replace_words(&mut messages[index], &stand_in);
        let changed = (self.render)(&messages, false)?;
        if changed == self.whole {
            return None;
        }
        let start = common_prefix(&changed, self.whole);
        let same_end = changed.bytes().rev().zip(self.whole.bytes().rev()).take_while(|(a, b)| a == b).count();
        let end = self.whole.len() - same_end.min(self.whole.len() - start).min(changed.len() - start);
        let end = (end..=self.whole.len()).find(|&end| self.whole.is_char_boundary(end))?;
        Some(start..end)
    }
}

/// Words that no text has: U+FDD1 is a code point that Unicode promises never to make a character.
pub(super) fn stand_in(number: u64) -> String {
    format!("\u{FDD1}{number}\u{FDD1}")
}

/// Puts other words in the place of all that a message says.
fn replace_words(message: &mut Message, words: &str) {
    words.clone_into(&mut message.content);
    message.no_content = false;
    for key in REASONING {
        if let Some(reasoning) = message.extra.get_mut(key).filter(|value| value.is_string()) {
            *reasoning = words.into();
        }
    }
    replace_calls(message, words);
}

/// Puts another name in the place of each function that a message calls; whether it calls any.
pub(super) fn replace_calls(message: &mut Message, name: &str) -> bool {
    let Some(calls) = message.extra.get_mut("tool_calls").and_then(|calls| calls.as_array_mut()) else { return false };
    for call in calls.iter_mut() {
        let inner = if call.get("function").is_some() { &mut call["function"] } else { call };
        if let Some(own) = inner.get_mut("name") {
            *own = name.into();
        }
    }
    !calls.is_empty()
}

/// The first place where any of `marks` stands, and the longest of those that do.
pub(super) fn first_of(text: &str, marks: &[String]) -> Option<(usize, usize)> {
    let places = marks.iter().filter_map(|mark| Some((text.find(mark.as_str())?, mark.len())));
    places.min_by_key(|&(at, length)| (at, std::cmp::Reverse(length)))
}

/// The bytes that two texts begin with, up to a whole character.
pub(super) fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|&at| b.is_char_boundary(at)).unwrap_or(0)
}
