//! Activation checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): the forward pass keeps
//! only the input of each block, and the backward pass recomputes the block. This costs a third more work, and memory
//! hardly grows with the number of layers.
//!
//! burn's graph ends at the output of the last block. After calling `backward`, call
//! [`ActivationCheckpoints::backward`], which continues through the blocks, the last one first, with a graph for each.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

use crate::attention::AttentionContext;
use crate::block::Block;
use crate::cache::Past;

/// Forward passes whose blocks are not differentiated yet. Clones share them.
#[derive(Clone, Default)]
pub struct ActivationCheckpoints {
    pending: Arc<Mutex<Vec<PendingPass>>>,
}

/// One pass through the blocks of a decoder.
struct PendingPass {
    blocks: Vec<Block>,
    context: AttentionContext,
    /// Input of the first block, with its graph, if something before it is trained.
    embedded: Option<Tensor<2>>,
    /// Input of each block, without a graph.
    inputs: Vec<Tensor<2>>,
    /// Output of the last block: a leaf of the graph of all that follows.
    output: Tensor<2>,
}

impl fmt::Debug for ActivationCheckpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActivationCheckpoints({} pending)", self.lock().len())
    }
}

impl ActivationCheckpoints {
    /// Runs `x` `[N, D]` through the blocks, to be differentiated later. `learned` says whether x depends on a trained
    /// parameter.
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
        let pass =
            PendingPass { blocks: blocks.to_vec(), context: context.clone(), embedded, inputs, output: output.clone() };
        self.lock().push(pass);
        output
    }

    /// Continues the backward pass of a loss of these forward passes, whose `gradients` end at the last block. Calls
    /// `found` with the gradients of each block and of the operations before the first one. A parameter in them may
    /// also be in `gradients`; its gradient is then the sum. Passes that the loss does not depend on are dropped.
    ///
    /// # Panics
    /// If a block does not depend on its input, which cannot happen.
    pub fn backward(&self, gradients: &mut Gradients, mut found: impl FnMut(Gradients)) {
        let passes = std::mem::take(&mut *self.lock());
        for PendingPass { blocks, context, embedded, inputs, output } in passes {
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PendingPass>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Backpropagates from `y`, given the gradient of the loss with respect to it.
fn resumed(y: Tensor<2>, gradient: Tensor<2>) -> Gradients {
    (y * Tensor::from_inner(gradient)).sum().backward()
}
