//! A shuffled order of `0..n` in constant memory.

/// A keyed bijection of `0..len`: a Feistel network over the next power of four, applied again
/// while its result falls outside (cycle walking; Black & Rogaway, "Ciphers with Arbitrary Finite Domains",
/// 2002). On average fewer than four walks are needed.
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    len: u64,
    half_bits: u32,
    keys: [u64; Self::ROUNDS],
}

impl Permutation {
    const ROUNDS: usize = 6;

    pub(crate) fn new(len: u64, seed: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        let keys = std::array::from_fn(|round| split_mix(seed, round as u64));
        Self { len, half_bits: bits.div_ceil(2).max(1), keys }
    }

    /// Image of `index`.
    ///
    /// # Panics
    /// When `index` is not in `0..len`.
    pub(crate) fn at(&self, index: u64) -> u64 {
        assert!(index < self.len, "index {index} outside a permutation of {}", self.len);
        let mut value = self.round_trip(index);
        while value >= self.len {
            value = self.round_trip(value);
        }
        value
    }

    fn round_trip(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (split_mix(key, right) & mask));
        }
        left << self.half_bits | right
    }
}

/// The `index`-th output of `SplitMix64` started at `seed` (Steele, Lea & Flood, "Fast Splittable
/// Pseudorandom Number Generators", 2014): random access to a stream of random numbers.
pub(crate) fn split_mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number below `bound`, as uniform as `random` is (up to `bound`/2⁶⁴).
pub(crate) fn below(bound: u64, random: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first outputs of the published generator for the seed 1234567.
    #[test]
    fn split_mix_is_the_published_generator() {
        let outputs: Vec<u64> = (0..3).map(|i| split_mix(1_234_567, i)).collect();
        assert_eq!(outputs, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    proptest! {
        #[test]
        fn every_index_comes_once(len in 1_u64..3000, seed: u64) {
            let permutation = Permutation::new(len, seed);
            let mut seen: Vec<u64> = (0..len).map(|index| permutation.at(index)).collect();
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..len));
        }

        #[test]
        fn large_domains_stay_inside(len in 1_u64..u64::MAX, seed: u64, index: u64) {
            let permutation = Permutation::new(len, seed);
            prop_assert!(permutation.at(index % len) < len);
        }
    }

    /// Neighbours do not stay neighbours: a shuffled order has about one ascent by exactly 1.
    #[test]
    fn the_order_is_shuffled() {
        for seed in 0..20 {
            let permutation = Permutation::new(10_000, seed);
            let order: Vec<u64> = (0..10_000).map(|index| permutation.at(index)).collect();
            let neighbours = order.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
            assert!(neighbours < 12, "seed {seed}: {neighbours} neighbours");
            let first_half: u64 = order[..5000].iter().sum();
            let mean = first_half as f64 / 5000.0;
            // The standard error of this mean is about 29.
            assert!((mean - 4999.5).abs() < 150.0, "seed {seed}: mean {mean}");
        }
    }
}
