//! Training, as its users see it: parity with `PyTorch`, exact resume, checkpoints that survive, batches that add up.

#![expect(clippy::float_cmp, reason = "results must agree to the last bit")]

mod accumulation;
mod biases;
mod checkpoints;
mod non_finite;
mod parity;
mod resume;

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use fireclay_data::{PackedSource, ShardSet, Source, Split};
use fireclay_model::{Decoder, DecoderConfig};
use fireclay_tokenizer::Tokenizer;
use fireclay_train::{
    Interrupt, NextToken, Objective, Outcome, Pretrain, Schedule, StageDir, StageRun, StepMetrics, TrainConfig,
    TrainError, pretrain, read_metrics,
};

pub(crate) fn device() -> Device {
    fireclay_model::device::parse("cpu").unwrap()
}

/// A stage small enough to run many times: a decoder of width 16 on a few hundred characters.
pub(crate) struct Small {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) shards: ShardSet,
    pub(crate) config: TrainConfig,
    pub(crate) preset: fn(usize, usize, usize, usize, usize) -> DecoderConfig,
}

impl Small {
    pub(crate) fn new() -> Self {
        let text = (0..200).map(|i| format!("{i} times 7 is {}. ", 7 * i)).collect::<Vec<_>>().concat();
        let tokenizer = Tokenizer::train_char(std::iter::once(text.clone())).unwrap();
        let ids = tokenizer.encode(&text);
        let (train, validation) = ids.split_at(ids.len() * 9 / 10);
        let config = TrainConfig {
            steps: 30,
            batch: 2,
            context: 16,
            learning_rate: 3e-3,
            warmup_steps: 5,
            eval_every: 10,
            eval_batches: 3,
            sample_every: 20,
            sample_tokens: 4,
            checkpoint_every: 10,
            keep_checkpoints: 10,
            schedule: Schedule::Cosine,
            ..TrainConfig::default()
        };
        Self {
            shards: ShardSet::from_ids(train.to_vec(), validation.to_vec()),
            tokenizer,
            config,
            preset: DecoderConfig::modern,
        }
    }

    pub(crate) fn decoder(&self) -> Decoder {
        (self.preset)(self.tokenizer.vocab_size(), 16, 2, 2, 16).init(self.config.seed, &device())
    }

    pub(crate) fn source(&self) -> PackedSource {
        let TrainConfig { batch, context, seed, .. } = self.config;
        PackedSource::new(&self.shards, Split::Train, batch, context, seed).unwrap()
    }

    pub(crate) fn run(&self, folder: &Path) -> Result<Outcome, TrainError> {
        self.run_with(folder, &NextToken, &mut self.source(), &Interrupt::never())
    }

    pub(crate) fn run_with(
        &self,
        folder: &Path,
        objective: &dyn Objective,
        source: &mut dyn Source,
        interrupt: &Interrupt,
    ) -> Result<Outcome, TrainError> {
        self.run_all(&mut StageDir::open(folder)?, objective, source, interrupt)
    }

    pub(crate) fn run_in(&self, stage: &mut StageDir) -> Result<Outcome, TrainError> {
        self.run_all(stage, &NextToken, &mut self.source(), &Interrupt::never())
    }

    fn run_all(
        &self,
        stage: &mut StageDir,
        objective: &dyn Objective,
        source: &mut dyn Source,
        interrupt: &Interrupt,
    ) -> Result<Outcome, TrainError> {
        pretrain(
            self.decoder(),
            Pretrain {
                run: StageRun {
                    config: &self.config,
                    settings: serde_json::Value::Null,
                    tokenizer: &self.tokenizer,
                    stage,
                    interrupt,
                    quiet: true,
                },
                objective,
                source,
                shards: &self.shards,
                prompts: &["3 times".into()],
            },
        )
    }
}

/// Computed results of training, without timings: the numbers of a line that must not depend on the clock.
pub(crate) fn computed(folder: &Path) -> Vec<StepMetrics> {
    let lines = read_metrics(&folder.join("metrics.jsonl")).unwrap();
    lines.into_iter().map(|line| StepMetrics { tokens_per_s: None, mfu: None, seconds: 0.0, ..line }).collect()
}

/// Every weight, to the bit.
pub(crate) fn weights(decoder: &Decoder) -> Vec<(String, Vec<u8>)> {
    decoder.valid().named_parameters().into_iter().map(|p| (p.name, p.data.as_bytes().to_vec())).collect()
}

pub(crate) fn checkpoint_weights(folder: &Path, step: u64) -> Vec<(String, Vec<u8>)> {
    weights(&fireclay_model::load(folder.join(format!("checkpoints/step-{step:06}")), &device()).unwrap())
}
