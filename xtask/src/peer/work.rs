//! What both programs do.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use super::figure::{Figure, Unit};
use super::flags::Flags;
use super::shape::{MOST, Shape};
use crate::build::workspace;
use crate::error::user;

/// Instruction sets to which either side can be held.
const INSTRUCTION_SETS: [&str; 2] = ["avx2", "avx512"];

/// Formats of our weights, each with that of the GGUF file which is held beside it.
const FORMATS: [(&str, &str); 4] = [("int8", "q8_0"), ("bf16", "f16"), ("int4", "q4_0"), ("f32", "f32")];

/// What is measured, and beside whom.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Training steps, beside `PyTorch`.
    Train {
        /// What is trained.
        decoder: FreshDecoder,
        /// Steps of a run.
        steps: usize,
    },
    /// A prompt is read, beside `PyTorch`.
    Prefill(FreshDecoder),
    /// Requests are answered one after the other and at once, beside llama.cpp's server.
    Generate(Requests),
}

/// A decoder with fresh weights, which both fireclay and `PyTorch` make.
#[derive(Clone, Debug, PartialEq)]
pub struct FreshDecoder {
    /// Its shape.
    pub shape: Shape,
    /// `f32` or `bf16`.
    pub precision: &'static str,
    /// The instruction set to which either side is held; `None`: each one's choice.
    pub isa: Option<&'static str>,
    /// Whether `PyTorch` compiles it.
    pub compile: Compile,
}

/// Whether the peer compiles its model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compile {
    /// As well as not, if it can.
    IfItWorks,
    /// As well as not.
    Must,
    /// Not at all.
    Never,
}

/// Requests to a model that both programs read.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// The model, as `--model` of fireclay takes it.
    pub model: OsString,
    /// The same as one file for llama.cpp; `None`: fireclay writes it.
    pub gguf: Option<PathBuf>,
    /// A `llama-server` of the user's own; `None`: that of xllamacpp.
    pub server: Option<PathBuf>,
    /// Number format of our weights.
    pub weights: &'static str,
    /// Requests at once.
    pub streams: usize,
    /// New tokens for each.
    pub steps: usize,
}

impl Work {
    /// What `--peer` and `--work` name, with the flags that it takes.
    ///
    /// # Errors
    /// When a flag's value means nothing.
    pub fn take(flags: &mut Flags) -> Result<Self> {
        if flags.one_of("--peer", ["pytorch", "llamacpp"])? == Some("llamacpp") {
            return Requests::take(flags).map(Self::Generate);
        }
        Ok(match flags.one_of("--work", ["train", "prefill"])? {
            Some("prefill") => Self::Prefill(FreshDecoder::take(flags, Shape::to_prefill)?),
            _ => Self::Train {
                decoder: FreshDecoder::take(flags, Shape::to_train)?,
                // The first three are not timed.
                steps: flags.number("--steps", 4..=MOST)?.unwrap_or(8),
            },
        })
    }

    /// Its name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Train { .. } => "train",
            Self::Prefill(_) => "prefill",
            Self::Generate(_) => "generate",
        }
    }

    /// The flags that ask for it.
    pub fn asked_by(&self) -> String {
        match self {
            Self::Generate(_) => "--peer llamacpp".into(),
            _ => format!("--peer pytorch --work {}", self.name()),
        }
    }

    /// The peer's name for programs and for people.
    pub fn peer(&self) -> (&'static str, &'static str) {
        match self {
            Self::Train { .. } | Self::Prefill(_) => ("pytorch", "PyTorch"),
            Self::Generate(_) => ("llamacpp", "llama.cpp"),
        }
    }

    /// The peer's program, run by an interpreter.
    pub fn program(&self, python: &OsStr) -> Command {
        let mut command = Command::new(python);
        command.arg(workspace().join("scripts/peers").join(match self {
            Self::Train { .. } => "pytorch_train_step.py",
            Self::Prefill(_) => "pytorch_prefill.py",
            Self::Generate(_) => "llamacpp_generate.py",
        }));
        if let Self::Generate(Requests { server: Some(server), .. }) = self {
            command.arg("--server").arg(server);
        }
        command
    }

    /// What both programs' results are compared by; the first decides which of the peer's modes counts.
    pub fn figures(&self) -> Vec<Figure> {
        let figure = |key, name: &str, unit| Figure { key, name: name.into(), unit };
        match self {
            Self::Train { .. } => vec![figure("tokens_per_s", "", Unit::TokensPerSecond)],
            Self::Prefill(_) => vec![figure("prefill_tokens_per_s", "", Unit::TokensPerSecond)],
            Self::Generate(Requests { streams, .. }) => vec![
                figure("alone_tokens_per_s", "one after the other", Unit::TokensPerSecond),
                figure("tokens_per_s", &format!("{streams} at once"), Unit::TokensPerSecond),
                figure("alone_first_token_mean_s", "first token, alone", Unit::Seconds),
                figure("first_token_mean_s", &format!("first token of {streams}"), Unit::Seconds),
            ],
        }
    }

    /// What is worked on, and how, as two lines for people; the second goes on.
    pub fn description(&self) -> (String, String) {
        match self {
            Self::Train { decoder: FreshDecoder { shape, precision, .. }, steps } => {
                let Shape { context, batch, vocab, .. } = shape;
                let decoder = shape.decoder();
                let subject = format!("{decoder}, context {context}, batch {batch}, vocabulary {vocab}");
                (subject, format!("{precision}, steps {steps}"))
            }
            Self::Prefill(FreshDecoder { shape, precision, .. }) => {
                let Shape { context, vocab, .. } = shape;
                let decoder = shape.decoder();
                let subject =
                    format!("{decoder}, prompt {} in a context of {context}, vocabulary {vocab}", context / 2);
                (subject, (*precision).into())
            }
            Self::Generate(requests) => {
                let Requests { streams, steps, weights, .. } = requests;
                let model = requests.model_name();
                let subject = format!("{model}: {streams} prompts of 20 to 400 tokens, {steps} new tokens for each");
                (subject, format!("{weights} beside {}", requests.gguf_name()))
            }
        }
    }

    /// What was asked for, for programs.
    pub fn json(&self) -> Value {
        match self {
            Self::Train { decoder, steps } => decoder.json(Some(*steps)),
            Self::Prefill(decoder) => decoder.json(None),
            Self::Generate(requests) => json!({
                "model": requests.model.to_string_lossy(),
                "gguf": requests.gguf_name(),
                "server": requests.server.as_deref().map(Path::to_string_lossy),
                "weights": requests.weights,
                "streams": requests.streams,
                "steps": requests.steps,
            }),
        }
    }
}

impl FreshDecoder {
    fn take(flags: &mut Flags, shape: fn(&mut Flags) -> Result<Shape>) -> Result<Self> {
        Ok(Self {
            shape: shape(flags)?,
            precision: flags.one_of("--precision", ["f32", "bf16"])?.unwrap_or("f32"),
            isa: flags.one_of("--isa", INSTRUCTION_SETS)?,
            compile: match flags.switch(&["--compile", "--no-compile"]) {
                Some("--compile") => Compile::Must,
                Some(_) => Compile::Never,
                None => Compile::IfItWorks,
            },
        })
    }

    fn json(&self, steps: Option<usize>) -> Value {
        let Self { shape, precision, isa, .. } = self;
        let mut json = json!({ "shape": shape.name, "numbers": shape.json(), "precision": precision, "isa": isa });
        if let Some(steps) = steps {
            json["steps"] = steps.into();
        }
        json
    }
}

impl Requests {
    fn take(flags: &mut Flags) -> Result<Self> {
        if flags.value("--isa").is_some() {
            return Err(user(
                "--isa: llama.cpp cannot be held to an instruction set; leave it out (FIRECLAY_ISA=avx2 before the \
                 command holds fireclay alone)",
            ));
        }
        let model = flags.value("--model");
        Ok(Self {
            model: model.ok_or_else(|| user("--peer llamacpp needs --model DIR: the model that both sides read"))?,
            gguf: flags.value("--gguf").map(PathBuf::from),
            server: flags.value("--server").map(PathBuf::from),
            weights: flags.one_of("--weights", FORMATS.map(|(weights, _)| weights))?.unwrap_or("int8"),
            // llama.cpp has at most 256 sequences.
            streams: flags.number("--streams", 1..=256)?.unwrap_or(8),
            steps: flags.number("--steps", 1..=MOST)?.unwrap_or(128),
        })
    }

    /// The number format of a GGUF file whose weights have as many bits as ours.
    pub fn gguf_format(&self) -> &'static str {
        FORMATS.into_iter().find(|(weights, _)| *weights == self.weights).expect("a format of the list").1
    }

    /// The model's last name.
    pub fn model_name(&self) -> String {
        Path::new(&self.model).file_name().unwrap_or(&self.model).to_string_lossy().into_owned()
    }

    /// What llama.cpp reads.
    fn gguf_name(&self) -> String {
        match &self.gguf {
            Some(path) => path.display().to_string(),
            None => format!("{} by fireclay export", self.gguf_format()),
        }
    }
}
