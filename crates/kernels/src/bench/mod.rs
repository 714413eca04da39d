//! Speed of each kernel beside the same operation composed of burn's, on the same numbers.

mod cases;

use std::iter;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::optimizer::{AdamWCoefficients, adamw};
use cases::cases;

/// Sizes from which the shapes of all operations follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpShape {
    /// Rows (B).
    pub batch: usize,
    /// Tokens in a row (T).
    pub context: usize,
    /// Width (D); that of the feed-forward layer is 4·D.
    pub width: usize,
    /// Heads (H), of width D / H, which is even.
    pub heads: usize,
    /// Tokens in the vocabulary (V).
    pub vocab: usize,
    /// Rounds in which kernel and composition are measured, in turn.
    pub rounds: usize,
}

/// The part of an operation that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// As when generating: nothing is kept for gradients.
    Forward,
    /// As in training: the result, and the gradient of every input that is not data.
    Both,
}

/// Timings of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpTiming {
    /// Name of the operation.
    pub operation: String,
    /// Forward pass alone, or both passes.
    pub pass: Pass,
    /// Milliseconds of the kernel, the median of the rounds.
    pub kernel_ms: f64,
    /// Milliseconds of burn's operations.
    pub reference_ms: f64,
    /// Speed-up of the kernel: the median over the rounds of `reference / kernel` in each.
    pub ratio: f64,
    /// 10⁹ floating-point operations of matrix products a second in the kernel, where the operation has such products.
    pub kernel_gflops: Option<f64>,
    /// The same of burn's operations, counted with the same number of operations.
    pub reference_gflops: Option<f64>,
}

/// A shape that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}: it must be {expected}")]
pub struct ImpossibleShape {
    /// Name of the number.
    pub key: &'static str,
    /// The number.
    pub value: usize,
    /// Its valid values.
    pub expected: &'static str,
}

/// Measures every operation on the threads of the current pool, and gives each to `each` as soon as it is measured.
///
/// # Errors
/// When the shape is impossible.
pub fn bench_ops(shape: &OpShape, device: &Device, mut each: impl FnMut(OpTiming)) -> Result<(), ImpossibleShape> {
    shape.validate()?;
    for case in cases(shape) {
        for pass in [Pass::Forward, Pass::Both] {
            let device = if pass == Pass::Both { device.clone().autodiff() } else { device.clone() };
            let inputs: Vec<Tensor<1>> = case.inputs.iter().map(|&length| input(length, pass, &device)).collect();
            let [kernel, reference] = [&case.kernel, &case.reference].map(|op| || seconds(op, &inputs, pass));
            let pairs = measure_in_turn(shape.rounds, kernel, reference);
            each(timing(case.name.into(), pass, pairs, case.flops(pass)));
        }
    }
    // The matrices of a block.
    let weights = 12 * shape.width * shape.width;
    let pairs = measure_in_turn(
        shape.rounds,
        seconds_of_adamw(weights, true, device),
        seconds_of_adamw(weights, false, device),
    );
    each(timing(format!("AdamW of {weights} numbers"), Pass::Forward, pairs, None));
    Ok(())
}

impl OpShape {
    fn validate(&self) -> Result<(), ImpossibleShape> {
        let OpShape { batch, context, width, heads, vocab, rounds } = *self;
        let numbers = [
            ("batch", batch),
            ("context", context),
            ("width", width),
            ("heads", heads),
            ("vocab", vocab),
            ("rounds", rounds),
        ];
        for (key, number) in numbers {
            if number == 0 || number > 1 << 24 {
                return Err(ImpossibleShape { key, value: number, expected: "from 1 to 16777216" });
            }
        }
        if !width.is_multiple_of(2 * heads) {
            return Err(ImpossibleShape { key: "width", value: width, expected: "a multiple of twice the heads" });
        }
        Ok(())
    }
}

/// A random input, which tracks gradients in [`Pass::Both`].
fn input(length: usize, pass: Pass, device: &Device) -> Tensor<1> {
    let numbers = Tensor::random([length], Distribution::Uniform(-1.0, 1.0), device);
    if pass == Pass::Both { numbers.require_grad() } else { numbers }
}

/// Seconds of one run. The gradient of the result is all ones; freeing memory is not counted.
fn seconds(op: &dyn Fn(&[Tensor<1>]) -> Tensor<1>, inputs: &[Tensor<1>], pass: Pass) -> f64 {
    let start = Instant::now();
    let output = op(inputs);
    let gradients = (pass == Pass::Both).then(|| output.backward());
    let seconds = start.elapsed().as_secs_f64();
    drop((output, gradients));
    seconds
}

/// Seconds of one update of `length` numbers, in one pass over memory or by burn's operations.
fn seconds_of_adamw(length: usize, on_host: bool, device: &Device) -> impl FnMut() -> f64 {
    let coefficients = AdamWCoefficients {
        gradient: 0.5,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        keep: 0.999,
        rate: 1e-3,
        correction2: 0.3,
    };
    let device = device.clone();
    let numbers = move |value: f32| Tensor::<1>::from_data(TensorData::new(vec![value; length], [length]), &device);
    let mut state = Some([0.1, 0.0, 0.0].map(&numbers));
    move || {
        let [weight, first, second] = state.take().expect("it is put back below");
        // Made for each update, as in training: nothing else owns it.
        let gradient = numbers(0.2);
        let start = Instant::now();
        let (weight, first, second) = adamw(weight, gradient, first, second, coefficients, on_host);
        let seconds = start.elapsed().as_secs_f64();
        state = Some([weight, first, second]);
        seconds
    }
}

/// Seconds of the kernel and of burn's operations, round by round. Short runs are repeated within a round.
fn measure_in_turn(
    rounds: usize,
    mut kernel: impl FnMut() -> f64,
    mut reference: impl FnMut() -> f64,
) -> Vec<(f64, f64)> {
    /// Shorter times are dominated by the clock and the scheduler.
    const LEAST_SECONDS: f64 = 0.02;
    let repeats = |seconds: f64| (LEAST_SECONDS / seconds.max(1e-6)).ceil().clamp(1.0, 100.0) as usize;
    // The first run of each warms up threads and memory, the second gives the number of repeats.
    let [kernel_repeats, reference_repeats] =
        [&mut kernel as &mut dyn FnMut() -> f64, &mut reference].map(|run| (run(), repeats(run())).1);
    let mean =
        |run: &mut dyn FnMut() -> f64, repeats| iter::repeat_with(run).take(repeats).sum::<f64>() / repeats as f64;
    (0..rounds).map(|_| (mean(&mut kernel, kernel_repeats), mean(&mut reference, reference_repeats))).collect()
}

/// The median.
pub fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { 0.5 * (numbers[middle - 1] + numbers[middle]) }
}

fn timing(operation: String, pass: Pass, pairs: Vec<(f64, f64)>, flops: Option<f64>) -> OpTiming {
    let (mut kernel, mut reference): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let mut ratios: Vec<f64> = pairs.into_iter().map(|(kernel, reference)| reference / kernel).collect();
    let (kernel, reference) = (median(&mut kernel), median(&mut reference));
    OpTiming {
        operation,
        pass,
        kernel_ms: kernel * 1e3,
        reference_ms: reference * 1e3,
        ratio: median(&mut ratios),
        kernel_gflops: flops.map(|flops| flops / kernel / 1e9),
        reference_gflops: flops.map(|flops| flops / reference / 1e9),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    const SMALL: OpShape = OpShape { batch: 2, context: 8, width: 16, heads: 2, vocab: 40, rounds: 2 };

    #[test]
    fn every_operation_is_measured_both_ways() {
        let mut timings = vec![];
        bench_ops(&SMALL, &Device::flex(), |timing| timings.push(timing)).unwrap();
        assert_eq!(timings.len(), 2 * cases(&SMALL).len() + 1);
        for timing in &timings {
            assert!(timing.kernel_ms > 0.0 && timing.reference_ms > 0.0 && timing.ratio > 0.0, "{timing:?}");
        }
        let products = timings.iter().filter(|timing| timing.kernel_gflops.is_some()).count();
        assert_eq!(products, 2 * 5, "two linear maps, attention, two heads with their loss");
    }

    /// A ratio means something only if both compute the same.
    #[test]
    fn both_ways_compute_the_same() {
        let device = Device::flex();
        for case in cases(&SMALL) {
            let inputs: Vec<_> = case.inputs.iter().map(|&length| input(length, Pass::Forward, &device)).collect();
            let host = |op: &dyn Fn(&[Tensor<1>]) -> Tensor<1>| op(&inputs).into_data().try_into_vec::<f32>().unwrap();
            let (values, expected) = (host(&case.kernel), host(&case.reference));
            assert_eq!(values.len(), expected.len(), "{}", case.name);
            let largest = expected.iter().fold(1e-3f32, |largest, x| largest.max(x.abs()));
            let worst = values.iter().zip(&expected).map(|(value, x)| (value - x).abs()).fold(0.0, f32::max);
            assert!(worst <= 2e-2 * largest, "{}: {worst} of {largest}", case.name);
        }
    }

    #[test]
    fn ratios_are_those_of_pairs() {
        let pairs = vec![(1.0, 3.0), (2.0, 4.0), (4.0, 12.0)];
        let timing = timing("x".into(), Pass::Both, pairs, Some(4e9));
        assert_eq!((timing.kernel_ms, timing.reference_ms, timing.ratio), (2000.0, 4000.0, 3.0));
        assert_eq!((timing.kernel_gflops, timing.reference_gflops), (Some(2.0), Some(1.0)));
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let device = Device::flex();
        let message = |shape| bench_ops(&shape, &device, |_| ()).unwrap_err().to_string();
        assert_eq!(message(OpShape { vocab: 0, ..SMALL }), "vocab = 0: it must be from 1 to 16777216");
        assert_eq!(message(OpShape { heads: 16, ..SMALL }), "width = 16: it must be a multiple of twice the heads");
    }
}
