//! Products of pairs, and their packing, against their definitions.

use std::mem::MaybeUninit;

use half::bf16;

use super::pack::{Rows, pair_lanes, pair_rows, round_rows, transpose, transpose_pairs};
use super::{AmxUnit, PairProduct, PairUnit, SoftwareUnit, VectorUnit, emulate_tiles};
use crate::isa::Isa;
use crate::product::tests::numbers;

/// Numbers that bf16 has.
fn halves(n: usize, seed: u64) -> Vec<bf16> {
    numbers(n, seed).into_iter().map(bf16::from_f32).collect()
}

/// Lanes of two numbers each.
fn lanes(numbers: &[bf16]) -> Vec<u32> {
    numbers.chunks_exact(2).map(|pair| u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16).collect()
}

fn uninitialised(lanes: &mut [u32]) -> &mut [MaybeUninit<u32>] {
    // SAFETY: only initialised lanes are written to it.
    unsafe { &mut *(std::ptr::from_mut(lanes) as *mut [MaybeUninit<u32>]) }
}

/// Computes products of several shapes with gaps between rows, and compares them with the definition.
fn check<U: PairUnit>() {
    for [m, n, k] in [[32, 32, 32], [64, 32, 96], [32, 96, 64], [128, 64, 32]] {
        let (a, b) = (halves(m * (k + 4), 1), halves(k * (n + 3), 2));
        let a_stride = k / 2 + 2;
        // A row of pairs of B for each two rows of numbers.
        let pairs: Vec<bf16> = (0..k / 2 * (n + 3))
            .flat_map(|i| [0, 1].map(|half| b[(2 * (i / (n + 3)) + half) * (n + 3) + i % (n + 3)]))
            .collect();
        for add in [false, true] {
            let mut c = numbers(m * (n + 5), 3);
            let before = c.clone();
            let (a_lanes, b_lanes) = (lanes(&a), lanes(&pairs));
            let product = PairProduct {
                a: &a_lanes,
                a_stride,
                b: &b_lanes,
                b_stride: n + 3,
                c: &mut c,
                c_stride: n + 5,
                m,
                n,
                pairs: k / 2,
                add,
            };
            // SAFETY: the CPU has AVX512-BF16, and tiles are emulated.
            unsafe { U::prepared(|| product.run::<U>()) };
            for (i, (&c, &before)) in c.iter().zip(&before).enumerate() {
                let (row, column) = (i / (n + 5), i % (n + 5));
                let term = |j: usize| f64::from(a[row * (k + 4) + j]) * f64::from(b[j * (n + 3) + column]);
                let expected = match column < n {
                    true => (0..k).map(term).sum::<f64>() + if add { f64::from(before) } else { 0.0 },
                    false => f64::from(before),
                };
                assert!(
                    (f64::from(c) - expected).abs() < 1e-4,
                    "{m} × {n} × {k}, {row}, {column}: {c}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn every_unit_multiplies_pairs() {
    if Isa::best().has_bf16() {
        check::<VectorUnit>();
        check::<SoftwareUnit>();
        if emulate_tiles() {
            check::<AmxUnit>();
        }
    }
}

#[test]
fn rows_become_pairs() {
    if !Isa::best().has_bf16() {
        return;
    }
    for [count, width] in [[1, 1], [3, 15], [2, 16], [5, 33], [16, 64]] {
        let (data, stride, lane_count) = (numbers(count * (width + 2), 1), width + 2, 48);
        let mut out = vec![7; count * lane_count];
        // SAFETY: the CPU has AVX512-BF16.
        unsafe { round_rows(Rows::new(&data, stride, [count, width]), 3.0, lane_count, uninitialised(&mut out)) };
        let number = |row: usize, column: usize| match column < width {
            true => bf16::from_f32(3.0 * data[row * stride + column]),
            false => bf16::ZERO,
        };
        let expected: Vec<bf16> = (0..count * 2 * lane_count).map(|i| number(i / 96, i % 96)).collect();
        assert_eq!(out, lanes(&expected), "{count} × {width}");
    }
    let data = numbers(6 * 40, 2);
    let mut out = vec![7; 3 * 32];
    // SAFETY: as above.
    unsafe { pair_rows(Rows::new(&data, 40, [6, 32]), &mut out) };
    let number = |i: usize| [0, 1].map(|half| bf16::from_f32(data[(2 * (i / 32) + half) * 40 + i % 32]));
    assert_eq!(out, lanes(&(0..96).flat_map(number).collect::<Vec<_>>()));
}

#[test]
fn pairs_turn_by_a_quarter() {
    if !Isa::best().has_bf16() {
        return;
    }
    for count in [1, 2, 15, 31, 32] {
        let (rows, width) = (halves(count * 64, 5), 64);
        let row_lanes = lanes(&rows);
        let from = Rows::new(&row_lanes, 32, [count, 32]);
        let number = |row: usize, column: usize| if row < count { rows[row * width + column] } else { bf16::ZERO };
        let [mut columns, mut pairs, mut columns_of_pairs] = [vec![7; 32 * 32], vec![7; 16 * 64], vec![7; 64 * 16]];
        // SAFETY: the CPU has AVX512-BF16.
        unsafe {
            transpose(from, 32, &mut columns, 32);
            pair_lanes(from, &mut pairs);
            transpose_pairs(from, uninitialised(&mut columns_of_pairs), 16);
        }
        let by_lanes = |i: usize| [0, 1].map(|half| number(i % 32, 2 * (i / 32) + half));
        assert_eq!(columns, lanes(&(0..32 * 32).flat_map(by_lanes).collect::<Vec<_>>()), "{count}");
        let by_rows = |i: usize| [0, 1].map(|half| number(2 * (i / 64) + half, i % 64));
        assert_eq!(pairs, lanes(&(0..16 * 64).flat_map(by_rows).collect::<Vec<_>>()), "{count}");
        let by_columns = |i: usize| [0, 1].map(|half| number(2 * (i % 16) + half, i / 16));
        assert_eq!(columns_of_pairs, lanes(&(0..64 * 16).flat_map(by_columns).collect::<Vec<_>>()), "{count}");
    }
}
