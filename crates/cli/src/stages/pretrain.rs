//! The stage `pretrain`: next-token prediction on the recipe's text.

use anyhow::Result;
use fireclay_corpus::{self as corpus, CorpusDocument};
use fireclay_data::examples::messages;
use fireclay_data::{PackedSource, RandomWindows, Source, Split};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{NextToken, Outcome, Pretrain, StageRun, TrainConfig, pretrain};

use super::corpus::shards;
use super::{Context, LearnsFrom, TrainingStage};
use crate::recipe::{BatchSampling, SharedSections};

/// `[pretrain]`. Text, decoder and samples have separate sections.
pub type PretrainSection = TrainConfig;

impl TrainingStage for PretrainSection {
    fn train(&self) -> &TrainConfig {
        self
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Text
    }

    fn begins_with_model(&self) -> bool {
        false
    }

    /// From fresh weights or from those of `--model`.
    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let &Context { recipe, tokenizer, device, .. } = context;
        let begun = !run.stage.files().checkpoints()?.is_empty();
        let shards = shards(recipe, tokenizer, &context.run.files().data(), begun, !context.quiet)?;
        let decoder = if let Some(dir) = context.model {
            fireclay_model::load(dir, device)?
        } else {
            let decoder = recipe.model.decoder(tokenizer.vocab_size(), self.context);
            decoder.validate()?;
            decoder.init(self.seed, device)
        };
        let (rows, context, seed) = (self.batch, self.context, self.seed);
        let mut source: Box<dyn Source> = match recipe.data.sampling {
            BatchSampling::Packed => Box::new(PackedSource::new(&shards, Split::Train, rows, context, seed)?),
            BatchSampling::Ordered => Box::new(PackedSource::ordered(&shards, Split::Train, rows, context, seed)?),
            BatchSampling::Random => Box::new(RandomWindows::new(&shards, Split::Train, rows, context, seed)?),
        };
        let (source, prompts) = (source.as_mut(), prompts(recipe, tokenizer)?);
        Ok(pretrain(decoder, Pretrain { run, objective: &NextToken, source, shards: &shards, prompts: &prompts })?)
    }
}

/// Prompts of samples.
fn prompts(recipe: SharedSections, tokenizer: &Tokenizer) -> Result<Vec<String>> {
    if !recipe.samples.prompts.is_empty() {
        return Ok(recipe.samples.prompts.clone());
    }
    if recipe.data.has_corpus() {
        let prompts = corpus::sample_prompts(recipe.corpus).into_iter().map(|sample| match sample.prompt {
            CorpusDocument::Text(text) => Ok(text),
            CorpusDocument::Conversation(turns) => Ok(tokenizer.render_chat(&messages(turns), true)?),
        });
        return prompts.collect();
    }
    Ok(vec![String::new()])
}
