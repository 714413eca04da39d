//! The stage `pretrain`: next-token prediction on the recipe's text.

use anyhow::Result;
use fireclay_data::corpus::{self, CorpusDocument};
use fireclay_data::{PackedSource, RandomWindows, Source, Split};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{NextToken, Outcome, Pretrain, StageDir, stage};

use super::context::Context;
use super::corpus::{messages, shards};
use crate::recipe::{Recipe, Sampling, Stage};

/// Runs or resumes pretraining in `RUN/pretrain`, from fresh weights or from those of `--model`.
///
/// # Errors
/// When the text, the tokenizer's fit with the model, or a checkpoint is wrong; when training diverges; when the disk is full.
pub fn pretrain(context: &Context) -> Result<Outcome> {
    let Context { recipe, run, tokenizer, device, .. } = context;
    let config = &recipe.pretrain;
    if let Some(summary) = context.done(Stage::Pretrain)? {
        return Ok(Outcome::Finished(summary));
    }
    // Taken before anything is read, so that a second run in the same folder is refused at once.
    let mut stage_dir = StageDir::open(run.folder("pretrain"))?;
    let begun = stage::latest_checkpoint(stage_dir.path())?.is_some();
    let shards = shards(recipe, tokenizer, &run.folder("data"), begun, !context.quiet)?;
    let decoder = if let Some(dir) = context.model {
        fireclay_model::load(dir, device)?
    } else {
        let decoder = recipe.model.decoder(tokenizer.vocab_size(), config.context);
        decoder.validate()?;
        decoder.init(config.seed, device)
    };
    let mut source: Box<dyn Source> = match recipe.data.sampling {
        Sampling::Packed => {
            Box::new(PackedSource::new(&shards, Split::Train, config.batch, config.context, config.seed)?)
        }
        Sampling::Ordered => {
            Box::new(PackedSource::ordered(&shards, Split::Train, config.batch, config.context, config.seed)?)
        }
        Sampling::Random => {
            Box::new(RandomWindows::new(&shards, Split::Train, config.batch, config.context, config.seed)?)
        }
    };
    let prompts = prompts(recipe, tokenizer)?;
    let outcome = fireclay_train::pretrain(
        decoder,
        Pretrain {
            config,
            objective: &NextToken,
            source: source.as_mut(),
            shards: &shards,
            tokenizer,
            prompts: &prompts,
            stage: &mut stage_dir,
            interrupt: context.interrupt,
            quiet: context.quiet,
        },
    )?;
    Ok(outcome)
}

/// What samples begin with.
fn prompts(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Vec<String>> {
    if !recipe.samples.prompts.is_empty() {
        return Ok(recipe.samples.prompts.clone());
    }
    if recipe.data.paths.is_empty() {
        let prompts = corpus::sample_prompts(&recipe.corpus).into_iter().map(|sample| match sample.prompt {
            CorpusDocument::Text(text) => Ok(text),
            CorpusDocument::Conversation(turns) => Ok(tokenizer.render_chat(&messages(turns), true)?),
        });
        return prompts.collect();
    }
    Ok(vec![String::new()])
}
