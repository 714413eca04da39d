//! Finds what a chat template leaves out of a conversation.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::message::{READ, REASONING, VARIABLES};
use super::stand_in::{STAND_IN, call_names, stand_in};
use super::template::{ChatTemplate, RenderOptions};
use super::{Message, of_conversation};
use crate::Tokenizer;

/// Most renderings for messages whose stand-in is not found, so that the time does not grow with their square. What is
/// not found after as many counts as shown.
const MOST_RENDERINGS: usize = 64;

/// A part of a conversation of which the chat template shows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OmittedPart {
    /// Index of the message.
    pub message: usize,
    /// Its role.
    pub role: String,
    /// The part: `content`, `tool_calls`, `name`, or another field of the message.
    pub field: String,
}

impl fmt::Display for OmittedPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, role, field } = self;
        write!(formatter, "the chat template does not show `{field}` of message {} (of role {role})", message + 1)
    }
}

impl Tokenizer {
    /// The first part of the messages that the chat template leaves out: words, calls, a name, or another field. A
    /// message of the assistant's that is shown in part, by its calls without its words or by its words without its
    /// thoughts, counts as shown: models are trained on templates that do so. The same holds for the name of a tool,
    /// which its call has, and for ids. `None` too if the template refuses the conversation.
    pub fn omitted_part(&self, messages: &[Message], options: &RenderOptions) -> Option<OmittedPart> {
        let options = of_conversation(messages, options);
        let template = self.template_for(&options).ok()?;
        let whole = template.render(messages, &options).ok()?;
        let search = Search::new(template, &options, messages, &whole);
        let part = |message: usize, field: &str| {
            let role = messages[message].role.clone();
            OmittedPart { message, role, field: field.to_owned() }
        };
        for message in 0..messages.len() {
            if let Some(field) = search.hidden_field(message) {
                return Some(part(message, field));
            }
        }
        let first = |field: &str| messages.iter().position(|message| message.extra.contains_key(field));
        let reasons = || REASONING.iter().any(|name| self.template_mentions(name));
        let unread = self.unread_fields(messages).into_iter();
        let unread = unread.filter(|field| !(REASONING.contains(field) && reasons()));
        unread.filter_map(|field| Some(part(first(field)?, field))).min_by_key(|part| part.message)
    }

    /// Whether the chat template leaves out the tools of this conversation. False without any, or if the template
    /// refuses the conversation.
    pub fn omits_tools(&self, messages: &[Message]) -> bool {
        self.is_hidden(messages, hides_tools)
    }

    /// Whether the chat template leaves out calls of these messages. False if it refuses the conversation.
    pub fn omits_calls(&self, messages: &[Message]) -> bool {
        messages.iter().any(Message::calls_tools) && self.is_hidden(messages, hides_calls)
    }

    /// Whether the chat template leaves out the names of messages that are no tool's. False without any, or if the
    /// template refuses the conversation.
    pub fn omits_names(&self, messages: &[Message]) -> bool {
        self.is_hidden(messages, |template, messages, whole, options| {
            let search = Search::new(template, options, messages, whole);
            (0..messages.len()).any(|message| search.hides_name(message))
        })
    }

    /// Number of messages that call tools, and of which the chat template shows the calls, but not the words beside
    /// them. 0 if it refuses the conversation.
    pub fn omitted_words(&self, messages: &[Message]) -> usize {
        if !messages.iter().any(says_both) {
            return 0;
        }
        let options = of_conversation(messages, &self.render_options());
        let Ok(template) = self.template_for(&options) else { return 0 };
        let whole = template.render(messages, &options);
        whole.map_or(0, |whole| hidden_words(template, messages, &whole, &options))
    }

    /// Fields of the messages that are unused, and variables that they bring along: neither this library reads them nor
    /// does the chat template show them. A field counts as shown if the template shows it in the last message that has
    /// it, once the conversation ends there: some show the reasoning of the last answer only.
    pub fn unread_fields<'m>(&self, messages: &'m [Message]) -> BTreeSet<&'m str> {
        let says_something = |value: &Value| !value.is_null() && value.as_str() != Some("");
        let fields = messages.iter().flat_map(|message| &message.extra);
        let fields = fields.filter(|(key, value)| !READ.contains(&key.as_str()) && says_something(value));
        let unread: BTreeSet<&str> = fields.map(|(key, _)| key.as_str()).collect();
        let unread = unread.into_iter().filter(|field| !self.shows_field(messages, field));
        let variables = messages.first().and_then(|first| first.extra.get(VARIABLES)?.as_object());
        let variables = variables.into_iter().flat_map(serde_json::Map::keys).map(String::as_str);
        unread.chain(variables.filter(|name| !self.template_reads(name))).collect()
    }

    /// Whether the chat template mentions the field, and renders other text if the field changes. True if it refuses
    /// the conversation.
    fn shows_field(&self, messages: &[Message], field: &str) -> bool {
        // Reasoning is given to the template under each of its names.
        let names = if REASONING.contains(&field) { &REASONING[..] } else { &[field] };
        if !names.iter().any(|name| self.template_mentions(name)) {
            return false;
        }
        let Some(last) = messages.iter().rposition(|message| message.extra.contains_key(field)) else { return true };
        let options = of_conversation(messages, &self.render_options());
        let Ok(template) = self.template_for(&options) else { return true };
        let (whole, messages) = match template.render(&messages[..=last], &options) {
            Ok(whole) => (Ok(whole), &messages[..=last]),
            Err(_) => (template.render(messages, &options), messages),
        };
        let Ok(whole) = whole else { return true };
        let changes = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut messages = messages.to_vec();
            change(&mut messages[last].extra);
            template.render(&messages, &options).map_or(true, |changed| changed != whole)
        };
        let is_text = messages[last].extra[field].is_string();
        let replaced = is_text && changes(&|extra| drop(extra.insert(field.to_owned(), stand_in(0).into())));
        // What a template writes in place of reasoning that is not there shows nothing of it.
        let is_shown = || changes(&|extra| drop(extra.shift_remove(field)));
        replaced || !(is_text && REASONING.contains(&field)) && is_shown()
    }

    /// What `hides` says of the rendered conversation; false if the template refuses it.
    fn is_hidden(
        &self,
        messages: &[Message],
        hides: impl Fn(&ChatTemplate, &[Message], &str, &RenderOptions) -> bool,
    ) -> bool {
        let options = of_conversation(messages, &self.render_options());
        let Ok(template) = self.template_for(&options) else { return false };
        template.render(messages, &options).is_ok_and(|whole| hides(template, messages, &whole, &options))
    }

    /// Whether the chat template mentions this field, as a word of its own.
    pub fn template_mentions(&self, name: &str) -> bool {
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let is_alone = |source: &str, at: usize| {
            !source[..at].ends_with(is_of_word) && !source[at + name.len()..].starts_with(is_of_word)
        };
        self.templates().any(|template| {
            let source = template.source();
            source.match_indices(name).any(|(at, _)| is_alone(source, at))
        })
    }

    /// Whether the chat template reads this variable.
    pub fn template_reads(&self, variable: &str) -> bool {
        self.templates().any(|template| template.reads(variable))
    }
}

/// Whether the template omits the tools: without them the conversation would render the same text.
pub(super) fn hides_tools(template: &ChatTemplate, messages: &[Message], whole: &str, options: &RenderOptions) -> bool {
    if options.tools.as_ref().is_none_or(Vec::is_empty) {
        return false;
    }
    let without = RenderOptions { tools: None, ..options.clone() };
    template.render(messages, &without).is_ok_and(|rendered| rendered == whole)
}

/// Whether the template omits any of the calls.
pub(super) fn hides_calls(template: &ChatTemplate, messages: &[Message], whole: &str, options: &RenderOptions) -> bool {
    if !messages.iter().any(Message::calls_tools) {
        return false;
    }
    let search = Search::new(template, options, messages, whole);
    (0..messages.len()).any(|message| search.hides_calls(message))
}

/// Number of messages that call tools and whose words the template omits.
pub(super) fn hidden_words(
    template: &ChatTemplate,
    messages: &[Message],
    whole: &str,
    options: &RenderOptions,
) -> usize {
    if !messages.iter().any(says_both) {
        return 0;
    }
    let search = Search::new(template, options, messages, whole);
    let both = messages.iter().enumerate().filter(|(_, message)| says_both(message));
    both.filter(|&(index, _)| search.hides_words(index)).count()
}

/// A rendered conversation, to be compared with others.
struct Search<'a> {
    template: &'a ChatTemplate,
    options: &'a RenderOptions,
    messages: &'a [Message],
    whole: &'a str,
    /// The parts whose stand-ins the template shows.
    shown: BTreeSet<String>,
    renderings: Cell<usize>,
}

impl<'a> Search<'a> {
    /// Renders the conversation with a stand-in for the words of each message, its name, and the name of each call:
    /// what has its stand-in there is shown, without another rendering. None has if the template refuses that.
    fn new(template: &'a ChatTemplate, options: &'a RenderOptions, messages: &'a [Message], whole: &'a str) -> Self {
        let mut marked = messages.to_vec();
        for (index, message) in marked.iter_mut().enumerate() {
            if has_words(message) {
                message.content = marked_text(&words_mark(index));
            }
            if message.has_name() {
                message.extra.insert("name".into(), marked_text(&name_mark(index)).into());
            }
            for (call, name) in call_names(message).enumerate() {
                *name = marked_text(&call_mark(index, call)).into();
            }
        }
        let text = template.render(&marked, options).unwrap_or_default();
        let shown = text.split(STAND_IN).map(str::to_owned).collect();
        Self { template, options, messages, whole, shown, renderings: Cell::new(0) }
    }

    /// Whether the text is the same with a changed message.
    fn is_same_with(&self, index: usize, change: impl FnOnce(&mut Message)) -> bool {
        if self.renderings.replace(self.renderings.get() + 1) >= MOST_RENDERINGS {
            return false;
        }
        let mut messages = self.messages.to_vec();
        change(&mut messages[index]);
        self.template.render(&messages, self.options).is_ok_and(|changed| changed == self.whole)
    }

    fn hidden_field(&self, index: usize) -> Option<&'static str> {
        let message = &self.messages[index];
        if self.hides_calls(index) {
            return Some("tool_calls");
        }
        let may_hide_words = message.role == "assistant" && message.calls_tools();
        if !may_hide_words && self.hides_words(index) {
            return Some("content");
        }
        self.hides_name(index).then_some("name")
    }

    fn hides_words(&self, index: usize) -> bool {
        let replace = |message: &mut Message| message.content = stand_in(0);
        let words = has_words(&self.messages[index]) && !self.shown.contains(&words_mark(index));
        words && self.is_same_with(index, replace)
    }

    fn hides_calls(&self, index: usize) -> bool {
        let mut message = self.messages[index].clone();
        let calls = call_names(&mut message).count();
        (0..calls).any(|call| {
            let rename = |message: &mut Message| {
                *call_names(message).nth(call).expect("it was counted") = stand_in(0).into();
            };
            !self.shown.contains(&call_mark(index, call)) && self.is_same_with(index, rename)
        })
    }

    fn hides_name(&self, index: usize) -> bool {
        let rename = |message: &mut Message| drop(message.extra.insert("name".into(), stand_in(0).into()));
        self.messages[index].has_name() && !self.shown.contains(&name_mark(index)) && self.is_same_with(index, rename)
    }
}

fn says_both(message: &Message) -> bool {
    message.role == "assistant" && message.calls_tools() && has_words(message)
}

fn has_words(message: &Message) -> bool {
    !message.content.trim().is_empty()
}

/// The stand-in with this mark.
fn marked_text(mark: &str) -> String {
    format!("{STAND_IN}{mark}{STAND_IN}")
}

fn words_mark(message: usize) -> String {
    (message + 1).to_string()
}

fn name_mark(message: usize) -> String {
    format!("{message}.name")
}

fn call_mark(message: usize, call: usize) -> String {
    format!("{message}.{call}")
}
