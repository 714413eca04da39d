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

    /// The start of the token of `text` that has this place inside, or else the place itself. White space has no
    /// inside.
    fn token_start(&self, text: &str, at: usize) -> usize {
        let Ok(encoding) = self.encoding(text) else { return at };
        let mut offsets = encoding.get_offsets().iter();
        let inside = offsets.find(|&&(start, end)| start < at && at < end);
        let split = inside.filter(|&&(start, end)| text.get(start..end).is_some_and(|token| !token.trim().is_empty()));
        split.map_or(at, |&(start, _)| start)
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
        let between = ends.between_turns().unwrap_or_default();
        let (end, end_text) = ends.of_answers(closing, &between.whole).unzip();
        let end_text = end_text.unwrap_or_default();
        let spelled = |id: Option<u32>| id.and_then(|id| tokenizer.id_to_token(id)).filter(|token| !token.is_empty());
        let is_between = spelled(end).is_some_and(|end| between.whole.contains(&end));
        let later = ends.of_closing(&between.own).filter(|_| !is_between);
        let later_end = match spelled(later) {
            Some(token) if between.own.starts_with(&token) => token,
            None if !closing.is_empty() && between.own.starts_with(closing) => closing.to_owned(),
            _ => String::new(),
        };
        let mut other_ends = ends.of_calls();
        other_ends.extend(later.filter(|later| !other_ends.contains(later)));
        other_ends.retain(|&other| Some(other) != end);
        let opened = render(&chat[..1], true).map(|opened| opened.text);
        let plain = render(&chat[..1], false).map(|plain| plain.text);
        let (mut opening, mut only_opened) = (String::new(), String::new());
        if let (Some(opened), Some(plain)) = (&opened, &plain)
            && let Some(added) = opened.strip_prefix(plain.as_str())
        {
            let common = turns::common_prefix(opened, &whole.text);
            let common = match common < opened.len() {
                true => tokenizer.token_start(&whole.text, tokenizer.token_start(opened, common)),
                false => common,
            };
            let common = common.max(plain.len());
            added[..common - plain.len()].clone_into(&mut opening);
            opened[common..].clone_into(&mut only_opened);
        }
        let mut stops: Vec<String> =
            end.iter().chain(&other_ends).filter_map(|&id| tokenizer.id_to_token(id)).collect();
        stops.extend(Some(end_text.clone()).filter(|text| !text.is_empty()));
        let marks_are_turns = template.marks_generation() && {
            let twice = [&chat[..], &[Message::new("user", &asked), Message::new("assistant", stand_in(2))]];
            let twice = twice.concat();
            render(&twice, false).is_some_and(|whole| {
                let plain = |messages: &[Message], opened: bool| Some(render(messages, opened)?.text);
                let finder = Finder {
                    messages: &twice,
                    whole: &whole.text,
                    stops: &stops,
                    opening: &opening,
                    later_end: &later_end,
                    render: &plain,
                };
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
            between: between.own,
            later_end,
            end_text,
            end,
            other_ends,
            unknown,
            marks_are_turns,
            is_known: true,
            shows_answers: true,
        }
    }
}
