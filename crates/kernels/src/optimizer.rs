//! The arithmetic of optimiser updates, twice: one pass over host memory, or tensor operations on a device. No
//! parameters, no state.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

/// Numbers per parallel task: enough that scheduling costs little.
const CHUNK: usize = 1 << 14;

/// Coefficients of one `AdamW` update (Loshchilov and Hutter 2017, <https://arxiv.org/abs/1711.05101>).
#[derive(Clone, Copy, Debug)]
pub struct AdamWCoefficients {
    /// Factor of the gradient: clipping and averaging.
    pub gradient: f64,
    /// Decay of the mean gradient, β₁.
    pub beta1: f64,
    /// Decay of the mean squared gradient, β₂.
    pub beta2: f64,
    /// Added to the denominator, ε.
    pub epsilon: f64,
    /// 1 − ηλ
    pub keep: f64,
    /// η / (1 − β₁ᵗ)
    pub rate: f64,
    /// √(1 − β₂ᵗ)
    pub correction2: f64,
}

/// The new weight, first and second moment of `AdamW`, all `[elements]`. `on_host`: the tensors hold f32 in host memory
/// (`flex`, `ndarray`), and are updated in one pass.
pub fn adamw(
    weight: Tensor<1>,
    gradient: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
    c: AdamWCoefficients,
    on_host: bool,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    if !on_host {
        let gradient = gradient * c.gradient;
        let first = first * c.beta1 + gradient.clone() * (1.0 - c.beta1);
        let second = second * c.beta2 + gradient.square() * (1.0 - c.beta2);
        let denominator = second.clone().sqrt() / c.correction2 + c.epsilon;
        let weight = weight * c.keep - first.clone() / denominator * c.rate;
        return (weight, first, second);
    }
    let device = weight.device();
    let (mut weight, gradient) = (weight.into_data(), gradient.into_data());
    let (mut first, mut second) = (first.into_data(), second.into_data());
    update_numbers(slice_mut(&mut weight), slice(&gradient), slice_mut(&mut first), slice_mut(&mut second), c);
    let tensor = |data| Tensor::from_data(data, &device);
    (tensor(weight), tensor(first), tensor(second))
}

fn slice(data: &TensorData) -> &[f32] {
    data.as_slice().expect("parameters and gradients are f32")
}

fn slice_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().expect("parameters and gradients are f32")
}

fn update_numbers(weight: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], c: AdamWCoefficients) {
    let (beta1, beta2) = (c.beta1 as f32, c.beta2 as f32);
    let (add1, add2) = ((1.0 - c.beta1) as f32, (1.0 - c.beta2) as f32);
    let (scale, keep, rate, epsilon) = (c.gradient as f32, c.keep as f32, c.rate as f32, c.epsilon as f32);
    let correction2 = (1.0 / c.correction2) as f32;
    weight
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK)))
        .for_each(|((weight, gradient), (first, second))| {
            for (((w, &g), m), v) in weight.iter_mut().zip(gradient).zip(first).zip(second) {
                let g = g * scale;
                *m = *m * beta1 + g * add1;
                *v = *v * beta2 + g * g * add2;
                *w = *w * keep - *m / (v.sqrt() * correction2 + epsilon) * rate;
            }
        });
}

/// Moving average of gradients.
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    /// Factor of the gradient: clipping and averaging.
    pub gradient: f64,
    /// Decay of the mean, μ.
    pub keep: f64,
}

/// Nesterov momentum: `m ← μ·m + (1 − μ)·g`. Returns the look-ahead `μ·m + (1 − μ)·g`, then m.
pub fn advance(gradient: Tensor<1>, momentum: Tensor<1>, c: Momentum, on_host: bool) -> (Tensor<1>, Tensor<1>) {
    if !on_host {
        let gradient = gradient * (c.gradient * (1.0 - c.keep));
        let momentum = momentum * c.keep + gradient.clone();
        return (momentum.clone() * c.keep + gradient, momentum);
    }
    let (factor, keep) = ((c.gradient * (1.0 - c.keep)) as f32, c.keep as f32);
    in_one_pass(gradient, momentum, |ahead, m| {
        let g = *ahead * factor;
        *m = keep.mul_add(*m, g);
        *ahead = keep.mul_add(*m, g);
    })
}

/// `keep·w + rate·direction`
pub fn add_scaled(weight: Tensor<1>, keep: f64, direction: Tensor<1>, rate: f64, on_host: bool) -> Tensor<1> {
    if !on_host {
        return weight * keep + direction * rate;
    }
    let (keep, rate) = (keep as f32, rate as f32);
    in_one_pass(weight, direction, |w, d| *w = keep.mul_add(*w, *d * rate)).0
}

/// Updates two vectors in host memory, element by element, in place.
fn in_one_pass(a: Tensor<1>, b: Tensor<1>, f: impl Fn(&mut f32, &mut f32) + Sync) -> (Tensor<1>, Tensor<1>) {
    let device = a.device();
    let (mut a, mut b) = (a.into_data(), b.into_data());
    let chunks = slice_mut(&mut a).par_chunks_mut(CHUNK).zip(slice_mut(&mut b).par_chunks_mut(CHUNK));
    chunks.for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| f(a, b)));
    (Tensor::from_data(a, &device), Tensor::from_data(b, &device))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;

    const COEFFICIENTS: AdamWCoefficients = AdamWCoefficients {
        gradient: 0.5,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        keep: 0.999,
        rate: 0.01,
        correction2: 0.3,
    };

    /// The textbook's formula, element by element, in f64.
    #[test]
    fn both_ways_agree_with_the_formula() {
        let device = Device::flex();
        let numbers = |seed: f32| (0..40_000).map(|i| (i as f32 * 0.37 + seed).sin()).collect::<Vec<f32>>();
        let (w, g, m) = (numbers(0.0), numbers(1.0), numbers(2.0));
        let v: Vec<f32> = numbers(3.0).iter().map(|x| x * x).collect();
        let tensor = |numbers: &[f32]| Tensor::<1>::from_floats(numbers, &device);
        let c = COEFFICIENTS;
        for on_host in [true, false] {
            let (new_w, new_m, new_v) = adamw(tensor(&w), tensor(&g), tensor(&m), tensor(&v), c, on_host);
            let (new_w, new_m, new_v) = (new_w.into_data(), new_m.into_data(), new_v.into_data());
            for i in 0..w.len() {
                let g = f64::from(g[i]) * c.gradient;
                let m = c.beta1 * f64::from(m[i]) + (1.0 - c.beta1) * g;
                let v = c.beta2 * f64::from(v[i]) + (1.0 - c.beta2) * g * g;
                let w = f64::from(w[i]) * c.keep - c.rate * m / (v.sqrt() / c.correction2 + c.epsilon);
                for (got, expect) in [(slice(&new_m)[i], m), (slice(&new_v)[i], v), (slice(&new_w)[i], w)] {
                    assert!(
                        (f64::from(got) - expect).abs() < 2e-6,
                        "number {i}, on_host {on_host}: {got}, expected {expect}"
                    );
                }
            }
        }
    }

    #[test]
    fn both_ways_of_momentum_agree_with_the_formula() {
        let device = Device::flex();
        let numbers = |seed: f32| (0..40_000).map(|i| (i as f32 * 0.37 + seed).sin()).collect::<Vec<f32>>();
        let (g, m, w) = (numbers(0.0), numbers(1.0), numbers(2.0));
        let tensor = |numbers: &[f32]| Tensor::<1>::from_floats(numbers, &device);
        let c = Momentum { gradient: 0.5, keep: 0.9 };
        for on_host in [true, false] {
            let (ahead, momentum) = advance(tensor(&g), tensor(&m), c, on_host);
            let weight = add_scaled(tensor(&w), 0.99, ahead.clone(), -0.2, on_host);
            let (ahead, momentum, weight) = (ahead.into_data(), momentum.into_data(), weight.into_data());
            for i in 0..g.len() {
                let g = 0.1 * 0.5 * f64::from(g[i]);
                let m = 0.9 * f64::from(m[i]) + g;
                let expected = [0.9 * m + g, m, 0.99 * f64::from(w[i]) - 0.2 * (0.9 * m + g)];
                let found = [slice(&ahead)[i], slice(&momentum)[i], slice(&weight)[i]];
                for (found, expected) in found.into_iter().zip(expected) {
                    assert!(
                        (f64::from(found) - expected).abs() < 1e-6,
                        "number {i}, on_host {on_host}: {found}, expected {expected}"
                    );
                }
            }
        }
    }
}
