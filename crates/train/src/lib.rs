//! From batches of tokens to a trained decoder: optimiser, schedule, the pretraining loop, run
//! directory and exact resume.
//!
//! [`fit`](fit()) is the loop, in one function that reads from top to bottom;
//! [`pretrain`](pretrain()) calls it for text. That needs:
//!
//! - a [`Decoder`](fireclay_model::Decoder) with fresh weights (replaced by those of the newest checkpoint, if there is
//!   one),
//! - a [`TrainConfig`], a [`Source`](fireclay_data::Source) of batches and the [`ShardSet`](fireclay_data::ShardSet)
//!   with the validation split,
//! - a [`StageRun`]: the [`StageDir`] of metrics, samples and checkpoints, an [`Interrupt`] that says when to save and
//!   exit, and other settings.
//!
//! ```
//! use fireclay_data::{PackedSource, ShardSet, Split};
//! use fireclay_model::DecoderConfig;
//! use fireclay_tokenizer::Tokenizer;
//! use fireclay_train::{Interrupt, NextToken, Outcome, Pretrain, StageDir, StageRun, TrainConfig, pretrain};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let text = "the kiln is hot and the clay is wet. ".repeat(20);
//! let tokenizer = Tokenizer::train_char(std::iter::once(text.clone()))?;
//! let (train, validation) = text.split_at(600);
//! let shards = ShardSet::from_ids(tokenizer.encode(train), tokenizer.encode(validation));
//!
//! let config = TrainConfig { steps: 4, batch: 2, context: 16, warmup_steps: 1, ..TrainConfig::default() };
//! config.validate()?;
//! let device = fireclay_model::device::parse("cpu")?;
//! let decoder = DecoderConfig::modern(tokenizer.vocab_size(), 16, 1, 2, 16).init(config.seed, &device);
//! let outcome = pretrain(decoder, Pretrain {
//!     run: StageRun {
//!         config: &config,
//!         settings: serde_json::Value::Null,
//!         tokenizer: &tokenizer,
//!         stage: &mut StageDir::open(folder.join("runs/tiny/pretrain"))?,
//!         interrupt: &Interrupt::never(),
//!         quiet: true,
//!     },
//!     objective: &NextToken,
//!     source: &mut PackedSource::new(&shards, Split::Train, config.batch, config.context, config.seed)?,
//!     shards: &shards,
//!     prompts: &["the ".to_owned()],
//! })?;
//! assert!(matches!(outcome, Outcome::Finished(summary) if summary.step == 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: [`config`] → [`schedule`] → [`optimizer`] → [`objective`] → [`fit`](mod@fit) →
//! [`session`] → [`pretrain`](mod@pretrain) → [`evaluate`](mod@evaluate) → [`checkpoint`].

pub mod config;
pub mod schedule;
pub mod optimizer;
mod finite;
pub mod trainable;
pub mod objective;
pub mod stage_run;
pub mod summary;
pub mod exam;
pub mod measured;
pub mod fit;
pub mod session;
pub mod pretrain;
pub mod evaluate;
pub mod sample;
pub mod state;
pub mod checkpoint;
pub mod inherited;
pub mod run_files;
pub mod stage;
pub mod metrics;
mod log;
pub mod tensorboard;
mod progress;
pub mod throughput;
pub mod interrupt;
pub mod estimate;
pub mod bench;
pub mod error;

pub use bench::{BenchReport, BenchShape, bench_train};
pub use config::{Schedule, TrainConfig, check_32_bits};
pub use error::TrainError;
pub use estimate::{
    AdapterMemory, MemoryEstimate, StepLoad, TimeEstimate, adapter_memory_estimate, memory_estimate, time_estimate,
};
pub use evaluate::{Evaluation, evaluate, evaluate_objective};
pub use exam::Exam;
pub use fit::{Evaluate, Fit, ShowSamples, fit};
pub use inherited::Inherited;
pub use interrupt::Interrupt;
pub use measured::{Examined, Measured};
pub use metrics::{StepMetrics, read_metrics};
pub use objective::{Loss, NextToken, Objective};
pub use optimizer::{ModuleGradients, Optimizer, OptimizerConfig, Optimizers, UpdateRule};
pub use pretrain::{Pretrain, check_fit, pretrain};
pub use run_files::{RunFiles, StageFiles};
pub use sample::{Sample, read_samples};
pub use session::{Session, StepTaken};
pub use stage::StageDir;
pub use stage_run::StageRun;
pub use state::{Best, Measure, TrainerState};
pub use summary::{Outcome, Summary};
pub use throughput::{matmul_peak, memory_bandwidth, peak_memory};
pub use trainable::Trainable;

/// The example of README.md, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
