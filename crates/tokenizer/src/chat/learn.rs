//! Finds the text that a chat template puts around an answer, by rendering short conversations.

use std::sync::Arc;

use super::Message;
use super::ends::Ends;
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
        let ends = Ends { template, tokenizer, options: &options };
        let end = ends.of_closing(closing);
        let between = ends.between_turns().unwrap_or_default();
        let mut other_ends = ends.of_calls();
        other_ends.extend(ends.of_closing(&between).filter(|between| !other_ends.contains(between)));
        other_ends.retain(|&other| Some(other) != end);
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
        let stops: Vec<String> = end.iter().chain(&other_ends).filter_map(|&id| tokenizer.id_to_token(id)).collect();
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
        let own = whole.text.replace(&asked, "").replace(&answered, "");
        let unknown = tokenizer.unknown_characters(&own).unwrap_or_default();
        let closing = closing.to_owned();
        Self {
            opening,
            only_opened,
            closing,
            between,
            end,
            other_ends,
            unknown,
            marks_are_turns,
            is_known: true,
            shows_answers: true,
        }
    }
}
