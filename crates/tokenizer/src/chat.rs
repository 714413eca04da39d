//! Conversations: rendered by the chat template, as ids, and with the spans that carry loss.

pub(crate) mod message;
pub(crate) mod template;
pub(crate) mod generation;
mod json;
mod methods;
mod python;
mod percent;
mod bounds;
mod source;
mod clock;
mod stand_in;
mod arguments;
mod content;
mod turns;
mod outline;
mod roles;
pub(crate) mod frame;
pub(crate) mod integers;
mod ends;
mod learn;
pub(crate) mod omitted;

use std::collections::BTreeSet;
use std::ops::Range;

use frame::Frame;
use generation::Rendered;
use message::Message;
use serde_json::Value;
use template::{ChatTemplate, RenderOptions};
use turns::{Finder, RenderedTurn};

use crate::guard::guarded;
use crate::pieces::Encoder;
use crate::{Tokenizer, TokenizerError};

/// The chat template of tokenizers trained here: `ChatML`, with marks on the assistant's text, which carries loss.
pub const CHATML: &str = "\
{%- for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{{- '<|im_start|>assistant\n' -}}
{%- generation -%}
{{- (message['content'] or '') + '<|im_end|>' -}}
{%- endgeneration -%}
{{- '\n' -}}
{%- else -%}
{{- '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') + '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- endif -%}
";

/// A conversation as ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedChat {
    /// The ids of the rendered conversation.
    pub ids: Vec<u32>,
    /// For each id, whether it carries loss: the assistant's text and the token that ends its turn.
    pub loss: Vec<bool>,
    /// The tokens of each of the assistant's turns that the template shows: from the first token after the opening of a
    /// reply, to the token that ends the turn. Marks in the template do not change them.
    pub turns: Vec<Range<usize>>,
    /// Number of the assistant's messages that the template omits.
    pub hidden: usize,
    /// Whether messages call tools and the template omits the calls.
    pub hides_calls: bool,
    /// Number of messages that call tools, and of which the template shows the calls, but not the words beside them.
    pub hidden_words: usize,
    /// Whether the text of a learned turn cannot be told from that of others: the template shows a part of it behind
    /// the words of a later message, or writes no end after calls.
    pub is_torn: bool,
    /// Whether there are tools and the template omits them.
    pub hides_tools: bool,
    /// Characters of the messages that have neither a token nor an unknown token: the ids omit them.
    pub unknown: BTreeSet<char>,
}

/// A prompt and an answer as ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedAnswer {
    /// The prompt, the opening of the reply, and the answer up to the token that ends it.
    pub ids: Vec<u32>,
    /// Number of tokens before the answer.
    pub prompt_tokens: usize,
    /// Whether the prompt has the same ids as alone; an answer that begins with a line break may change them.
    pub prompt_unchanged: bool,
    /// As [`EncodedChat::is_torn`], of the answer.
    pub is_torn: bool,
    /// Whether messages call tools and the template omits the calls.
    pub hides_calls: bool,
    /// Characters of the messages that have neither a token nor an unknown token: the ids omit them.
    pub unknown: BTreeSet<char>,
}

impl Tokenizer {
    /// The text of a conversation by the tokenizer's chat template; `add_generation_prompt` appends the opening of a
    /// reply. [`Self::encode_with_specials`] encodes it.
    ///
    /// As with `transformers`, a special token spelled out inside a message counts as that token.
    ///
    /// # Errors
    /// When there is no template, or it refuses the conversation.
    pub fn render_chat(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TokenizerError> {
        let options = RenderOptions { add_generation_prompt, ..self.render_options() };
        Ok(self.render_chat_with(messages, &options)?.text)
    }

    /// [`Self::render_chat`] with all options of a template. Start from [`Self::render_options`], which has the
    /// tokenizer's special tokens. A `tool_use` template is preferred if tools are given.
    ///
    /// # Errors
    /// As [`Self::render_chat`].
    pub fn render_chat_with(&self, messages: &[Message], options: &RenderOptions) -> Result<Rendered, TokenizerError> {
        let options = &of_conversation(messages, options);
        self.template_for(options)?.render_marked(messages, options)
    }

    fn template_for(&self, options: &RenderOptions) -> Result<&ChatTemplate, TokenizerError> {
        let for_tools = options.tools.as_ref().and_then(|_| self.chat_template_named("tool_use"));
        for_tools.or_else(|| self.chat_template()).ok_or(TokenizerError::NoChatTemplate)
    }

    /// Options with this tokenizer's special tokens, and defaults otherwise.
    pub fn render_options(&self) -> RenderOptions {
        let mut options = RenderOptions { now: self.settings().now, ..RenderOptions::default() };
        for (role, token) in self.settings().special_roles() {
            match role {
                "bos_token" => options.bos_token = Some(token.to_owned()),
                "eos_token" => options.eos_token = Some(token.to_owned()),
                _ => {
                    options.variables.insert(role.to_owned(), token.into());
                }
            }
        }
        options
    }

    /// Encodes a conversation and marks the ids that carry loss.
    ///
    /// Each of the assistant's turns carries loss: from the end of the conversation before it, rendered with the
    /// opening of a reply, to the token that ends the turn, whether the turn has text, tool calls or both. If a
    /// generation prompt opens more than the turn shows (`<think>`), the common part is the opening. Messages with
    /// `"weight": 0` or `"train": false` carry no loss ([`Message::is_learned`]).
    ///
    /// If the template has `{% generation %}` marks, they decide within each turn, as with `transformers`'
    /// `return_assistant_tokens_mask`; even so, the opening of a reply and the text after the token that ends the turn
    /// carry no loss, and that token always does if the mark extends to it.
    ///
    /// # Errors
    /// When there is no template, or it refuses the conversation, or the text cannot be encoded.
    pub fn encode_chat(&self, messages: &[Message]) -> Result<EncodedChat, TokenizerError> {
        self.encode_chat_with(messages, &self.render_options())
    }

    /// [`Self::encode_chat`] with all options of a template.
    ///
    /// # Errors
    /// As [`Self::encode_chat`].
    pub fn encode_chat_with(
        &self,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<EncodedChat, TokenizerError> {
        let options = &of_conversation(messages, options);
        let (rendered, turns) = self.find_turns(messages, options)?;
        let learned = |turn: &&RenderedTurn| messages[turn.message].is_learned();
        let template = self.template_for(options)?;
        let spans: Vec<Range<usize>> = if template.marks_generation() {
            let marks = rendered.generated.iter();
            marks.flat_map(|mark| within(mark, &turns, messages, &rendered.text)).collect()
        } else {
            turns.iter().filter(learned).map(|turn| turn.text.clone()).collect()
        };
        let encoding = self.encoding(&rendered.text)?;
        let offsets = encoding.get_offsets();
        let in_span = |&(start, end): &(usize, usize)| spans.iter().any(|span| start < span.end && span.start < end);
        let answers = messages.iter().filter(|message| message.role == "assistant").count();
        Ok(EncodedChat {
            ids: encoding.get_ids().to_vec(),
            loss: offsets.iter().map(in_span).collect(),
            hidden: answers - turns.len(),
            turns: turns.iter().map(|turn| tokens_of(&turn.text, offsets)).collect(),
            hides_calls: omitted::hides_calls(template, messages, &rendered.text, options),
            hidden_words: omitted::hidden_words(template, messages, &rendered.text, options),
            is_torn: turns.iter().filter(learned).any(|turn| turn.is_torn),
            hides_tools: omitted::hides_tools(template, messages, &rendered.text, options),
            unknown: self.unknown_in(&rendered.text, options)?,
        })
    }

    /// The ids of a conversation whose last message is the answer to those before, without the template's text after
    /// the end of the assistant's turn; `None` if the template shows nothing of the answer.
    ///
    /// # Errors
    /// As [`Self::encode_chat`].
    ///
    /// # Panics
    /// When the last message is not the assistant's.
    pub fn encode_answer(
        &self,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<Option<EncodedAnswer>, TokenizerError> {
        let last = messages.len().checked_sub(1).filter(|&last| messages[last].role == "assistant");
        let last = last.expect("the last message is the answer");
        let options = &of_conversation(messages, options);
        let (rendered, turns) = self.find_turns(messages, options)?;
        let Some(turn) = turns.iter().find(|turn| turn.message == last) else { return Ok(None) };
        let encoding = self.encoding(&rendered.text)?;
        let tokens = tokens_of(&turn.text, encoding.get_offsets());
        let ids = encoding.get_ids()[..tokens.end].to_vec();
        // A model's input is the conversation so far with the opening of a reply; the answer's rendered text may lack
        // the end of the opening.
        let given = RenderOptions { add_generation_prompt: true, ..options.clone() };
        let given = self.template_for(options)?.render(&messages[..last], &given)?;
        // The template's own text may merge with the end of the opening into one token, the answer's words may not.
        let first = encoding.get_offsets().get(tokens.start).copied().unwrap_or((turn.text.start, turn.text.start));
        let words = messages[last].content.as_str();
        let words = [words, words.trim()].into_iter().find_map(|words| rendered.text[turn.text.start..].find(words));
        let merges = first.0 < turn.text.start && words.is_none_or(|words| first.1 > turn.text.start + words);
        let shown = rendered.text.get(..first.0.min(turn.text.start)).unwrap_or_default();
        let same_ids = self.encoding(shown)?.get_ids() == &ids[..tokens.start];
        let prompt_unchanged = given.starts_with(shown) && same_ids && !merges;
        let hides_calls = omitted::hides_calls(self.template_for(options)?, messages, &rendered.text, options);
        let unknown = self.unknown_in(&rendered.text, options)?;
        let (prompt_tokens, is_torn) = (tokens.start, turn.is_torn);
        Ok(Some(EncodedAnswer { ids, prompt_tokens, prompt_unchanged, is_torn, hides_calls, unknown }))
    }

    /// The ids of a conversation with the opening of a reply: the prompt of a model that answers.
    ///
    /// # Errors
    /// When there is no template, or it refuses the conversation; [`TokenizerError::UnknownCharacters`] if the messages
    /// have characters without a token.
    pub fn encode_prompt(&self, messages: &[Message]) -> Result<Vec<u32>, TokenizerError> {
        let options = RenderOptions { add_generation_prompt: true, ..self.render_options() };
        let options = of_conversation(messages, &options);
        let text = self.render_chat_with(messages, &options)?.text;
        let unknown = self.unknown_in(&text, &options)?;
        if unknown.is_empty() { Ok(self.encode_with_specials(&text)) } else { Err(TokenizerError::unknown(unknown)) }
    }

    /// Problems of answers as this tokenizer's chat template renders them, one per line, with the template's name:
    /// turns without an end token, and openings of a reply without an answer. Empty without a template.
    pub fn chat_complaints(&self) -> Vec<String> {
        self.chat_template().map_or_else(Vec::new, |template| self.frame().complaints(&template.name()))
    }

    /// The default chat template, and the one for conversations with tools.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &ChatTemplate> {
        ["default", "tool_use"].into_iter().filter_map(|kind| self.chat_template_named(kind))
    }

    /// Whether the chat template takes the arguments of calls as objects, and those of the messages have a whole number
    /// that a value cannot hold: it would show another one. Known once such a call was rendered.
    pub fn rounds_arguments(&self, messages: &[Message]) -> bool {
        self.templates().any(|template| template.rounds_arguments(messages))
    }

    /// The token with which the chat template ends the assistant's answers, if it does so with one.
    pub fn turn_end_id(&self) -> Option<u32> {
        self.chat_template().and_then(|_| self.frame().end)
    }

    /// All tokens with which the chat template ends the assistant's turns: [`Self::turn_end_id`], and those of turns
    /// that call tools or come before later turns, where they differ. Includes those of a `tool_use` template.
    pub fn turn_end_ids(&self) -> Vec<u32> {
        let mut ids = vec![];
        for template in self.templates() {
            for end in self.frame_of(template).ends() {
                if !ids.contains(&end) {
                    ids.push(end);
                }
            }
        }
        ids
    }

    /// The rendered conversation and the assistant's turns in it.
    fn find_turns(
        &self,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<(Rendered, Vec<RenderedTurn>), TokenizerError> {
        let template = self.template_for(options)?;
        let rendered = template.render_marked(messages, options)?;
        let render = |messages: &[Message], add_generation_prompt: bool| {
            let options = RenderOptions { add_generation_prompt, ..options.clone() };
            template.render(messages, &options).ok()
        };
        let frame = self.frame_of(template);
        let answers = messages.iter().enumerate().filter(|(_, message)| message.role == "assistant");
        if frame.marks_are_turns && answers.clone().all(|(_, message)| is_plain(message)) {
            let answers: Vec<usize> = answers.map(|(index, _)| index).collect();
            if answers.len() == rendered.generated.len() {
                let turns = answers.into_iter().zip(&rendered.generated);
                let turns = turns.map(|(message, text)| whole_turn(message, text)).collect();
                return Ok((rendered, turns));
            }
        }
        let stops = self.stop_tokens(&frame);
        let finder = Finder {
            messages,
            whole: &rendered.text,
            stops: &stops,
            opening: &frame.opening,
            later_end: &frame.later_end,
            render: &render,
        };
        let turns = finder.turns();
        Ok((rendered, turns))
    }

    /// The characters of a rendered conversation without a token, other than those of the template itself, which
    /// [`Self::chat_complaints`] names.
    fn unknown_in(&self, text: &str, options: &RenderOptions) -> Result<BTreeSet<char>, TokenizerError> {
        let unknown = self.unknown_characters(text)?;
        if unknown.is_empty() {
            return Ok(unknown);
        }
        let frame = self.frame_of(self.template_for(options)?);
        Ok(unknown.difference(&frame.unknown).copied().collect())
    }

    /// Spellings of the tokens that end a turn, and the text that ends answers.
    fn stop_tokens(&self, frame: &Frame) -> Vec<String> {
        let mut ids = self.stop_ids();
        for end in frame.ends() {
            if !ids.contains(&end) {
                ids.push(end);
            }
        }
        let tokens = ids.into_iter().filter_map(|id| self.id_to_token(id));
        tokens.chain([frame.end_text.clone()]).filter(|end| !end.is_empty()).collect()
    }

    fn encoding(&self, text: &str) -> Result<tokenizers::Encoding, TokenizerError> {
        let encoding = guarded(|| Encoder::with_offsets(self.library(), text)).and_then(|encoding| encoding);
        encoding.map_err(|error| self.of_file(error))
    }
}

/// The options with the tools and variables that a conversation brings along: see [`Message::extra`].
fn of_conversation(messages: &[Message], options: &RenderOptions) -> RenderOptions {
    let mut options = options.clone();
    let Some(first) = messages.first() else { return options };
    if options.tools.is_none() {
        options.tools = first.extra.get(message::TOOLS).and_then(Value::as_array).cloned();
    }
    if let Some(variables) = first.extra.get(message::VARIABLES).and_then(Value::as_object) {
        for (name, value) in variables {
            options.variables.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    options
}

/// A turn whose place is known from marks.
fn whole_turn(message: usize, text: &Range<usize>) -> RenderedTurn {
    RenderedTurn { message, text: text.clone(), end: 0, is_torn: false }
}

/// Whether a message has only text, so that a template can show it in one way only.
fn is_plain(message: &Message) -> bool {
    message.extra.is_empty() && !message.no_content && !message.content.contains("<think>")
}

/// The parts of a mark that are learned: those in learned turns, with the token that ends the turn if the mark extends
/// to it. A mark outside all turns is kept.
fn within(mark: &Range<usize>, turns: &[RenderedTurn], messages: &[Message], text: &str) -> Vec<Range<usize>> {
    let touches = |turn: &&RenderedTurn| turn.text.start < mark.end && mark.start < turn.text.end;
    let mut over = turns.iter().filter(touches).peekable();
    if over.peek().is_none() {
        return if mark.is_empty() { vec![] } else { vec![mark.clone()] };
    }
    let learned = over.filter(|turn| messages[turn.message].is_learned());
    let parts = learned.map(|turn| {
        let start = mark.start.max(turn.text.start);
        let end = mark.end.min(turn.text.end);
        let only_end = turn.end > 0 && text[end..turn.text.end].trim_start().len() == turn.end;
        start..if only_end { turn.text.end } else { end }
    });
    parts.collect()
}

/// The tokens that lie in a part of the text.
fn tokens_of(text: &Range<usize>, offsets: &[(usize, usize)]) -> Range<usize> {
    let inside = |&(start, end): &(usize, usize)| start < text.end && text.start < end;
    let first = offsets.iter().position(inside).unwrap_or(offsets.len());
    let count = offsets[first..].iter().rposition(inside).map_or(0, |last| last + 1);
    first..first + count
}
