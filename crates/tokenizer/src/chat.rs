//! Conversations: rendered by the chat template, as ids, and with the spans that carry loss.

pub(crate) mod message;
pub(crate) mod template;
mod generation;
mod json;
mod methods;
mod clock;
mod spans;

use std::ops::Range;

use message::Message;
use template::{ChatTemplate, RenderOptions, Rendered};

use crate::error::one_line;
use crate::{Tokenizer, TokenizerError};

/// The chat template of tokenizers trained here: `ChatML`, with the assistant's words marked as what carries loss.
pub const CHATML: &str = "\
{%- for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{{- '<|im_start|>assistant\n' -}}
{%- generation -%}
{{- message['content'] + '<|im_end|>' -}}
{%- endgeneration -%}
{{- '\n' -}}
{%- else -%}
{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
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
    /// For each id, whether a model is to learn to say it: the assistant's words and the token that ends its turn.
    pub loss: Vec<bool>,
}

impl Tokenizer {
    /// The text of a conversation by the tokenizer's chat template; `add_generation_prompt` ends it with the words
    /// that open a reply. Its ids are [`Self::encode_with_specials`] of it.
    ///
    /// As with `transformers`, a special token spelled out inside a message counts as that token.
    ///
    /// # Errors
    /// When there is no template, or it refuses the conversation.
    pub fn render_chat(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TokenizerError> {
        let options = RenderOptions { add_generation_prompt, ..self.render_options() };
        Ok(self.render_chat_with(messages, &options)?.text)
    }

    /// [`Self::render_chat`] with everything a template can be told. Start from [`Self::render_options`], which
    /// has the tokenizer's special tokens. A `tool_use` template is preferred when tools are given.
    ///
    /// # Errors
    /// As [`Self::render_chat`].
    pub fn render_chat_with(&self, messages: &[Message], options: &RenderOptions) -> Result<Rendered, TokenizerError> {
        self.template_for(options)?.render_marked(messages, options)
    }

    fn template_for(&self, options: &RenderOptions) -> Result<&ChatTemplate, TokenizerError> {
        let for_tools = options.tools.as_ref().and_then(|_| self.chat_template_named("tool_use"));
        for_tools.or_else(|| self.chat_template()).ok_or(TokenizerError::NoChatTemplate)
    }

    /// Options that tell a template how this tokenizer spells its special tokens, and nothing else.
    pub fn render_options(&self) -> RenderOptions {
        let mut options = RenderOptions::default();
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

    /// The ids of a conversation, and which of them carry loss.
    ///
    /// Where the template marks what the assistant said with `{% generation %}`, the marks decide, as with
    /// `transformers`' `return_assistant_tokens_mask`. Other templates are asked where each assistant message lies:
    /// its span starts where the conversation before it, rendered with the opening of a reply, ends; and it goes to the
    /// end of what the message adds, less white space after the token that ends the turn. Where an earlier turn renders
    /// differently once later ones follow (reasoning that is dropped, say), the message's own text, found by putting
    /// another in its place, stands in for either bound.
    ///
    /// # Errors
    /// When there is no template, or it refuses the conversation, or the text cannot be encoded.
    pub fn encode_chat(&self, messages: &[Message]) -> Result<EncodedChat, TokenizerError> {
        self.encode_chat_with(messages, &self.render_options())
    }

    /// [`Self::encode_chat`] with everything a template can be told.
    ///
    /// # Errors
    /// As [`Self::encode_chat`].
    pub fn encode_chat_with(
        &self,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<EncodedChat, TokenizerError> {
        let template = self.template_for(options)?;
        let rendered = template.render_marked(messages, options)?;
        let spans = if template.marks_generation() {
            rendered.generated
        } else {
            let ends = self.stop_ids().into_iter().filter_map(|id| self.id_to_token(id)).collect();
            let all = self.special_ids().filter_map(|id| self.id_to_token(id)).collect();
            let marks = spans::Marks { ends, all };
            spans::of_assistant(messages, &rendered.text, &marks, |messages, add_generation_prompt| {
                let options = RenderOptions { add_generation_prompt, ..options.clone() };
                template.render(messages, &options)
            })
        };
        self.encode_spans(&rendered.text, &spans)
    }

    /// An id carries loss if any byte of its text lies in a span.
    fn encode_spans(&self, text: &str, spans: &[Range<usize>]) -> Result<EncodedChat, TokenizerError> {
        let encoding = self.library().encode(text, false);
        let encoding = encoding.map_err(|error| TokenizerError::Encoding(one_line(&error.to_string())))?;
        let in_span = |&(start, end): &(usize, usize)| spans.iter().any(|span| start < span.end && span.start < end);
        let loss = encoding.get_offsets().iter().map(in_span).collect();
        Ok(EncodedChat { ids: encoding.get_ids().to_vec(), loss })
    }
}
