//! Every instruction set that this CPU has gives the bits of the definition.

use super::element::round_to_pairs;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::x86::{with_avx2, with_avx512, with_avx512_bf16};
use super::{Bf16Pair, BlocksOfColumns, BlocksOfRows, ChainWork, Element, LANES, LeftRows};
use crate::isa::Isa;

/// Numbers in −1..1, the same every time.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let number = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    std::iter::repeat_with(number).take(count).collect()
}

/// The vectors that this CPU has.
fn levels() -> Vec<&'static str> {
    Isa::all().filter(|&isa| isa <= Isa::Avx512Bf16).map(Isa::name).collect()
}

/// What an element is by definition.
trait Defined: Element {
    fn some(count: usize, seed: u32) -> Vec<Self>;
    /// `sum + a·b`
    fn add(self, other: Self, sum: f32) -> f32;
    /// Runs the work with one of [`levels`].
    fn run_on(level: &str, work: impl ChainWork<Self>);
}

impl Defined for f32 {
    fn some(count: usize, seed: u32) -> Vec<Self> {
        numbers(count, seed)
    }

    fn add(self, other: Self, sum: f32) -> f32 {
        self.mul_add(other, sum)
    }

    fn run_on(level: &str, work: impl ChainWork<Self>) {
        // SAFETY: the CPU has the level.
        unsafe {
            match level {
                #[cfg(target_arch = "x86_64")]
                "avx2" => with_avx2(work),
                #[cfg(target_arch = "x86_64")]
                "avx512" | "avx512-bf16" => with_avx512(work),
                _ => work.run::<Portable>(),
            }
        }
    }
}

impl Defined for Bf16Pair {
    fn some(count: usize, seed: u32) -> Vec<Self> {
        let mut pairs = vec![0; count];
        round_to_pairs(&numbers(2 * count, seed), &mut pairs);
        pairs
    }

    fn add(self, other: Self, sum: f32) -> f32 {
        let [a, b] = [self, other].map(|pair| [pair << 16, pair & 0xffff_0000].map(f32::from_bits));
        a[0].mul_add(b[0], a[1].mul_add(b[1], sum))
    }

    fn run_on(level: &str, work: impl ChainWork<Self>) {
        // SAFETY: the CPU has the level.
        unsafe {
            match level {
                #[cfg(target_arch = "x86_64")]
                "avx2" => with_avx2(work),
                #[cfg(target_arch = "x86_64")]
                "avx512" => with_avx512(work),
                #[cfg(target_arch = "x86_64")]
                "avx512-bf16" => with_avx512_bf16(work),
                _ => work.run::<Portable>(),
            }
        }
    }
}

/// Rows, which are multiplied by tiles of every height, with blocks and elements along the inner axis.
fn sizes() -> impl Iterator<Item = (usize, usize, usize)> {
    [1, 2, 3, 4, 5, 8, 11].into_iter().flat_map(|rows| [(rows, 1, 1), (rows, 2, 7), (rows, 5, 32), (rows, 13, 9)])
}

fn blocks_of_columns<E: Defined>() {
    for ((rows, blocks, inner), level) in
        sizes().flat_map(|sizes| levels().into_iter().map(move |level| (sizes, level)))
    {
        let (stride, out_stride, columns) = (inner + 3, blocks * LANES + 5, blocks * LANES);
        let (left, memory) = (E::some(rows * stride, 1), E::some((blocks + 2) * inner * LANES, 2));
        // The last comes first.
        let block = |index: usize| (blocks + 1 - index) * inner * LANES;
        let mut out = vec![f32::NAN; rows * out_stride];
        let elements = LeftRows { elements: &left, stride, rows };
        let work = BlocksOfColumns { left: elements, memory: &memory, block, blocks, inner, out: &mut out, out_stride };
        E::run_on(level, work);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let right = |k: usize| memory[block(column / LANES) + k * LANES + column % LANES];
            let expected = (0..inner).fold(0.0, |sum, k| left[row * stride + k].add(right(k), sum));
            let found = out[row * out_stride + column];
            assert_eq!(found.to_bits(), expected.to_bits(), "{level}: {row}, {column} of {rows}, {blocks}, {inner}");
        }
        assert!(out[columns].is_nan() || rows == 1, "{level}: nothing is written beside the columns");
    }
}

fn blocks_of_rows<E: Defined>() {
    for ((rows, blocks, inner), level) in
        sizes().flat_map(|sizes| levels().into_iter().map(move |level| (sizes, level)))
    {
        // The last block is shorter.
        let length = |index: usize| if index + 1 == blocks { inner } else { inner + 2 };
        let all: usize = (0..blocks).map(length).sum();
        for width in [1, 2, 3, 4, 7].map(|vectors| vectors * LANES) {
            let (stride, out_stride) = (all + 1, width + 3);
            let (left, memory) = (E::some(rows * stride, 1), E::some((blocks + 1) * (inner + 2) * width, 2));
            let block = |index: usize| ((blocks - index) * (inner + 2) * width, length(index));
            let start = numbers(rows * out_stride, 3);
            let mut out = start.clone();
            let elements = LeftRows { elements: &left, stride, rows };
            let work =
                BlocksOfRows { left: elements, memory: &memory, block, blocks, width, out: &mut out, out_stride };
            E::run_on(level, work);
            for (row, column) in (0..rows).flat_map(|row| (0..width).map(move |column| (row, column))) {
                let places = (0..blocks).flat_map(|index| (0..length(index)).map(move |k| block(index).0 + k * width));
                let terms = left[row * stride..].iter().zip(places.map(|place| memory[place + column]));
                let expected = terms.fold(start[row * out_stride + column], |sum, (left, right)| left.add(right, sum));
                let found = out[row * out_stride + column];
                assert_eq!(
                    found.to_bits(),
                    expected.to_bits(),
                    "{level}: {row}, {column} of {rows}, {blocks}, {inner}"
                );
            }
            assert_eq!(out[width].to_bits(), start[width].to_bits(), "{level}: nothing is written beside the columns");
        }
    }
}

#[test]
fn every_level_computes_blocks_of_columns_as_they_are_defined() {
    blocks_of_columns::<f32>();
    blocks_of_columns::<Bf16Pair>();
}

#[test]
fn every_level_computes_blocks_of_rows_as_they_are_defined() {
    blocks_of_rows::<f32>();
    blocks_of_rows::<Bf16Pair>();
}

#[test]
fn numbers_are_rounded_to_the_nearest_pair() {
    let numbers = [1.0, -2.5, 1.003_906_3, 1.011_718_8, f32::NAN, f32::INFINITY, f32::MAX, 1e-40, -0.0];
    let mut pairs = [0; 5];
    round_to_pairs(&numbers, &mut pairs);
    let halves = pairs.iter().flat_map(|pair| [*pair as u16, (pair >> 16) as u16]).map(half::bf16::from_bits);
    let expected: Vec<half::bf16> = numbers.into_iter().chain([0.0]).map(half::bf16::from_f32).collect();
    let bits = |x: half::bf16| x.to_bits();
    assert_eq!(halves.map(bits).collect::<Vec<_>>(), expected.into_iter().map(bits).collect::<Vec<_>>());
    assert_eq!(7u32.with(0, 1.0).with(1, -1.0), 0xbf80_3f80);
    assert_eq!(0xbf80_3f80.with(0, 2.0), 0x4000, "what came after the first is no longer there");
}
