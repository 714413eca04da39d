//! Answers of a model to prompts.

use fireclay_data::chat::{Encoded, EncodedTask, encode_tasks};
use fireclay_data::examples::Task;
use fireclay_infer::{Completion, Engine, EngineConfig, FinishReason, SamplingConfig};
use fireclay_tokenizer::Tokenizer;

use crate::{EvalError, EvalModel};

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAnswer {
    /// Its tokens, the one that ends it included.
    pub ids: Vec<u32>,
    /// Its words.
    pub text: String,
    /// Whether it ended by itself.
    pub finished: bool,
}

/// Encodes tasks as prompts by the tokenizer's chat template. Prompts that leave no room for an answer in `context`
/// tokens are skipped: the room is `max_tokens`, or a quarter of the context if that is less.
///
/// # Errors
/// When the tokenizer has no chat template, or every prompt is too long.
pub fn prompts(
    tasks: &[Task],
    tokenizer: &Tokenizer,
    context: usize,
    max_tokens: usize,
) -> Result<Encoded<EncodedTask>, EvalError> {
    let longest = context - max_tokens.min(context.div_ceil(4));
    Ok(encode_tasks(tasks, tokenizer, longest)?)
}

/// The model's answers, in the order of the tasks. Random numbers depend only on the seed and the task's index.
///
/// # Errors
/// When a setting is invalid, or the model's logits are not finite.
pub fn answers(
    model: &EvalModel,
    tasks: &[EncodedTask],
    sampling: &SamplingConfig,
) -> Result<Vec<ModelAnswer>, EvalError> {
    let config = EngineConfig { memory: model.memory, streams: model.batch.max(1), ..EngineConfig::default() };
    let mut engine = Engine::new(model.decoder.clone(), config)?;
    let prompts: Vec<Vec<u32>> = tasks.iter().map(|task| task.prompt.clone()).collect();
    let completions = engine.complete_all(&prompts, sampling)?;
    let answer = |completion: Completion| ModelAnswer {
        text: model.tokenizer.decode(completion.ids_before_stop()),
        finished: completion.finish_reason == FinishReason::Stop,
        ids: completion.ids,
    };
    Ok(completions.into_iter().map(answer).collect())
}
