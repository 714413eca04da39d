//! The operations that have a kernel, each twice.

use burn::tensor::{Int, Tensor, TensorData, module};

use super::{OpShape, Pass};
use crate::attention::{self, Mask};
use crate::cross_entropy::{self, Targets};
use crate::{Activation, Angles, Head, Precision, activation, linear, norm, rotary};

/// An operation from vectors, which it reshapes as needed, to one vector.
type Op = Box<dyn Fn(&[Tensor<1>]) -> Tensor<1>>;

/// An operation twice: by its kernel and by burn's operations.
pub(super) struct Case {
    /// Name of the operation.
    pub(super) name: &'static str,
    /// Lengths of its inputs.
    pub(super) inputs: Vec<usize>,
    pub(super) kernel: Op,
    pub(super) reference: Op,
    /// Floating-point operations of its matrix products: forwards, and the factor for both passes.
    products: Option<(f64, f64)>,
}

impl Case {
    fn new(
        name: &'static str,
        inputs: impl Into<Vec<usize>>,
        kernel: impl Fn(&[Tensor<1>]) -> Tensor<1> + 'static,
        reference: impl Fn(&[Tensor<1>]) -> Tensor<1> + 'static,
    ) -> Self {
        let (kernel, reference) = (Box::new(kernel), Box::new(reference));
        Self { name, inputs: inputs.into(), kernel, reference, products: None }
    }

    fn with_products(self, forward: f64, both: f64) -> Self {
        Self { products: Some((forward, both)), ..self }
    }

    pub(super) fn flops(&self, pass: Pass) -> Option<f64> {
        self.products.map(|(forward, both)| if pass == Pass::Forward { forward } else { forward * both })
    }
}

/// All of them, in the order of a forward pass.
pub(super) fn cases(shape: &OpShape) -> Vec<Case> {
    let mut cases = vec![embed(shape), layer_norm(shape), rms_norm(shape)];
    cases.push(linear_map("linear with bias, f32", shape, Precision::F32));
    cases.push(linear_map("linear with bias, bf16", shape, Precision::Bf16));
    cases.extend([rotation(shape), causal_attention(shape), gelu(shape), swiglu(shape)]);
    cases.push(loss("head and cross-entropy, f32", shape, Precision::F32));
    cases.push(loss("head and cross-entropy, bf16", shape, Precision::Bf16));
    cases
}

fn flat<const R: usize>(x: Tensor<R>) -> Tensor<1> {
    let length = x.dims().iter().product::<usize>();
    x.reshape([length])
}

fn embed(shape: &OpShape) -> Case {
    let OpShape { batch, context, width, vocab, .. } = *shape;
    let numbers: Vec<i32> = (0..batch * context).map(|i| ((i * 7919 + 13) % vocab) as i32).collect();
    let ids = move |table: &Tensor<1>| {
        Tensor::<2, Int>::from_data(TensorData::new(numbers.clone(), [batch, context]), &table.device())
    };
    let table = move |table: &Tensor<1>| table.clone().reshape([vocab, width]);
    let same_ids = ids.clone();
    Case::new(
        "embedding",
        [vocab * width],
        move |i| flat(crate::embedding(table(&i[0]), ids(&i[0]))),
        move |i| flat(module::embedding(table(&i[0]), same_ids(&i[0]))),
    )
}

fn layer_norm(shape: &OpShape) -> Case {
    let (rows, width) = (shape.batch * shape.context, shape.width);
    let x = move |i: &[Tensor<1>]| i[0].clone().reshape([rows, width]);
    Case::new(
        "layer norm",
        [rows * width, width, width],
        move |i| flat(crate::norm(x(i), i[1].clone(), Some(i[2].clone()), 1e-5)),
        move |i| flat(norm::reference::norm(x(i), i[1].clone(), Some(i[2].clone()), 1e-5)),
    )
}

fn rms_norm(shape: &OpShape) -> Case {
    let (rows, width) = (shape.batch * shape.context, shape.width);
    let x = move |i: &[Tensor<1>]| i[0].clone().reshape([rows, width]);
    Case::new(
        "RMS norm",
        [rows * width, width],
        move |i| flat(crate::norm(x(i), i[1].clone(), None, 1e-5)),
        move |i| flat(norm::reference::norm(x(i), i[1].clone(), None, 1e-5)),
    )
}

/// The first linear map of a feed-forward layer.
fn linear_map(name: &'static str, shape: &OpShape, precision: Precision) -> Case {
    let (rows, inputs, outputs) = (shape.batch * shape.context, shape.width, 4 * shape.width);
    let x = move |i: &[Tensor<1>]| i[0].clone().reshape([rows, inputs]);
    let weight = move |i: &[Tensor<1>]| i[1].clone().reshape([inputs, outputs]);
    Case::new(
        name,
        [rows * inputs, inputs * outputs, outputs],
        move |i| flat(crate::linear(x(i), weight(i), Some(i[2].clone()), precision)),
        move |i| flat(linear::reference::linear(x(i), weight(i), Some(i[2].clone()), precision)),
    )
    // Backwards there is one product for x and one for the weight.
    .with_products(2.0 * rows as f64 * inputs as f64 * outputs as f64, 3.0)
}

fn rotation(shape: &OpShape) -> Case {
    let OpShape { batch, context, width, heads, .. } = *shape;
    let planes = width / heads / 2;
    let angle = |i: usize| (i / planes) as f32 * 10_000f32.powf(-((i % planes) as f32) / planes as f32);
    let table = |function: fn(f32) -> f32| (0..context * planes).map(|i| function(angle(i))).collect();
    let angles = Angles { time: context, planes, cos: table(f32::cos), sin: table(f32::sin) };
    let same_angles = angles.clone();
    let x = move |i: &[Tensor<1>]| i[0].clone().reshape([batch, context, heads, 2 * planes]);
    Case::new(
        "rotary positions",
        [batch * context * width],
        move |i| flat(crate::rotary(x(i), &angles)),
        move |i| flat(rotary::reference::rotary(x(i), &same_angles)),
    )
}

fn causal_attention(shape: &OpShape) -> Case {
    let OpShape { batch, context, width, heads, .. } = *shape;
    // As in the decoder, the heads of a token are contiguous.
    let heads_of = move |x: &Tensor<1>| x.clone().reshape([batch, context, heads, width / heads]).swap_dims(1, 2);
    let mask = || Mask::new(None, None);
    let size = batch * context * width;
    Case::new(
        "causal attention, f32",
        [size, size, size],
        move |i| {
            let (q, k, v) = (heads_of(&i[0]), heads_of(&i[1]), heads_of(&i[2]));
            flat(crate::attention(q, k, v, &mask(), Precision::F32))
        },
        move |i| {
            let (q, k, v) = (heads_of(&i[0]), heads_of(&i[1]), heads_of(&i[2]));
            flat(attention::reference::attention(q, k, v, &mask(), Precision::F32))
        },
    )
    // Two products of which the mask leaves half, and five backwards, as FlashAttention's authors
    // count (Dao 2023, section 4.1).
    .with_products(2.0 * size as f64 * context as f64, 3.5)
}

fn gelu(shape: &OpShape) -> Case {
    Case::new(
        "GELU by tanh",
        [shape.batch * shape.context * 4 * shape.width],
        |i| crate::activate(i[0].clone(), Activation::GeluTanh, Precision::F32),
        |i| activation::reference::activate(i[0].clone(), Activation::GeluTanh),
    )
}

fn swiglu(shape: &OpShape) -> Case {
    let size = shape.batch * shape.context * 4 * shape.width;
    Case::new(
        "gated SiLU",
        [size, size],
        |i| crate::gated(i[0].clone(), i[1].clone(), Activation::Silu, Precision::F32),
        |i| activation::reference::activate(i[0].clone(), Activation::Silu) * i[1].clone(),
    )
}

fn loss(name: &'static str, shape: &OpShape, precision: Precision) -> Case {
    let (rows, width, vocab) = (shape.batch * shape.context, shape.width, shape.vocab);
    let ids = (0..rows).map(|i| ((i * 104_729 + 5) % vocab) as u32).collect();
    let targets = Targets { ids, weights: vec![1.0 / rows as f32; rows] };
    let same_targets = targets.clone();
    let hidden = move |i: &[Tensor<1>]| i[0].clone().reshape([rows, width]);
    let head = move |i: &[Tensor<1>]| Head::Matrix(i[1].clone().reshape([width, vocab]));
    Case::new(
        name,
        [rows * width, width * vocab],
        move |i| crate::cross_entropy(hidden(i), head(i), targets.clone(), precision),
        move |i| cross_entropy::reference::cross_entropy(hidden(i), head(i), &same_targets, precision),
    )
    .with_products(2.0 * rows as f64 * width as f64 * vocab as f64, 3.0)
}
