//! The kernels against the formula in 64 bits.

#![cfg(feature = "flex")]
#![expect(clippy::many_single_char_names, reason = "the names of the papers")]

mod levels;

#[cfg(target_arch = "x86_64")]
use fireclay_kernels::Isa;
#[cfg(target_arch = "x86_64")]
use fireclay_kernels::attention::flash::bf16;
use fireclay_kernels::attention::flash::{ForwardPass, Gradients, Heads, KeyMask, Shape, backward, forward};

/// Largest errors of f32 and of bf16 products, relative to the largest number. A bf16 number has 8 bits; probabilities,
/// results and the gradients of results and of scores are rounded to it.
const ROUNDING: [f64; 2] = [4e-6, 6e-3];

/// The formula, one score at a time. q `[B, H, T, K]`, k and v `[B, KV, S, K]` → y `[B, T, H, K]`, lse `[B, H, T]`.
struct Naive<'a> {
    shape: Shape,
    mask: KeyMask<'a>,
    scale: f64,
}

impl Naive<'_> {
    fn seen(&self, b: usize, t: usize) -> std::ops::RangeInclusive<usize> {
        let query = self.shape.keys - self.shape.queries + t;
        let origin = self
            .mask
            .origins
            .map_or(0, |origins| origins[if self.mask.rows == 1 { 0 } else { b } * self.shape.queries + t] as usize);
        let begin = (query + 1).saturating_sub(self.mask.window.unwrap_or(usize::MAX));
        origin.max(begin)..=query
    }

    /// Offsets of query t of head h, and of key s of its key head.
    fn query(&self, b: usize, h: usize, t: usize) -> usize {
        ((b * self.shape.heads + h) * self.shape.queries + t) * self.shape.head_dim
    }

    fn key(&self, b: usize, h: usize, s: usize) -> usize {
        let head = h / (self.shape.heads / self.shape.kv_heads);
        ((b * self.shape.kv_heads + head) * self.shape.keys + s) * self.shape.head_dim
    }

    fn each_query(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let Shape { batch, heads, queries, .. } = self.shape;
        (0..batch).flat_map(move |b| (0..heads).flat_map(move |h| (0..queries).map(move |t| (b, h, t))))
    }

    /// Probabilities of the keys seen, and the log-sum-exp.
    fn row(&self, q: &[f64], k: &[f64], (b, h, t): (usize, usize, usize)) -> (Vec<f64>, f64) {
        let width = self.shape.head_dim;
        let q = &q[self.query(b, h, t)..][..width];
        let scores: Vec<f64> = self.seen(b, t).map(|s| dot(q, &k[self.key(b, h, s)..][..width]) * self.scale).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lse = max + scores.iter().map(|s| (s - max).exp()).sum::<f64>().ln();
        (scores.iter().map(|s| (s - lse).exp()).collect(), lse)
    }

    /// y as `[B, H, T, K]`
    fn forward(&self, [q, k, v]: [&[f64]; 3]) -> (Vec<f64>, Vec<f64>) {
        let mut y = vec![0.0; q.len()];
        let mut sums = Vec::new();
        for (b, h, t) in self.each_query() {
            let (p, lse) = self.row(q, k, (b, h, t));
            sums.push(lse);
            for (s, p) in self.seen(b, t).zip(p) {
                for i in 0..self.shape.head_dim {
                    y[self.query(b, h, t) + i] += p * v[self.key(b, h, s) + i];
                }
            }
        }
        (y, sums)
    }

    /// Gradients of Σ y·dy for q, k and v.
    fn backward(&self, [q, k, v]: [&[f64]; 3], dy: &[f64]) -> [Vec<f64>; 3] {
        let width = self.shape.head_dim;
        let [mut dq, mut dk, mut dv] = [q, k, v].map(|x| vec![0.0; x.len()]);
        for (b, h, t) in self.each_query() {
            let (p, _) = self.row(q, k, (b, h, t));
            let at = self.query(b, h, t);
            let dy = &dy[at..][..width];
            let dp: Vec<f64> = self.seen(b, t).map(|s| dot(dy, &v[self.key(b, h, s)..][..width])).collect();
            let mean = dot(&p, &dp);
            for ((s, p), dp) in self.seen(b, t).zip(p).zip(dp) {
                let ds = p * (dp - mean) * self.scale;
                let key = self.key(b, h, s);
                for i in 0..width {
                    dq[at + i] += ds * k[key + i];
                    dk[key + i] += ds * q[at + i];
                    dv[key + i] += p * dy[i];
                }
            }
        }
        [dq, dk, dv]
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Numbers between -1 and 1 that look random.
fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// `[B, H, T, K]` ↔ `[B, T, H, K]`: the second and third axis change places.
fn swap<T: Copy>(x: &[T], [batch, heads, times, width]: [usize; 4]) -> Vec<T> {
    let mut swapped = Vec::with_capacity(x.len());
    for (b, t, h) in (0..batch).flat_map(|b| (0..times).flat_map(move |t| (0..heads).map(move |h| (b, t, h)))) {
        swapped.extend_from_slice(&x[((b * heads + h) * times + t) * width..][..width]);
    }
    swapped
}

/// Memory layout of a tensor `[B, H, T, K]`.
#[derive(Clone, Copy, PartialEq)]
enum Storage {
    HeadFirst,
    TimeFirst,
}

fn heads(data: &[f32], [_, heads, times, width]: [usize; 4], storage: Storage) -> Heads<'_> {
    let (head_stride, time_stride) = match storage {
        Storage::HeadFirst => (times * width, width),
        Storage::TimeFirst => (width, heads * width),
    };
    Heads { data, batch_stride: heads * times * width, head_stride, time_stride }
}

struct Case {
    shape: Shape,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    dy: Vec<f32>,
    scale: f32,
}

impl Case {
    fn new([batch, heads, kv_heads, queries, keys, head_dim]: [usize; 6], size: f32) -> Self {
        let shape = Shape { batch, heads, kv_heads, queries, keys, head_dim };
        let (n, m) = (batch * heads * queries * head_dim, batch * kv_heads * keys * head_dim);
        let scaled = |seed, n| noise(seed, n).iter().map(|x| x * size).collect();
        let (q, k) = (scaled(1, n), scaled(2, m));
        Self { shape, q, k, v: noise(3, m), dy: noise(4, n), scale: 1.7 / (head_dim as f32).sqrt() }
    }

    fn dims(&self) -> ([usize; 4], [usize; 4]) {
        let Shape { batch, heads, kv_heads, queries, keys, head_dim } = self.shape;
        ([batch, heads, queries, head_dim], [batch, kv_heads, keys, head_dim])
    }

    fn run(&self, mask: &KeyMask, storage: Storage) -> (Vec<f32>, Vec<f32>, Gradients) {
        let (query, key) = self.dims();
        let stored = |x: &[f32], dims| if storage == Storage::TimeFirst { swap(x, dims) } else { x.to_vec() };
        let (q, k, v, dy) =
            (stored(&self.q, query), stored(&self.k, key), stored(&self.v, key), stored(&self.dy, query));
        let (q, k, v) = (heads(&q, query, storage), heads(&k, key, storage), heads(&v, key, storage));
        let (y, lse) = forward(q, k, v, &self.shape, mask, self.scale);
        let pass = ForwardPass { q, k, v, y: &y, lse: &lse, shape: &self.shape, mask, scale: self.scale };
        let gradients = backward(&pass, heads(&dy, query, storage));
        (y, lse, gradients)
    }

    /// The same with bf16 products.
    #[cfg(target_arch = "x86_64")]
    fn run_bf16(&self, mask: &KeyMask, storage: Storage) -> (Vec<f32>, Vec<f32>, Gradients) {
        let (query, key) = self.dims();
        let stored = |x: &[f32], dims| if storage == Storage::TimeFirst { swap(x, dims) } else { x.to_vec() };
        let (q, k, v, dy) =
            (stored(&self.q, query), stored(&self.k, key), stored(&self.v, key), stored(&self.dy, query));
        let (q, k, v) = (heads(&q, query, storage), heads(&k, key, storage), heads(&v, key, storage));
        let operands = bf16::rounded(q, k, v, &self.shape, mask, self.scale);
        let operands = operands.as_slices();
        let (y, lse) = bf16::forward(&operands, &self.shape, mask);
        let (shape, scale) = (&self.shape, self.scale);
        let halves: Vec<_> = y.iter().map(|&y| half::bf16::from_f32(y)).collect();
        let pass = bf16::RoundedPass { operands, y: &halves, lse: &lse, shape, mask, scale };
        let gradients = bf16::backward(&pass, heads(&dy, query, storage));
        (y, lse, gradients)
    }

    /// With f32 products and, where the CPU has them, with bf16 products.
    fn run_each(&self, storage: Storage) -> Vec<(Vec<f32>, Vec<f32>, Gradients)> {
        let mask = KeyMask::default();
        let in_f32 = self.run(&mask, storage);
        #[cfg(target_arch = "x86_64")]
        if Isa::current().has_bf16() {
            return vec![in_f32, self.run_bf16(&mask, storage)];
        }
        vec![in_f32]
    }

    /// The tolerances are those of f32 and of bf16 products.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "there are no bf16 products"))]
    fn check(&self, mask: &KeyMask, storage: Storage, [tolerance, of_bf16]: [f64; 2]) {
        self.compare(self.run(mask, storage), &[&self.q, &self.k, &self.v].map(|x| widen(x)), mask, tolerance);
        #[cfg(target_arch = "x86_64")]
        if Isa::current().has_bf16() {
            // Queries are rounded when they have been multiplied by this.
            let factor = self.scale * std::f32::consts::LOG2_E;
            let rounded = |x: &[f32], factor: f32| -> Vec<f64> {
                x.iter().map(|x| half::bf16::from_f32(x * factor).to_f64() / f64::from(factor)).collect()
            };
            let operands = [rounded(&self.q, factor), rounded(&self.k, 1.0), rounded(&self.v, 1.0)];
            self.compare(self.run_bf16(mask, storage), &operands, mask, of_bf16);
        }
    }

    fn compare(
        &self,
        (y, lse, gradients): (Vec<f32>, Vec<f32>, Gradients),
        operands: &[Vec<f64>; 3],
        mask: &KeyMask,
        tolerance: f64,
    ) {
        let (query, key) = self.dims();
        let naive = Naive { shape: self.shape, mask: *mask, scale: f64::from(self.scale) };
        let operands = operands.each_ref().map(|x| &x[..]);
        let (y_naive, lse_naive) = naive.forward(operands);
        let [dq, dk, dv] = naive.backward(operands, &widen(&self.dy));
        for (name, ours, expected) in [
            ("y", &y, swap(&y_naive, query)),
            ("lse", &lse, lse_naive),
            ("dq", &gradients.q, swap(&dq, query)),
            ("dk", &gradients.k, swap(&dk, key)),
            ("dv", &gradients.v, swap(&dv, key)),
        ] {
            assert_eq!(ours.len(), expected.len());
            let largest = expected.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
            for (i, (&x, expected)) in ours.iter().zip(&expected).enumerate() {
                let error = (f64::from(x) - expected).abs();
                assert!(error <= tolerance * largest, "{name}[{i}] is {x}, not {expected}: {:?} {mask:?}", self.shape);
            }
        }
    }
}

/// `[B, T]`: texts of odd lengths one after another.
fn packed(batch: usize, queries: usize, keys: usize) -> Vec<u32> {
    let mut origins = Vec::new();
    for b in 0..batch {
        let mut origin = 0;
        for t in 0..queries {
            let position = keys - queries + t;
            if t > 0 && (t + 3 * b) % (13 + 10 * b) == 0 {
                origin = position;
            }
            origins.push(origin as u32);
        }
    }
    origins
}

#[test]
fn naive_gradients_are_finite_differences() {
    let case = Case::new([1, 2, 1, 3, 4, 3], 1.0);
    let mask = KeyMask { window: Some(3), ..KeyMask::default() };
    let naive = Naive { shape: case.shape, mask, scale: f64::from(case.scale) };
    let operands = [&case.q, &case.k, &case.v].map(|x| widen(x));
    let dy = widen(&case.dy);
    let gradients = naive.backward(operands.each_ref().map(|x| &x[..]), &dy);
    for (which, gradient) in gradients.iter().enumerate() {
        for (i, gradient) in gradient.iter().enumerate() {
            let loss = |step: f64| {
                let mut moved = operands.clone();
                moved[which][i] += step;
                dot(&naive.forward(moved.each_ref().map(|x| &x[..])).0, &dy)
            };
            let difference = (loss(1e-4) - loss(-1e-4)) / 2e-4;
            assert!((difference - gradient).abs() < 1e-7, "operand {which}, element {i}: {difference} {gradient}");
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_the_formula() {
    for sizes in [
        [1, 1, 1, 1, 1, 1],
        [2, 3, 3, 5, 5, 7],
        [1, 4, 2, 33, 33, 16],
        [2, 4, 1, 70, 70, 32],
        [1, 2, 2, 130, 130, 48],
        [1, 6, 3, 65, 65, 64],
        [1, 2, 1, 40, 40, 80],
        [1, 2, 2, 37, 37, 96],
        [1, 2, 1, 34, 34, 128],
        [1, 1, 1, 300, 300, 19],
        [3, 4, 2, 1, 150, 32],
        [2, 4, 1, 4, 333, 72],
        [2, 2, 2, 9, 150, 24],
        [2, 4, 2, 40, 171, 64],
    ] {
        for storage in [Storage::HeadFirst, Storage::TimeFirst] {
            Case::new(sizes, 1.0).check(&KeyMask::default(), storage, ROUNDING);
        }
    }
}

#[test]
fn windows_and_texts_hide_keys() {
    for [batch, heads, kv_heads, queries, keys, head_dim] in [
        [2, 2, 1, 5, 5, 16],
        [2, 4, 2, 100, 100, 32],
        [1, 2, 2, 290, 290, 20],
        [3, 2, 1, 50, 190, 64],
        [2, 2, 2, 1, 40, 32],
        [2, 2, 1, 3, 90, 21],
    ] {
        let case = Case::new([batch, heads, kv_heads, queries, keys, head_dim], 1.0);
        let rows = packed(batch, queries, keys);
        let shared = packed(1, queries, keys);
        // Left padding: a padding token sees itself alone.
        let padding: Vec<u32> = (0..queries).map(|t| 7.min(keys - queries + t) as u32).collect();
        for window in [None, Some(1), Some(17), Some(64), Some(1000)] {
            let masks = [(None, 0), (Some(&rows), batch), (Some(&shared), 1), (Some(&padding), 1)];
            for (origins, rows) in masks {
                let mask = KeyMask { origins: origins.map(|x| &x[..]), rows, window };
                case.check(&mask, Storage::HeadFirst, ROUNDING);
            }
        }
    }
}

#[test]
fn large_scores_do_not_overflow() {
    // Scores of some hundreds: the difference is their rounding.
    Case::new([1, 2, 1, 70, 140, 32], 20.0).check(&KeyMask::default(), Storage::HeadFirst, [2e-4, 2e-2]);
    let case = Case::new([1, 2, 1, 70, 140, 32], 1e4);
    for (y, lse, gradients) in case.run_each(Storage::HeadFirst) {
        assert!([&y, &lse, &gradients.q, &gradients.k, &gradients.v].iter().all(|x| x.iter().all(|x| x.is_finite())));
    }
}

#[test]
fn nan_is_not_hidden() {
    let mut case = Case::new([1, 1, 1, 40, 40, 16], 1.0);
    case.q[20 * 16] = f32::NAN;
    for (y, _, _) in case.run_each(Storage::HeadFirst) {
        assert!(y[20 * 16..21 * 16].iter().all(|x| x.is_nan()) && y[21 * 16..].iter().all(|x| x.is_finite()));
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let case = Case::new([2, 4, 2, 150, 170, 32], 1.0);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| case.run_each(Storage::TimeFirst))
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(5));
}

#[test]
fn every_instruction_set_of_this_cpu_agrees_too() {
    levels::run_others();
}
