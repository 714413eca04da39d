//! One dial: `--depth N` decides the rest.

use toml::Table;

/// Sizes and rates that follow from a depth. Written into the recipe's `[model]` and `[pretrain]` sections; flags and
/// `--set` still win.
#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    /// Blocks: the depth itself.
    pub layers: usize,
    /// Width: 64 per layer, so that the aspect ratio stays the same (nanochat's rule).
    pub width: usize,
    /// Number of heads, of width 64.
    pub heads: usize,
    /// Tokens of context: 256 up to depth 6, then 512, from depth 12 on 1,024.
    pub context: usize,
    /// Sequences per step. Larger models need larger batches.
    pub batch: usize,
    /// Peak learning rate: 2e-3 at width 128, falling with the root of the width.
    pub learning_rate: f64,
    /// Tokens of training: 20 per parameter (Hoffmann et al. 2022, "Chinchilla").
    pub tokens: u64,
    /// Optimiser steps for these tokens.
    pub steps: u64,
}

impl Depth {
    /// Derives everything from the number of layers, for a model whose parameters are counted by
    /// `num_params(width, layers, heads)`.
    #[must_use]
    pub fn new(layers: usize, num_params: impl Fn(usize, usize, usize) -> usize) -> Self {
        let width = 64 * layers;
        let heads = layers;
        let context = match layers {
            0..=6 => 256,
            7..=11 => 512,
            _ => 1024,
        };
        let batch = match layers {
            0..=3 => 8,
            4..=7 => 16,
            8..=15 => 32,
            _ => 64,
        };
        // Rounded to three digits: nobody wants to read 0.0011547005383792516.
        let learning_rate =
            format!("{:.2e}", 2e-3 * (128.0 / width as f64).sqrt()).parse().expect("a number it printed");
        let tokens = 20 * num_params(width, layers, heads) as u64;
        let steps = tokens.div_ceil((batch * context) as u64);
        Self { layers, width, heads, context, batch, learning_rate, tokens, steps }
    }

    /// The keys it sets, as a layer over a recipe.
    #[must_use]
    pub fn layer(&self) -> Table {
        let integer = |n: usize| toml::Value::Integer(n as i64);
        let model = Table::from_iter([
            ("layers".into(), integer(self.layers)),
            ("width".into(), integer(self.width)),
            ("heads".into(), integer(self.heads)),
        ]);
        let pretrain = Table::from_iter([
            ("steps".into(), integer(self.steps as usize)),
            ("batch".into(), integer(self.batch)),
            ("context".into(), integer(self.context)),
            ("learning_rate".into(), toml::Value::Float(self.learning_rate)),
            ("warmup_steps".into(), integer((self.steps / 50).clamp(1, 2000) as usize)),
        ]);
        Table::from_iter([("model".into(), model.into()), ("pretrain".into(), pretrain.into())])
    }
}

impl std::fmt::Display for Depth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "depth {}: width {}, heads {}, context {}, batch {}, learning rate {}, {} steps for {:.1}M tokens (20 a \
             parameter)",
            self.layers,
            self.width,
            self.heads,
            self.context,
            self.batch,
            self.learning_rate,
            self.steps,
            self.tokens as f64 / 1e6
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_layers_are_the_shape_of_gpt2_small() {
        let depth = Depth::new(12, |_, _, _| 124_000_000);
        assert_eq!((depth.width, depth.heads, depth.context), (768, 12, 1024));
        assert_eq!(depth.tokens, 2_480_000_000);
        assert!(depth.steps * (depth.batch * depth.context) as u64 >= depth.tokens);
    }
}
