//! Products with weights in bf16 in the tile registers of AMX, which read a panel as it is stored.

#![expect(unsafe_code, reason = "kernels that need a CPU with their instructions")]

use std::ops::Range;

use super::RoundedRows;
use crate::chain::Bf16Pair;
use crate::linear::int8::PANEL;
use crate::product::pairs::{BLOCK, PairProduct, PairUnit};

/// Pairs of inputs that are multiplied at once: 32 KiB of a panel, which stay in L1 for all rows.
const PART: usize = 128;

/// Sums of the last block, which may have fewer rows.
#[repr(C, align(64))]
struct EdgeSums([f32; BLOCK * PANEL]);

/// Rounds `rows` rows for [`add_products`].
pub(in crate::linear) fn rounded(x: &[f32], row_length: usize, rows: usize) -> RoundedRows {
    RoundedRows::of(x, row_length, if rows == 1 { 1 } else { BLOCK })
}

/// Adds to the sums `[rows, PANEL]` the products of some [`rounded`] rows, the first of which begins a [`BLOCK`], with
/// a panel.
///
/// # Safety
/// The CPU has the unit, and AVX512-BF16.
pub(in crate::linear) unsafe fn add_products<U: PairUnit>(
    x: &RoundedRows,
    rows: Range<usize>,
    panel: &[Bf16Pair],
    sums: &mut [f32],
) {
    assert_eq!(sums.len(), rows.len() * PANEL, "a row of sums for each row");
    assert!(panel.len() <= x.stride * PANEL, "a row has a pair for each of the panel");
    let (whole, rest) = sums.split_at_mut(rows.len() / BLOCK * BLOCK * PANEL);
    let [first, last] = [rows.start, rows.start + whole.len() / PANEL].map(|row| &x.pairs()[row * x.stride..]);
    // With stride 0 every row of the block is the one that is left; the sums of only one are kept.
    let stride_of_last = if rest.len() == PANEL { 0 } else { x.stride };
    let work = || {
        // SAFETY: the thread is prepared.
        unsafe {
            if !whole.is_empty() {
                add_blocks::<U>(first, x.stride, panel, whole);
            }
            if !rest.is_empty() {
                let mut edge = EdgeSums([0.0; BLOCK * PANEL]);
                edge.0[..rest.len()].copy_from_slice(rest);
                add_blocks::<U>(last, stride_of_last, panel, &mut edge.0);
                rest.copy_from_slice(&edge.0[..rest.len()]);
            }
        }
    };
    // SAFETY: the caller's promise.
    unsafe { U::prepared(work) }
}

/// [`add_products`] of whole blocks of rows.
///
/// # Safety
/// The thread is [prepared](PairUnit::prepared).
unsafe fn add_blocks<U: PairUnit>(x: &[Bf16Pair], stride: usize, panel: &[Bf16Pair], sums: &mut [f32]) {
    let pairs = panel.len() / PANEL;
    for from in (0..pairs).step_by(PART) {
        let product = PairProduct {
            a: &x[from..],
            a_stride: stride,
            b: &panel[from * PANEL..],
            b_stride: PANEL,
            m: sums.len() / PANEL,
            c: sums,
            c_stride: PANEL,
            n: PANEL,
            pairs: PART.min(pairs - from),
            add: true,
        };
        // SAFETY: the caller's promise.
        unsafe { product.run::<U>() }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use half::bf16;

    use super::*;
    use crate::isa::Isa;
    use crate::linear::pairs::PairPanels;
    use crate::product::pairs::{AmxUnit, SoftwareUnit, VectorUnit, emulate_tiles};
    use crate::product::tests::numbers;

    fn halves(count: usize, seed: u64) -> Vec<f32> {
        numbers(count, seed).into_iter().map(|number| bf16::from_f32(number).to_f32()).collect()
    }

    /// Sums of several sizes against the definition, and each row alone against the same row among others.
    fn check<U: PairUnit>() {
        for (inputs, rows) in [(1, 1), (31, 3), (64, 33), (290, 70), (600, 32)] {
            let (weight, x) = (halves(inputs * PANEL, 1), halves(rows * inputs, 2));
            let panels =
                PairPanels::of(Tensor::from_data(TensorData::new(weight.clone(), [inputs, PANEL]), &Device::flex()));
            let start = numbers(rows * PANEL, 3);
            let sums = |rows: Range<usize>| {
                let mut sums = start[rows.start * PANEL..rows.end * PANEL].to_vec();
                let x = rounded(&x[rows.start * inputs..rows.end * inputs], inputs, rows.len());
                // SAFETY: the CPU has AVX512-BF16, and tiles are emulated.
                unsafe { add_products::<U>(&x, 0..rows.len(), panels.weights(), &mut sums) };
                sums
            };
            let all = sums(0..rows);
            for (index, &sum) in all.iter().enumerate() {
                let (row, output) = (index / PANEL, index % PANEL);
                let term =
                    |input: usize| f64::from(x[row * inputs + input]) * f64::from(weight[input * PANEL + output]);
                let expected = f64::from(start[index]) + (0..inputs).map(term).sum::<f64>();
                let off = (f64::from(sum) - expected).abs();
                assert!(off < 1e-4, "{inputs} inputs, row {row} of {rows}, output {output}: {sum}, not {expected}");
            }
            for row in 0..rows {
                let bits = |sums: &[f32]| sums.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>();
                let among_all = &all[row * PANEL..][..PANEL];
                assert_eq!(bits(&sums(row..row + 1)), bits(among_all), "{inputs} inputs, row {row} of {rows}");
            }
        }
    }

    #[test]
    fn sums_in_tiles_depend_on_no_other_row() {
        if !Isa::best().has_bf16() {
            eprintln!("not checked: this CPU has no AVX512-BF16");
            return;
        }
        check::<VectorUnit>();
        check::<SoftwareUnit>();
        if emulate_tiles() {
            check::<AmxUnit>();
        }
    }
}
