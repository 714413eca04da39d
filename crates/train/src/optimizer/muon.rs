//! Muon: momentum, orthogonalised (Jordan et al. 2024, <https://kellerjordan.github.io/posts/muon>).

use burn::tensor::Tensor;
use fireclay_kernels::optimizer::{Momentum, add_scaled, advance};
use fireclay_model::Precision;
use fireclay_model::linear::linear;

/// Steps of Newton and Schulz: singular values from a thousandth of the largest on end between 0.7 and 1.2.
const STEPS: usize = 5;
/// Coefficients of `σ ← a·σ + b·σ³ + c·σ⁵`, chosen for its slope at 0.
const POLYNOMIAL: [f64; 3] = [3.4445, -4.775, 2.0315];
/// The root mean square of what `AdamW` adds to a number, by learning rate 1.
const ADAMW_RMS: f64 = 0.2;

/// The direction of a matrix's update, and its new momentum.
#[derive(Debug)]
pub(super) struct Direction {
    /// `[rows · columns]`
    pub direction: Tensor<1>,
    /// `[rows · columns]`
    pub momentum: Tensor<1>,
}

impl Direction {
    /// Of a matrix of this shape, whose gradient and momentum are flat.
    pub fn of(
        gradient: Tensor<1>,
        momentum: Tensor<1>,
        [rows, columns]: [usize; 2],
        coefficients: Momentum,
        precision: Precision,
        on_host: bool,
    ) -> Self {
        let (ahead, momentum) = advance(gradient, momentum, coefficients, on_host);
        let direction = orthogonal(ahead.reshape([rows, columns]), precision).reshape([rows * columns]);
        Self { direction, momentum }
    }
}

/// The new weight, flat, of a matrix of this shape: `keep` is 1 − ηλ, `rate` η.
pub(super) fn update(
    weight: Tensor<1>,
    direction: Tensor<1>,
    [rows, columns]: [usize; 2],
    keep: f64,
    rate: f64,
    on_host: bool,
) -> Tensor<1> {
    let factor = ADAMW_RMS * (rows.max(columns) as f64).sqrt();
    add_scaled(weight, keep, direction, -rate * factor, on_host)
}

/// Nearly `U·Vᵀ` of a matrix `U·Σ·Vᵀ`.
fn orthogonal(matrix: Tensor<2>, precision: Precision) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    // The products are of the shorter side.
    if rows > columns {
        return orthogonal(matrix.transpose(), precision).transpose();
    }
    let product = |a: Tensor<2>, b: Tensor<2>| linear(a, b, None, precision);
    let norm = matrix.clone().square().sum().sqrt() + 1e-7;
    let [a, b, c] = POLYNOMIAL;
    let slope = Tensor::eye(rows, &matrix.device()) * a;
    let mut x = matrix / norm.unsqueeze();
    for _ in 0..STEPS {
        // (a·I + b·S + c·S²)·X with S = X·Xᵀ: one product of the long side fewer than term by term passes over it.
        let square = product(x.clone(), x.clone().transpose());
        let polynomial = slope.clone() + square.clone() * b + product(square.clone(), square) * c;
        x = product(polynomial, x);
    }
    x
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// `X·Xᵀ` of an orthogonal matrix is the identity; that of this one has eigenvalues between 0.7² and 1.2².
    #[test]
    fn rows_become_nearly_orthonormal() {
        let device = fireclay_model::device::parse("cpu").unwrap();
        for (shape, precision) in [([5, 12], Precision::F32), ([40, 16], Precision::F32), ([24, 24], Precision::Bf16)] {
            let numbers: Vec<f32> = (0..shape[0] * shape[1]).map(|i| ((i * i) as f32 * 0.37 + 1.0).sin()).collect();
            let matrix = Tensor::<2>::from_data(TensorData::new(numbers, shape), &device);
            let found = orthogonal(matrix.clone(), precision);
            let short = shape[0].min(shape[1]);
            let rows = if shape[0] > shape[1] { found.clone().transpose() } else { found.clone() };
            let gram = rows.clone().matmul(rows.transpose()).into_data().try_to_vec::<f32>().unwrap();
            for (i, value) in gram.iter().enumerate() {
                let allowed = if i % (short + 1) == 0 { 0.45..1.5 } else { -0.35..0.35 };
                assert!(allowed.contains(value), "{shape:?}, {}, {}: {value}", i / short, i % short);
            }
            // It points where the matrix does.
            let along = (found * matrix).sum().into_scalar::<f32>();
            assert!(along > 0.0, "{shape:?}: {along}");
        }
    }
}
