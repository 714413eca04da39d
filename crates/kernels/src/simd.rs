//! Elementary functions on 16 lanes, in plain Rust that LLVM turns into vector instructions.
//!
//! Everything here is branch-free and inlined, so that a loop over it inside [`vectorize`] compiles to AVX-512, AVX2 or
//! NEON code. Sums and maxima use 16 partial results in a fixed order, so a row gives the same number on every CPU that
//! has fused multiply-add.

use pulp::{Arch, NullaryFnOnce};

#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;

/// Number of lanes processed together: one AVX-512 register, two of AVX2, four of NEON.
pub const LANES: usize = 16;

/// Runs `op` compiled for the [instruction set](crate::Isa::current) of this process. The closure, and what it calls, has
/// to be `#[inline(always)]`.
#[inline]
pub fn vectorize<R>(op: impl FnMut() -> R) -> R {
    arch().dispatch(Inlined(op))
}

/// The vectors of the instruction set that kernels use.
#[inline]
pub(crate) fn arch() -> Arch {
    #[cfg(target_arch = "x86_64")]
    {
        static CHOSEN: std::sync::OnceLock<Arch> = std::sync::OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let avx512 = || pulp::x86::V4::try_new().map(Arch::V4);
            let avx2 = || pulp::x86::V3::try_new().map(Arch::V3);
            match Isa::current() {
                Isa::Portable => None,
                Isa::Avx2 => avx2(),
                _ => avx512().or_else(avx2),
            }
            .unwrap_or(Arch::Scalar)
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    Arch::new()
}

/// A closure that is called through `FnMut`, so that it is inlined; `FnOnce` would call it through a shim that is not.
struct Inlined<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Adding and then subtracting `1.5·2²³` rounds to the nearest integer, which is in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;
/// `2^r` on [-1/2, 1/2] is `1 + r·c₀ + r²·c₁ + …` within 2.0e-9 (a minimax fit).
const EXP2: [f32; 6] =
    [std::f32::consts::LN_2, 0.240_226_48, 0.055_503_324, 0.009_618_437, 0.001_339_887_4, 0.000_153_533_62];
/// `e^r` on ±ln 2 / 2 is `1 + r + r²·c₀ + r³·c₁ + …` within 2.0e-9.
const EXP: [f32; 5] = [0.499_999_94, 0.166_664_32, 0.041_668, 0.008_374_161, 0.001_384_364_7];
/// ln 2 in two parts: the product of the first with an integer of nine bits is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `2^x` for x ≤ 127, to 1 ulp; 0 below -126, where a result would be subnormal. NaN stays NaN.
#[inline(always)]
pub fn exp2_lane(x: f32) -> f32 {
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    let series = polynomial(r, &EXP2).mul_add(r, 1.0) * power;
    if x < -126.0 { 0.0 } else { series }
}

/// The bits of the nearest bf16, ties to even. NaN stays NaN.
#[inline(always)]
pub fn bf16_lane(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    // A quiet NaN, whatever its low bits are.
    let bits = if x.is_nan() { bits | 0x40_0000 } else { rounded };
    (bits >> 16) as u16
}

/// `e^x` to 1–2 ulp; 0 below -87.33, infinity above 88.72. NaN stays NaN.
#[inline(always)]
pub fn exp_lane(x: f32) -> f32 {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2[1], n.mul_add(-LN_2[0], x));
    // 2^n in two factors: n can be 128 where the result is still finite.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23) as u32);
    let series = polynomial(r, &EXP).mul_add(r * r, r + 1.0) * power(half) * power(n.wrapping_sub(half));
    let series = if x < -87.336_54 { 0.0 } else { series };
    if x > 88.722_84 { f32::INFINITY } else { series }
}

/// `1 / (1 + e^-x)`
#[inline(always)]
pub fn sigmoid_lane(x: f32) -> f32 {
    1.0 / (1.0 + exp_lane(-x))
}

/// `tanh x` to 2 ulp: the odd polynomial of Cephes (Moshier 1989) near 0, where `1 - 2 / (e^2x + 1)` would cancel.
#[inline(always)]
pub fn tanh_lane(x: f32) -> f32 {
    const NEAR: [f32; 5] = [-0.333_332_8, 0.133_314_42, -0.053_739_715, 0.020_639_088, -0.005_704_988_7];
    let square = x * x;
    let near = (polynomial(square, &NEAR) * square).mul_add(x, x);
    let far = (1.0 - 2.0 / (exp_lane(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { near } else { far }
}

/// The error function to a few ulp: an odd rational function on ±4, beyond which it is ±1 (the coefficients that Eigen
/// uses).
#[inline(always)]
pub fn erf_lane(x: f32) -> f32 {
    const ABOVE: [f32; 7] =
        [-1.609_603_3e-2, -2.954_6e-3, -7.349_906e-4, -5.692_506_5e-5, -2.101_024e-6, 2.770_681_4e-8, -2.726_142_3e-10];
    const BELOW: [f32; 5] = [-1.426_473_9e-2, -7.373_329_2e-3, -1.682_827e-3, -2.133_740_6e-4, -1.456_607_2e-5];
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    x * polynomial(square, &ABOVE) / polynomial(square, &BELOW)
}

/// `c₀ + c₁·x + c₂·x² + …` by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: &[f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}

/// The larger of two numbers; `b` where either is NaN. Unlike [`f32::max`], this is one instruction.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest element; -∞ if there is none. A NaN may be ignored.
#[inline(always)]
pub fn row_max(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = larger(chunk[lane], lanes[lane]);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        lanes[lane] = larger(x, lanes[lane]);
    }
    fold(lanes, larger)
}

/// The sum of the elements, in 16 lanes that are then added pairwise.
#[inline(always)]
pub fn row_sum(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, x) in rest.iter().enumerate() {
        lanes[lane] += x;
    }
    fold(lanes, |a, b| a + b)
}

/// The sum of the products of the elements, in the order of [`row_sum`].
#[inline(always)]
pub fn row_dot(x: &[f32], y: &[f32]) -> f32 {
    mapped_dot(
        [x, y],
        #[inline(always)]
        |x| x,
    )
}

/// [`row_dot`] of `f` of the elements.
#[inline(always)]
pub fn mapped_dot<E: Copy>([x, y]: [&[E]; 2], f: impl Fn(E) -> f32) -> f32 {
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (y_chunks, y_rest) = y.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..LANES {
            lanes[lane] = f(x[lane]).mul_add(f(y[lane]), lanes[lane]);
        }
    }
    for (lane, (&x, &y)) in x_rest.iter().zip(y_rest).enumerate() {
        lanes[lane] = f(x).mul_add(f(y), lanes[lane]);
    }
    fold(lanes, |a, b| a + b)
}

/// `log Σ eˣ`, summed in f64 over pieces of 256 elements; NaN where an element is NaN, ±∞ where the largest is.
pub fn log_sum_exp(x: &[f32]) -> f64 {
    const PIECE: usize = 256;
    let (max, sum) = vectorize(
        #[inline(always)]
        || {
            let max = row_max(x);
            let mut powers = [0.0f32; PIECE];
            let mut sum = 0.0;
            for piece in x.chunks(PIECE) {
                let powers = &mut powers[..piece.len()];
                for (power, x) in powers.iter_mut().zip(piece) {
                    *power = exp_lane(x - max);
                }
                sum += f64::from(row_sum(powers));
            }
            (max, sum)
        },
    );
    // The difference of two infinities is no number.
    if max.is_infinite() { f64::from(max) } else { f64::from(max) + sum.ln() }
}

/// Lane i with lane i + 8, then i + 4, i + 2, i + 1.
#[inline(always)]
fn fold(lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32 + Copy) -> f32 {
    let eight = halve::<16, 8>(lanes, f);
    let four = halve::<8, 4>(eight, f);
    let two = halve::<4, 2>(four, f);
    f(two[0], two[1])
}

#[inline(always)]
fn halve<const N: usize, const HALF: usize>(lanes: [f32; N], f: impl Fn(f32, f32) -> f32) -> [f32; HALF] {
    let mut halves = [0.0; HALF];
    for lane in 0..HALF {
        halves[lane] = f(lanes[lane], lanes[lane + HALF]);
    }
    halves
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "what is compared is exact")]
mod tests {
    use super::*;

    /// The largest distance from `reference` in units of the last place, over `count` points of `range`.
    fn worst_ulp(range: [f32; 2], f: fn(f32) -> f32, reference: fn(f64) -> f64) -> f64 {
        let count = 200_000;
        let x: Vec<f32> = (0..=count).map(|i| range[0] + (range[1] - range[0]) * i as f32 / count as f32).collect();
        let ulp = |x: f64| (x.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() - 23.0).exp2();
        let errors = x.into_iter().map(|x| {
            let expected = reference(f64::from(x));
            (f64::from(f(x)) - expected).abs() / ulp(expected)
        });
        errors.fold(0.0, f64::max)
    }

    /// `2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n!·(2n + 1))`
    fn erf_by_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn elementary_functions_are_within_two_units_of_the_last_place() {
        assert!(worst_ulp([-126.0, 1.0], exp2_lane, f64::exp2) < 1.2);
        assert!(worst_ulp([-87.3, 88.7], exp_lane, f64::exp) < 1.5);
        assert!(worst_ulp([-5.0, 5.0], erf_lane, erf_by_series) < 6.0);
        assert!(worst_ulp([-1.0, 1.0], exp_lane, f64::exp) < 1.5);
        assert!(worst_ulp([-87.0, 30.0], sigmoid_lane, |x| 1.0 / (1.0 + (-x).exp())) < 3.0);
        assert!(worst_ulp([-20.0, 20.0], tanh_lane, f64::tanh) < 2.5);
        assert!(worst_ulp([-0.01, 0.01], tanh_lane, f64::tanh) < 2.5);
    }

    #[test]
    fn ends_of_the_range_are_exact() {
        let x = [f32::NEG_INFINITY, -1e30, -200.0, 0.0, 89.0, 1e30, f32::INFINITY];
        assert_eq!(x.map(exp_lane), [0.0, 0.0, 0.0, 1.0, f32::INFINITY, f32::INFINITY, f32::INFINITY]);
        assert_eq!([f32::NEG_INFINITY, -1e30, -126.5, 0.0, 1.0].map(exp2_lane), [0.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!([f32::NEG_INFINITY, f32::INFINITY, 0.0].map(sigmoid_lane), [0.0, 1.0, 0.5]);
        assert_eq!([f32::NEG_INFINITY, f32::INFINITY, 0.0].map(tanh_lane), [-1.0, 1.0, 0.0]);
        assert!([exp_lane, exp2_lane, sigmoid_lane, tanh_lane].iter().all(|f| f(f32::NAN).is_nan()));
    }

    #[test]
    fn the_logarithm_of_a_sum_of_powers() {
        for n in [1, 15, 256, 257, 50_257] {
            let x: Vec<f32> = (0..n).map(|i| ((i * 37) % 101) as f32 * 0.2 - 30.0).collect();
            let expected = x.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
            assert!((log_sum_exp(&x) - expected).abs() < 2e-7, "{n}: {} and {expected}", log_sum_exp(&x));
        }
        assert_eq!(log_sum_exp(&[f32::NEG_INFINITY, 3.0]), 3.0);
        assert_eq!(log_sum_exp(&[f32::NEG_INFINITY; 3]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[1.0, f32::INFINITY]), f64::INFINITY);
        assert!(log_sum_exp(&[1.0, f32::NAN, 2.0]).is_nan());
    }

    #[test]
    fn rows_of_any_length_are_reduced() {
        for n in [0, 1, 15, 16, 17, 40] {
            let x: Vec<f32> = (0..n).map(|i| ((i * 7) % 11) as f32 - 3.0).collect();
            assert_eq!(row_max(&x), x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            assert_eq!(row_sum(&x), x.iter().sum::<f32>());
            assert_eq!(row_dot(&x, &x), x.iter().map(|x| x * x).sum::<f32>());
        }
    }
}
