//! Places of the assistant's turns in a rendered conversation.
//!
//! One definition for everything that learns from answers: a turn begins after the opening of a reply and extends to
//! the token that ends it. Both are found by rendering: the conversation before the turn with the opening of a reply,
//! and the conversation up to the turn's end. If an earlier turn renders differently once later ones follow (when
//! reasoning is dropped, for example), the turn is found by the bytes that change when its message gets other text.
//!
//! This takes several renderings of the conversation for each turn. In a long conversation an [`Outline`] gives the
//! turns, and some of them are found both ways: the outline is used if they agree.

use std::ops::Range;

use serde_json::Value;

use super::Message;
use super::outline::Outline;
use super::stand_in::{call_names, replace_said, stand_in};

/// Up to this number of turns, each is found by rendering; of more, an outline finds most.
const FEW_TURNS: usize = 6;

/// A turn in the rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RenderedTurn {
    /// The index of its message.
    pub(super) message: usize,
    /// Its bytes, the token that ends it included.
    pub(super) text: Range<usize>,
    /// Number of bytes at the end that spell its end token; 0 if there is none.
    pub(super) end: usize,
    /// Whether its bytes cannot be told from others': no end is found after its calls, or words of a later message lie
    /// inside.
    pub(super) is_torn: bool,
}

/// Arguments of finding turns.
pub(super) struct Finder<'a> {
    pub(super) messages: &'a [Message],
    /// The rendered conversation.
    pub(super) whole: &'a str,
    /// Spellings of tokens that end a turn.
    pub(super) stops: &'a [String],
    /// Opening of a reply, as a shorter conversation shows it.
    pub(super) opening: &'a str,
    /// What ends an answer where a later message follows, if the last one lacks it; may be empty.
    pub(super) later_end: &'a str,
    /// Renders another conversation by the same template, with the opening of a reply or without; `None` where the
    /// template refuses it.
    pub(super) render: &'a dyn Fn(&[Message], bool) -> Option<String>,
}

impl Finder<'_> {
    /// The turns of the assistant in order. A turn of which the template shows nothing is missing.
    pub(super) fn turns(&self) -> Vec<RenderedTurn> {
        let answers = self.messages.iter().filter(|message| message.role == "assistant").count();
        if answers > FEW_TURNS
            && let Some(outline) = Outline::of(self.messages, self.whole, self.render)
            && let Some(turns) = self.outlined_turns(&outline)
        {
            return turns;
        }
        self.turns_by(|index, from| self.turn(index, from))
    }

    /// The turns by `find`, which gets a message's index and the end of the turn before.
    fn turns_by(&self, mut find: impl FnMut(usize, usize) -> Option<RenderedTurn>) -> Vec<RenderedTurn> {
        let mut turns: Vec<RenderedTurn> = Vec::new();
        for (index, _) in self.messages.iter().enumerate().filter(|(_, message)| message.role == "assistant") {
            let from = turns.last().map_or(0, |turn| turn.text.end);
            turns.extend(find(index, from).filter(|turn| !turn.text.is_empty()));
        }
        turns
    }

    /// The turns by an outline, with rendering for those that the outline lacks. `None` if the first or the last turn
    /// of a kind (text only, or other) is different when it is found by rendering.
    fn outlined_turns(&self, outline: &Outline) -> Option<Vec<RenderedTurn>> {
        let mut outlined: Vec<(usize, RenderedTurn)> = vec![];
        let turns = self.turns_by(|index, from| match self.outlined(outline, index, from) {
            Some(turn) => {
                outlined.push((from, turn.clone()));
                Some(turn)
            }
            None => self.turn(index, from),
        });
        let agrees = |(from, turn): &(usize, RenderedTurn)| self.turn(turn.message, *from).as_ref() == Some(turn);
        let mut kinds = [true, false].map(|plain| {
            outlined.iter().filter(move |(_, turn)| self.messages[turn.message].extra.is_empty() == plain)
        });
        let same =
            kinds.iter_mut().all(|turns| turns.next().is_none_or(agrees) && turns.next_back().is_none_or(agrees));
        same.then_some(turns)
    }

    /// The turn of the message at `index`, after the only opening of a reply before its text, up to the first end token
    /// after it.
    fn outlined(&self, outline: &Outline, index: usize, from: usize) -> Option<RenderedTurn> {
        let said = outline.said[index].clone()?;
        let before = self.whole.get(from..said.start).filter(|_| !self.opening.is_empty())?;
        let at = before.find(self.opening).filter(|&at| before.rfind(self.opening) == Some(at))?;
        // The outline has no arguments of calls, which may spell the token that ends the turn.
        let spells_stop = |calls: &Value| first_of(&calls.to_string(), self.stops).is_some();
        if self.messages[index].extra.get("tool_calls").is_some_and(spells_stop) {
            return None;
        }
        let behind = self.whole.get(said.end..outline.next_words(index).unwrap_or(self.whole.len()))?;
        let (end, token) = first_of(behind, self.stops)?;
        let text = from + at + self.opening.len()..said.end + end + token;
        Some(RenderedTurn { message: index, text, end: token, is_torn: false })
    }

    /// The turn of the message at `index`, which is after the byte `from`.
    fn turn(&self, index: usize, from: usize) -> Option<RenderedTurn> {
        let turn = |text: Range<usize>, end: usize| RenderedTurn { message: index, text, end, is_torn: false };
        let message = &self.messages[index];
        let prefix = |end: usize, opened: bool| (self.render)(&self.messages[..end], opened);
        let opened = prefix(index, true);
        let start = opened.as_ref().filter(|opened| self.whole.starts_with(opened.as_str())).map(String::len);
        let after = prefix(index + 1, false).filter(|after| self.whole.starts_with(after.as_str()));
        let words = message.content.trim();
        if let (Some(start), Some(after)) = (start, &after)
            && let Some((end, token)) = self.single_end(start..after.len())
        {
            let shown = self.whole[start..end].contains(words) || self.said(index).is_some();
            return shown.then(|| turn(start.max(from)..end, token));
        }
        let said = self.said(index);
        if said.is_none() && (start.is_none() || !words.is_empty() || message.calls_tools()) {
            return None;
        }
        let start = start.unwrap_or_else(|| self.start(index, from, opened.as_deref(), said.as_ref()));
        let start = said.as_ref().map_or(start, |said| start.min(said.start)).max(from);
        let limit = match &after {
            Some(after) => after.len(),
            None => self.next_words(index).unwrap_or(self.whole.len()),
        };
        let mut said = said.map_or(start, |said| said.end).max(start);
        // Beside calls, a template may show words elsewhere; where there are none, that is no part of the turn.
        if said > limit && words.is_empty() && message.calls_tools() {
            let keep_empty = |message: &mut Message, words: &str| {
                let (content, no_content) = (std::mem::take(&mut message.content), message.no_content);
                replace_said(message, words);
                (message.content, message.no_content) = (content, no_content);
            };
            said = self.changed(index, &keep_empty).map_or(start, |said| said.end).max(start);
        }
        let torn = RenderedTurn { is_torn: true, ..turn(start..said, 0) };
        let Some(tail) = self.whole.get(said..limit) else { return Some(torn) };
        match first_of(tail, self.stops) {
            Some((at, length)) => Some(turn(start..said + at + length, length)),
            None if after.is_none() && message.calls_tools() => Some(torn),
            None => {
                let end = if after.is_some() { said + tail.trim_end().len() } else { said };
                let behind = &self.whole[end..];
                let space = behind.len() - behind.trim_start().len();
                if !self.later_end.is_empty() && behind[space..].starts_with(self.later_end) {
                    return Some(turn(start..end + space + self.later_end.len(), self.later_end.len()));
                }
                Some(turn(start..end, 0))
            }
        }
    }

    /// The end of a turn that has a single end token, followed at most by white space, and that token's length.
    fn single_end(&self, added: Range<usize>) -> Option<(usize, usize)> {
        let text = self.whole.get(added.clone())?;
        let (at, length) = first_of(text, self.stops)?;
        let rest = &text[at + length..];
        rest.trim().is_empty().then_some((added.start + at + length, length))
    }

    /// The start of a turn before which the conversation renders differently.
    fn start(&self, index: usize, from: usize, opened: Option<&str>, touched: Option<&Range<usize>>) -> usize {
        let words = touched.map_or(self.whole.len(), |touched| touched.start);
        // The opening has more than the turn shows, such as `<think>`: the common part opens it.
        let before = (self.render)(&self.messages[..index], false);
        if let (Some(opened), Some(before)) = (opened, &before)
            && opened == before
        {
            // A template that always opens a reply, also where one follows: what both show opens it.
            let common = common_prefix(opened, self.whole).min(words);
            let earlier = (0..index).rev().find_map(|earlier| self.said(earlier));
            if common >= from && earlier.is_none_or(|earlier| earlier.end <= common) {
                return common;
            }
        }
        if let (Some(opened), Some(before)) = (opened, before)
            && self.whole.starts_with(before.as_str())
        {
            let common = common_prefix(opened, self.whole).min(words);
            if common >= before.len() {
                // Of a conversation that the assistant begins, the template may put a system message before it.
                let opening = Some(self.opening).filter(|opening| !opening.is_empty());
                let later = opening.and_then(|opening| Some(self.whole[common..words].rfind(opening)? + opening.len()));
                return common + later.unwrap_or(0);
            }
        }
        let found = self.whole.get(from..words).and_then(|between| between.rfind(self.opening));
        match found {
            Some(at) if !self.opening.is_empty() => from + at + self.opening.len(),
            _ => words,
        }
    }

    /// Offset of the text of the messages after `index`.
    fn next_words(&self, index: usize) -> Option<usize> {
        (index + 1..self.messages.len()).find_map(|next| Some(self.said(next)?.start))
    }

    /// The bytes from the first to the last that change if the message gets other text, reasoning and calls.
    fn said(&self, index: usize) -> Option<Range<usize>> {
        let words = self.changed(index, &replace_said);
        if !self.messages[index].calls_tools() {
            return words;
        }
        let names = self.changed(index, &|message, other| call_names(message).for_each(|name| *name = other.into()));
        // A tool's answer may repeat the name of the call: only its first place is known to be the call's.
        match (words, names) {
            (Some(words), Some(names)) => Some(words.start.min(names.start)..words.end),
            (None, Some(names)) => Some(names.start..names.start),
            (words, None) => words,
        }
    }

    /// The bytes from the first to the last that `replace` changes in the rendered conversation.
    fn changed(&self, index: usize, replace: &dyn Fn(&mut Message, &str)) -> Option<Range<usize>> {
        let stand_in = (0..u64::MAX).map(stand_in).find(|stand_in| !self.whole.contains(stand_in))?;
        let mut messages = self.messages.to_vec();
        replace(&mut messages[index], &stand_in);
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

/// The first occurrence of any of `marks`, and the longest one there.
pub(super) fn first_of(text: &str, marks: &[String]) -> Option<(usize, usize)> {
    let places = marks.iter().filter_map(|mark| Some((text.find(mark.as_str())?, mark.len())));
    places.min_by_key(|&(at, length)| (at, std::cmp::Reverse(length)))
}

/// Length of the common prefix of two texts, in whole characters.
pub(super) fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|&at| b.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;
    use crate::{ChatTemplate, RenderOptions, Tokenizer};

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

    /// Conversations of `turns` turns: words alone, calls and their answers, reasoning, and words that templates trim.
    fn conversations(turns: usize) -> [Vec<Message>; 4] {
        let ask = |turn: usize| Message::new("user", format!("Question {turn}, what?"));
        let answer = |turn: usize| Message::new("assistant", format!("Answer {turn}."));
        let with = |mut message: Message, key: &str, value: Value| {
            message.extra.insert(key.into(), value);
            message
        };
        let call = |turn: usize| {
            let arguments = json!({"number": turn});
            json!([{"type": "function", "function": {"name": format!("look_{turn}"), "arguments": arguments}}])
        };
        [
            (0..turns).flat_map(|turn| [ask(turn), answer(turn)]).collect(),
            (0..turns / 2)
                .flat_map(|turn| {
                    let called = with(Message::new("assistant", ""), "tool_calls", call(turn));
                    [ask(turn), called, Message::new("tool", format!("{turn}")), answer(turn)]
                })
                .collect(),
            (0..turns)
                .flat_map(|turn| {
                    [ask(turn), with(answer(turn), "reasoning_content", format!("Thought {turn}.").into())]
                })
                .collect(),
            (0..turns)
                .flat_map(|turn| {
                    let said = format!(" \n{} says <|im_end|> {turn}\n", if turn % 3 == 0 { "She" } else { "<b>" });
                    [ask(turn), Message::new("assistant", said)]
                })
                .collect(),
        ]
    }

    /// Number of renderings that find the turns of a conversation, if they are those that rendering each alone finds;
    /// `None` where the template refuses it.
    fn renderings(tokenizer: &Tokenizer, template: &ChatTemplate, messages: &[Message]) -> Option<usize> {
        let options = tokenizer.render_options();
        let whole = template.render(messages, &options).ok()?;
        let count = Cell::new(0);
        let render = |messages: &[Message], add_generation_prompt: bool| {
            count.set(count.get() + 1);
            template.render(messages, &RenderOptions { add_generation_prompt, ..options.clone() }).ok()
        };
        let frame = tokenizer.frame_of(template);
        let stops = tokenizer.stop_tokens(&frame);
        let finder = Finder {
            messages,
            whole: &whole,
            stops: &stops,
            opening: &frame.opening,
            later_end: &frame.later_end,
            render: &render,
        };
        let turns = finder.turns();
        let used = count.get();
        let one_by_one = finder.turns_by(|index, from| finder.turn(index, from));
        assert_eq!(turns, one_by_one, "{}\n{whole}", template.source());
        Some(used)
    }

    #[test]
    fn long_conversations_have_the_turns_that_rendering_each_alone_finds() {
        let chat: Value =
            serde_json::from_str(&std::fs::read_to_string(format!("{FIXTURES}/chat.json")).unwrap()).unwrap();
        let tokenizer = Tokenizer::load(format!("{FIXTURES}/tokenizer.json")).unwrap();
        let mut compared = 0;
        for (name, source) in chat["templates"].as_object().unwrap() {
            let template = ChatTemplate::new(source.as_str().unwrap()).unwrap();
            for messages in conversations(12) {
                compared += usize::from(renderings(&tokenizer, &template, &messages).is_some());
            }
            assert!(compared > 0, "{name}");
        }
        assert!(compared >= 20, "{compared}");
    }

    #[test]
    fn renderings_do_not_grow_with_the_turns() {
        let tokenizer = Tokenizer::load(format!("{FIXTURES}/tokenizer.json")).unwrap();
        let template = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}\
            {%- if m.reasoning_content and loop.last %}{{- '<think>' + m.reasoning_content + '</think>' }}{%- endif %}\
            {{- m.content }}{%- for call in m.tool_calls %}{{- '<call>' + call.function.name + ' ' + \
            (call.function.arguments | tojson) }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}\
            {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";
        let template = ChatTemplate::new(template).unwrap();
        for messages in conversations(40) {
            let used = renderings(&tokenizer, &template, &messages).unwrap();
            assert!(used <= 20, "{used} renderings of {} messages", messages.len());
        }
    }
}
