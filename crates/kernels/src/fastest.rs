//! Which number format of matrix products is the faster one, by a measurement.

use burn::tensor::Device;

use crate::Precision;

/// The format in which this device multiplies faster: the products of a linear map of `width` features to four times
/// as many and of its gradients, of `tokens` rows, are measured in both formats for less than a tenth of a second.
/// bf16 has to be faster by 3 %. Large products are represented by smaller ones of the same proportions.
///
/// It is f32 without a measurement where the CPU has no products of bf16, and on any other device than `flex`.
#[must_use]
pub fn fastest_precision(device: &Device, tokens: usize, width: usize) -> Precision {
    #[cfg(feature = "flex")]
    if *device == Device::flex() && crate::isa::Isa::current().has_bf16() {
        return measurement::faster(tokens, width);
    }
    let _ = (device, tokens, width);
    Precision::F32
}

/// Whether this device is a CPU without products of bf16, which emulates them: slower than f32.
#[must_use]
pub fn emulates_bf16(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    if *device == Device::flex() {
        return !crate::isa::Isa::current().has_bf16();
    }
    let _ = device;
    false
}

#[cfg(feature = "flex")]
mod measurement {
    use std::time::{Duration, Instant};

    use crate::Precision;
    use crate::product::{MatRef, product};

    /// Most tokens that are multiplied at once, and most multiplications in a product.
    const TOKENS: usize = 2048;
    const MULTIPLICATIONS: usize = 1 << 28;
    /// Rounds, of which the first warms up: at least two, and no more once half of the time is over.
    const ROUNDS: usize = 6;
    const ENOUGH: Duration = Duration::from_millis(40);
    /// Share of f32's time that bf16 may take to be chosen.
    const GAIN: f64 = 0.97;

    /// The operands of the three products.
    struct Layer {
        tokens: usize,
        width: usize,
        inputs: Vec<f32>,
        weight: Vec<f32>,
        gradients: Vec<f32>,
        result: Vec<f32>,
    }

    impl Layer {
        fn new(tokens: usize, width: usize) -> Self {
            let wave = |count: usize| (0..count).map(|i| ((i % 1009) as f32 * 0.37).sin()).collect();
            let wide = 4 * width;
            Self {
                tokens,
                width,
                inputs: wave(tokens * width),
                weight: wave(width * wide),
                gradients: wave(tokens * wide),
                result: vec![0.0; wide * tokens.max(width)],
            }
        }

        /// Forwards, then the gradients of the inputs and of the weight, as training multiplies them.
        fn multiply(&mut self, precision: Precision) -> Duration {
            let Self { tokens, width, ref inputs, ref weight, ref gradients, ref mut result } = *self;
            let inputs = MatRef::row_major(inputs, tokens, width);
            let weight = MatRef::row_major(weight, width, 4 * width);
            let gradients = MatRef::row_major(gradients, tokens, 4 * width);
            let start = Instant::now();
            for (a, b) in [(inputs, weight), (gradients, weight.transposed()), (inputs.transposed(), gradients)] {
                product(a, b, &mut result[..a.rows * b.cols], false, precision);
            }
            start.elapsed()
        }
    }

    pub fn faster(tokens: usize, width: usize) -> Precision {
        let (tokens, width) = sizes(tokens, width);
        let mut layer = Layer::new(tokens, width);
        let start = Instant::now();
        let mut best = [Duration::MAX; 2];
        for round in 0..ROUNDS {
            let times = [Precision::F32, Precision::Bf16].map(|precision| layer.multiply(precision));
            if round > 0 {
                best = [0, 1].map(|i| best[i].min(times[i]));
                if start.elapsed() > ENOUGH {
                    break;
                }
            }
        }
        chosen(best)
    }

    /// Of f32's and bf16's time.
    pub fn chosen([f32, bf16]: [Duration; 2]) -> Precision {
        if bf16.as_secs_f64() < GAIN * f32.as_secs_f64() { Precision::Bf16 } else { Precision::F32 }
    }

    /// Tokens and width that can be measured in a short time; the larger of both is halved until they can.
    pub fn sizes(tokens: usize, width: usize) -> (usize, usize) {
        let (mut tokens, mut width) = (tokens.clamp(1, TOKENS), width.clamp(1, 1 << 20));
        while 4 * tokens * width * width > MULTIPLICATIONS {
            if tokens > width { tokens /= 2 } else { width /= 2 }
        }
        (tokens, width)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::measurement::{chosen, faster, sizes};
    use crate::Precision;

    #[test]
    fn bf16_has_to_be_faster_by_more_than_noise() {
        let times = |f32, bf16| chosen([f32, bf16].map(Duration::from_micros));
        assert_eq!(times(1000, 980), Precision::F32);
        assert_eq!(times(1000, 960), Precision::Bf16);
        assert_eq!(times(1000, 2000), Precision::F32);
    }

    #[test]
    fn any_sizes_become_short_to_measure() {
        assert_eq!(sizes(2048, 128), (2048, 128));
        assert_eq!(sizes(0, 0), (1, 1));
        for (tokens, width) in [(1 << 40, 384), (2048, 768), (64, 8192), (1, 1 << 40), (usize::MAX, usize::MAX)] {
            let (tokens, width) = sizes(tokens, width);
            assert!(tokens > 0 && width > 0 && tokens <= 2048 && 4 * tokens * width * width <= 1 << 28);
        }
    }

    #[test]
    fn a_measurement_ends_soon() {
        let start = Instant::now();
        let _ = faster(2048, 768);
        // Many times what it takes on a quiet machine.
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
