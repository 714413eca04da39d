//! Storage of a weight that is not trained: for inference, or under adapters.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData, module};

use super::format::{INT8_BLOCK, WeightStorage};
#[cfg(feature = "flex")]
use super::panels::Panels;
use super::{BlockWeight, linear};
use crate::Precision;

/// A weight `[I, O]` in one of the formats, or in blocks of another. It has no gradient, but the gradient of its input
/// is computed.
#[derive(Clone, Debug)]
pub struct StoredWeight {
    outputs: usize,
    values: StoredValues,
}

#[derive(Clone, Debug)]
enum StoredValues {
    /// A tensor of burn; a quantised one is padded with columns of zeros to a multiple of [`INT8_BLOCK`].
    Tensor(Box<Tensor<2>>),
    /// In host memory, in the layout that products read.
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
            return Self { outputs, values: StoredValues::Panels(Arc::new(Panels::of(weight, format))) };
        }
        let values = match format {
            WeightStorage::F32 => StoredValues::Tensor(Box::new(weight)),
            WeightStorage::Bf16 => StoredValues::Tensor(Box::new(weight.cast(FloatDType::BF16))),
            WeightStorage::Int8 | WeightStorage::Int4 => StoredValues::Tensor(Box::new(quantized(&weight))),
        };
        Self { outputs, values }
    }

    /// [`new`](Self::new) for inference. On the CPU, products round x to bf16 with weights of bf16, and to 8-bit
    /// integers with weights of integers, with one step size for [`INT8_BLOCK`] inputs. As many inputs of an output
    /// share a scale of its 8-bit weights, instead of as many outputs of an input.
    #[must_use]
    pub fn for_inference(weight: Tensor<2>, format: WeightStorage) -> Self {
        #[cfg(feature = "flex")]
        if crate::op::on_host(&weight) {
            let outputs = weight.dims()[1];
            return Self { outputs, values: StoredValues::Panels(Arc::new(Panels::for_inference(weight, format))) };
        }
        Self::new(weight, format)
    }

    /// A weight that stays in its blocks on the CPU; elsewhere it is widened to f32.
    #[must_use]
    pub fn of_blocks(blocks: Arc<dyn BlockWeight>, device: &Device) -> Self {
        let [inputs, outputs] = blocks.dims();
        #[cfg(feature = "flex")]
        if *device == Device::flex() {
            let values = StoredValues::Panels(Arc::new(Panels::of_blocks(blocks)));
            return Self { outputs, values };
        }
        let mut rows = Vec::with_capacity(inputs * outputs);
        blocks.widen(0..outputs, &mut rows);
        let rows = Tensor::<2>::from_data(TensorData::new(rows, [outputs, inputs]), &device.clone().inner());
        Self { outputs, values: StoredValues::Tensor(Box::new(rows.transpose())) }
    }

    /// The weight widened to f32.
    ///
    /// # Shapes
    /// `[I, O]`
    #[must_use]
    pub fn widened(&self) -> Tensor<2> {
        match &self.values {
            StoredValues::Tensor(tensor) if is_quantized(tensor) => {
                (**tensor).clone().dequantize().narrow(1, 0, self.outputs)
            }
            StoredValues::Tensor(tensor) => (**tensor).clone().cast(FloatDType::F32),
            #[cfg(feature = "flex")]
            StoredValues::Panels(panels) => panels.widened(),
        }
    }

    /// `x·W + b`. On the CPU a row's result does not depend on the other rows or their number.
    ///
    /// # Shapes
    /// x `[N, I]`, bias `[O]` → `[N, O]`
    #[must_use]
    pub fn linear(&self, x: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
        match &self.values {
            // The gradient of x goes through the widened weight.
            StoredValues::Tensor(_) if x.device().is_autodiff() => {
                linear(x, Tensor::from_inner(self.widened()), bias, precision)
            }
            StoredValues::Tensor(tensor) if is_quantized(tensor) => {
                let y = linear(x, (**tensor).clone(), None, precision).narrow(1, 0, self.outputs);
                match bias {
                    Some(bias) => y + bias.unsqueeze(),
                    None => y,
                }
            }
            StoredValues::Tensor(tensor) => linear(x, (**tensor).clone(), bias, precision),
            #[cfg(feature = "flex")]
            StoredValues::Panels(panels) => super::panels::linear(x, panels, bias, precision),
        }
    }
}

impl StoredWeight {
    /// Embeddings of `ids`, if this weight is a head `[D, V]`: its outputs are the rows of the embedding.
    ///
    /// # Shapes
    /// ids `[B, T]` → `[B, T, I]`
    ///
    /// # Panics
    /// When an id is not below O (on the host; elsewhere as the backend has it).
    #[must_use]
    pub fn embedding(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        match &self.values {
            StoredValues::Tensor(_) => {
                let table = self.widened().transpose();
                let table = if ids.device().is_autodiff() { Tensor::from_inner(table) } else { table };
                module::embedding(table, ids)
            }
            #[cfg(feature = "flex")]
            StoredValues::Panels(panels) => {
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
    /// If there are fewer outputs.
    #[must_use]
    pub fn widened_outputs(&self, outputs: Range<usize>) -> Vec<f32> {
        match &self.values {
            StoredValues::Tensor(_) => {
                let rows = self.widened().narrow(1, outputs.start, outputs.len()).transpose();
                rows.into_data().convert::<f32>().try_into_vec().expect("converted to f32")
            }
            #[cfg(feature = "flex")]
            StoredValues::Panels(panels) => {
                let mut rows = Vec::with_capacity(outputs.len() * panels.dims()[0]);
                panels.widen_outputs(outputs, &mut rows);
                rows
            }
        }
    }

    /// The number of inputs and of outputs.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        let inputs = match &self.values {
            StoredValues::Tensor(tensor) => tensor.dims()[0],
            #[cfg(feature = "flex")]
            StoredValues::Panels(panels) => panels.dims()[0],
        };
        [inputs, self.outputs]
    }

    /// The panels, if the weight is in host memory.
    #[cfg(feature = "flex")]
    pub(crate) fn panels(&self) -> Option<&Arc<Panels>> {
        match &self.values {
            StoredValues::Panels(panels) => Some(panels),
            StoredValues::Tensor(_) => None,
        }
    }
}

fn is_quantized(tensor: &Tensor<2>) -> bool {
    matches!(tensor.dtype(), DType::QFloat(_))
}

/// The weight in burn's int8 format.
fn quantized(weight: &Tensor<2>) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    // Quantisation reads memory order, which a transposed view does not change, and blocks must lie along rows.
    let weight = weight.clone() + Tensor::zeros([inputs, outputs], &weight.device());
    let missing = outputs.next_multiple_of(INT8_BLOCK) - outputs;
    let zeros = Tensor::zeros([inputs, missing], &weight.device());
    let weight = if missing == 0 { weight } else { Tensor::cat(vec![weight, zeros], 1) };
    // If the device has no 8-bit integers, four of them are packed into 32 bits, burn's default.
    let whole = weight.device().supports_dtype(DType::I8);
    let store = if whole { QuantStore::Native } else { QuantScheme::default().store };
    let scheme = QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(store)
        .per_block([INT8_BLOCK as u8], ScaleDtype::F32);
    weight.quantize_dynamic(&scheme)
}
