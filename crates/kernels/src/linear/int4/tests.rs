use burn::tensor::{Device, TensorData};

use super::*;
#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| ((i * 37 + seed * 11) as f32 * 0.61).sin() * ((i % 7) as f32 + 0.1)).collect()
}

/// A weight whose outputs are given one after another, each with its inputs.
fn panels(outputs: &[Vec<f32>]) -> NibblePanels {
    let (width, height) = (outputs.len(), outputs[0].len());
    let weight = Tensor::<2>::from_data(TensorData::new(outputs.concat(), [width, height]), &Device::flex());
    NibblePanels::of(weight.transpose() + Tensor::zeros([height, width], &Device::flex()))
}

fn bits(sums: &[f32]) -> Vec<u32> {
    sums.iter().map(|sum| sum.to_bits()).collect()
}

#[test]
fn every_level_gives_the_products_of_the_rounded_numbers() {
    for inputs in [1, 31, 32, 33, 64, 130, 576] {
        let outputs: Vec<Vec<f32>> = (0..70).map(|output| numbers(inputs, output + 1)).collect();
        let panels = panels(&outputs);
        for (panel, count) in [(0, PANEL), (1, 6)] {
            let mut weights = vec![];
            panels.widen_outputs(panel * PANEL..panel * PANEL + count, &mut weights);
            for rows in [1, 2, 3, 4, 5, 9] {
                let x = RoundedInputs::of(&numbers(rows * inputs, 7), inputs);
                let start = vec![0.5; rows * PANEL];
                let (mut found, mut portable) = (start.clone(), start.clone());
                add_products(&x, 0..rows, panels.panel(panel), &mut found);
                add_portable(&x, 0..rows, panels.panel(panel), &mut portable);
                assert_eq!(bits(&found), bits(&portable), "the best instructions");
                #[cfg(target_arch = "x86_64")]
                for (name, is_there, add) in [
                    ("AVX2", Isa::best() >= Isa::Avx2, x86::add_256 as unsafe fn(_: &_, _: &_, _: &_, _: &mut _)),
                    ("AVX-VNNI", is_x86_feature_detected!("avxvnni"), x86::add_256_vnni),
                ] {
                    let mut narrow = start.clone();
                    if !is_there {
                        continue;
                    }
                    #[expect(unsafe_code, reason = "the CPU has the instructions")]
                    // SAFETY: it is checked, and the lengths are those of `add_products`.
                    unsafe {
                        add(&x, &(0..rows), panels.panel(panel), &mut narrow);
                    }
                    assert_eq!(bits(&narrow), bits(&portable), "{name}");
                }
                for (row, output) in (0..rows).flat_map(|row| (0..count).map(move |output| (row, output))) {
                    let x = (0..inputs).map(|i| {
                        let half = x.half(row, i / GROUP);
                        f64::from(half.values[i % GROUP]) * f64::from(half.step)
                    });
                    let products = x.zip(&weights[output * inputs..]).map(|(x, weight)| x * f64::from(*weight));
                    let (expected, found) = (0.5 + products.sum::<f64>(), f64::from(found[row * PANEL + output]));
                    assert!((found - expected).abs() < 2e-3, "{inputs} inputs, {row}, {output}: {found}, {expected}");
                }
            }
        }
    }
}

/// Numbers that 4 bits hold come back as they were; others at most a step off, and with a smaller squared
/// error than steps between the extremes have.
#[test]
fn weights_are_rounded_with_small_errors() {
    let exact: Vec<f32> = (0..96).map(|i| ((i * 7) % 16) as f32 * 0.25 - 1.0).collect();
    let mut wide = vec![];
    panels(&[exact.clone(), vec![0.375; 96], vec![0.0; 96]]).widen_outputs(0..3, &mut wide);
    assert_eq!(bits(&wide), bits(&[exact, vec![0.375; 96], vec![0.0; 96]].concat()));

    let (mut squares, mut of_extremes) = (0.0, 0.0);
    for seed in 0..100 {
        let weights = numbers(GROUP, seed);
        let mut wide = vec![];
        panels(std::slice::from_ref(&weights)).widen_outputs(0..1, &mut wide);
        let (least, largest) = weights.iter().fold((f32::MAX, f32::MIN), |(a, b), &x| (a.min(x), b.max(x)));
        let step = (largest - least) / 15.0;
        for (weight, wide) in weights.iter().zip(wide) {
            assert!((wide - weight).abs() < step, "seed {seed}: {wide}, not {weight}");
            squares += f64::from(wide - weight).powi(2);
            of_extremes += f64::from(((weight - least) / step).round().mul_add(step, least) - weight).powi(2);
        }
    }
    assert!(squares < 0.95 * of_extremes, "{squares}, and {of_extremes} with steps between the extremes");
}

#[test]
fn nan_stays_nan() {
    let panels = panels(&vec![vec![1.0; 3]; PANEL]);
    for x in [f32::NAN, f32::INFINITY] {
        let mut sums = vec![0.0; PANEL];
        add_products(&RoundedInputs::of(&[0.0, x, 0.0], 3), 0..1, panels.panel(0), &mut sums);
        assert!(sums.iter().all(|sum| sum.is_nan()), "{x}");
    }
}
