//! Activation checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): of each block the
//! forward pass keeps only what went in, and the backward pass computes the block once more. A third more work, for
//! memory that hardly grows with the layers.
//!
//! The graph that burn keeps ends where the blocks do. Whoever calls `backward` calls [`Checkpoints::backward`] after
//! it, which goes on through the blocks, the last one first, with a graph for each.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

use crate::attention::AttentionContext;
use crate::block::Block;
use crate::cache::Past;

/// Forward passes whose blocks are still to be differentiated. Clones share them.
#[derive(Clone, Default)]
pub struct Checkpoints {
    pending: Arc<Mutex<Vec<Pass>>>,
}

/// One pass through the blocks of a decoder.
struct Pass {
    blocks: Vec<Block>,
    context: AttentionContext,
    /// Input of the first block, with its graph, if something before it is trained.
    embedded: Option<Tensor<2>>,
    /// Input of each block, without a graph.
    inputs: Vec<Tensor<2>>,
    /// Output of the last block: a leaf of the graph of all that follows.
    output: Tensor<2>,
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoints({} pending)", self.lock().len())
    }
}

impl Checkpoints {
    /// `x` `[N, D]` through the blocks, to be differentiated later; `learned`, if something is learned that x depends
    /// on.
    pub(crate) fn forward(
        &self,
        blocks: &[Block],
        x: Tensor<2>,
        learned: bool,
        context: &AttentionContext,
    ) -> Tensor<2> {
        let embedded = learned.then(|| x.clone());
        let mut x = x.inner();
        let mut inputs = Vec::with_capacity(blocks.len());
        for block in blocks {
            inputs.push(x.clone());
            x = block.valid().forward(x, context, Past::Nothing);
        }
        let output = Tensor::from_inner(x).require_grad();
        let pass = Pass { blocks: blocks.to_vec(), context: context.clone(), embedded, inputs, output: output.clone() };
        self.lock().push(pass);
        output
    }

    /// Goes on where `gradients`, of a loss of these passes, end: `found` gets those of each block and of what stands
    /// before the first, in which a parameter may occur that occurs in `gradients` too; the gradient is then the sum.
    /// Passes that the loss does not depend on are forgotten.
    ///
    /// # Panics
    /// When a block does not depend on its input, which none can.
    pub fn backward(&self, gradients: &mut Gradients, mut found: impl FnMut(Gradients)) {
        let passes = std::mem::take(&mut *self.lock());
        for Pass { blocks, context, embedded, inputs, output } in passes {
            let Some(mut gradient) = output.grad_remove(gradients) else { continue };
            for (block, input) in blocks.iter().zip(inputs).rev() {
                let x = Tensor::from_inner(input).require_grad();
                let mut of_block = resumed(block.forward(x.clone(), &context, Past::Nothing), gradient);
                gradient = x.grad_remove(&mut of_block).expect("a block depends on its input");
                found(of_block);
            }
            if let Some(embedded) = embedded {
                found(resumed(embedded, gradient));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Pass>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gradients behind `y`, of which the loss has this gradient.
fn resumed(y: Tensor<2>, gradient: Tensor<2>) -> Gradients {
    (y * Tensor::from_inner(gradient)).sum().backward()
}
