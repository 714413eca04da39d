//! Finds the text that a chat template puts around an answer, by rendering short conversations.

use std::sync::Arc;

use super::Message;
use super::frame::Frame;
use super::stand_in::stand_in;
use super::template::{ChatTemplate, RenderOptions};
use super::turns::{self, Finder};
use crate::Tokenizer;

impl Tokenizer {
    /// Text that the (default) chat template puts around an answer.
    ///
    /// # Panics
    /// Without a template.
    pub(crate) fn frame(&self) -> Arc<Frame> {
        self.frame_of(self.chat_template().expect("there is a chat template"))
    }

    pub(crate) fn frame_of(&self, template: &ChatTemplate) -> Arc<Frame> {
        if let Some((_, frame)) = self.frames().iter().find(|(known, _)| known.is(template)) {
            return Arc::clone(frame);
        }
        let frame = Arc::new(Frame::of(template, self));
        self.frames().push((template.clone(), Arc::clone(&frame)));
        frame
    }
}

impl Frame {
    /// Finds it by rendering; the frame of a template that refuses so short a conversation stays empty.
    pub(crate) fn of(template: &ChatTemplate, tokenizer: &Tokenizer) -> Self {
        let options = tokenizer.render_options();
        let render = |messages: &[Message], add_generation_prompt: bool| {
            let options = RenderOptions { add_generation_prompt, ..options.clone() };
            template.render_marked(messages, &options).ok()
        };
        let [asked, answered] = [0, 1].map(stand_in);
        let chat = [Message::new("user", &asked), Message::new("assistant", &answered)];
        let Some(whole) = render(&chat, false) else { return Self { shows_answers: true, ..Self::default() } };
        let Some(at) = whole.text.find(&answered) else { return Self::default() };
        let behind = &whole.text[at + answered.len()..];
        let closing = behind.trim();
        let end = end_token(closing, tokenizer);
        let opened = render(&chat[..1], true).map(|opened| opened.text);
        let plain = render(&chat[..1], false).map(|plain| plain.text);
        let (mut opening, mut only_opened) = (String::new(), String::new());
        if let (Some(opened), Some(plain)) = (&opened, &plain)
            && let Some(added) = opened.strip_prefix(plain.as_str())
        {
            let common = turns::common_prefix(opened, &whole.text).max(plain.len()).min(opened.len());
            added[..common - plain.len()].clone_into(&mut opening);
            opened[common..].clone_into(&mut only_opened);
        }
        let stops: Vec<String> = end.iter().filter_map(|&id| tokenizer.id_to_token(id)).collect();
        let marks_are_turns = template.marks_generation() && {
            let twice = [&chat[..], &[Message::new("user", &asked), Message::new("assistant", stand_in(2))]];
            let twice = twice.concat();
            render(&twice, false).is_some_and(|whole| {
                let plain = |messages: &[Message], opened: bool| Some(render(messages, opened)?.text);
                let finder =
                    Finder { messages: &twice, whole: &whole.text, stops: &stops, opening: &opening, render: &plain };
                let found: Vec<_> = finder.turns().into_iter().map(|turn| turn.text).collect();
                !stops.is_empty() && found == whole.generated
            })
        };
        Self { opening, only_opened, closing: closing.to_owned(), end, marks_are_turns, shows_answers: true }
    }
}

/// The token that closes an answer: the one that comes first, or else the first special one.
fn end_token(closing: &str, tokenizer: &Tokenizer) -> Option<u32> {
    let added = tokenizer.added_tokens();
    let first = added.iter().filter(|(_, token)| !token.is_empty() && closing.starts_with(token.as_str()));
    let longest = first.max_by_key(|(_, token)| token.len());
    longest.map(|&(id, _)| id).or_else(|| {
        let special: Vec<_> = added.iter().filter(|(id, _)| tokenizer.is_special(*id)).collect();
        let spelled: Vec<String> = special.iter().map(|(_, token)| token.clone()).collect();
        let (at, length) = turns::first_of(closing, &spelled)?;
        tokenizer.token_to_id(&closing[at..at + length])
    })
}
