//! Chat templates and their rendering.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, State};
use serde_json::{Map, Value as Json};

use super::arguments::{Arguments, has_unheld_integer};
use super::content::Content;
use super::generation::Rendered;
use super::message::{REASONING, TOOLS, VARIABLES};
use super::{Message, bounds, clock, generation, json, methods, percent};
use crate::TokenizerError;
use crate::error::one_line;

/// A Jinja template that turns a conversation into the text a model was trained on.
///
/// Renders like `transformers`' `apply_chat_template`: trimmed blocks, loop controls, `raise_exception`, `strftime_now`
/// (in UTC), Python's string and dict methods, `json.dumps`, and the `{% generation %}` block, which marks the
/// assistant's text.
#[derive(Clone)]
pub struct ChatTemplate {
    source: Arc<str>,
    environment: Arc<Environment<'static>>,
    marks_generation: bool,
    /// The variables that it reads of its surroundings.
    variables: Arc<HashSet<String>>,
    /// The form of arguments that it takes, once a call was rendered.
    arguments: Arc<OnceLock<Arguments>>,
    /// The form of messages' words that it takes, once a conversation was rendered.
    words: Arc<OnceLock<Content>>,
    /// The file that it was read from.
    origin: Option<Arc<Path>>,
}

/// Variables of a template besides the messages.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// Append the opening of a reply.
    pub add_generation_prompt: bool,
    /// End inside the final message, so that a model continues it.
    pub continue_final_message: bool,
    /// Spelling of the beginning-of-sequence token.
    pub bos_token: Option<String>,
    /// Spelling of the end-of-sequence token.
    pub eos_token: Option<String>,
    /// JSON schemas of functions the model may call.
    pub tools: Option<Vec<Json>>,
    /// Documents for retrieval, as some templates take them.
    pub documents: Option<Vec<Json>>,
    /// Any other variable, such as `enable_thinking` or `pad_token`.
    pub variables: Map<String, Json>,
    /// The time of `strftime_now`; `None`: the present.
    pub now: Option<SystemTime>,
}

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// When the source is not valid Jinja; the message tells the line.
    #[expect(clippy::missing_panics_doc, reason = "only if minijinja's default delimiters were invalid")]
    pub fn new(source: &str) -> Result<Self, TokenizerError> {
        if source.len() > bounds::LONGEST_TEMPLATE {
            let detail = format!("it has {} bytes, more than the limit of {}", source.len(), bounds::LONGEST_TEMPLATE);
            return Err(TokenizerError::TemplateSyntax { origin: String::new(), line: 0, detail });
        }
        let mut environment = Environment::new();
        let mut syntax = minijinja::syntax::SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        let syntax = syntax.build().expect("the default delimiters are valid");
        environment.set_syntax(syntax);
        methods::add_to(&mut environment);
        bounds::add_to(&mut environment);
        environment.add_filter("tojson", json::tojson);
        environment.add_filter(generation::FILTER, generation::mark);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        let refused = |line, detail| TokenizerError::TemplateSyntax { origin: String::new(), line, detail };
        let unix = source.replace("\r\n", "\n").replace('\r', "\n");
        bounds::check(&unix).map_err(|(line, detail)| refused(line, detail))?;
        let (compiled, marks_generation) = generation::accept(&bounds::accept(&percent::accept(&unix)));
        let compile = || {
            environment.add_template_owned("chat", compiled)?;
            Ok(environment.get_template("chat")?.undeclared_variables(false))
        };
        let compiled = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(bounds::COMPILER_STACK);
            thread.spawn_scoped(scope, compile).map(|thread| thread.join().expect("the compiler does not panic"))
        });
        let variables = compiled
            .map_err(|error| refused(0, format!("no thread to compile it: {error}")))?
            .map_err(|error: Error| refused(error.line().unwrap_or(0), message_of(&error)))?;
        let (source, environment, variables) = (source.into(), Arc::new(environment), Arc::new(variables));
        let (arguments, words) = (Arc::default(), Arc::default());
        Ok(Self { source, environment, marks_generation, variables, arguments, words, origin: None })
    }

    /// The same template, known to be from this file.
    pub(crate) fn read_from(self, path: &Path) -> Self {
        Self { origin: Some(path.into()), ..self }
    }

    /// Its name in messages: "the chat template", and the file it was read from.
    pub fn name(&self) -> String {
        match &self.origin {
            Some(path) => format!("the chat template of {}", path.display()),
            None => "the chat template".to_owned(),
        }
    }

    /// Whether both are the very same template, compiled once.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.environment, &other.environment)
    }

    /// Whether it reads this variable of its surroundings.
    pub(crate) fn reads(&self, variable: &str) -> bool {
        self.variables.contains(variable)
    }

    /// The template as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the template marks the assistant's text with `{% generation %}`.
    pub fn marks_generation(&self) -> bool {
        self.marks_generation
    }

    /// The text of a conversation.
    ///
    /// # Errors
    /// When the template refuses the conversation (`raise_exception`) or fails on it.
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String, TokenizerError> {
        Ok(self.render_marked(messages, options)?.text)
    }

    /// The text of a conversation, and the ranges of its `{% generation %}` blocks.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_marked(&self, messages: &[Message], options: &RenderOptions) -> Result<Rendered, TokenizerError> {
        let messages = self.with_arguments(messages, options);
        if !options.continue_final_message {
            return self.render_whole(&messages, options);
        }
        let mut messages = messages.into_owned();
        let last = messages.last_mut().ok_or(TokenizerError::Continue("the conversation is empty"))?;
        let content = last.content.trim().to_owned();
        last.content.push_str(CONTINUE_TAG);
        let mut rendered = self.render_whole(&messages, options)?;
        let tag = CONTINUE_TAG.trim_end();
        let at = rendered.text.rfind(tag).filter(|_| rendered.text.contains(&content));
        let at = at.ok_or(TokenizerError::Continue("the template leaves it out, or part of it"))?;
        let kept_space = rendered.text[at..].starts_with(CONTINUE_TAG);
        rendered.text.truncate(at);
        if !kept_space {
            rendered.text.truncate(rendered.text.trim_end().len());
        }
        let end = rendered.text.len();
        rendered.generated.retain(|span| span.start < end);
        if let Some(last) = rendered.generated.last_mut() {
            last.end = last.end.min(end);
        }
        Ok(rendered)
    }

    /// The messages with the arguments of their calls in the form that the template takes.
    fn with_arguments<'m>(&self, messages: &'m [Message], options: &RenderOptions) -> Cow<'m, [Message]> {
        if !messages.iter().any(Message::calls_tools) {
            return Cow::Borrowed(messages);
        }
        let probe = || {
            let options = RenderOptions { continue_final_message: false, tools: None, ..options.clone() };
            Arguments::of(&|messages| Some(self.render_whole(messages, &options).ok()?.text))
        };
        let arguments = *self.arguments.get_or_init(probe);
        Cow::Owned(messages.iter().map(|message| arguments.given_to(message)).collect())
    }

    /// Whether arguments of these messages lose a number once they are objects.
    pub(crate) fn rounds_arguments(&self, messages: &[Message]) -> bool {
        self.arguments.get() == Some(&Arguments::Objects) && messages.iter().any(has_unheld_integer)
    }

    /// Renders the messages, with their words in the form that the template takes.
    fn render_whole(&self, messages: &[Message], options: &RenderOptions) -> Result<Rendered, TokenizerError> {
        let probe = || {
            let options = RenderOptions { add_generation_prompt: false, tools: None, ..options.clone() };
            Content::of(&|messages, words| Some(self.render_given(messages, words, &options).ok()?.text))
        };
        self.render_given(messages, *self.words.get_or_init(probe), options)
    }

    fn render_given(
        &self,
        messages: &[Message],
        words: Content,
        options: &RenderOptions,
    ) -> Result<Rendered, TokenizerError> {
        let mut context = options.variables.clone();
        for (name, token) in [("bos_token", &options.bos_token), ("eos_token", &options.eos_token)] {
            if let Some(token) = token {
                context.insert(name.to_owned(), token.clone().into());
            }
        }
        let mut messages: Vec<Json> = messages.iter().map(|message| plain(message, words)).collect();
        if let Some(Json::Object(first)) = messages.first_mut() {
            first.shift_remove(TOOLS);
            first.shift_remove(VARIABLES);
        }
        let mark = generation::unused_mark(&messages, &self.source);
        context.insert("messages".to_owned(), messages.into());
        context.insert("tools".to_owned(), options.tools.clone().map_or(Json::Null, Json::from));
        context.insert("documents".to_owned(), options.documents.clone().map_or(Json::Null, Json::from));
        context.insert("add_generation_prompt".to_owned(), options.add_generation_prompt.into());
        context.insert(generation::MARK_VARIABLE.to_owned(), mark.clone().into());
        let now = options.now.unwrap_or_else(SystemTime::now);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        context.insert(NOW_VARIABLE.to_owned(), now.into());

        let larger = bounds::larger_fuel(&context).map(|fuel| {
            let mut environment = Environment::clone(&self.environment);
            environment.set_fuel(Some(fuel));
            environment
        });
        let environment = larger.as_ref().unwrap_or(&self.environment);
        let template = environment.get_template("chat").expect("compiled by new()");
        let text = template.render(Serde(&context)).map_err(|error| TokenizerError::TemplateRender {
            line: error.line().unwrap_or(0),
            detail: message_of(&error),
        })?;
        Ok(generation::take_marks(&text, &mark))
    }
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChatTemplate").field("source", &self.source).finish_non_exhaustive()
    }
}

impl PartialEq for ChatTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// As in `transformers`; the space at its end shows whether the template trims.
const CONTINUE_TAG: &str = "CONTINUE_FINAL_MESSAGE_TAG ";
const NOW_VARIABLE: &str = "__fireclay_now";

/// The message as templates see it, reasoning under each name they may use, as in `transformers`.
fn plain(message: &Message, words: Content) -> Json {
    let mut entries = Map::new();
    let reasoning = REASONING.iter().find_map(|&name| message.extra.get(name).filter(|value| !value.is_null()));
    if let Some(reasoning) = reasoning {
        entries.insert("thinking".to_owned(), reasoning.clone());
    }
    entries.insert("role".to_owned(), message.role.clone().into());
    if !message.no_content {
        entries.insert("content".to_owned(), words.given(&message.content));
    }
    entries.extend(message.extra.clone().into_iter().filter(|(_, value)| !value.is_null()));
    if let Some(reasoning) = reasoning {
        entries.insert(REASONING[0].to_owned(), reasoning.clone());
    }
    entries.into()
}

fn raise_exception(message: &str) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

fn strftime_now(state: &State, format: &str) -> String {
    let now = state.lookup(NOW_VARIABLE).and_then(|now| i64::try_from(now).ok()).unwrap_or(0);
    clock::strftime(format, now)
}

fn message_of(error: &Error) -> String {
    one_line(error.detail().unwrap_or(&error.kind().to_string()))
}
