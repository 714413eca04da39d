//! A block: attention and a feed-forward layer, each added to what came in. N = B·T, D width.

use burn::module::Module;
use burn::tensor::Tensor;
use fireclay_kernels::add;

use crate::attention::{Attention, AttentionContext};
use crate::cache::Past;
use crate::config::Residual;
use crate::feed_forward::FeedForward;
use crate::norm::Norm;

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`; or what [`Variant`](crate::config::Variant) makes of it.
#[derive(Module, Debug)]
pub struct Block {
    /// Before attention.
    pub(crate) attention_norm: Option<Norm>,
    pub(crate) attention: Attention,
    /// Behind attention.
    pub(crate) attention_post_norm: Option<Norm>,
    /// Before the feed-forward layer; `None` also where it shares attention's.
    pub(crate) feed_forward_norm: Option<Norm>,
    pub(crate) feed_forward: FeedForward,
    /// Behind the feed-forward layer.
    pub(crate) feed_forward_post_norm: Option<Norm>,
    #[module(skip)]
    pub(crate) residual: Residual,
    /// Factor of each half's result.
    #[module(skip)]
    pub(crate) residual_multiplier: Option<f64>,
}

impl Block {
    pub(crate) fn forward(&self, x_nd: Tensor<2>, context: &AttentionContext, past: Past) -> Tensor<2> {
        let attention_norm = |x_nd: Tensor<2>| match &self.attention_norm {
            Some(norm) => norm.forward_beside(x_nd, None),
            None => [x_nd.clone(), x_nd],
        };
        let [x_nd, normal] = attention_norm(x_nd);
        let shared = (self.residual == Residual::ParallelOneNorm).then(|| normal.clone());
        let attended = self.attention.forward(normal, context, past);
        let attended = self.settled(attended, self.attention_post_norm.as_ref());
        let (x_nd, normal) = match (self.residual, &self.feed_forward_norm) {
            (Residual::Sequential, Some(norm)) => norm.forward_beside(x_nd, Some(attended)).into(),
            (Residual::Sequential, None) => {
                let x_nd = add(x_nd, attended);
                (x_nd.clone(), x_nd)
            }
            (Residual::Parallel, Some(norm)) => (add(x_nd.clone(), attended), norm.forward(x_nd)),
            _ => (add(x_nd, attended), shared.expect("parallel halves without a norm each share one")),
        };
        let given = self.feed_forward.forward(normal, context.precision);
        add(x_nd, self.settled(given, self.feed_forward_post_norm.as_ref()))
    }

    /// A half's result as it is added to the residual stream.
    fn settled(&self, mut given: Tensor<2>, norm: Option<&Norm>) -> Tensor<2> {
        if let Some(norm) = norm {
            given = norm.forward(given);
        }
        match self.residual_multiplier {
            Some(multiplier) => given * multiplier,
            None => given,
        }
    }
}
