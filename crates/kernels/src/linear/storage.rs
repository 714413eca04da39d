//! A weight as it is stored while it is not trained: for inference, or under adapters.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData, module};

use super::format::{INT8_BLOCK, WeightStorage};
#[cfg(feature = "flex")]
use super::panels::Panels;
use super::{BlockWeight, linear};
use crate::Precision;

/// A weight `[I, O]` in one of the formats, or in blocks of another. It has no gradient; that of its input flows
/// through.
#[derive(Clone, Debug)]
pub struct StoredWeight {
    outputs: usize,
    values: Values,
    /// Whether products with 8-bit weights round their other factor.
    rounds_inputs: bool,
}

#[derive(Clone, Debug)]
enum Values {
    /// As burn has it; a quantised one is filled up with columns of zeros to a multiple of [`INT8_BLOCK`].
    Tensor(Box<Tensor<2>>),
    /// On the host, in the order in which products read it.
    #[cfg(feature = "flex")]
    Panels(Arc<Panels>),
}

impl StoredWeight {
    /// `weight` in the given format.
    #[must_use]
    pub fn new(weight: Tensor<2>, format: WeightStorage) -> Self {
        let outputs = weight.dims()[1];
        #[cfg(feature = "flex")]
        if crate::op::on_host(&weight) {
            let values = Values::Panels(Arc::new(Panels::of(weight, format)));
            return Self { outputs, values, rounds_inputs: false };
        }
        let values = match format {
            WeightStorage::F32 => Values::Tensor(Box::new(weight)),
            WeightStorage::Bf16 => Values::Tensor(Box::new(weight.cast(FloatDType::BF16))),
            WeightStorage::Int8 => Values::Tensor(Box::new(quantized(&weight))),
        };
        Self { outputs, values, rounds_inputs: false }
    }

    /// [`new`](Self::new) for inference: on the CPU, products with 8-bit weights round x to 16 bits, 128 inputs by the
    /// largest of them, which takes half the time. That is off by a hundredth of what rounding the weights is.
    #[must_use]
    pub fn for_inference(weight: Tensor<2>, format: WeightStorage) -> Self {
        Self { rounds_inputs: true, ..Self::new(weight, format) }
    }

    /// A weight that stays in its blocks on the CPU; elsewhere it is widened to f32.
    #[must_use]
    pub fn of_blocks(blocks: Arc<dyn BlockWeight>, device: &Device) -> Self {
        let [inputs, outputs] = blocks.dims();
        #[cfg(feature = "flex")]
        if *device == Device::flex() {
            let values = Values::Panels(Arc::new(Panels::of_blocks(blocks)));
            return Self { outputs, values, rounds_inputs: false };
        }
        let mut rows = Vec::with_capacity(inputs * outputs);
        blocks.widen(0..outputs, &mut rows);
        let rows = Tensor::<2>::from_data(TensorData::new(rows, [outputs, inputs]), &device.clone().inner());
        Self { outputs, values: Values::Tensor(Box::new(rows.transpose())), rounds_inputs: false }
    }

    /// The values that it stands for, in f32.
    ///
    /// # Shapes
    /// `[I, O]`
    #[must_use]
    pub fn widened(&self) -> Tensor<2> {
        match &self.values {
            Values::Tensor(tensor) if is_quantized(tensor) => {
                (**tensor).clone().dequantize().narrow(1, 0, self.outputs)
            }
            Values::Tensor(tensor) => (**tensor).clone().cast(FloatDType::F32),
            #[cfg(feature = "flex")]
            Values::Panels(panels) => panels.widened(),
        }
    }

    /// `x·W + b`. On the CPU a row's result does not depend on the rows beside it, nor on how many they are.
    ///
    /// # Shapes
    /// x `[N, I]`, bias `[O]` → `[N, O]`
    #[must_use]
    pub fn linear(&self, x: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
        match &self.values {
            // The gradient of x goes through the widened weight.
            Values::Tensor(_) if x.device().is_autodiff() => {
                linear(x, Tensor::from_inner(self.widened()), bias, precision)
            }
            Values::Tensor(tensor) if is_quantized(tensor) => {
                let y = linear(x, (**tensor).clone(), None, precision).narrow(1, 0, self.outputs);
                match bias {
                    Some(bias) => y + bias.unsqueeze(),
                    None => y,
                }
            }
            Values::Tensor(tensor) => linear(x, (**tensor).clone(), bias, precision),
            #[cfg(feature = "flex")]
            Values::Panels(panels) => super::panels::linear(x, panels, bias, precision, self.rounds_inputs),
        }
    }
}

impl StoredWeight {
    /// The weights of the outputs that `ids` name, as an embedding has them: its rows are this weight's outputs.
    ///
    /// # Shapes
    /// ids `[B, T]` → `[B, T, I]`
    ///
    /// # Panics
    /// When an id is not below O (on the host; elsewhere as the backend has it).
    #[must_use]
    pub fn embedding(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        match &self.values {
            Values::Tensor(_) => {
                let table = self.widened().transpose();
                let table = if ids.device().is_autodiff() { Tensor::from_inner(table) } else { table };
                module::embedding(table, ids)
            }
            #[cfg(feature = "flex")]
            Values::Panels(panels) => {
                let (device, [batch, time]) = (ids.device(), ids.dims());
                let ids: Vec<usize> =
                    ids.into_data().iter::<i64>().map(|id| usize::try_from(id).expect("an id")).collect();
                let shape = [batch, time, panels.dims()[0]];
                Tensor::from_data(TensorData::new(panels.outputs(&ids), shape), &device)
            }
        }
    }

    /// The weights of some outputs in f32, each output's inputs one after another: `[outputs, I]`.
    ///
    /// # Panics
    /// When there are fewer outputs.
    #[must_use]
    pub fn widened_outputs(&self, outputs: Range<usize>) -> Vec<f32> {
        match &self.values {
            Values::Tensor(_) => {
                let rows = self.widened().narrow(1, outputs.start, outputs.len()).transpose();
                rows.into_data().convert::<f32>().try_into_vec().expect("converted to f32")
            }
            #[cfg(feature = "flex")]
            Values::Panels(panels) => {
                let mut rows = Vec::with_capacity(outputs.len() * panels.dims()[0]);
                panels.widen_outputs(outputs, &mut rows);
                rows
            }
        }
    }

    /// I and O.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        let inputs = match &self.values {
            Values::Tensor(tensor) => tensor.dims()[0],
            #[cfg(feature = "flex")]
            Values::Panels(panels) => panels.dims()[0],
        };
        [inputs, self.outputs]
    }

    /// The panels, if the weight is in host memory.
    #[cfg(feature = "flex")]
    pub(crate) fn panels(&self) -> Option<&Arc<Panels>> {
        match &self.values {
            Values::Panels(panels) => Some(panels),
            Values::Tensor(_) => None,
        }
    }
}

fn is_quantized(tensor: &Tensor<2>) -> bool {
    matches!(tensor.dtype(), DType::QFloat(_))
}

/// In int8 as burn has it.
fn quantized(weight: &Tensor<2>) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    // A transposed view would be read as it lies in memory, and blocks are of rows.
    let weight = weight.clone() + Tensor::zeros([inputs, outputs], &weight.device());
    let missing = outputs.next_multiple_of(INT8_BLOCK) - outputs;
    let zeros = Tensor::zeros([inputs, missing], &weight.device());
    let weight = if missing == 0 { weight } else { Tensor::cat(vec![weight, zeros], 1) };
    // Where there are no 8-bit numbers, four stand in one of 32 bits, as burn has it by default.
    let whole = weight.device().supports_dtype(DType::I8);
    let store = if whole { QuantStore::Native } else { QuantScheme::default().store };
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(store)
        .per_block([INT8_BLOCK as u8], ScaleDtype::F32);
    weight.quantize_dynamic(&scheme)
}
