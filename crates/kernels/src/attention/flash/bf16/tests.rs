//! Tile registers give what vector registers give, up to the order of sums.

use super::{Gradients, Heads, KeyMask, Operands, RoundedPass, Shape, backward, forward, rounded};
use crate::isa::Isa;
use crate::product::pairs::{AmxUnit, PairUnit, SoftwareUnit, VectorUnit, emulate_tiles};
use crate::product::tests::numbers;

struct Case {
    shape: Shape,
    operands: Operands<Vec<u32>>,
    dy: Vec<f32>,
}

impl Case {
    fn new(shape: Shape, mask: &KeyMask) -> Self {
        let sizes = [shape.query_dims(), shape.key_dims(), shape.key_dims(), shape.query_dims()];
        let [q, k, v, dy] = [0, 1, 2, 3].map(|i| numbers(sizes[i].iter().product(), i as u64 + 1));
        let [q, k, v] = [(&q, sizes[0]), (&k, sizes[1]), (&v, sizes[2])].map(|(x, dims)| heads(x, dims));
        Self { shape, operands: rounded(q, k, v, &shape, mask, 0.3), dy }
    }

    fn run<U: PairUnit>(&self, mask: &KeyMask) -> (Vec<f32>, Vec<f32>, Gradients) {
        let (operands, shape) = (self.operands.as_slices(), &self.shape);
        // SAFETY: the operands have the shape, the CPU has AVX512-BF16, and tiles are emulated.
        unsafe {
            let (y, lse) = forward::run::<U>(&operands, shape, mask);
            let halves: Vec<_> = y.iter().map(|&y| half::bf16::from_f32(y)).collect();
            let pass = RoundedPass { operands, y: &halves, lse: &lse, shape, mask, scale: 0.3 };
            let gradients = backward::run::<U>(&pass, heads(&self.dy, shape.query_dims()));
            (y, lse, gradients)
        }
    }
}

fn heads(data: &[f32], [_, heads, times, width]: [usize; 4]) -> Heads<'_> {
    Heads { data, batch_stride: heads * times * width, head_stride: times * width, time_stride: width }
}

#[test]
fn every_unit_gives_the_same() {
    if !Isa::current().has_bf16() {
        return;
    }
    for (keys, head_dim, window) in [(33, 16, None), (70, 40, Some(40)), (150, 64, None)] {
        let mask = KeyMask { window, ..KeyMask::default() };
        let shape = Shape { batch: 2, heads: 2, kv_heads: 1, queries: keys - 3, keys, head_dim };
        let case = Case::new(shape, &mask);
        let expected = case.run::<VectorUnit>(&mask);
        let in_tiles = emulate_tiles().then(|| case.run::<AmxUnit>(&mask));
        for found in [Some(case.run::<SoftwareUnit>(&mask)), in_tiles].into_iter().flatten() {
            let lists = |x: &(Vec<f32>, Vec<f32>, Gradients)| {
                let (y, lse, gradients) = x.clone();
                [y, lse, gradients.q, gradients.k, gradients.v]
            };
            for (i, (found, expected)) in lists(&found).iter().zip(lists(&expected)).enumerate() {
                let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
                // Sums that differ in their last bits are sometimes rounded to another bf16 number.
                let close = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 4e-3 * largest);
                assert!(found.len() == expected.len() && close, "list {i} of {keys} × {head_dim}");
            }
        }
    }
}
