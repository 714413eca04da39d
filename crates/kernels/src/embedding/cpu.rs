//! Gathers rows of a table; the backward pass sums the gradients of each row.

#![expect(unsafe_code, reason = "threads write disjoint rows of one table")]

use std::mem::MaybeUninit;

use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::host::{contiguous, dims, rows_a_chunk, tensor, values, written, written_in_chunks};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::vectorize;

/// Number of parts of the table that threads sum in parallel. Part p of P has rows p, p + P, p + 2P, …, so that
/// frequent tokens, which have neighbouring ids, are spread over all parts.
const PARTS: usize = 16;

#[derive(Debug)]
pub(super) struct Embedding {
    pub ids: Vec<u32>,
    pub shape: [usize; 2],
}

impl Kernel for Embedding {
    fn forward(&self, mut inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let table = contiguous(inputs.remove(0));
        let [rows, width] = dims(&table)[..] else { unreachable!("a table has rows and columns") };
        let values = values(&table);
        if let Some(id) = self.ids.iter().find(|&&id| id as usize >= rows) {
            panic!("id {id} is not in a table of {rows} rows");
        }
        // SAFETY: every row is written.
        let output = unsafe {
            written_in_chunks(self.ids.len() * width, rows_a_chunk(width) * width, |start, out| {
                for (out, &id) in out.chunks_exact_mut(width).zip(&self.ids[start / width..]) {
                    out.write_copy_of_slice(&values[id as usize * width..][..width]);
                }
            })
        };
        let output = tensor(output, [self.shape[0], self.shape[1], width]);
        // The gradient needs only the table's shape; keeping the table costs nothing, since it is a parameter.
        Forward { output, saved: if tracked.any() { vec![table] } else { vec![] } }
    }

    /// One thread clears and sums each row, in the order of the ids: the sum does not depend on the threads.
    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let [rows, width] = dims(&saved[0])[..] else { unreachable!("a table has rows and columns") };
        let gradient = contiguous(gradient);
        let gradient = values(&gradient);
        let add_up = |part: usize, table: Table| {
            for row in (part..rows).step_by(PARTS) {
                // SAFETY: the row is in the table and this part's.
                unsafe { table.row(row) }.fill(MaybeUninit::new(0.0));
            }
            let gradients = self.ids.iter().zip(gradient.chunks_exact(width));
            for (&id, gradient) in gradients.filter(|(id, _)| **id as usize % PARTS == part) {
                // SAFETY: the id was checked, and its row is this part's and cleared.
                let sum = unsafe { table.row(id as usize).assume_init_mut() };
                vectorize(
                    #[inline(always)]
                    || sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient),
                );
            }
        };
        // SAFETY: the parts cover every row.
        let sum = unsafe {
            written(rows * width, |sum| {
                let table = Table { first: sum.as_mut_ptr(), width };
                (0..PARTS).into_par_iter().for_each(|part| add_up(part, table));
            })
        };
        vec![Some(tensor(sum, [rows, width]))]
    }
}

/// A table to whose rows several threads write.
#[derive(Clone, Copy)]
struct Table {
    first: *mut MaybeUninit<f32>,
    width: usize,
}

// SAFETY: each thread writes different rows.
unsafe impl Send for Table {}
// SAFETY: as above; nothing is shared but the pointer.
unsafe impl Sync for Table {}

impl Table {
    /// # Safety
    /// `row` is in the table, and no other reference to it exists.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the pointer is what is shared")]
    unsafe fn row(&self, row: usize) -> &mut [MaybeUninit<f32>] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(row * self.width), self.width) }
    }
}
