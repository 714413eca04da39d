//! Host tensors as slices of numbers, and results that are written once without being cleared before.

#![expect(unsafe_code, reason = "memory is handed out before it is written, once")]

use std::mem::MaybeUninit;

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use half::bf16;
use rayon::prelude::*;

use crate::simd::{bf16_lane, vectorize};

/// Number of elements for which using another thread pays off: some microseconds of work.
pub(crate) const CHUNK: usize = 1 << 14;

/// A contiguous tensor of `values`.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let shape = shape.into();
    assert_eq!(values.len(), shape.num_elements(), "a tensor has as many values as its shape says");
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}

/// A contiguous tensor of bytes.
pub(crate) fn byte_tensor(bytes: Vec<u8>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(bytes), Layout::contiguous(shape.into()), DType::U8)
}

/// A contiguous tensor of bf16 numbers.
pub(crate) fn half_tensor(halves: Vec<bf16>, shape: impl Into<Shape>) -> FlexTensor {
    let shape = shape.into();
    assert_eq!(halves.len(), shape.num_elements(), "a tensor has as many values as its shape says");
    FlexTensor::new(Bytes::from_elems(halves), Layout::contiguous(shape), DType::BF16)
}

/// A contiguous copy of a tensor of f32, rounded to the nearest bf16, ties to even.
pub(crate) fn rounded(x: FlexTensor) -> FlexTensor {
    let (shape, x) = (dims(&x), contiguous(x));
    let x = values(&x);
    // SAFETY: every element is written.
    let halves = unsafe {
        written_in_chunks(x.len(), CHUNK, |start, out| {
            let x = &x[start..][..out.len()];
            vectorize(
                #[inline(always)]
                || {
                    for (out, &x) in out.iter_mut().zip(x) {
                        out.write(bf16::from_bits(bf16_lane(x)));
                    }
                },
            );
        })
    };
    half_tensor(halves, shape)
}

/// A contiguous tensor of lanes of 32 bits, which no operation of burn's sees.
pub(crate) fn lanes_tensor(lanes: Vec<u32>, shape: impl Into<Shape>) -> FlexTensor {
    let shape = shape.into();
    assert_eq!(lanes.len(), shape.num_elements(), "a tensor has as many lanes as its shape says");
    FlexTensor::new(Bytes::from_elems(lanes), Layout::contiguous(shape), DType::U32)
}

/// A tensor of zeros: the gradient of a tensor that nothing depends on.
pub(crate) fn zeros(shape: impl Into<Shape>) -> FlexTensor {
    let shape = shape.into();
    tensor(vec![0.0; shape.num_elements()], shape)
}

/// The same tensor in contiguous memory.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() { x } else { x.to_contiguous() }
}

/// The elements of a [`contiguous`] tensor.
pub(crate) fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("a contiguous tensor of f32")
}

/// The sizes of a tensor's axes.
pub(crate) fn dims(x: &FlexTensor) -> Vec<usize> {
    x.layout().shape().to_vec()
}

/// The length of the last axis, and of all others together.
pub(crate) fn rows_and_width(x: &FlexTensor) -> (usize, usize) {
    let dims = dims(x);
    let width = dims.last().copied().unwrap_or(1);
    (dims[..dims.len().saturating_sub(1)].iter().product(), width)
}

/// A vector of `len` numbers that `fill` initialises.
///
/// # Safety
/// `fill` writes every element.
pub(crate) unsafe fn written<E>(len: usize, fill: impl FnOnce(&mut [MaybeUninit<E>])) -> Vec<E> {
    let mut vector = Vec::with_capacity(len);
    fill(&mut vector.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is `len` at least, and the caller promises that its elements are written.
    unsafe { vector.set_len(len) };
    vector
}

/// A vector of `len` numbers, initialised in pieces of `chunk`: `fill` is called with the index of a piece's first
/// element, on any thread.
///
/// # Safety
/// `fill` writes every element of its piece.
pub(crate) unsafe fn written_in_chunks<E: Send>(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<E>]) + Sync,
) -> Vec<E> {
    let all = |out: &mut [MaybeUninit<E>]| {
        if len <= chunk {
            return fill(0, out);
        }
        out.par_chunks_mut(chunk).enumerate().for_each(|(index, piece)| fill(index * chunk, piece));
    };
    // SAFETY: the caller's promise holds for every piece.
    unsafe { written(len, all) }
}

/// Two vectors of `len` numbers in pieces of `chunk`, like [`written_in_chunks`].
///
/// # Safety
/// `fill` writes every element of its pieces.
pub(crate) unsafe fn two_written_in_chunks<A: Send, B: Send>(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<A>], &mut [MaybeUninit<B>]) + Sync,
) -> (Vec<A>, Vec<B>) {
    let both = |a: &mut [MaybeUninit<A>], b: &mut [MaybeUninit<B>]| {
        let pieces = a.par_chunks_mut(chunk).zip(b.par_chunks_mut(chunk)).enumerate();
        pieces.for_each(|(index, (a, b))| fill(index * chunk, a, b));
    };
    let mut second = vec![];
    // SAFETY: the caller's promise holds for every piece.
    let first = unsafe { written(len, |a| second = written(len, |b| both(a, b))) };
    (first, second)
}

/// Number of rows in a piece of about [`CHUNK`] elements.
pub(crate) fn rows_a_chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// `f(x)` of each element.
pub(crate) fn map(x: &FlexTensor, f: impl Fn(f32) -> f32 + Sync) -> FlexTensor {
    map2(
        x,
        x,
        #[inline(always)]
        |x, _| f(x),
    )
}

/// `f(a, b)` of the elements of two tensors of one shape.
pub(crate) fn map2(a: &FlexTensor, b: &FlexTensor, f: impl Fn(f32, f32) -> f32 + Sync) -> FlexTensor {
    tensor(combined(values(a), values(b), f), dims(a))
}

/// `f(a, b)` of the elements of two slices of one length.
pub(crate) fn combined<E: Copy + Sync>(a: &[E], b: &[f32], f: impl Fn(E, f32) -> f32 + Sync) -> Vec<f32> {
    // SAFETY: every element is written.
    unsafe {
        written_in_chunks(a.len(), CHUNK, |start, out| {
            let (a, b) = (&a[start..][..out.len()], &b[start..][..out.len()]);
            vectorize(
                #[inline(always)]
                || {
                    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                        out.write(f(*a, *b));
                    }
                },
            );
        })
    }
}

/// Both results of `f` for the elements of three slices of one length.
pub(crate) fn two_combined<A: Send, B: Send>(
    [x, y, z]: [&[f32]; 3],
    f: impl Fn(f32, f32, f32) -> (A, B) + Sync,
) -> (Vec<A>, Vec<B>) {
    // SAFETY: every element of both is written.
    unsafe {
        two_written_in_chunks(x.len(), CHUNK, |start, first, second| {
            let at = start..start + first.len();
            let (x, y, z) = (&x[at.clone()], &y[at.clone()], &z[at]);
            vectorize(
                #[inline(always)]
                || {
                    let results = first.iter_mut().zip(&mut *second);
                    for ((((first, second), x), y), z) in results.zip(x).zip(y).zip(z) {
                        let (a, b) = f(*x, *y, *z);
                        first.write(a);
                        second.write(b);
                    }
                },
            );
        })
    }
}

/// The element-wise sum of parts of equal length, in their order.
pub(crate) fn sum_in_order(mut parts: Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    let mut sum = if parts.is_empty() { vec![0.0; len] } else { parts.remove(0) };
    for part in parts {
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sum
}
