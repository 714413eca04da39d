//! Plan of a run: its shape, time and memory.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use fireclay_infer::{Engine, EngineConfig};
use fireclay_kernels::Isa;
use fireclay_model::device::DeviceChoice;
use fireclay_model::{DecoderConfig, Precision};
use fireclay_report::format::{about, about_between, bytes, grouped};
use fireclay_rlhf::RolloutMemory;
use fireclay_train::{AdapterMemory, MemoryEstimate, TrainConfig, matmul_peak};
use serde::Serialize;

use crate::device::instruction_set;
use crate::error::user;
use crate::recipe::Recipe;
use crate::stages::{self, TrainingStage};

/// The numbers of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The recipe's name.
    pub recipe: String,
    /// Source of the text.
    pub data: String,
    /// The device's name.
    pub device: String,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// The decoder in words.
    pub model: String,
    /// Trainable numbers.
    pub parameters: usize,
    /// Floating-point operations to train on one token.
    pub flops_per_token: f64,
    /// Estimate of each training stage.
    pub stages: Vec<StagePlan>,
    /// Tokens consumed in all.
    pub tokens: u64,
    /// The training stage that needs most memory; `None` if none trains.
    #[serde(flatten)]
    pub heaviest: Option<Heaviest>,
    /// Largest memory of keys and values for samples, evaluation and the battery, in bytes.
    pub kv_cache: u64,
    /// Free memory of this machine in bytes; `None` for a device with its own memory.
    pub memory_available: Option<u64>,
    /// Seconds of training in all, without evaluations, samples and checkpoints.
    pub seconds: f64,
    /// Whether it takes far longer than that: without FMA, which is a part of AVX2's level on x86-64, each
    /// multiply-add outside of the measured products is a call.
    pub far_slower: bool,
    /// The whole resolved recipe.
    pub resolved: Recipe,
}

/// Share of the context that pairs and answers of files usually fill: a quarter, as those of the embedded corpus do.
const USUAL_FILL: f64 = 0.25;
/// Length of the longest rows that are in memory at once, relative to the mean. Rows of about the same length are read
/// together.
const LONGEST_TO_MEAN: f64 = 2.0;

/// The numbers of one stage.
#[derive(Clone, Debug, Serialize)]
pub struct StagePlan {
    /// Its name.
    pub name: &'static str,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Optimiser steps; for an online stage, rounds of sampling and learning.
    pub steps: u64,
    /// Tokens consumed by a step; see [`RowLengths`].
    pub tokens_per_step: u64,
    /// The rows that tokens, seconds and memory are computed from.
    pub rows: RowLengths,
    /// Seconds of training.
    pub seconds: f64,
    /// Memory of generation and scoring of an online stage.
    pub rollouts: Option<RolloutMemory>,
}

/// The stage that needs most memory.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Heaviest {
    /// Its name.
    #[serde(rename = "memory_stage")]
    pub stage: &'static str,
    /// Its memory in bytes.
    pub memory: MemoryEstimate,
}

/// Rows of a stage's batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowLengths {
    /// As long as the context: examples are packed.
    Full,
    /// As long as their examples, those of the embedded corpus, whose mean length is estimated.
    Estimated,
    /// As long as their examples, which the plan does not read: at most as long as the context.
    AtMost,
}

impl RowLengths {
    /// The rows of a stage, and the tokens of one.
    fn of(section: &dyn TrainingStage) -> (Self, f64) {
        let (context, learns_from) = (section.train().context as f64, section.learns_from());
        match learns_from.mean_tokens() {
            Some(tokens) => (Self::Estimated, tokens.min(context)),
            None if learns_from.is_given_text() => (Self::Full, context),
            None => (Self::AtMost, context),
        }
    }

    /// Before a number of tokens or a time.
    fn prefix(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::Estimated => "about ",
            Self::AtMost => "at most ",
        }
    }
}

impl StagePlan {
    /// The plan of one stage, and its memory. `peak` measures the device in a number format.
    fn new(
        name: &'static str,
        section: &dyn TrainingStage,
        decoder: &DecoderConfig,
        begins_with_model: Option<&Path>,
        peak: impl FnOnce(Precision) -> f64,
    ) -> Result<(Self, MemoryEstimate)> {
        let (load, train) = (section.load(), section.train());
        let (rows, tokens) = RowLengths::of(section);
        let of_rows =
            |tokens: f64| TrainConfig { context: (tokens.ceil() as usize).min(train.context), ..train.clone() };
        let (mean, longest) = (of_rows(tokens), of_rows(LONGEST_TO_MEAN * tokens));
        let adapters = section.lora().map(|lora| AdapterMemory::of(lora, decoder, begins_with_model)).transpose()?;
        let memory = load.memory(decoder, &longest, adapters.as_ref());
        let planned = Self {
            name,
            precision: train.precision,
            steps: train.steps,
            tokens_per_step: (load.consumed * mean.context) as u64,
            rows,
            seconds: load.time(decoder, &mean, peak(train.precision)).seconds,
            rollouts: section
                .rollouts()
                .map(|rollouts| rollouts.memory(decoder, train.batch * rollouts.group_size, longest.context)),
        };
        Ok((planned, memory))
    }
}

/// Measured peaks of a device's matrix products, one for each number format.
struct Peaks<'a> {
    device: &'a Device,
    measured: Vec<(Precision, f64)>,
}

impl Peaks<'_> {
    /// Floating-point operations per second; measured when first asked for.
    fn of(&mut self, precision: Precision) -> f64 {
        if let Some(&(_, peak)) = self.measured.iter().find(|(of, _)| *of == precision) {
            return peak;
        }
        let peak = matmul_peak(self.device, precision);
        self.measured.push((precision, peak));
        peak
    }
}

impl Plan {
    /// Makes the plan. Measures the device's matrix products for a quarter of a second, in each number format that the
    /// stages have.
    ///
    /// # Errors
    /// When the tokenizer that the recipe names, or the text that a character tokenizer counts, cannot be read.
    pub fn new(recipe: &Recipe, model: Option<&Path>, device: &Device, choice: DeviceChoice) -> Result<Self> {
        let vocab_size = stages::vocab_size(recipe.shared(), model)?;
        let decoder = match model {
            Some(model) => fireclay_model::huggingface::load_config(model)?,
            None => recipe.model.decoder(vocab_size, recipe.pretrain.context),
        };
        let mut peaks = Peaks { device, measured: vec![] };
        let (mut stages, mut heaviest) = (vec![], None::<Heaviest>);
        let training = || recipe.stages.iter().filter_map(|&stage| Some((stage, recipe.training_stage(stage)?)));
        for (stage, section) in training() {
            let begins_with_model = model.filter(|_| stages.is_empty());
            let (planned, needed) =
                StagePlan::new(stage.name(), section, &decoder, begins_with_model, |format| peaks.of(format))?;
            if heaviest.as_ref().is_none_or(|most| needed.total >= most.memory.total) {
                heaviest = Some(Heaviest { stage: planned.name, memory: needed });
            }
            stages.push(planned);
        }
        Ok(Self {
            recipe: recipe.name.clone(),
            data: stages::describe_data(
                recipe.shared(),
                training().map(|(stage, section)| (stage.name(), section.learns_from())),
            ),
            device: match instruction_set(choice) {
                Some(name) => format!("{choice} with {name}"),
                None => choice.to_string(),
            },
            vocab_size,
            model: format!(
                "{}, {} layers, width {}, {} heads ({} for keys and values), context {}",
                recipe.model.path.clone().unwrap_or_else(|| format!("{:?}", recipe.model.preset).to_lowercase()),
                decoder.layers,
                decoder.width,
                decoder.heads,
                decoder.kv_heads,
                decoder.context
            ),
            parameters: decoder.num_params(),
            flops_per_token: decoder.flops_per_token(recipe.pretrain.context),
            tokens: stages.iter().map(|stage| stage.steps.saturating_mul(stage.tokens_per_step)).sum(),
            heaviest,
            kv_cache: Engine::cache_bytes(&decoder, Precision::F32, &EngineConfig::default()) as u64,
            memory_available: choice.is_cpu().then(available_memory).flatten(),
            seconds: stages.iter().map(|stage| stage.seconds).sum(),
            far_slower: cfg!(target_arch = "x86_64") && choice.is_cpu() && Isa::current() == Isa::Portable,
            stages,
            resolved: recipe.clone(),
        })
    }

    /// Refuses a run that exceeds the free memory or takes more than a day.
    ///
    /// # Errors
    /// When more memory is needed than is free, or more time than a day, and the flag that allows it is not set.
    pub fn check(&self, allow_memory: bool, allow_long: bool) -> Result<()> {
        const DAY: f64 = 24.0 * 60.0 * 60.0;
        if let (Some(available), Some(Heaviest { stage, memory }), false) =
            (self.memory_available, self.heaviest, allow_memory)
            && memory.total > available
        {
            return Err(user(format!(
                "{stage} needs about {} of memory and {} are free; make {stage}.batch, {stage}.context or the model \
                 smaller, or give --allow-memory",
                bytes(memory.total),
                bytes(available),
            )));
        }
        if self.seconds > DAY && !allow_long {
            return Err(user(format!(
                "this would take about {}; give it fewer steps or a smaller model, or give --allow-long",
                about(self.seconds)
            )));
        }
        Ok(())
    }
}

/// `None` if the system does not report it.
fn available_memory() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    // Inside a container its limit counts, not the host's memory.
    let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Some(system.available_memory().min(limit))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "recipe     {}", self.recipe)?;
        writeln!(f, "data       {}", self.data)?;
        writeln!(
            f,
            "model      {}: {} parameters, vocabulary {}",
            self.model,
            grouped(self.parameters as f64),
            self.vocab_size
        )?;
        self.stages.iter().try_for_each(|stage| self.write_stage(f, stage))?;
        let battery = &self.resolved.battery;
        if battery.is_on() && self.resolved.stages.iter().any(|stage| stage.has_battery()) {
            let (during, last) = (battery.during_per_topic(), battery.last_per_topic());
            writeln!(
                f,
                "battery    {during} prompts a topic at every evaluation, {last} at the end of each stage from sft on"
            )?;
        }
        if let Some(heaviest) = &self.heaviest {
            self.write_memory(f, heaviest)?;
        }
        let most: f64 =
            self.stages.iter().filter(|stage| stage.rows == RowLengths::AtMost).map(|stage| stage.seconds).sum();
        let time = about_between(self.seconds - most * (1.0 - USUAL_FILL), self.seconds);
        let more = if self.far_slower { "far more than " } else { "" };
        write!(f, "time       {more}about {time} on {}{}", self.device, self.formats())
    }
}

impl Plan {
    /// The number formats of the stages' matrix products.
    fn formats(&self) -> String {
        let with = |format: Precision| self.stages.iter().filter(move |stage| stage.precision == format);
        let names = |format| with(format).map(|stage| stage.name).collect::<Vec<_>>().join(", ");
        match [Precision::Bf16, Precision::F32].map(|format| with(format).count()) {
            [0, 0] => String::new(),
            [0, _] => ", products in f32".to_owned(),
            [_, 0] => ", products in bf16".to_owned(),
            _ => format!(", products in bf16 ({}) and f32 ({})", names(Precision::Bf16), names(Precision::F32)),
        }
    }

    fn write_stage(&self, f: &mut fmt::Formatter<'_>, stage: &StagePlan) -> fmt::Result {
        let StagePlan { name, steps, tokens_per_step, rows, seconds, .. } = stage;
        let tokens = steps.saturating_mul(*tokens_per_step);
        let most = if *rows == RowLengths::AtMost { "at most " } else { "" };
        writeln!(
            f,
            "{name:<11}{} steps of {}{} tokens: {} tokens, {:.1} a parameter, {most}about {}",
            grouped(*steps as f64),
            rows.prefix(),
            grouped(*tokens_per_step as f64),
            grouped(tokens as f64),
            tokens as f64 / self.parameters as f64,
            about(*seconds)
        )
    }

    fn write_memory(&self, f: &mut fmt::Formatter<'_>, heaviest: &Heaviest) -> fmt::Result {
        let MemoryEstimate { weights, gradients, optimizer, activations, total } = heaviest.memory;
        write!(
            f,
            "memory     {} in {} (weights {}, gradients {}, optimiser {}, activations {})",
            bytes(total),
            heaviest.stage,
            bytes(weights),
            bytes(gradients),
            bytes(optimizer),
            bytes(activations)
        )?;
        match self.memory_available {
            Some(available) => writeln!(f, ", {} free", bytes(available))?,
            None => writeln!(f)?,
        }
        writeln!(f, "generating KV cache of samples and evaluations: {} at most", bytes(self.kv_cache))?;
        for (name, rollouts) in self.stages.iter().filter_map(|stage| Some((stage.name, stage.rollouts?))) {
            let RolloutMemory { kv_cache, streams, scoring } = rollouts;
            let (cache, scoring) = (bytes(kv_cache), bytes(scoring));
            writeln!(f, "           {name}: KV cache {cache} for up to {streams} answers at once, scoring {scoring}")?;
        }
        Ok(())
    }
}
