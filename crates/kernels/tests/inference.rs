//! Kernels for inference: against their references, and that a row's result depends on no other row, to the last bit.
#![cfg(feature = "flex")]

mod levels;

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use fireclay_kernels::attention::paged::{PAGE, PageShape, Pages, Text};
use fireclay_kernels::cross_entropy::Targets;
use fireclay_kernels::{
    BlockWeight, Head, Precision, StoredWeight, WeightStorage, cross_entropy, embedding, linear, log_probabilities,
};

/// Numbers in −2..2, the same every time (splitmix64).
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let number = |i: usize| {
        let mut z = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed << 40);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 22) as f32 - 2.0
    };
    (0..count).map(number).collect()
}

fn tensor<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<R> {
    let count = shape.iter().product();
    Tensor::from_data(TensorData::new(numbers(count, seed), shape), &Device::flex())
}

fn host<const R: usize>(x: Tensor<R>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// A weight in "blocks" of one f32 number each.
#[derive(Debug)]
struct Rows {
    dims: [usize; 2],
    rows: Vec<f32>,
}

impl BlockWeight for Rows {
    fn dims(&self) -> [usize; 2] {
        self.dims
    }

    fn widen(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        into.extend_from_slice(&self.rows[outputs.start * self.dims[0]..outputs.end * self.dims[0]]);
    }
}

/// `weight` in each format in which it is not trained, and in blocks.
fn stored_in_every_way(weight: &Tensor<2>) -> Vec<(String, StoredWeight)> {
    let rows = Rows { dims: weight.dims(), rows: host(weight.clone().transpose()) };
    let blocks = StoredWeight::of_blocks(Arc::new(rows), &Device::flex());
    let formats = [WeightStorage::F32, WeightStorage::Bf16, WeightStorage::Int8, WeightStorage::Int4];
    let stored = formats.map(|format| (format!("{format:?}"), StoredWeight::new(weight.clone(), format)));
    stored.into_iter().chain([("blocks".to_owned(), blocks)]).collect()
}

/// `weight` in the formats to which x is rounded too.
fn stored_for_inference(weight: &Tensor<2>) -> [(String, StoredWeight); 3] {
    [WeightStorage::Bf16, WeightStorage::Int8, WeightStorage::Int4]
        .map(|format| (format!("{format:?}, x too"), StoredWeight::for_inference(weight.clone(), format)))
}

fn near(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(1e-3f32, |size, x| size.max(x.abs()));
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 3e-5 * size, "{what}: {worst} of {size}");
}

#[test]
fn gradients_flow_through_a_stored_weight_as_through_the_same_numbers() {
    // The last has several slabs of outputs.
    for [inputs, outputs] in [[1, 1], [19, 130], [300, 64], [1030, 1100]] {
        for (name, stored) in stored_in_every_way(&tensor([inputs, outputs], 1)) {
            let widened = Tensor::from_inner(stored.widened());
            let through = |map: &dyn Fn(Tensor<2>, Tensor<1>) -> Tensor<2>| {
                let x = Tensor::from_inner(tensor([7, inputs], 3)).require_grad();
                let bias = Tensor::from_inner(tensor([outputs], 5)).require_grad();
                let y = map(x.clone(), bias.clone());
                let factors = Tensor::from_inner(tensor([7, outputs], 4));
                let gradients = (y.clone() * factors).sum().backward();
                let [dx, dbias] = [host(x.grad(&gradients).expect("dx")), host(bias.grad(&gradients).expect("db"))];
                [host(y.inner()), dx, dbias]
            };
            let ours = through(&|x, bias| stored.linear(x, Some(bias), Precision::F32));
            let theirs = through(&|x, bias| linear(x, widened.clone(), Some(bias), Precision::F32));
            for (what, (ours, theirs)) in ["y", "dx", "db"].into_iter().zip(ours.iter().zip(&theirs)) {
                near(ours, theirs, &format!("{what} of {inputs} × {outputs}, {name}"));
            }
        }
    }
}

#[test]
fn a_stored_head_gives_losses_and_gradients_of_the_same_numbers() {
    let (width, vocabulary, rows) = (24, 1300, 300);
    for (name, stored) in stored_in_every_way(&tensor([width, vocabulary], 1)) {
        let widened = Tensor::from_inner(stored.widened());
        let ids: Vec<u32> = (0..rows as u32).map(|row| row * 7 % vocabulary as u32).collect();
        let weights: Vec<f32> = (0..rows).map(|row| (row % 3) as f32 / 100.0).collect();
        let both = |head: Head| {
            let hidden = || Tensor::from_inner(tensor([rows, width], 3)).require_grad();
            let (first, second) = (hidden(), hidden());
            let targets = Targets { ids: ids.clone(), weights: weights.clone() };
            let loss = cross_entropy(first.clone(), head.clone(), targets, Precision::F32);
            let scores = log_probabilities(second.clone(), head, ids.clone(), 0.7, Precision::F32);
            let score = scores.chosen.clone().mean() + scores.entropy.clone().mean();
            let (of_loss, of_score) = (loss.clone().backward(), score.backward());
            [
                host(loss.inner()),
                host(first.grad(&of_loss).expect("a gradient")),
                host(scores.chosen.inner()),
                host(second.grad(&of_score).expect("a gradient")),
            ]
        };
        let (ours, theirs) = (both(Head::Stored(stored)), both(Head::Matrix(widened)));
        for (what, (ours, theirs)) in ["loss", "dloss", "log p", "dlog p"].into_iter().zip(ours.iter().zip(&theirs)) {
            near(ours, theirs, &format!("{what} of a head, {name}"));
        }
    }
}

#[test]
fn the_outputs_of_a_stored_weight_are_an_embedding() {
    let weight = tensor([37, 500], 1);
    for (name, stored) in stored_in_every_way(&weight).into_iter().chain(stored_for_inference(&weight)) {
        let ids = Tensor::<2, Int>::from_data([[0, 499, 64], [63, 64, 250]], &Device::flex());
        let expected = embedding(stored.widened().transpose(), ids.clone());
        assert_eq!(host(stored.embedding(ids)), host(expected), "{name}");
    }
}

/// For inference, inputs of 8-bit weights have 8 bits as well: as much error again as rounding the weights leaves.
#[test]
fn inputs_rounded_for_inference_give_nearly_the_same_product() {
    for [inputs, outputs] in [[1, 1], [19, 130], [300, 64], [1030, 1100]] {
        let weight = tensor([inputs, outputs], 1);
        let (x, bias) = (tensor([9, inputs], 3), tensor([outputs], 2));
        let stored = StoredWeight::for_inference(weight.clone(), WeightStorage::Int8);
        let product = |weight: Tensor<2>| host(linear(x.clone(), weight, Some(bias.clone()), Precision::F32));
        let (exact, of_rounded_weights) = (product(weight), product(stored.widened()));
        let found = host(stored.linear(x.clone(), Some(bias.clone()), Precision::F32));
        let distance = |a: &[f32], b: &[f32]| {
            let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            (squares / a.len() as f64).sqrt()
        };
        let (size, by_weights) = (distance(&exact, &vec![0.0; exact.len()]), distance(&of_rounded_weights, &exact));
        let by_inputs = distance(&found, &of_rounded_weights);
        assert!(by_weights <= 8e-3 * size, "{inputs} × {outputs}: {by_weights} of {size} by the weights");
        assert!(by_inputs <= 8e-3 * size, "{inputs} × {outputs}: {by_inputs} of {size} by the inputs");
    }
}

/// With bf16 weights for inference x is rounded to bf16, and nothing else.
#[test]
fn bf16_products_for_inference_are_those_of_rounded_numbers() {
    for [inputs, outputs] in [[1, 1], [19, 130], [300, 64], [1031, 1100]] {
        let (weight, x, bias) = (tensor([inputs, outputs], 1), tensor([9, inputs], 3), tensor([outputs], 2));
        let stored = StoredWeight::for_inference(weight.clone(), WeightStorage::Bf16);
        let rounded = |x: Tensor<2>| x.cast(FloatDType::BF16).cast(FloatDType::F32);
        assert_eq!(host(stored.widened()), host(rounded(weight.clone())), "{inputs} × {outputs}");
        let expected = linear(rounded(x.clone()), rounded(weight), Some(bias.clone()), Precision::F32);
        let found = stored.linear(x, Some(bias), Precision::F32);
        near(&host(found), &host(expected), &format!("{inputs} × {outputs}"));
    }
}

#[test]
fn a_row_of_a_product_depends_on_no_other() {
    // The last is shared by threads and takes several blocks of inputs.
    for [inputs, outputs] in [[1, 1], [19, 130], [300, 64], [260, 1100]] {
        let (weight, bias) = (tensor([inputs, outputs], 1), tensor([outputs], 2));
        for (name, stored) in stored_in_every_way(&weight).into_iter().chain(stored_for_inference(&weight)) {
            for precision in [Precision::F32, Precision::Bf16] {
                let x = tensor([140, inputs], 3);
                let product = |x| host(stored.linear(x, Some(bias.clone()), precision));
                let all = product(x.clone());
                for (first, count) in [(0, 1), (139, 1), (3, 2), (5, 4), (7, 8), (60, 13), (1, 137)] {
                    let some = product(x.clone().narrow(0, first, count));
                    let expected = &all[first * outputs..(first + count) * outputs];
                    assert_eq!(bits(&some), bits(expected), "{inputs} × {outputs}, {name}: {first}, {count}");
                }
            }
        }
    }
}

/// Queries, keys and values of some texts' tokens, one text after the other, each with a different seed.
fn new_tokens(texts: &[(u64, std::ops::Range<usize>)], heads: usize, width: usize, what: u64) -> Tensor<3> {
    let of = |(seed, range): &(u64, std::ops::Range<usize>)| {
        tensor([100, heads, width], seed * 3 + what).narrow(0, range.start, range.len())
    };
    Tensor::cat(texts.iter().map(of).collect(), 0)
}

#[derive(Clone, Copy)]
struct Sizes {
    heads: usize,
    kv_heads: usize,
    width: usize,
    window: Option<usize>,
    precision: Precision,
}

impl Sizes {
    /// Attends with the new tokens of some texts, whose pages are in `tables` by their seeds.
    fn attend(&self, pages: &mut Pages, texts: &[(u64, std::ops::Range<usize>)], tables: &[Vec<u32>]) -> Vec<f32> {
        let Self { heads, kv_heads, width, window, .. } = *self;
        let of = [(heads, 0), (kv_heads, 1), (kv_heads, 2)];
        let qkv = of.map(|(heads, what)| new_tokens(texts, heads, width, what));
        let text = |(seed, range): &(u64, std::ops::Range<usize>)| Text {
            start: range.start,
            tokens: range.len(),
            pages: tables[*seed as usize][..range.end.div_ceil(PAGE)].to_vec(),
        };
        let texts: Vec<Text> = texts.iter().map(text).collect();
        host(pages.attend(qkv, &texts, window, Precision::F32))
    }
}

fn all_sizes() -> Vec<Sizes> {
    let mut all = vec![];
    for window in [None, Some(1), Some(PAGE), Some(21)] {
        for (heads, kv_heads, width) in [(1, 1, 16), (4, 2, 10), (9, 3, 64), (12, 1, 33)] {
            for precision in [Precision::F32, Precision::Bf16] {
                all.push(Sizes { heads, kv_heads, width, window, precision });
            }
        }
    }
    all
}

/// Pages of three texts, in no order.
fn tables() -> Vec<Vec<u32>> {
    vec![vec![5, 0, 9, 2, 14, 7, 11], vec![1, 13, 3, 6], vec![10, 4, 8, 12, 15]]
}

/// Texts of different lengths, in steps of different lengths.
const STEPS: [&[(u64, std::ops::Range<usize>)]; 6] = [
    &[(0, 0..37), (1, 0..1)],
    &[(0, 37..38), (1, 1..2), (2, 0..16)],
    &[(1, 2..33), (0, 38..39)],
    &[(0, 39..95), (2, 16..17), (1, 33..34)],
    &[(2, 17..64)],
    &[(1, 34..35), (2, 64..65), (0, 95..96)],
];

#[test]
fn attention_over_pages_is_that_of_the_reference() {
    let both = || [None, Some(0.7)].into_iter();
    for (sizes, cap) in all_sizes().into_iter().flat_map(|sizes| both().map(move |cap| (sizes, cap))) {
        let Sizes { heads, kv_heads, width, window, precision } = sizes;
        let shape = PageShape { pages: 16, kv_heads, head_dim: width, precision };
        let pages = [Pages::new(shape, &Device::flex()), Pages::of_tensors(shape, &Device::flex())];
        let [mut kernel, mut reference] = pages.map(|pages| pages.with_softcap(cap));
        for step in STEPS {
            let found = sizes.attend(&mut kernel, step, &tables());
            let expected = sizes.attend(&mut reference, step, &tables());
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let what = format!(
                    "{heads} heads, {kv_heads} of keys, width {width}, window {window:?}, cap {cap:?}, number {i}"
                );
                // Numbers are below 2; bf16 has 8 bits, and the reference rounds nothing.
                let bound = if precision == Precision::F32 { 1e-5 } else { 3e-2 };
                assert!((found - expected).abs() < bound, "{what}, {precision:?}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn a_token_depends_on_what_it_sees_alone() {
    for sizes in all_sizes() {
        let Sizes { kv_heads, width: head_dim, precision, .. } = sizes;
        let shape = PageShape { pages: 16, kv_heads, head_dim, precision };
        let token = sizes.heads * sizes.width;
        // Each text alone, in one step, in other pages.
        let alone: Vec<Vec<f32>> = [96, 35, 65]
            .iter()
            .enumerate()
            .map(|(seed, &length)| {
                let tables = vec![(0..7).rev().collect(); 3];
                let mut pages = Pages::new(shape, &Device::flex());
                sizes.attend(&mut pages, &[(seed as u64, 0..length)], &tables)
            })
            .collect();
        let mut pages = Pages::new(shape, &Device::flex());
        for step in STEPS {
            let found = sizes.attend(&mut pages, step, &tables());
            let expected: Vec<f32> = step
                .iter()
                .flat_map(|(seed, range)| &alone[*seed as usize][range.start * token..range.end * token])
                .copied()
                .collect();
            assert_eq!(bits(&found), bits(&expected), "window {:?}, {precision:?}", sizes.window);
        }
    }
}

#[test]
fn a_text_reads_what_another_writes_in_the_same_step() {
    let sizes = Sizes { heads: 4, kv_heads: 2, width: 16, window: None, precision: Precision::F32 };
    let shape = PageShape { pages: 8, kv_heads: 2, head_dim: 16, precision: Precision::F32 };
    let mut pages = Pages::new(shape, &Device::flex());
    let alone = sizes.attend(&mut pages, &[(0, 0..40)], &[vec![0, 1, 2]]);
    let mut pages = Pages::new(shape, &Device::flex());
    // The same text again, after its first two pages.
    let tables = [vec![3, 4, 5], vec![]];
    let qkv = [(4, 0), (2, 1), (2, 2)].map(|(heads, what)| new_tokens(&[(0, 0..40), (0, 32..40)], heads, 16, what));
    let texts =
        [Text { start: 0, tokens: 40, pages: tables[0].clone() }, Text { start: 32, tokens: 8, pages: vec![3, 4, 7] }];
    let both = host(pages.attend(qkv, &texts, None, Precision::F32));
    assert_eq!(bits(&both[..alone.len()]), bits(&alone));
    assert_eq!(bits(&both[alone.len()..]), bits(&alone[32 * 64..]));
}

#[test]
fn every_instruction_set_of_this_cpu_agrees_too() {
    levels::run_others();
}
