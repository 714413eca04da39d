//! Flash attention whose products are of bf16 numbers, in vector or in tile registers.
//!
//! Queries, keys and values, probabilities and their gradients are rounded to bf16 before they are multiplied; sums,
//! scores and the softmax are f32. As in the f32 kernel scores are transposed, a row for each key. Every product is
//! then one of rows of pairs by columns of pairs (`PairProduct`):
//!
//! ```text
//! Sᵀ = k·qᵀ    yᵀ = vᵀ·Pᵀ    dPᵀ = v·dyᵀ    dv = Pᵀ·dy    dk = dSᵀ·q    dqᵀ = kᵀ·dSᵀ
//! ```

#![expect(unsafe_code, reason = "kernels that need a CPU with their instructions")]

mod backward;
mod forward;
#[cfg(test)]
mod tests;

use std::f32::consts::LOG2_E;
use std::mem::MaybeUninit;

use super::{Gradients, Heads, KeyMask, Shape};
use crate::host::written_in_chunks;
use crate::isa::{Isa, has_fast_bf16_vectors};
use crate::product::pairs::pack::{Rows, round_rows, transpose_pairs};
use crate::product::pairs::{AmxUnit, BLOCK, VectorUnit};

/// Whether attention in bf16 is faster than in f32 here; elsewhere the CPU may not have it. A value that is not finite
/// reaches all queries of its tile here, those before it and those of other texts too.
#[must_use]
pub fn is_faster() -> bool {
    Isa::current() == Isa::Amx || has_fast_bf16_vectors()
}

/// Queries, keys and values in bf16, two numbers a lane. A row of lanes is one head's numbers of one token, filled up
/// with zeros to a whole number of blocks.
#[derive(Clone, Debug)]
pub struct Operands<Q> {
    /// Times the scale of the scores and log₂ e, so that exponentials become powers of two. `[B, H, T, lanes]`
    pub q: Q,
    /// `[B, KV, padded S, lanes]`
    pub k: Q,
    /// `[B, KV, padded S, lanes]`
    pub v: Q,
}

/// Inputs and results of [`forward`].
#[derive(Clone, Debug)]
pub struct RoundedPass<'a> {
    /// The rounded inputs.
    pub operands: Operands<&'a [u32]>,
    /// The result, rounded. `[B, T, H, K]`, contiguous.
    pub y: &'a [half::bf16],
    /// Log-sum-exp. `[B, H, T]`
    pub lse: &'a [f32],
    /// The sizes.
    pub shape: &'a Shape,
    /// Mask of the keys that each query sees.
    pub mask: &'a KeyMask<'a>,
    /// Factor of the scores.
    pub scale: f32,
}

/// Rounds the operands of attention.
///
/// # Shapes
/// q `[B, H, T, K]`, k and v `[B, KV, S, K]`
///
/// # Panics
/// If the sizes contradict each other, or the CPU has no AVX512-BF16.
#[must_use]
pub fn rounded(q: Heads, k: Heads, v: Heads, shape: &Shape, mask: &KeyMask, scale: f32) -> Operands<Vec<u32>> {
    shape.check(q, k, v, mask);
    assert!(Isa::current().has_bf16(), "attention in bf16 needs AVX512-BF16");
    let (queries, keys) = (shape.query_dims(), shape.key_dims());
    Operands {
        q: rounded_heads(&q, queries, shape.queries, scale * LOG2_E),
        k: rounded_heads(&k, keys, padded_keys(shape), 1.0),
        v: rounded_heads(&v, keys, padded_keys(shape), 1.0),
    }
}

/// `y = softmax(scale·q·kᵀ + mask)·v` for each head, and the log-sum-exp of its scores (natural logarithm), of operands
/// that were [rounded] with the same shape and mask.
///
/// # Shapes
/// → `[B, T, H, K]`, log-sum-exp `[B, H, T]`, both contiguous.
///
/// # Panics
/// If an operand has another size.
#[must_use]
pub fn forward(operands: &Operands<&[u32]>, shape: &Shape, mask: &KeyMask) -> (Vec<f32>, Vec<f32>) {
    operands.check(shape, mask);
    // SAFETY: operands are rounded by AVX512-BF16, and the instruction set is one that the CPU has.
    unsafe {
        match Isa::current() {
            Isa::Amx => forward::run::<AmxUnit>(operands, shape, mask),
            _ => forward::run::<VectorUnit>(operands, shape, mask),
        }
    }
}

/// Gradients of q, k and v as they were before they were rounded, given `dy`, the gradient of the result, as
/// [`super::backward()`].
///
/// # Shapes
/// dy `[B, H, T, K]`
///
/// # Panics
/// If the sizes contradict each other.
#[must_use]
pub fn backward(pass: &RoundedPass, dy: Heads) -> Gradients {
    let RoundedPass { operands, shape, .. } = pass;
    operands.check(shape, pass.mask);
    dy.check("the gradient", shape.query_dims());
    assert_eq!(pass.y.len(), shape.query_dims().iter().product::<usize>(), "the result has the query's size");
    assert_eq!(pass.lse.len(), shape.batch * shape.heads * shape.queries, "one log-sum-exp a query");
    // SAFETY: as for `forward`.
    unsafe {
        match Isa::current() {
            Isa::Amx => backward::run::<AmxUnit>(pass, dy),
            _ => backward::run::<VectorUnit>(pass, dy),
        }
    }
}

impl Operands<Vec<u32>> {
    /// The lanes.
    #[must_use]
    pub fn as_slices(&self) -> Operands<&[u32]> {
        Operands { q: &self.q, k: &self.k, v: &self.v }
    }
}

impl Operands<&[u32]> {
    fn check(&self, shape: &Shape, mask: &KeyMask) {
        shape.check_sizes(mask);
        let Shape { batch, heads, kv_heads, queries, head_dim, .. } = *shape;
        assert!(Isa::current().has_bf16(), "attention in bf16 needs AVX512-BF16");
        assert_eq!(self.q.len(), batch * heads * queries * lanes(head_dim), "queries have the shape");
        for x in [self.k, self.v] {
            assert_eq!(x.len(), batch * kv_heads * padded_keys(shape) * lanes(head_dim), "keys have the shape");
        }
    }
}

/// Lanes of one head's numbers of one token.
#[must_use]
pub fn lanes(head_dim: usize) -> usize {
    head_dim.next_multiple_of(BLOCK) / 2
}

/// Keys of a row, filled up to whole blocks.
#[must_use]
pub fn padded_keys(shape: &Shape) -> usize {
    shape.keys.next_multiple_of(BLOCK)
}

/// `[B, H, T, K]` → `[B, H, padded T, lanes]`
fn rounded_heads(x: &Heads, [batch, heads, times, width]: [usize; 4], padded: usize, scale: f32) -> Vec<u32> {
    let (lanes, size) = (lanes(width), padded * lanes(width));
    // SAFETY: each piece is a head, all of whose lanes are written; the caller has checked the CPU.
    unsafe {
        written_in_chunks(batch * heads * size, size, |start, out| {
            let (row, head) = (start / size / heads, start / size % heads);
            let (rows, rest) = out.split_at_mut(times * lanes);
            round_rows(Rows::new(x.from(row, head, 0), x.time_stride, [times, width]), scale, lanes, rows);
            rest.fill(MaybeUninit::new(0));
        })
    }
}

/// The lanes of one key head, transposed: pairs of keys. `[padded S, lanes]` → `[2·lanes, padded S / 2]`
///
/// # Safety
/// The CPU has AVX512-BF16.
unsafe fn transposed(rows: &[u32], lanes: usize, out: &mut [MaybeUninit<u32>]) {
    let keys = rows.len() / lanes;
    // SAFETY: the caller's promise.
    unsafe { transpose_pairs(Rows::new(rows, lanes, [keys, lanes]), out, keys / 2) }
}
