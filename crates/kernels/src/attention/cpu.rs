//! Flash attention as an operation.

use std::sync::Arc;

use burn::tensor::DType;
use burn_flex::FlexTensor;

#[cfg(target_arch = "x86_64")]
use super::flash::MIN_TILED_QUERIES;
use super::flash::{self, Heads, Shape};
use crate::Precision;
#[cfg(target_arch = "x86_64")]
use crate::host::lanes_tensor;
use crate::host::{contiguous, dims, rounded, tensor, values};
use crate::op::{Forward, Kernel, Tracked};

/// Attention of `[q, k, v]`.
#[derive(Debug)]
pub(super) struct AttentionKernel {
    pub origins: Option<Arc<[u32]>>,
    pub window: Option<usize>,
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there are no bf16 products"))]
    pub precision: Precision,
}

impl AttentionKernel {
    fn mask(&self, queries: usize) -> flash::KeyMask<'_> {
        let rows = self.origins.as_ref().map_or(0, |origins| origins.len() / queries);
        flash::KeyMask { origins: self.origins.as_deref(), rows, window: self.window }
    }
}

impl Kernel for AttentionKernel {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let inputs: Vec<FlexTensor> = inputs.into_iter().map(with_contiguous_heads).collect();
        let shape = shape(&inputs);
        let (mut saved, (y, log_sums)) = self.attend(inputs, &shape);
        let output = tensor(y, [shape.batch, shape.queries, shape.heads, shape.head_dim]);
        if tracked.any() {
            // Kept in the format of the operands.
            saved.push(if saved[0].dtype() == DType::U32 { rounded(output.clone()) } else { output.clone() });
            saved.push(tensor(log_sums, [shape.batch, shape.heads, shape.queries]));
        }
        Forward { output, saved: if tracked.any() { saved } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let head_dim = *dims(&saved[3]).last().expect("the result has four axes");
        let shape = Shape { head_dim, ..shape(&saved) };
        // In the memory layout of y's heads: `[B, T, H, K]` viewed as `[B, H, T, K]`.
        let gradient = contiguous(gradient).permute(&[0, 2, 1, 3]);
        let found = self.gradients(&saved, &shape, heads(&gradient));
        let seen_as_heads = |gradient, time, heads| {
            Some(tensor(gradient, [shape.batch, time, heads, shape.head_dim]).permute(&[0, 2, 1, 3]))
        };
        vec![
            seen_as_heads(found.q, shape.queries, shape.heads),
            seen_as_heads(found.k, shape.keys, shape.kv_heads),
            seen_as_heads(found.v, shape.keys, shape.kv_heads),
        ]
    }
}

impl AttentionKernel {
    /// The operands as the backward pass needs them, result and log-sum-exp.
    fn attend(&self, inputs: Vec<FlexTensor>, shape: &Shape) -> (Vec<FlexTensor>, (Vec<f32>, Vec<f32>)) {
        let mask = self.mask(shape.queries);
        let [q, k, v] = [heads(&inputs[0]), heads(&inputs[1]), heads(&inputs[2])];
        #[cfg(target_arch = "x86_64")]
        if self.rounds(shape) {
            let operands = flash::bf16::rounded(q, k, v, shape, &mask, scale(shape));
            let found = flash::bf16::forward(&operands.as_slices(), shape, &mask);
            return (rounded_tensors(operands, shape), found);
        }
        let found = flash::forward(q, k, v, shape, &mask, scale(shape));
        (inputs, found)
    }

    /// Whether products are of bf16 numbers. A few queries would leave most lanes of a tile idle.
    #[cfg(target_arch = "x86_64")]
    fn rounds(&self, shape: &Shape) -> bool {
        self.precision == Precision::Bf16 && shape.queries >= MIN_TILED_QUERIES && flash::bf16::is_faster()
    }

    fn gradients(&self, saved: &[FlexTensor], shape: &Shape, dy: Heads) -> flash::Gradients {
        let (mask, scale) = (&self.mask(shape.queries), scale(shape));
        let lse = values(&saved[4]);
        #[cfg(target_arch = "x86_64")]
        if saved[0].dtype() == DType::U32 {
            let [q, k, v] = [0, 1, 2].map(|i| saved[i].storage::<u32>());
            let (operands, y) = (flash::bf16::Operands { q, k, v }, saved[3].storage());
            return flash::bf16::backward(&flash::bf16::RoundedPass { operands, y, lse, shape, mask, scale }, dy);
        }
        let ([q, k, v], y) = ([heads(&saved[0]), heads(&saved[1]), heads(&saved[2])], values(&saved[3]));
        flash::backward(&flash::ForwardPass { q, k, v, y, lse, shape, mask, scale }, dy)
    }
}

/// Rounded operands as tensors whose first three axes are those of what was rounded.
#[cfg(target_arch = "x86_64")]
fn rounded_tensors(operands: flash::bf16::Operands<Vec<u32>>, shape: &Shape) -> Vec<FlexTensor> {
    let flash::bf16::Operands { q, k, v } = operands;
    let (lanes, keys) = (flash::bf16::lanes(shape.head_dim), flash::bf16::padded_keys(shape));
    let of_keys = |x| lanes_tensor(x, [shape.batch, shape.kv_heads, keys, lanes]).narrow(2, 0, shape.keys);
    vec![lanes_tensor(q, [shape.batch, shape.heads, shape.queries, lanes]), of_keys(k), of_keys(v)]
}

fn with_contiguous_heads(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    if strides[3] == 1 && strides.iter().all(|&stride| stride >= 0) { x } else { x.to_contiguous() }
}

fn shape(inputs: &[FlexTensor]) -> Shape {
    let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (&dims(&inputs[0])[..], &dims(&inputs[1])[..])
    else {
        unreachable!("queries and keys have four axes")
    };
    Shape { batch: *batch, heads: *heads, kv_heads: *kv_heads, queries: *queries, keys: *keys, head_dim: *head_dim }
}

fn scale(shape: &Shape) -> f32 {
    1.0 / (shape.head_dim as f32).sqrt()
}

fn heads(x: &FlexTensor) -> Heads<'_> {
    let stride = |axis: usize| x.layout().strides()[axis].unsigned_abs();
    Heads {
        data: &x.storage::<f32>()[x.layout().start_offset()..],
        batch_stride: stride(0),
        head_stride: stride(1),
        time_stride: stride(2),
    }
}
