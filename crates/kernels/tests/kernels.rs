//! Every operation against its reference: values and gradients, over odd shapes and views. On
//! `flex` that is kernel against burn's operations.
#![cfg(feature = "flex")]

mod levels;

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_kernels::attention::Mask;
use fireclay_kernels::cross_entropy::Targets;
use fireclay_kernels::{
    Activation, Angles, Head, LogProbabilities, Precision, StoredWeight, WeightStorage, activate, activation, add,
    add_norm, attention, cross_entropy, embedding, gated, linear, linears, log_probabilities, norm, norm_rotary,
    rotary,
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

/// The result of `op` of inputs of the given lengths, and the gradients of a weighted sum of it.
fn values_and_gradients(lengths: &[usize], op: &dyn Fn(&[Tensor<1>]) -> Tensor<1>) -> (Vec<f32>, Vec<Vec<f32>>) {
    let device = Device::flex().autodiff();
    let input = |(seed, &length): (usize, &usize)| {
        Tensor::<1>::from_data(TensorData::new(numbers(length, seed as u64), [length]), &device).require_grad()
    };
    let inputs: Vec<Tensor<1>> = lengths.iter().enumerate().map(input).collect();
    let output = op(&inputs);
    let weights = numbers(output.dims()[0], 99);
    let weights = Tensor::<1>::from_data(TensorData::new(weights, output.dims()), &device);
    let gradients = (output.clone() * weights).sum().backward();
    let host = |tensor: Tensor<1>| tensor.into_data().try_into_vec::<f32>().unwrap();
    (host(output), inputs.iter().map(|input| host(input.grad(&gradients).expect("a gradient"))).collect())
}

/// Both ways give the same, to `tolerance` of the largest number.
fn compare(
    what: &str,
    lengths: &[usize],
    tolerance: f32,
    kernel: &dyn Fn(&[Tensor<1>]) -> Tensor<1>,
    reference: &dyn Fn(&[Tensor<1>]) -> Tensor<1>,
) {
    let (values, gradients) = values_and_gradients(lengths, kernel);
    let (expected, expected_gradients) = values_and_gradients(lengths, reference);
    close(&format!("{what}: values"), &values, &expected, tolerance);
    for (i, (gradient, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
        close(&format!("{what}: gradient of input {i}"), gradient, expected, tolerance);
    }
}

fn close(what: &str, values: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(values.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3f32, |largest, x| largest.max(x.abs()));
    for (i, (value, expected)) in values.iter().zip(expected).enumerate() {
        let difference = (value - expected).abs();
        assert!(difference <= tolerance * largest, "{what}: number {i} is {value}, expected {expected} of {largest}");
    }
}

fn flat<const R: usize>(x: Tensor<R>) -> Tensor<1> {
    let length = x.dims().iter().product::<usize>();
    x.reshape([length])
}

#[test]
fn norms() {
    use fireclay_kernels::norm::reference;
    for [rows, width] in [[3, 5], [70, 16], [5, 33], [300, 128], [2, 1000]] {
        let what = format!("{rows} × {width}");
        let [x, v] = [rows * width, width];
        let matrix = |x: &Tensor<1>| x.clone().reshape([rows, width]);
        compare(
            &format!("RMS norm {what}"),
            &[x, v],
            2e-5,
            &|i| flat(norm(matrix(&i[0]), i[1].clone(), None, 1e-5)),
            &|i| flat(reference::norm(matrix(&i[0]), i[1].clone(), None, 1e-5)),
        );
        compare(
            &format!("layer norm {what}"),
            &[x, v, v],
            2e-5,
            &|i| flat(norm(matrix(&i[0]), i[1].clone(), Some(i[2].clone()), 1e-5)),
            &|i| flat(reference::norm(matrix(&i[0]), i[1].clone(), Some(i[2].clone()), 1e-5)),
        );
        // A view: the columns of another matrix.
        let view = |x: &Tensor<1>| x.clone().reshape([width, rows]).transpose();
        compare(
            &format!("RMS norm of a view {what}"),
            &[x, v],
            2e-5,
            &|i| flat(norm(view(&i[0]), i[1].clone(), None, 1e-5)),
            &|i| flat(reference::norm(view(&i[0]), i[1].clone(), None, 1e-5)),
        );
    }
}

/// The sum and its norm, each alone, so that one gradient is missing, and both.
#[test]
fn sums_and_their_norms() {
    use fireclay_kernels::norm::reference;
    for [rows, width] in [[1, 3], [70, 16], [5, 33], [300, 128]] {
        let lengths = [rows * width, rows * width, width, width];
        let matrix = |x: &Tensor<1>| x.clone().reshape([rows, width]);
        let both = |x: [Tensor<2>; 2]| flat(Tensor::cat(x.to_vec(), 1));
        for adds in [false, true] {
            let added = |i: &[Tensor<1>]| adds.then(|| matrix(&i[1]));
            let sum = |i: &[Tensor<1>]| if adds { matrix(&i[0]) + matrix(&i[1]) } else { matrix(&i[0]) };
            // Every input takes part in the compared result, though not every one is an input of the operation.
            let rest = |i: &[Tensor<1>]| (i[1].clone().sum() + i[2].clone().sum() + i[3].clone().sum()) * 1e-3;
            for biased in [false, true] {
                let bias = |i: &[Tensor<1>]| biased.then(|| i[3].clone());
                let ours = |i: &[Tensor<1>]| add_norm(matrix(&i[0]), added(i), i[2].clone(), bias(i), 1e-5);
                let normal = |i: &[Tensor<1>]| reference::norm(sum(i), i[2].clone(), bias(i), 1e-5);
                let what = format!("{rows} × {width}, adds {adds}, bias {biased}");
                let with_rest = |x: Tensor<1>, i: &[Tensor<1>]| x + rest(i);
                compare(&what, &lengths, 2e-5, &|i| with_rest(both(ours(i)), i), &|i| {
                    with_rest(both([sum(i), normal(i)]), i)
                });
                compare(
                    &format!("{what}, the sum"),
                    &lengths,
                    2e-5,
                    &|i| with_rest(flat(ours(i)[0].clone()), i),
                    &|i| with_rest(flat(sum(i)), i),
                );
                compare(
                    &format!("{what}, the norm"),
                    &lengths,
                    2e-5,
                    &|i| with_rest(flat(ours(i)[1].clone()), i),
                    &|i| with_rest(flat(normal(i)), i),
                );
            }
        }
        compare("a sum", &lengths[..2], 0.0, &|i| flat(add(matrix(&i[0]), matrix(&i[1]))), &|i| {
            flat(matrix(&i[0]) + matrix(&i[1]))
        });
    }
}

/// Queries, keys and values; the second of them may be used by nothing.
#[test]
fn several_maps_of_the_same_input() {
    use fireclay_kernels::linear::reference;
    for ([rows, inputs], outputs) in [([1, 5], [3, 1, 2]), ([7, 33], [40, 8, 9]), ([130, 64], [64, 32, 32])] {
        let matrices = outputs.map(|outputs| inputs * outputs);
        let lengths = [&[rows * inputs][..], &matrices, &outputs].concat();
        let x = |i: &[Tensor<1>]| i[0].clone().reshape([rows, inputs]);
        let w = |i: &[Tensor<1>]| std::array::from_fn(|m| i[1 + m].clone().reshape([inputs, outputs[m]]));
        let b = |i: &[Tensor<1>]| std::array::from_fn::<_, 3, _>(|m| i[4 + m].clone());
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 2e-2)] {
            for (biased, unused) in [(true, false), (false, false), (true, true)] {
                let joined = |maps: [Tensor<2>; 3], i: &[Tensor<1>]| {
                    let [first, second, third] = maps;
                    let used = if unused { vec![first, third] } else { vec![first, second, third] };
                    flat(Tensor::cat(used, 1))
                        + i[1..].iter().map(|x| x.clone().sum()).reduce(|a, b| a + b).unwrap() * 1e-3
                };
                let biases = |i: &[Tensor<1>]| biased.then(|| b(i));
                compare(
                    &format!("{rows} × {inputs}, {precision:?}, biased {biased}, one unused {unused}"),
                    &lengths,
                    tolerance,
                    &|i| joined(linears(x(i), w(i), biases(i), precision), i),
                    &|i| {
                        let map = |m: usize| {
                            let bias = biases(i).map(|biases| biases[m].clone());
                            reference::linear(x(i), w(i)[m].clone(), bias, Precision::F32)
                        };
                        joined(std::array::from_fn(map), i)
                    },
                );
            }
        }
    }
}

#[test]
fn linear_maps() {
    use fireclay_kernels::linear::reference;
    for [rows, inputs, outputs] in [[1, 1, 1], [1, 40, 3], [7, 5, 9], [64, 128, 96], [130, 33, 257], [1030, 512, 6]] {
        let sizes = [rows * inputs, inputs * outputs, outputs];
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 2e-2)] {
            let x = |i: &[Tensor<1>]| i[0].clone().reshape([rows, inputs]);
            let w = |i: &[Tensor<1>]| i[1].clone().reshape([inputs, outputs]);
            let transposed = |i: &[Tensor<1>]| i[1].clone().reshape([outputs, inputs]).transpose();
            let what = format!("{rows} × {inputs} × {outputs} {precision:?}");
            compare(&what, &sizes[..2], tolerance, &|i| flat(linear(x(i), w(i), None, precision)), &|i| {
                flat(reference::linear(x(i), w(i), None, Precision::F32))
            });
            let bias = |i: &[Tensor<1>]| Some(i[2].clone());
            compare(
                &format!("{what}, a view and a bias"),
                &sizes,
                tolerance,
                &|i| flat(linear(x(i), transposed(i), bias(i), precision)),
                &|i| flat(reference::linear(x(i), transposed(i), bias(i), Precision::F32)),
            );
        }
    }
}

/// For any number of rows, and any memory layout of the weight.
#[test]
fn stored_weights() {
    let device = Device::flex();
    let matrix = |rows: usize, columns: usize, seed| {
        Tensor::<2>::from_data(TensorData::new(numbers(rows * columns, seed), [rows, columns]), &device)
    };
    // The last is shared by threads; no width of outputs but one is a multiple of a block.
    for [inputs, outputs] in [[1, 1], [8, 33], [19, 130], [300, 64], [130, 1100]] {
        for rows in [1, 2, 4, 5, 40] {
            let (x, bias) = (matrix(rows, inputs, 1), Tensor::from_data(&numbers(outputs, 3)[..], &device));
            for transposed in [false, true] {
                let weight =
                    if transposed { matrix(outputs, inputs, 2).transpose() } else { matrix(inputs, outputs, 2) };
                for (_, format) in WeightStorage::NAMED {
                    let what = format!("{rows} × {inputs} × {outputs}, {format:?}, transposed {transposed}");
                    let stored = StoredWeight::new(weight.clone(), format);
                    let (whole, rounded) = (host(weight.clone()), host(stored.widened()));
                    let off = whole.iter().zip(rounded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    let allowed = match format {
                        WeightStorage::F32 => 0.0,
                        // Numbers up to 2 with 8 bits of mantissa, or in steps of the largest by 127.
                        WeightStorage::Bf16 => 1.0 / 256.0,
                        WeightStorage::Int8 => 1.0 / 127.0 + 1e-6,
                        // Extremes may be clamped, where that leaves smaller squared errors.
                        WeightStorage::Int4 => 1.5 * 4.0 / 15.0,
                    };
                    assert!(off <= allowed, "{what}: weights are off by {off}");
                    for bias in [None, Some(bias.clone())] {
                        let product = x.clone().matmul(stored.widened());
                        let expected = bias.clone().map_or(product.clone(), |bias| product + bias.unsqueeze());
                        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 2e-2)] {
                            let found = stored.linear(x.clone(), bias.clone(), precision);
                            close(&format!("{what}, {precision:?}"), &host(found), &host(expected.clone()), tolerance);
                        }
                    }
                }
            }
        }
    }
}

fn host<const R: usize>(x: Tensor<R>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

#[test]
fn activations() {
    let all = [Activation::Relu, Activation::ReluSquared, Activation::Gelu, Activation::GeluTanh, Activation::Silu];
    for length in [1, 17, 40_000] {
        for function in all {
            // From −8 to 8, where the tails are.
            let wide = |x: &Tensor<1>| x.clone() * 4.0;
            // In bf16 the gradients are those of rounded inputs.
            for (precision, tolerance) in [(Precision::F32, 3e-6), (Precision::Bf16, 1e-2)] {
                compare(
                    &format!("{function:?} {precision:?}"),
                    &[length],
                    tolerance,
                    &|i| activate(wide(&i[0]), function, precision),
                    &|i| activation::reference::activate(wide(&i[0]), function),
                );
                compare(
                    &format!("gated {function:?} {precision:?}"),
                    &[length, length],
                    tolerance,
                    &|i| gated(wide(&i[0]), i[1].clone(), function, precision),
                    &|i| activation::reference::activate(wide(&i[0]), function) * i[1].clone(),
                );
            }
        }
    }
}

#[test]
fn rotations() {
    use fireclay_kernels::norm::reference::norm as norm_by_reference;
    use fireclay_kernels::rotary::reference;
    // The last number: how many numbers of a head, beside those of the planes, stay as they are.
    for [batch, time, heads, planes, others] in
        [[1, 1, 1, 1, 0], [2, 5, 3, 4, 0], [3, 130, 4, 16, 0], [1, 7, 2, 33, 0], [2, 5, 3, 4, 7], [1, 40, 2, 16, 48]]
    {
        let width = 2 * planes + others;
        let cos: Arc<[f32]> = numbers(time * planes, 5).iter().map(|x| x.cos()).collect();
        let sin: Arc<[f32]> = numbers(time * planes, 5).iter().map(|x| x.sin()).collect();
        let angles = Angles { time, planes, cos, sin };
        let heads_of = |x: &Tensor<1>| x.clone().reshape([batch, time, heads, width]);
        let numbers_of = |x: Tensor<4>| x.reshape([batch * time * heads * width]);
        compare(
            &format!("{batch} × {time} × {heads} × {planes} + {others}, normalised"),
            &[batch * time * heads * width, width],
            1e-5,
            &|i| numbers_of(norm_rotary(heads_of(&i[0]), i[1].clone(), 1e-5, &angles)),
            &|i| numbers_of(reference::rotary(norm_by_reference(heads_of(&i[0]), i[1].clone(), None, 1e-5), &angles)),
        );
        compare(
            &format!("{batch} × {time} × {heads} × {planes} + {others}"),
            &[batch * time * heads * width],
            1e-6,
            &|i| flat(rotary(heads_of(&i[0]), &angles)),
            &|i| flat(reference::rotary(heads_of(&i[0]), &angles)),
        );
    }
}

#[test]
fn embeddings() {
    for [rows, width, batch, time] in [[1, 1, 1, 1], [5, 3, 2, 4], [50, 130, 3, 100]] {
        let ids: Vec<i32> = (0..batch * time).map(|i| ((i * 7 + 3) % rows) as i32).collect();
        let ids =
            || Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [batch, time]), &Device::flex().autodiff());
        let table = |x: &Tensor<1>| x.clone().reshape([rows, width]);
        compare(
            &format!("{rows} × {width}"),
            &[rows * width],
            1e-6,
            &|i| flat(embedding(table(&i[0]), ids())),
            &|i| flat(burn::tensor::module::embedding(table(&i[0]), ids())),
        );
    }
}

#[test]
#[should_panic(expected = "id 5 is not in a table of 5 rows")]
fn an_id_that_is_not_in_the_table_is_refused() {
    let device = Device::flex();
    let _ = embedding(Tensor::zeros([5, 2], &device), Tensor::from_ints([[0, 5]], &device));
}

#[test]
fn cross_entropies() {
    use fireclay_kernels::cross_entropy::reference;
    // The last needs several pieces of rows.
    for [rows, width, vocabulary] in [[1, 1, 1], [5, 3, 7], [40, 32, 33], [9, 20, 1024], [9, 512, 20], [600, 8, 4100]] {
        let ids: Vec<u32> = (0..rows).map(|i| ((i * 31 + 2) % vocabulary) as u32).collect();
        let weights: Vec<f32> = numbers(rows, 3).iter().map(|x| x.abs()).collect();
        let some: Vec<f32> = weights.iter().enumerate().map(|(i, w)| if i % 3 == 0 { 0.0 } else { *w }).collect();
        for weights in [weights, some, vec![0.0; rows]] {
            let targets = Targets { ids: ids.clone(), weights };
            let hidden = |i: &[Tensor<1>]| i[0].clone().reshape([rows, width]);
            let head = |i: &[Tensor<1>]| i[1].clone().reshape([width, vocabulary]);
            let lengths = [rows * width, width * vocabulary];
            let (leaf, matrix) = (Precision::F32, Head::Matrix as fn(Tensor<2>) -> Head);
            compare(
                &format!("{rows} × {width} × {vocabulary}"),
                &lengths,
                2e-5,
                &|i| cross_entropy(hidden(i), matrix(head(i)), targets.clone(), leaf),
                &|i| reference::cross_entropy(hidden(i), matrix(head(i)), &targets, leaf),
            );
            let table = |i: &[Tensor<1>]| Head::Embedding(i[1].clone().reshape([vocabulary, width]));
            compare(
                &format!("{rows} × {width} × {vocabulary}, tied"),
                &lengths,
                2e-5,
                &|i| cross_entropy(hidden(i), table(i), targets.clone(), leaf),
                &|i| reference::cross_entropy(hidden(i), table(i), &targets, leaf),
            );
        }
    }
}

#[test]
fn log_probabilities_and_entropies() {
    use fireclay_kernels::log_probabilities::reference;
    let both = |LogProbabilities { chosen, entropy }| Tensor::cat(vec![chosen, entropy], 0);
    // The last needs several pieces of rows, and has a row in the vocabulary that is not a multiple of a vector.
    for [rows, width, vocabulary] in [[1, 1, 1], [5, 3, 7], [40, 32, 33], [9, 20, 1024], [9, 512, 20], [600, 8, 4099]] {
        let ids: Vec<u32> = (0..rows).map(|i| ((i * 31 + 2) % vocabulary) as u32).collect();
        let hidden = |i: &[Tensor<1>]| i[0].clone().reshape([rows, width]);
        let lengths = [rows * width, width * vocabulary];
        for temperature in [1.0, 0.7] {
            for tied in [false, true] {
                let head = |i: &[Tensor<1>]| match tied {
                    false => Head::Matrix(i[1].clone().reshape([width, vocabulary])),
                    true => Head::Embedding(i[1].clone().reshape([vocabulary, width])),
                };
                let leaf = Precision::F32;
                compare(
                    &format!("{rows} × {width} × {vocabulary}, tied {tied}, temperature {temperature}"),
                    &lengths,
                    5e-5,
                    &|i| both(log_probabilities(hidden(i), head(i), ids.clone(), temperature, leaf)),
                    &|i| both(reference::log_probabilities(hidden(i), head(i), &ids, temperature, leaf)),
                );
            }
        }
    }
}

#[test]
fn attentions() {
    use fireclay_kernels::attention::reference;
    // Batch, query heads, key heads, queries, keys, width; where texts begin; window.
    type Case = ([usize; 6], Option<Vec<u32>>, Option<usize>);
    let cases: [Case; 6] = [
        ([1, 1, 1, 1, 1, 1], None, None),
        ([2, 4, 2, 5, 5, 8], None, None),
        ([1, 6, 2, 70, 70, 16], None, None),
        ([2, 2, 1, 3, 40, 32], None, None),
        ([1, 2, 2, 50, 50, 24], None, Some(7)),
        ([2, 2, 2, 4, 4, 16], Some(vec![0, 0, 2, 2, 0, 1, 1, 1]), None),
    ];
    for ([batch, heads, kv_heads, queries, keys, width], origins, window) in cases {
        let of = |x: &Tensor<1>, time, heads| x.clone().reshape([batch, time, heads, width]).swap_dims(1, 2);
        let mask = Mask::new(origins.map(Arc::from), window);
        let lengths = [heads * queries, kv_heads * keys, kv_heads * keys].map(|n| batch * n * width);
        for (precision, tolerance) in [(Precision::F32, 2e-5), (Precision::Bf16, 2e-2)] {
            compare(
                &format!("{batch} × {heads} of {kv_heads} × {queries} of {keys} × {width} {precision:?}"),
                &lengths,
                tolerance,
                &|i| {
                    let (q, k, v) = (of(&i[0], queries, heads), of(&i[1], keys, kv_heads), of(&i[2], keys, kv_heads));
                    flat(attention(q, k, v, &mask, precision))
                },
                &|i| {
                    let (q, k, v) = (of(&i[0], queries, heads), of(&i[1], keys, kv_heads), of(&i[2], keys, kv_heads));
                    flat(reference::attention(q, k, v, &mask, Precision::F32))
                },
            );
        }
    }
}

#[test]
fn every_instruction_set_of_this_cpu_agrees_too() {
    levels::run_others();
}
