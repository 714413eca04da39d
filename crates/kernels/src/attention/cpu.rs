//! Flash attention as an operation.

use std::sync::Arc;

use burn_flex::FlexTensor;

use super::flash::{self, Heads, Shape};
use crate::host::{contiguous, dims, tensor, values};
use crate::op::{Forward, Kernel, Tracked};

/// Attention of `[q, k, v]`.
#[derive(Debug)]
pub(super) struct AttentionKernel {
    pub origins: Option<Arc<[u32]>>,
    pub window: Option<usize>,
}

impl AttentionKernel {
    fn mask(&self, queries: usize) -> flash::KeyMask<'_> {
        let rows = self.origins.as_ref().map_or(0, |origins| origins.len() / queries);
        flash::KeyMask { origins: self.origins.as_deref(), rows, window: self.window }
    }
}

impl Kernel for AttentionKernel {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let mut inputs: Vec<FlexTensor> = inputs.into_iter().map(with_contiguous_heads).collect();
        let shape = shape(&inputs);
        let [q, k, v] = [heads(&inputs[0]), heads(&inputs[1]), heads(&inputs[2])];
        let (y, log_sums) = flash::forward(q, k, v, &shape, &self.mask(shape.queries), scale(&shape));
        let output = tensor(y, [shape.batch, shape.queries, shape.heads, shape.head_dim]);
        if tracked.any() {
            inputs.push(output.clone());
            inputs.push(tensor(log_sums, [shape.batch, shape.heads, shape.queries]));
        }
        Forward { output, saved: if tracked.any() { inputs } else { vec![] } }
    }

    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let shape = shape(&saved);
        let [q, k, v] = [heads(&saved[0]), heads(&saved[1]), heads(&saved[2])];
        // In the memory layout of y's heads: `[B, T, H, K]` viewed as `[B, H, T, K]`.
        let gradient = contiguous(gradient).permute(&[0, 2, 1, 3]);
        let (y, log_sums) = (values(&saved[3]), values(&saved[4]));
        let (shape, mask) = (&shape, &self.mask(shape.queries));
        let pass = flash::ForwardPass { q, k, v, y, lse: log_sums, shape, mask, scale: scale(shape) };
        let found = flash::backward(&pass, heads(&gradient));
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
