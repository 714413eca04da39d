//! The linear map, and the formats that its weight can be stored in.

#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod few_rows;
pub mod reference;
#[cfg(feature = "flex")]
mod stored;

#[cfg(feature = "flex")]
pub(crate) use cpu::{matrix, quantized};
#[cfg(feature = "flex")]
pub(crate) use stored::quantize;

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use crate::Precision;

/// Values of a row that share a scale in [`WeightStorage::Int8`].
pub const INT8_BLOCK: usize = 64;

/// How weights are stored for inference. What they are multiplied with, and the sums, are f32 all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightStorage {
    /// 32 bits, as they were trained.
    #[default]
    F32,
    /// Rounded to bfloat16: half the memory.
    Bf16,
    /// 8-bit integers, [`INT8_BLOCK`] of which share an f32 scale, the largest magnitude among them being 127: 8.5 bits a weight.
    Int8,
}

impl WeightStorage {
    /// A weight `[I, O]` in this format. For int8, columns of zeros are added up to a multiple of [`INT8_BLOCK`].
    #[must_use]
    pub fn store(self, weight: Tensor<2>) -> Tensor<2> {
        match self {
            Self::F32 => weight,
            Self::Bf16 => weight.cast(FloatDType::BF16),
            Self::Int8 => {
                let [inputs, outputs] = weight.dims();
                let missing = outputs.next_multiple_of(INT8_BLOCK) - outputs;
                let zeros = Tensor::zeros([inputs, missing], &weight.device());
                let weight = if missing == 0 { weight } else { Tensor::cat(vec![weight, zeros], 1) };
                // Where there are no 8-bit numbers, four stand in one of 32 bits, as burn has it by default.
                let whole = weight.device().supports_dtype(burn::tensor::DType::I8);
                let store = if whole { QuantStore::Native } else { QuantScheme::default().store };
                let scheme = QuantScheme::default()
                    .with_value(QuantValue::Q8S)
                    .with_store(store)
                    .per_block([INT8_BLOCK as u8], ScaleDtype::F32);
                #[cfg(feature = "flex")]
                if crate::op::on_host(&weight) {
                    return crate::op::quantize(weight, scheme);
                }
                weight.quantize_dynamic(&scheme)
            }
        }
    }
}

/// `x·W + b`.
///
/// # Shapes
/// x `[N, I]`, weight `[I, O]` in any [format](WeightStorage), bias `[O]` → `[N, O]`
#[must_use]
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&x) {
        if matches!(weight.dtype(), burn::tensor::DType::QFloat(_)) {
            let y = crate::op::quantized_linear(x, weight, precision);
            return match bias {
                Some(bias) => y + bias.unsqueeze(),
                None => y,
            };
        }
        let (kernel, x, weight) = (cpu::Linear { precision }, x.into_dispatch(), weight.into_dispatch());
        return match bias {
            Some(bias) => crate::op::apply(kernel, [x, weight, bias.into_dispatch()]),
            None => crate::op::apply(kernel, [x, weight]),
        };
    }
    reference::linear(x, weight, bias, precision)
}
