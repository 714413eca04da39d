#![expect(clippy::float_cmp, reason = "what is compared is exact")]

use burn::tensor::{Device, TensorData};

use super::*;
#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::product::pairs::emulate_tiles;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| ((i * 37 + seed * 11) as f32 * 0.61).sin() * ((i % 7) as f32 + 0.1)).collect()
}

/// Integers of at most 127; the first of each [`BLOCK`] is ±127, so that rounding leaves them as they are.
fn integers(count: usize, seed: usize) -> Vec<f32> {
    let largest = |i: usize| if (i / BLOCK + seed).is_multiple_of(3) { -127.0 } else { 127.0 };
    let of = |i: usize| if i.is_multiple_of(BLOCK) { largest(i) } else { ((i * 71 + seed * 29) % 255) as f32 - 127.0 };
    (0..count).map(of).collect()
}

/// A weight whose outputs are given one after another, each with its inputs.
fn panels(outputs: &[Vec<f32>]) -> IntegerPanels {
    let (width, height) = (outputs.len(), outputs[0].len());
    let weight = Tensor::<2>::from_data(TensorData::new(outputs.concat(), [width, height]), &Device::flex());
    IntegerPanels::of(weight.transpose() + Tensor::zeros([height, width], &Device::flex()))
}

/// The sums after adding products, which every instruction set gives.
fn sums_of(inputs: &RoundedInputs, panel: &[IntegerBlock], start: &[f32]) -> Vec<f32> {
    let (mut found, mut portable) = (start.to_vec(), start.to_vec());
    add_products(inputs, 0..inputs.rows, panel, &mut found);
    add_portable(inputs, 0..inputs.rows, panel, &mut portable);
    let bits = |sums: &[f32]| sums.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&found), bits(&portable), "the best instructions");
    #[cfg(target_arch = "x86_64")]
    for (name, is_there, add) in [
        ("AVX2", Isa::best() >= Isa::Avx2, x86::add_256 as unsafe fn(_: &_, _: &_, _: &_, _: &mut _)),
        ("AVX-VNNI", is_x86_feature_detected!("avxvnni"), x86::add_256_vnni),
        ("AMX", is_x86_feature_detected!("avx512vnni") && emulate_tiles(), x86::add_amx),
    ] {
        if !is_there {
            eprintln!("not checked: {name}, which this CPU does not have");
            continue;
        }
        let mut narrow = start.to_vec();
        #[expect(unsafe_code, reason = "the CPU has the instructions")]
        // SAFETY: it is checked, and the lengths are those of `add_products`.
        unsafe {
            add(inputs, &(0..inputs.rows), panel, &mut narrow);
        }
        assert_eq!(bits(&narrow), bits(&portable), "{name}");
    }
    found
}

#[test]
fn products_of_integers_are_exact() {
    for inputs in [1, 2, 7, 64, 127, 130, 192] {
        let outputs: Vec<Vec<f32>> = (0..50).map(|output| integers(inputs, output)).collect();
        let panels = panels(&outputs);
        for rows in (1..=13).chain([16, 35]) {
            let x: Vec<Vec<f32>> = (0..rows).map(|row| integers(inputs, 3 * row + 100)).collect();
            let start: Vec<f32> = (0..rows * PANEL).map(|i| (i % 100) as f32 - 50.0).collect();
            let found = sums_of(&RoundedInputs::of(&x.concat(), inputs), panels.panel(0), &start);
            for (row, x) in x.iter().enumerate() {
                for output in 0..PANEL {
                    let at = row * PANEL + output;
                    let products =
                        |weights: &Vec<f32>| x.iter().zip(weights).map(|(x, weight)| x * weight).sum::<f32>();
                    // What pads a panel adds nothing.
                    let expected = start[at] + outputs.get(output).map_or(0.0, products);
                    assert_eq!(found[at], expected, "{inputs} inputs, row {row} of {rows}, output {output}");
                }
            }
        }
    }
}

#[test]
fn products_are_those_of_rounded_numbers() {
    for inputs in [1, 63, 64, 130, 576] {
        let outputs: Vec<Vec<f32>> = (0..PANEL as u32).map(|output| numbers(inputs, output + 1)).collect();
        let panels = panels(&outputs);
        for rows in [1, 2, 3, 4, 9, 33] {
            let x: Vec<Vec<f32>> = (0..rows as u32).map(|row| numbers(inputs, row + 100)).collect();
            let found = sums_of(&RoundedInputs::of(&x.concat(), inputs), panels.panel(0), &vec![0.5; rows * PANEL]);
            for (row, x) in x.iter().enumerate() {
                for (output, weights) in outputs.iter().enumerate() {
                    let (x, weights) = (rounded(x), rounded(weights));
                    let expected = 0.5 + x.iter().zip(&weights).map(|(x, weight)| x * weight).sum::<f64>();
                    // One number half way between two steps may be rounded to either.
                    let most = |numbers: &[f64]| numbers.iter().fold(0.0f64, |most, x| most.max(x.abs()));
                    let allowed = 1e-4 + most(&x) * most(&weights) / 127.0;
                    let off = (f64::from(found[row * PANEL + output]) - expected).abs();
                    assert!(off <= allowed, "{inputs} inputs, row {row} of {rows}, output {output}: {off}");
                }
            }
        }
    }
}

/// What rounding leaves of numbers, in f64.
fn rounded(numbers: &[f32]) -> Vec<f64> {
    let of_block = |block: &[f32]| {
        let step = f64::from(block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()))) / 127.0;
        block.iter().map(|x| (f64::from(*x) / step).round() * step).collect::<Vec<_>>()
    };
    numbers.chunks(BLOCK).flat_map(of_block).collect()
}

#[test]
fn weights_come_back_rounded() {
    let outputs: Vec<Vec<f32>> = (0..130).map(|output| numbers(200, output)).collect();
    let mut wide = vec![];
    panels(&outputs).widen_outputs(60..130, &mut wide);
    for (wide, weights) in wide.chunks_exact(200).zip(&outputs[60..]) {
        for (wide, expected) in wide.iter().zip(rounded(weights)) {
            assert!((f64::from(*wide) - expected).abs() < 1e-6 * expected.abs().max(1.0), "{wide}: {expected}");
        }
    }
}

#[test]
fn the_largest_products_do_not_overflow() {
    for weight in [-127.0, 127.0] {
        let panels = panels(&vec![vec![weight; 2 * BLOCK]; PANEL]);
        for x in [-127.0, 127.0] {
            let found = sums_of(&RoundedInputs::of(&[x; 2 * BLOCK], 2 * BLOCK), panels.panel(0), &[0.0; PANEL]);
            assert_eq!(found, [x * weight * (2 * BLOCK) as f32; PANEL]);
        }
    }
}

#[test]
fn nan_stays_nan_and_zero_stays_zero() {
    let panels = panels(&vec![vec![1.0; 3]; PANEL]);
    for (x, wanted) in [(f32::NAN, f32::NAN), (f32::INFINITY, f32::NAN), (0.0, 0.0), (1e-42, 0.0)] {
        let inputs = RoundedInputs::of(&[0.0, x, 0.0], 3);
        let mut sums = vec![0.0; PANEL];
        add_products(&inputs, 0..1, panels.panel(0), &mut sums);
        assert!(sums.iter().all(|sum| sum.to_bits() == wanted.to_bits() || (sum.is_nan() && wanted.is_nan())), "{x}");
    }
}
