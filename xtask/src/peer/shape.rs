//! The numbers of a decoder that both programs make for the measurement.

use anyhow::Result;
use serde_json::{Value, json};

use super::flags::Flags;
use crate::error::user;

/// The largest number that either program is asked for.
pub const MOST: usize = 1 << 24;

/// A decoder's shape, and the rows of its batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its name, `custom` where a number of it was changed.
    pub name: &'static str,
    /// Blocks.
    pub layers: usize,
    /// Width of the decoder.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Tokens in a row.
    pub context: usize,
    /// Rows.
    pub batch: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
}

/// Shapes that have a name, as they are trained.
const SHAPES: [Shape; 3] = [
    Shape { name: "small", layers: 4, width: 128, heads: 4, context: 128, batch: 32, vocab: 1024 },
    Shape { name: "medium", layers: 6, width: 384, heads: 6, context: 256, batch: 8, vocab: 4096 },
    Shape { name: "gpt2", layers: 12, width: 768, heads: 12, context: 512, batch: 4, vocab: 50257 },
];

impl Shape {
    /// One to train: `medium` if no other name is given, with the numbers that are.
    ///
    /// # Errors
    /// When there is no such name, or a number means nothing.
    pub fn to_train(flags: &mut Flags) -> Result<Self> {
        Self::named(flags, "medium")?.changed(flags, &["layers", "width", "heads", "context", "batch", "vocab"])
    }

    /// One that reads a single prompt: `gpt2` if no other name is given. The context is twice as long as in training,
    /// so that the prompt, half of it, is as long as a row there.
    ///
    /// # Errors
    /// As [`to_train`](Self::to_train), and when the context has no half.
    pub fn to_prefill(flags: &mut Flags) -> Result<Self> {
        let trained = Self::named(flags, "gpt2")?;
        let single = Self { context: 2 * trained.context, batch: 1, ..trained };
        let shape = single.changed(flags, &["layers", "width", "heads", "context", "vocab"])?;
        if shape.context % 2 == 1 {
            return Err(user(format!("--context {}: give an even number; half of it is the prompt", shape.context)));
        }
        Ok(shape)
    }

    fn named(flags: &mut Flags, default: &'static str) -> Result<Self> {
        let name = flags.one_of("--shape", SHAPES.map(|shape| shape.name))?.unwrap_or(default);
        Ok(SHAPES.into_iter().find(|shape| shape.name == name).expect("a name of the list"))
    }

    /// With other numbers, of those with these names.
    fn changed(self, flags: &mut Flags, names: &[&str]) -> Result<Self> {
        let mut shape = self.clone();
        for (name, number) in shape.numbers_mut().into_iter().filter(|(name, _)| names.contains(name)) {
            *number = flags.number(&format!("--{name}"), 1..=MOST)?.unwrap_or(*number);
        }
        if !shape.width.is_multiple_of(shape.heads) {
            let Self { width, heads, .. } = shape;
            return Err(user(format!("--width {width} is not a multiple of --heads {heads}; make it one")));
        }
        if shape != self {
            shape.name = "custom";
        }
        Ok(shape)
    }

    /// Each with its name, in the order in which they are shown.
    fn numbers_mut(&mut self) -> [(&'static str, &mut usize); 6] {
        [
            ("layers", &mut self.layers),
            ("width", &mut self.width),
            ("heads", &mut self.heads),
            ("context", &mut self.context),
            ("batch", &mut self.batch),
            ("vocab", &mut self.vocab),
        ]
    }

    fn numbers(&self) -> [(&'static str, usize); 6] {
        self.clone().numbers_mut().map(|(name, number)| (name, *number))
    }

    /// The flags of these numbers, as both programs take them.
    pub fn flags(&self) -> Vec<String> {
        self.numbers().into_iter().flat_map(|(name, number)| [format!("--{name}"), number.to_string()]).collect()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        self.numbers().map(|(name, number)| (name.to_owned(), json!(number))).into_iter().collect()
    }

    /// How the decoder is built, for people.
    pub fn decoder(&self) -> String {
        format!("{}: {} layers, width {}, {} heads", self.name, self.layers, self.width, self.heads)
    }
}
