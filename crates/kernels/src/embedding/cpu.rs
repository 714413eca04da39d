//! Gathering rows, and adding up the gradients of each.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::host::{contiguous, dims, rows_a_chunk, tensor, values, written_in_chunks};
use crate::op::{Forward, Kernel, Tracked};
use crate::simd::vectorize;

/// Columns that one thread adds up at a time: a few cache lines of every row.
const COLUMNS: usize = 64;

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
        // The gradient needs the table's shape alone; keeping it costs nothing, as it is a parameter.
        Forward { output, saved: if tracked.any() { vec![table] } else { vec![] } }
    }

    /// Each thread adds up some columns of all rows, in the order of the ids: the sum does not depend on who adds.
    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let [rows, width] = dims(&saved[0])[..] else { unreachable!("a table has rows and columns") };
        let gradient = contiguous(gradient);
        let gradient = values(&gradient);
        let mut sum = vec![0.0f32; rows * width];
        let columns: Vec<(usize, ColumnsOf)> = (0..width)
            .step_by(COLUMNS)
            .map(|first| (first, ColumnsOf { table: sum.as_mut_ptr(), width, count: COLUMNS.min(width - first) }))
            .collect();
        columns.into_par_iter().for_each(|(first, columns)| {
            vectorize(
                #[inline(always)]
                || {
                    for (id, row) in self.ids.iter().zip(gradient.chunks_exact(width)) {
                        // SAFETY: the id was checked; no other thread has these columns.
                        let sums = unsafe { columns.of_row(*id as usize, first) };
                        for (sum, gradient) in sums.iter_mut().zip(&row[first..]) {
                            *sum += gradient;
                        }
                    }
                },
            );
        });
        vec![Some(tensor(sum, [rows, width]))]
    }
}

/// Some columns of a table that one thread writes.
struct ColumnsOf {
    table: *mut f32,
    width: usize,
    count: usize,
}

// SAFETY: each thread is given columns of its own.
unsafe impl Send for ColumnsOf {}
// SAFETY: as above; nothing is shared but the pointer.
unsafe impl Sync for ColumnsOf {}

impl ColumnsOf {
    /// # Safety
    /// `row` is in the table, and no other reference to these columns of it exists.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the pointer is what is shared")]
    unsafe fn of_row(&self, row: usize, first: usize) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.table.add(row * self.width + first), self.count) }
    }
}
