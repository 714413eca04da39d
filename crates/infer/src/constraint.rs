//! Constrained decoding: completions that follow a JSON schema, a regular expression, a grammar or a list of choices.
//!
//! The `llguidance` crate parses the constraint and computes, before each token, the set of allowed next tokens. Both
//! have limits ([`ConstraintCompiler::compile`]), so that a constraint may be untrusted.

mod schema_bounds;
mod schema_rewrite;

use std::sync::Arc;
use std::{fmt, panic, thread};

use llguidance::api::{GrammarWithLexer, ParserLimits, TopLevelGrammar};
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory, earley::SlicedBiasComputer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::InferError;

/// Constraint on the whole text of a completion.
///
/// A completion that reaches its token limit first is truncated, and may not match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// JSON that is valid under this JSON schema, with its keys in the order of the schema. Keywords that cannot be
    /// enforced are refused, and so is a `oneOf` whose alternatives are not known to be disjoint. Numbers without
    /// bounds may be larger than an f64; those with bounds are below 2^63 and, where they may not be 0, 1e-30 at least.
    /// Strings and arrays are as long as the schema allows.
    JsonSchema(Value),
    /// A regular expression in the syntax of the `regex` crate, without lookaround.
    Regex(String),
    /// A context-free grammar in `llguidance`'s variant of Lark; it begins with the rule `start`.
    Lark(String),
    /// One of these texts.
    Choices(Vec<String>),
}

impl Constraint {
    /// JSON whose outermost value is an object.
    #[must_use]
    pub fn json_object() -> Self {
        Self::JsonSchema(serde_json::json!({"type": "object"}))
    }

    /// Size of the constraint's source in bytes.
    fn size(&self) -> usize {
        match self {
            Self::JsonSchema(schema) => schema.to_string().len(),
            Self::Regex(source) | Self::Lark(source) => source.len(),
            Self::Choices(choices) => choices.iter().map(String::len).sum(),
        }
    }

    fn grammar(&self) -> Result<TopLevelGrammar, InferError> {
        let grammar = match self {
            Self::JsonSchema(schema) => {
                let schema = schema_rewrite::rewritten(schema).map_err(refused)?;
                GrammarWithLexer::from_json_schema(with_options(schema))
            }
            Self::Regex(regex) => GrammarWithLexer::from_regex(regex),
            Self::Lark(grammar) => {
                GrammarWithLexer::from_lark(schema_rewrite::rewritten_lark(grammar).map_err(refused)?)
            }
            Self::Choices(choices) => GrammarWithLexer::from_lark(alternatives(choices)?),
        };
        Ok(TopLevelGrammar::from_grammar(grammar))
    }
}

/// A regular expression of the white space between two JSON tokens: at most one space. If indentation is allowed, a
/// small model may write nothing else until its tokens are used up.
pub const JSON_WHITE_SPACE: &str = r"\x20";

/// The schema with our compiler options.
fn with_options(schema: Value) -> Value {
    let mut schema = match schema {
        Value::Bool(true) => Value::Object(serde_json::Map::new()),
        other => other,
    };
    if schema.is_object() {
        let options =
            JsonCompileOptions { whitespace_pattern: Some(JSON_WHITE_SPACE.into()), ..JsonCompileOptions::default() };
        options.apply_to(&mut schema);
    }
    schema
}

/// A Lark rule with one alternative for each choice. Lark writes strings as JSON does.
fn alternatives(choices: &[String]) -> Result<String, InferError> {
    if choices.is_empty() || choices.iter().any(String::is_empty) {
        return Err(refused("a choice needs text, and there must be at least one"));
    }
    let quoted: Vec<String> = choices.iter().map(|choice| Value::from(choice.as_str()).to_string()).collect();
    Ok(format!("start: {}", quoted.join(" | ")))
}

fn refused(reason: impl fmt::Display) -> InferError {
    // The rest of a message is the parser's state, or the location of a panic.
    let reason = reason.to_string();
    let reason = match reason.lines().next().unwrap_or_default() {
        stuck if stuck.starts_with("NoExtension") => "no text of this model's tokens meets it".into(),
        // The pattern follows, and the reason after it.
        parse if parse.trim_end().ends_with("regex parse error:") => {
            let why = reason.lines().find_map(|line| line.trim_start().strip_prefix("error: "));
            format!("{} {}", parse.trim_end(), why.unwrap_or("it is malformed"))
        }
        reason => reason.to_owned(),
    };
    InferError::Constraint { reason: reason.chars().take(300).collect() }
}

/// Compiles constraints for one vocabulary. Make one per model: this takes up to a second for 150,000 tokens.
pub struct ConstraintCompiler {
    factory: ParserFactory,
    /// Number of tokens in the vocabulary.
    tokens: usize,
}

impl fmt::Debug for ConstraintCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintCompiler").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// Longest source of a constraint, in bytes.
const MOST_SOURCE: usize = 256 << 10;

/// Stack of the thread that compiles: the compiler recurses, up to 15 KiB for each step of a chain of references, of
/// which [`MOST_SOURCE`] holds 3,000. Only what is used of it takes memory.
const STACK: usize = 256 << 20;

/// Bounds for one constraint: about 20 ms a mask at worst, and 20 to 50 MB of lexer states.
fn limits() -> ParserLimits {
    ParserLimits {
        max_items_in_row: 1_000,
        initial_lexer_fuel: 1_000_000,
        step_lexer_fuel: 200_000,
        step_max_items: 50_000,
        max_lexer_states: 50_000,
        max_grammar_size: 200_000,
        precompute_large_lexemes: true,
        verbose_errors: false,
    }
}

/// Checks that a JSON schema of a stranger takes little work to compile, and fits a reply: the different lengths of
/// texts (`minLength`, `maxLength`, repetitions in `pattern`) have 4,000 characters together; `multipleOf` is 10,000 at
/// most, as is their least common multiple where one number may have to meet several; 8 patterns and formats where one
/// text may have to meet several; 50 names in `patternProperties`; 2,000 `properties` of an object that may have more.
/// Bounds of numbers must leave room for some with 18 digits before the point, and numbers in `const` and `enum`
/// must be below 2^53. [`ConstraintCompiler::compile`] checks it too.
///
/// # Errors
/// [`InferError::Constraint`] names the keyword, also `x-guidance`, the compiler's own.
pub fn check_schema(schema: &Value) -> Result<(), InferError> {
    on_deep_stack(|| {
        schema_bounds::check(schema).map_err(refused)?;
        schema_rewrite::rewritten(schema).map(drop).map_err(refused)
    })
}

/// Runs recursive work on a thread whose stack is deep enough for any source.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, InferError> + Send) -> Result<T, InferError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("constraint".into()).stack_size(STACK);
        let started = thread.spawn_scoped(scope, work);
        let started = started.map_err(|error| refused(format!("no thread to compile it: {error}")))?;
        started.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

impl ConstraintCompiler {
    /// A compiler for tokens with these bytes, in the order of their ids. `None` is a token that is not text: a special
    /// token, or one that ends a text. A constrained completion can have one only at its end.
    ///
    /// # Panics
    /// When the vocabulary has more than 2³² − 2 tokens.
    #[must_use]
    pub fn new<'a>(tokens: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        // 0xFF is not valid in UTF-8, and has another meaning for the parser.
        let text = |token: Option<&'a [u8]>| token.filter(|bytes| !bytes.contains(&0xFF)).unwrap_or_default().to_vec();
        let mut words: Vec<Vec<u8>> = tokens.into_iter().map(text).collect();
        let tokens = words.len();
        // One more token stands for every token that may end the text.
        words.push(b"\xFF<|end|>".to_vec());
        let size = u32::try_from(words.len()).expect("ids are of 32 bits");
        let trie = TokTrie::from(&TokRxInfo::new(size, size - 1), &words);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let slices = SlicedBiasComputer::general_slices();
        let factory = ParserFactory::new(&env, InferenceCapabilities::default(), &slices);
        let mut factory = factory.expect("the slices are valid regular expressions");
        *factory.limits_mut() = limits();
        factory.quiet();
        Self { factory, tokens }
    }

    /// Compiles a constraint.
    ///
    /// # Errors
    /// [`InferError::Constraint`] when its source is malformed or longer than 256 KiB, has a part that cannot be
    /// enforced, allows only the empty text or no text of this vocabulary's tokens, or exceeds the limits of time and
    /// memory: those of [`check_schema`], 1,000,000 steps to build the lexer, 200,000 grammar symbols.
    pub fn compile(&self, constraint: &Constraint) -> Result<CompiledConstraint, InferError> {
        if constraint.size() > MOST_SOURCE {
            return Err(refused(format!("it has {} bytes, more than the limit of {MOST_SOURCE}", constraint.size())));
        }
        let parser = on_deep_stack(|| {
            if let Constraint::JsonSchema(schema) = constraint {
                schema_bounds::check(schema).map_err(refused)?;
            }
            self.factory.create_parser(constraint.grammar()?).map_err(refused)
        })?;
        let mut compiled =
            CompiledConstraint { matcher: Matcher::new(Ok(parser)), end: self.tokens, mask: None, ended: false };
        compiled.prepare()?;
        match compiled.mask.iter().flat_map(SimpleVob::iter).any(|id| (id as usize) < self.tokens) {
            true => Ok(compiled),
            false => Err(refused("no text of this model's tokens meets it")),
        }
    }
}

/// A constraint with the parser state of one completion.
pub struct CompiledConstraint {
    matcher: Matcher,
    /// The bit of a mask that says whether the text may end.
    end: usize,
    /// The allowed next tokens, once computed.
    mask: Option<SimpleVob>,
    ended: bool,
}

impl Clone for CompiledConstraint {
    fn clone(&self) -> Self {
        // A shallow clone would share a lock on the lexer.
        Self { matcher: self.matcher.deep_clone(), end: self.end, mask: self.mask.clone(), ended: self.ended }
    }
}

impl fmt::Debug for CompiledConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledConstraint").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl CompiledConstraint {
    /// Whether a text of these tokens meets the constraint.
    ///
    /// # Errors
    /// [`InferError::Constraint`] when the text takes more work than the limits allow.
    pub fn accepts(mut self, ids: impl IntoIterator<Item = u32>) -> Result<bool, InferError> {
        for id in ids {
            self.prepare()?;
            let mask = self.mask.as_ref().filter(|_| !self.ended && (id as usize) < self.end);
            if !mask.is_some_and(|mask| mask.get(id as usize)) {
                return Ok(false);
            }
            self.follow(id)?;
        }
        self.prepare()?;
        Ok(self.ended || self.mask.as_ref().is_some_and(|mask| mask.get(self.end)))
    }

    /// Computes the next mask, unless it is known. This work runs in parallel with the forward pass.
    pub(crate) fn prepare(&mut self) -> Result<(), InferError> {
        if self.mask.is_none() && !self.ended {
            self.mask = Some(self.matcher.compute_mask().map_err(refused)?);
        }
        Ok(())
    }

    /// Sets the logits `[V]` of tokens that cannot follow to −∞. Those of `stops`, which end the text, are kept if the
    /// text may end, unless `keep_on` asks to continue if possible. Returns whether a token is left.
    pub(crate) fn mask(
        &mut self,
        logits: &mut [f32],
        stops: impl Iterator<Item = u32>,
        keep_on: bool,
    ) -> Result<bool, InferError> {
        self.prepare()?;
        let mask = self.mask.as_ref().expect("computed, for the text has not ended");
        let may_end = mask.get(self.end);
        let stops: Vec<(u32, f32)> = stops.filter_map(|id| logits.get(id as usize).map(|&logit| (id, logit))).collect();
        let mut possible = false;
        for (id, logit) in logits.iter_mut().enumerate() {
            if id < self.end && mask.get(id) {
                possible |= logit.is_finite();
            } else {
                *logit = f32::NEG_INFINITY;
            }
        }
        if may_end && !(keep_on && possible) {
            for (id, logit) in stops {
                logits[id as usize] = logit;
                possible |= logit.is_finite();
            }
        }
        Ok(possible)
    }

    /// Advances by the token that was drawn. Returns whether the text can only end now, so that no token is needed.
    pub(crate) fn follow(&mut self, id: u32) -> Result<bool, InferError> {
        let is_text = (id as usize) < self.end && self.mask.take().is_some_and(|mask| mask.get(id as usize));
        if is_text {
            self.matcher.consume_token(id).map_err(refused)?;
        }
        self.ended = !is_text || self.matcher.is_stopped();
        Ok(self.ended)
    }
}

#[cfg(test)]
mod tests;
