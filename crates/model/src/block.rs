//! A block: attention and a feed-forward layer, each added to the residual stream. N = B·T, D width.
//!
//! Held against transformers, family by family, by `tests/model/parity.rs`.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_kernels::add;

use crate::attention::{Attention, AttentionContext};
use crate::cache::Past;
use crate::config::Residual;
use crate::feed_forward::FeedForward;
use crate::linear::{Linear, WeightStorage};
use crate::norm::Norm;

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`; or as [`Variant`](crate::config::Variant) changes it.
#[derive(Module, Debug)]
pub struct Block {
    /// Before attention.
    pub(crate) attention_norm: Option<Norm>,
    pub(crate) attention: Attention,
    /// After attention.
    pub(crate) attention_post_norm: Option<Norm>,
    /// Before the feed-forward layer; `None` also where it shares attention's.
    pub(crate) feed_forward_norm: Option<Norm>,
    pub(crate) feed_forward: FeedForward,
    /// After the feed-forward layer.
    pub(crate) feed_forward_post_norm: Option<Norm>,
    #[module(skip)]
    pub(crate) residual: Residual,
    /// Factor of each half's result.
    #[module(skip)]
    pub(crate) residual_multiplier: Option<f64>,
}

impl Block {
    /// The block with its matrices in another format, for inference.
    #[must_use]
    pub(crate) fn stored(self, format: WeightStorage) -> Self {
        Self { attention: self.attention.stored(format), feed_forward: self.feed_forward.stored(format), ..self }
    }

    /// # Shapes
    /// `[N, D]` → `[N, D]`; `past` holds the tokens before them.
    pub(crate) fn forward(&self, x_nd: Tensor<2>, context: &AttentionContext, past: Past) -> Tensor<2> {
        let [x_nd, normed] = match &self.attention_norm {
            Some(norm) => norm.add_norm(x_nd, None),
            None => [x_nd.clone(), x_nd],
        };
        let shared = (self.residual == Residual::ParallelOneNorm).then(|| normed.clone());
        let attended = self.attention.forward(normed, context, past);
        let attended = self.scaled(attended, self.attention_post_norm.as_ref());
        let (x_nd, normed) = match (self.residual, &self.feed_forward_norm, shared) {
            // x + attention(norm(x)), and its norm, in one pass
            (Residual::Sequential, Some(norm), _) => norm.add_norm(x_nd, Some(attended)).into(),
            (Residual::Sequential, None, _) => {
                let x_nd = add(x_nd, attended);
                (x_nd.clone(), x_nd)
            }
            (Residual::Parallel, Some(norm), _) => (add(x_nd.clone(), attended), norm.forward(x_nd)),
            (Residual::ParallelOneNorm, None, Some(normed)) => (add(x_nd, attended), normed),
            (residual, norm, _) => unreachable!("{residual:?} halves of a block with {norm:?}"),
        };
        // x + feed_forward(norm(x))
        let ff_out = self.feed_forward.forward(normed, context.precision);
        add(x_nd, self.scaled(ff_out, self.feed_forward_post_norm.as_ref()))
    }

    /// A half's result through its norm, if it has one, times the residual multiplier.
    fn scaled(&self, mut half: Tensor<2>, norm: Option<&Norm>) -> Tensor<2> {
        if let Some(norm) = norm {
            half = norm.forward(half);
        }
        match self.residual_multiplier {
            Some(multiplier) => half * multiplier,
            None => half,
        }
    }

    /// The linear maps by our names.
    pub(crate) fn linear_maps(&mut self) -> impl Iterator<Item = (&'static str, &mut Linear)> {
        let Self { attention, feed_forward, .. } = self;
        [
            ("attention.query", attention.query.as_mut()),
            ("attention.key", attention.key.as_mut()),
            ("attention.value", attention.value.as_mut()),
            ("attention.output", Some(&mut attention.output)),
            ("feed_forward.gate", feed_forward.gate.as_mut()),
            ("feed_forward.up", Some(&mut feed_forward.up)),
            ("feed_forward.down", Some(&mut feed_forward.down)),
        ]
        .into_iter()
        .filter_map(|(name, map)| Some((name, map?)))
    }
}
