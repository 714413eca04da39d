//! Weights of 8-bit integers on the host.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::INT8_BLOCK;
use super::cpu::from_view;
use super::view::{Values, WeightView};
use crate::Precision;
use crate::host::{contiguous, dims, tensor, values};
use crate::op::{Forward, Kernel, Tracked, apply};

/// A weight `[I, O]`: `scale = max |w| / 127` over each block of a row, `round(w / scale)`.
#[derive(Debug)]
pub(super) struct Int8 {
    inputs: usize,
    outputs: usize,
    /// Rows of whole blocks, the last of which may be filled up with zeros.
    values: Vec<i8>,
    /// One for each block of `values`.
    scales: Vec<f32>,
}

impl Int8 {
    pub fn of(weight: Tensor<2>) -> Self {
        let [inputs, outputs] = weight.dims();
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let (values, scales): (Vec<[i8; INT8_BLOCK]>, Vec<f32>) =
            weight.par_chunks_exact(outputs).flat_map_iter(|row| row.chunks(INT8_BLOCK).map(rounded)).unzip();
        Self { inputs, outputs, values: values.into_flattened(), scales }
    }

    /// What it stands for, in f32.
    pub fn widened(&self) -> Tensor<2> {
        let values = TensorData::new(self.view().widened(), [self.inputs, self.padded_outputs()]);
        Tensor::<2>::from_data(values, &burn::tensor::Device::flex()).narrow(1, 0, self.outputs)
    }

    fn padded_outputs(&self) -> usize {
        self.outputs.next_multiple_of(INT8_BLOCK)
    }

    fn view(&self) -> WeightView<'_> {
        let values = Values::Int8 { values: &self.values, scales: &self.scales };
        WeightView { inputs: self.inputs, outputs: self.padded_outputs(), transposed: false, values }
    }
}

/// A block of 64 numbers at most and the scale of it.
fn rounded(block: &[f32]) -> ([i8; INT8_BLOCK], f32) {
    let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = if largest == 0.0 { 1.0 } else { largest / 127.0 };
    let mut values = [0; INT8_BLOCK];
    for (value, x) in values.iter_mut().zip(block) {
        *value = (x / scale).round() as i8;
    }
    (values, scale)
}

/// `x·W + b`
pub(super) fn linear(x: Tensor<2>, weight: &Arc<Int8>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    let kernel = Int8Linear { weight: weight.clone(), precision };
    match bias {
        Some(bias) => apply(kernel, [x.into_dispatch(), bias.into_dispatch()]),
        None => apply(kernel, [x.into_dispatch()]),
    }
}

/// The map of `[x]` or `[x, bias]`.
#[derive(Debug)]
struct Int8Linear {
    weight: Arc<Int8>,
    precision: Precision,
}

impl Kernel for Int8Linear {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        assert!(!tracked.any(), "int8 weights are for inference");
        let inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        let (rows, width, padded) = (dims(&inputs[0])[0], self.weight.outputs, self.weight.padded_outputs());
        let bias = inputs.get(1).map(|bias| [values(bias), &vec![0.0; padded - width]].concat());
        let mut y = from_view(&inputs[0], self.weight.view(), bias.as_deref(), self.precision);
        if padded > width {
            (1..rows).for_each(|row| y.copy_within(row * padded..row * padded + width, row * width));
            y.truncate(rows * width);
        }
        Forward { output: tensor(y, [rows, width]), saved: vec![] }
    }

    fn backward(&self, _saved: Vec<FlexTensor>, _gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        unreachable!("no gradient is tracked through int8 weights")
    }
}
