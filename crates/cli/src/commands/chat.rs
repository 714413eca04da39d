//! `fireclay chat`: a conversation with a model.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use fireclay_infer::{Completion, Engine, FinishReason, Request, SamplingConfig, Utf8Guard};
use fireclay_model::huggingface::SamplingDefaults;
use fireclay_text::{ReplyText, Sampling, TextModel};
use fireclay_tokenizer::Message;

use crate::args::ChatArgs;
use crate::chat::{
    Conversation, Fit, HELP, Input, Reply, Terminal, refuse, suggestion_lines, suggestions, tell, width,
};
use crate::console::{Console, shown};
use crate::error::{one_line, user};
use crate::model;
use crate::stages::{Leaves, Stage};

/// The temperature where neither a flag nor the model says one.
const TEMPERATURE: f32 = 0.7;

/// Answers one line after another until they end. Only replies go to standard output, each as its tokens come.
///
/// # Errors
/// When a flag or the model is wrong, standard output cannot be written, or Ctrl-C was pressed at the prompt.
pub fn run(args: &ChatArgs, console: Console) -> Result<()> {
    let asked = args.sampling.asked();
    let sampling = |model: &SamplingDefaults| Sampling::resolve(&asked, model, args.max_tokens, TEMPERATURE);
    // What is wrong with a flag is told before a model is loaded.
    sampling(&SamplingDefaults::default()).config.validate()?;
    args.cache.bytes()?;
    let model = model::load(&args.model, &args.load)?;
    model.chat_tokenizer()?;
    args.system.as_ref().map_or(Ok(()), |text| check_system(&model, text))?;
    let Sampling { mut config, told } = sampling(&model.sampling());
    let stop_ids = model.stop_ids();
    config.stop = stop_ids.iter().map(|&id| vec![id]).collect();
    if only_pretrained(&model.dir) && !console.quiet {
        tell(format_args!("note: {} was only pretrained and has not learnt to answer", args.model.display()));
    }
    let engine = model.engine(1, args.cache.bytes()?)?;
    let context = engine.context();
    let terminal = Terminal::open(console.quiet)?;
    terminal.hint(format_args!("{}, context {context} tokens, {told}; /help lists the commands", args.model.display()));
    let suggestions = suggestions(&model.dir);
    for line in suggestion_lines(&suggestions, width()) {
        terminal.hint(line);
    }
    let conversation = Conversation::new(args.system.clone());
    let guard = model.utf8_guard();
    Session { engine, model: &model, stop_ids, guard, config, terminal, suggestions, conversation, outgrown: false }
        .run()
}

/// Whether a checkpoint of our own comes from a stage that does not teach to answer.
fn only_pretrained(dir: &Path) -> bool {
    let mut above = dir.ancestors().skip(1).map(|folder| folder.file_name().unwrap_or_default());
    let stage_leaves = |name: &OsStr| Stage::named(name.to_str()?).map(Stage::leaves);
    above.next().is_some_and(|name| name == "checkpoints")
        && above.next().and_then(stage_leaves) == Some(Leaves::LanguageModel)
}

/// Whether the vocabulary can express a system message (one of characters may lack some), and the template takes it (some take none).
fn check_system(model: &TextModel, text: &str) -> Result<()> {
    model.chat_tokenizer()?.try_encode(text)?;
    model.chat_prompt(&[Message::new("system", text), Message::new("user", "?")])?;
    Ok(())
}

struct Session<'a> {
    /// Keeps what it read of the conversation, so that a turn costs its own tokens alone.
    engine: Engine,
    model: &'a TextModel,
    stop_ids: Vec<u32>,
    guard: Option<Arc<Utf8Guard>>,
    config: SamplingConfig,
    terminal: Terminal,
    suggestions: Vec<String>,
    conversation: Conversation,
    /// Exchanges of this conversation were dropped, and that was told.
    outgrown: bool,
}

impl Session<'_> {
    fn run(mut self) -> Result<()> {
        while let Some(line) = self.terminal.line()? {
            let Ok(line) = String::from_utf8(line) else {
                refuse("this line is not UTF-8 text; send it again as UTF-8");
                continue;
            };
            match Input::parse(&line) {
                Input::Nothing => {}
                Input::Say(text) => self.say(&text)?,
                Input::New => {
                    self.conversation.forget();
                    self.outgrown = false;
                    self.terminal.hint("a new conversation");
                }
                Input::System(None) => tell(self.conversation.system().unwrap_or("(no system message)")),
                Input::System(Some(text)) => self.set_system(text),
                Input::Undo if self.conversation.undo() => self.terminal.hint("the last exchange is taken back"),
                Input::Undo => refuse("there is no exchange to take back"),
                Input::Help => self.help(),
                Input::Quit => break,
                Input::Wrong(message) => refuse(message),
            }
        }
        Ok(())
    }

    fn help(&self) {
        tell(HELP);
        if !self.suggestions.is_empty() {
            tell("Things to ask:");
        }
        for suggestion in &self.suggestions {
            tell(format_args!("  {suggestion}"));
        }
    }

    fn set_system(&mut self, text: String) {
        match check_system(self.model, &text) {
            Ok(()) => {
                self.conversation = Conversation::new(Some(text));
                self.outgrown = false;
                self.terminal.hint("a new conversation with this system message");
            }
            Err(error) => refuse(one_line(&error)),
        }
    }

    /// Answers a message and keeps both, or says why it cannot be answered.
    fn say(&mut self, text: &str) -> Result<()> {
        let ids = match self.prompt(text) {
            Ok(ids) => ids,
            Err(error) => {
                refuse(one_line(&error));
                return Ok(());
            }
        };
        let (reply, completion) = self.answer(&ids)?;
        self.terminal.answer_stopped()?;
        let cut_off = self.note_end(&reply, &completion);
        if reply.text().is_empty() {
            self.terminal.hint("no word was said; the message is taken back");
        } else {
            let kept = if cut_off { reply.whole_sentences() } else { reply.text() };
            self.conversation.add(text, kept.into());
        }
        // The same question again draws other random numbers.
        self.config.stream += 1;
        Ok(())
    }

    /// Says why a reply is over that the model did not end; whether it was cut off.
    fn note_end(&self, reply: &Reply, completion: &Completion) -> bool {
        let tokens = completion.ids.len();
        let room = self.room(completion.prompt_tokens);
        let why = if room == self.config.max_tokens { "--max-tokens" } else { "the context is full" };
        let cut_off = completion.finish_reason == FinishReason::Length;
        if reply.ended_early() {
            self.terminal.note(format_args!("the reply was ended with a sentence, after {} tokens: {why}", tokens - 1));
        } else if cut_off {
            let whole = reply.whole_sentences().len() == reply.text().trim_end().len();
            let kept = if whole { "" } else { "; only its whole sentences stay in the conversation" };
            self.terminal.note(format_args!("the reply was cut off after {tokens} tokens: {why}{kept}"));
        }
        cut_off
    }

    /// Most tokens of a reply behind a prompt of `tokens`.
    fn room(&self, tokens: usize) -> usize {
        self.config.max_tokens.min(self.engine.context() - tokens)
    }

    /// Token ids of the conversation with this message, without the oldest exchanges where it would be too long.
    fn prompt(&mut self, text: &str) -> Result<Vec<u32>> {
        self.model.chat_tokenizer()?.try_encode(text)?;
        let context = self.engine.context();
        let limit = prompt_limit(context, self.config.max_tokens);
        match self.conversation.fit(text, limit, |messages| Ok(self.model.chat_prompt(messages)?))? {
            Fit::TooLong { tokens } => Err(user(format!(
                "this message has {tokens} tokens with the system message and the chat template, and {limit} fit: the context is {context}, \
                 and {} of it are the reply's; shorten it",
                context - limit
            ))),
            Fit::Prompt { ids, dropped } => {
                // Once a conversation: from then on, nearly every message drops one.
                if dropped > 0 && !std::mem::replace(&mut self.outgrown, true) {
                    self.terminal.note(format_args!(
                        "the conversation outgrew the context of {context} tokens; oldest exchanges dropped: {dropped}, and more as it goes on"
                    ));
                }
                Ok(ids)
            }
        }
    }

    /// Writes the reply as its characters come, and ends it with a line end.
    fn answer(&mut self, ids: &[u32]) -> Result<(Reply, Completion)> {
        let (mut out, mut written) = (io::stdout(), Ok(()));
        let mut text = ReplyText::new(self.model.chat_tokenizer()?, self.stop_ids.clone());
        let mut reply = Reply::new(self.room(ids.len()));
        let request = Request { guard: self.guard.clone(), ..Request::new(ids.to_vec(), self.config.clone()) };
        let completion = self.engine.complete(request, &mut |id, _| {
            if self.terminal.pressed() {
                return ControlFlow::Break(());
            }
            if text.ends_with(id) {
                return ControlFlow::Continue(());
            }
            let Some(piece) = reply.push(&text.push(id).text) else { return ControlFlow::Break(()) };
            written = out.write_all(shown(&piece).as_bytes()).and_then(|()| out.flush());
            if written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        written?;
        let rest = reply.finish(&text.finish());
        writeln!(out, "{}", shown(&rest))?;
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

/// Tokens that system message, conversation and question may have: all but a quarter of the context, which the reply may need, or less where
/// replies are shorter than that.
fn prompt_limit(context: usize, max_tokens: usize) -> usize {
    context - max_tokens.min(context.div_ceil(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_context_is_the_replys() {
        assert_eq!(prompt_limit(8192, 512), 7680);
        assert_eq!(prompt_limit(256, 512), 192);
        assert_eq!(prompt_limit(1, 512), 0);
    }

    #[test]
    fn a_pretrained_checkpoint_is_known_by_its_stage() {
        assert!(only_pretrained(Path::new("runs/tiny/pretrain/checkpoints/step-000400")));
        assert!(!only_pretrained(Path::new("runs/tiny/sft/checkpoints/step-000400")));
        assert!(!only_pretrained(Path::new("pretrain/SmolLM2-135M-Instruct")));
        assert!(!only_pretrained(Path::new("model")));
    }
}
