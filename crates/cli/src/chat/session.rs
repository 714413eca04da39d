//! The chat's session: [`ChatSession`].

use std::fmt::Display;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::Result;
use fireclay_infer::{Completion, Engine, FinishReason, Request, SamplingConfig, Utf8Guard};
use fireclay_serve::store::Usage;
use fireclay_text::{ChatHistory, FittedPrompt, ReplyText, TextModel, prompt_limit};
use fireclay_tokenizer::Message;
use serde_json::{Value, json};

use super::input::{HELP, Input};
use super::reply::Reply;
use super::stored::{PendingQuestion, Stored, as_messages};
use super::terminal::{Terminal, columns, tell};
use super::wrap::Wrap;
use crate::console::shown;
use crate::error::{one_line, user};

/// Settings of a chat.
pub struct ChatSettings {
    /// Sampling settings.
    pub config: SamplingConfig,
    /// Tokens that end a reply.
    pub stop_ids: Vec<u32>,
    /// Guard of valid UTF-8.
    pub guard: Option<Arc<Utf8Guard>>,
    /// Whether to print a JSON object per reply instead of its text.
    pub json: bool,
    /// Suggested questions in `/help`.
    pub suggestions: Vec<String>,
}

/// A chat.
pub struct ChatSession<'a> {
    /// Caches the conversation, so that a turn costs only its own tokens.
    pub engine: Engine,
    /// The model.
    pub model: &'a TextModel,
    /// Settings.
    pub settings: ChatSettings,
    /// Input and messages.
    pub terminal: Terminal,
    /// The part of the conversation that fits the context.
    pub conversation: ChatHistory,
    /// The conversation in the database; `None` if nothing is kept.
    pub stored: Option<Stored>,
    /// Whether the user was told that exchanges of this conversation were dropped.
    pub outgrown: bool,
    /// Number of lines with an error.
    pub failed: usize,
}

/// Token ids of a conversation that is to be answered.
struct Prompt {
    ids: Vec<u32>,
    /// The same without more and more of the oldest exchanges, for a reply that outgrows the context.
    shorter: Vec<Vec<u32>>,
}

/// Checks that the vocabulary can express a system message (character tokenizers may lack some characters), and that
/// the template accepts one.
///
/// # Errors
/// When one of the two fails.
pub fn check_system(model: &TextModel, text: &str) -> Result<()> {
    model.chat_tokenizer()?.try_encode(text)?;
    model.chat_prompt(&[Message::new("system", text), Message::new("user", "?")])?;
    Ok(())
}

impl ChatSession<'_> {
    /// Answers one line after another until the input ends. A line with an error is reported, and the others are
    /// answered all the same.
    ///
    /// # Errors
    /// When standard output cannot be written, the database fails, Ctrl-C ended the chat, or lines of a pipe could not
    /// be done.
    pub fn run(mut self) -> Result<()> {
        while let Some(line) = self.terminal.line()? {
            let Ok(line) = String::from_utf8(line) else {
                self.refuse("this line is not UTF-8 text; send it again as UTF-8")?;
                continue;
            };
            match Input::parse(&line) {
                Input::Nothing => {}
                Input::Quit => break,
                input => self.act(input)?,
            }
        }
        if self.failed > 0 && !self.terminal.is_interactive() {
            return Err(user(format!("lines that failed: {}; the others were answered", self.failed)));
        }
        Ok(())
    }

    fn act(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Nothing | Input::Quit => Ok(()),
            Input::Say(text) => self.say(&text),
            Input::New => {
                self.begin_new(ChatHistory::new(self.conversation.system().map(Into::into)));
                self.terminal.hint("a new conversation");
                Ok(())
            }
            Input::System(None) => {
                tell(self.conversation.system().unwrap_or("(no system message)"));
                Ok(())
            }
            Input::System(Some(text)) => self.set_system(text),
            Input::Undo => self.undo(),
            Input::Open(which) => self.open(which.as_deref()),
            Input::List(search) => self.list(search.as_deref().unwrap_or_default()),
            Input::Rate(rating) => self.rate(rating),
            Input::Save(path) => self.save(&path),
            Input::Help => {
                self.help();
                Ok(())
            }
            Input::Wrong(message) => self.refuse(message),
        }
    }

    /// Reports an error; the chat continues.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn refuse(&mut self, line: impl Display) -> Result<()> {
        self.failed += 1;
        tell(format_args!("error: {line}"));
        if self.settings.json { write_object(&json!({"error": line.to_string()})) } else { Ok(()) }
    }

    fn help(&self) {
        tell(HELP);
        if !self.settings.suggestions.is_empty() {
            tell("Things to ask:");
        }
        for suggestion in &self.settings.suggestions {
            tell(format_args!("  {suggestion}"));
        }
    }

    /// Replaces this conversation by another.
    pub fn begin_new(&mut self, conversation: ChatHistory) {
        self.conversation = conversation;
        self.outgrown = false;
        if let Some(stored) = &mut self.stored {
            stored.begin_new();
        }
    }

    fn set_system(&mut self, text: String) -> Result<()> {
        match check_system(self.model, &text) {
            Ok(()) => {
                self.begin_new(ChatHistory::new(Some(text)));
                self.terminal.hint("a new conversation with this system message");
                Ok(())
            }
            Err(error) => self.refuse(one_line(&error)),
        }
    }

    fn undo(&mut self) -> Result<()> {
        let undone = match &mut self.stored {
            None => self.conversation.undo(),
            Some(stored) => match stored.undo()? {
                None => false,
                Some(path) => {
                    let system = self.conversation.system().map(Into::into);
                    self.conversation = ChatHistory::continuing(system, as_messages(&path));
                    true
                }
            },
        };
        if !undone {
            return self.refuse("there is no message to go back before");
        }
        let kept = if self.stored.is_some() { "; the web page still shows them, as a branch" } else { "" };
        self.terminal.hint(format_args!("your last message and its reply are taken back{kept}"));
        Ok(())
    }

    /// Takes over what was said in the conversation elsewhere.
    fn catch_up(&mut self) -> Result<()> {
        let Some(path) = self.stored.as_mut().map_or(Ok(None), Stored::catch_up)? else { return Ok(()) };
        let system = self.conversation.system().map(Into::into);
        self.conversation = ChatHistory::continuing(system, as_messages(&path));
        self.terminal.note("this conversation went on elsewhere; the reply follows its newest message");
        Ok(())
    }

    /// Answers a message and stores both, or reports why it cannot be answered.
    fn say(&mut self, text: &str) -> Result<()> {
        if let Err(error) = self.catch_up() {
            return self.refuse(one_line(&error));
        }
        let prompt = match self.prompt(text) {
            Ok(prompt) => prompt,
            Err(error) => return self.refuse(one_line(&error)),
        };
        let pending = match &mut self.stored {
            None => None,
            Some(stored) => match stored.ask(self.conversation.system(), self.conversation.left_out(), text) {
                Ok(pending) => Some(pending),
                Err(error) => return self.refuse(one_line(&error)),
            },
        };
        let (room, most) = (self.room(&prompt), self.settings.config.max_tokens);
        let (reply, completion) = self.answer(prompt, pending.as_ref())?;
        let stopped = self.terminal.answer_stopped();
        if completion.shortened > 0 {
            self.note_outgrown();
        }
        let cut_off =
            self.note_end(&reply, &completion, if room == most { "--max-tokens" } else { "the context is full" });
        let kept = if cut_off { reply.whole_sentences() } else { reply.text() };
        let reason = match (&stopped, cut_off || reply.ended_early()) {
            (Ok(false), false) => "stop",
            (Ok(false), true) => "length",
            _ => "cancelled",
        };
        if kept.is_empty() {
            self.terminal.hint("the reply is empty; the message was removed");
        } else {
            self.conversation.add(text, kept.into());
        }
        if let (Some(stored), Some(pending)) = (&mut self.stored, pending) {
            match kept.is_empty() {
                true => stored.forget(pending)?,
                false => stored.finish(pending, kept, reason, Usage::of(&completion))?,
            }
        }
        if self.settings.json {
            write_object(&self.object(&reply, reason, &completion))?;
        }
        // A repeated question draws other random numbers.
        self.settings.config.stream += 1;
        stopped.map(|_| ())
    }

    /// A reply for a program.
    fn object(&self, reply: &Reply, reason: &str, completion: &Completion) -> Value {
        let mut object = json!({"reply": reply.text(), "finish_reason": reason, "usage": Usage::of(completion)});
        if let Some(stored) = self.stored.as_ref().filter(|_| !reply.text().is_empty()) {
            object["conversation"] = stored.conversation().into();
            object["message"] = stored.reply().into();
        }
        object
    }

    /// Reports that a reply ended for the reason `why` if the model did not end it. Returns whether it was cut off.
    fn note_end(&self, reply: &Reply, completion: &Completion, why: &str) -> bool {
        let tokens = completion.ids.len();
        let cut_off = completion.finish_reason == FinishReason::Length;
        if reply.ended_early() {
            self.terminal
                .note(format_args!("the reply was ended at the end of a sentence, after {} tokens: {why}", tokens - 1));
        } else if cut_off {
            let whole = reply.whole_sentences().len() == reply.text().trim_end().len();
            let kept = if whole { "" } else { "; only its whole sentences stay in the conversation" };
            self.terminal.note(format_args!("the reply was cut off after {tokens} tokens: {why}{kept}"));
        }
        cut_off
    }

    /// Most tokens of a reply to a prompt.
    fn room(&self, prompt: &Prompt) -> usize {
        let shortest = prompt.shorter.last().unwrap_or(&prompt.ids);
        self.settings.config.max_tokens.min(self.engine.context() - shortest.len())
    }

    /// Reports, once per conversation, that it outgrew the context: from then on, nearly every message drops an
    /// exchange.
    fn note_outgrown(&mut self) {
        if !std::mem::replace(&mut self.outgrown, true) {
            let context = self.engine.context();
            self.terminal.note(format_args!(
                "the model reads {context} tokens at once, and the conversation is longer: from now on it forgets the \
                 oldest messages"
            ));
        }
    }

    /// Token ids of the conversation with this message, without the oldest exchanges where it would be too long.
    fn prompt(&mut self, text: &str) -> Result<Prompt> {
        self.model.chat_tokenizer()?.try_encode(text)?;
        let context = self.engine.context();
        let limit = prompt_limit(context, self.settings.config.max_tokens);
        let (question, encode) = (Message::new("user", text), |messages: &[Message]| self.model.chat_prompt(messages));
        match self.conversation.fit(&question, limit, encode)? {
            FittedPrompt::TooLong { tokens } => Err(user(format!(
                "this message has {tokens} tokens with the system message and the chat template, and {limit} fit: the \
                 context is {context}, \
                 and {} of it are the reply's; shorten it",
                context - limit
            ))),
            FittedPrompt::Fits { ids, dropped } => {
                let outgrows = ids.len() + self.settings.config.max_tokens > context;
                let shorter = if outgrows { self.conversation.shorter_prompts(&question, encode)? } else { vec![] };
                if dropped > 0 {
                    self.note_outgrown();
                }
                Ok(Prompt { ids, shorter })
            }
        }
    }

    /// Writes the reply as its characters arrive, and ends it with a line end; with `--json`, nothing is written yet.
    fn answer(&mut self, prompt: Prompt, pending: Option<&PendingQuestion>) -> Result<(Reply, Completion)> {
        let (mut out, mut written) = (io::stdout(), Ok(()));
        let mut text = ReplyText::new(self.model.chat_tokenizer()?, self.settings.stop_ids.clone());
        let mut reply = Reply::new(self.room(&prompt));
        let mut wrap = columns().map(Wrap::new);
        let mut wrapped = move |piece: &str, is_end: bool| match &mut wrap {
            Some(wrap) if is_end => wrap.push(piece) + &wrap.finish(),
            Some(wrap) => wrap.push(piece),
            None => piece.to_owned(),
        };
        let request = Request {
            guard: self.settings.guard.clone(),
            shorter_prompts: prompt.shorter,
            ..Request::new(prompt.ids, self.settings.config.clone())
        };
        let (terminal, stored, json) = (&self.terminal, &mut self.stored, self.settings.json);
        let completion = self.engine.complete(request, &mut |id, _| {
            if terminal.pressed() {
                return ControlFlow::Break(());
            }
            if text.ends_with(id) {
                return ControlFlow::Continue(());
            }
            let Some(piece) = reply.push(&text.push(id).text) else { return ControlFlow::Break(()) };
            if let (Some(stored), Some(pending)) = (stored.as_mut(), pending) {
                stored.save_progress(pending, reply.text());
            }
            if !json {
                written = out.write_all(wrapped(&shown(&piece), false).as_bytes()).and_then(|()| out.flush());
            }
            if written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        written?;
        let rest = reply.finish(&text.finish());
        if !json {
            writeln!(out, "{}", wrapped(&shown(&rest), true))?;
        }
        tracing::debug!(
            "{} tokens read, the first of {} after {:.2} s, {:.0} tokens/s",
            completion.prompt_tokens,
            completion.ids.len(),
            completion.timing.prefill_seconds,
            completion.timing.tokens_per_s()
        );
        Ok((reply, completion))
    }
}

/// A line of JSON on standard output.
fn write_object(object: &Value) -> Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{object}")?;
    Ok(out.flush()?)
}
