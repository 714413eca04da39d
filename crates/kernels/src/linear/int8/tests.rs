use super::*;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| ((i * 37 + seed * 11) as f32 * 0.61).sin() * ((i % 7) as f32 + 0.1)).collect()
}

fn weights(inputs: usize) -> Vec<[i8; PANEL]> {
    (0..inputs).map(|input| std::array::from_fn(|output| ((input * 71 + output * 29) % 255) as u8 as i8)).collect()
}

/// The products by definition, in f64 except for the step sizes.
fn expected(x: &[f32], scales: &[f32], weights: &[[i8; PANEL]]) -> Vec<f64> {
    let scaled: Vec<f32> = x.iter().zip(scales).map(|(x, scale)| x * scale).collect();
    let step = f64::from(scaled.iter().fold(0.0f32, |largest, x| largest.max(x.abs()))) / 32_767.0;
    let of = |output: usize| {
        let products = scaled.iter().zip(weights);
        products.map(|(x, weights)| (f64::from(*x) / step).round() * step * f64::from(weights[output])).sum()
    };
    (0..PANEL).map(of).collect()
}

#[test]
fn products_are_those_of_rounded_numbers() {
    for rows in 1..=13 {
        for inputs in [1, 2, 7, 64, 127, INPUTS] {
            let (x, scales, weights) = (numbers(rows * inputs, 1), numbers(inputs, 2), weights(inputs));
            let mut rounded = Rounded::default();
            rounded.set(&x, inputs, 0..inputs, &scales);
            let start = numbers(rows * PANEL, 3);
            let (mut found, mut portable) = (start.clone(), start.clone());
            add_products(&rounded, &pairs(&weights), &mut found);
            add_portable(&rounded, &pairs(&weights), &mut portable);
            assert_eq!(found, portable, "{rows} rows of {inputs}: every instruction set gives the same bits");
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                let mut narrow = start.clone();
                #[expect(unsafe_code, reason = "the CPU has the instructions")]
                // SAFETY: it is checked, and the lengths are those of `add_products`.
                unsafe {
                    x86::add_256(&rounded, &pairs(&weights), &mut narrow);
                }
                assert_eq!(narrow, portable, "{rows} rows of {inputs} by AVX2");
            }
            for (row, x) in x.chunks(inputs).enumerate() {
                // A number half way between two steps may be rounded to either, and few are.
                let allowed = 1e-3 + 4.0 * 127.0 * f64::from(rounded.steps[row]);
                for (output, expected) in expected(x, &scales, &weights).into_iter().enumerate() {
                    let at = row * PANEL + output;
                    let (ours, theirs) = (f64::from(found[at]), expected + f64::from(start[at]));
                    assert!((ours - theirs).abs() <= allowed, "{rows}, {inputs}: {ours}, {theirs}");
                }
            }
        }
    }
}

#[test]
fn the_largest_products_do_not_overflow() {
    let (x, scales) = (vec![3.0; INPUTS], vec![0.5; INPUTS]);
    let mut rounded = Rounded::default();
    rounded.set(&x, INPUTS, 0..INPUTS, &scales);
    let mut sums = vec![0.0; PANEL];
    add_products(&rounded, &pairs(&[[-127; PANEL]; INPUTS]), &mut sums);
    let expected = -1.5 * 127.0 * INPUTS as f32;
    assert!(sums.iter().all(|sum| (sum - expected).abs() < 1e-6 * expected.abs()), "{}: {expected}", sums[0]);
}

#[test]
fn nan_stays_nan_and_zero_stays_zero() {
    for (x, wanted) in [(f32::NAN, f32::NAN), (f32::INFINITY, f32::NAN), (0.0, 0.0), (1e-42, 0.0)] {
        let mut rounded = Rounded::default();
        rounded.set(&[0.0, x, 0.0], 3, 0..3, &[1.0; 3]);
        let mut sums = vec![0.0; PANEL];
        add_products(&rounded, &pairs(&[[1; PANEL]; 3]), &mut sums);
        assert!(sums.iter().all(|sum| sum.to_bits() == wanted.to_bits() || (sum.is_nan() && wanted.is_nan())), "{x}");
    }
}
