//! Storage formats of weights that are not trained.

use serde::{Deserialize, Serialize};

/// Number of weights that share a scale in [`WeightStorage::Int8`].
pub const INT8_BLOCK: usize = 64;
/// Number of weights that share a scale and a least weight in [`WeightStorage::Int4`].
pub const INT4_GROUP: usize = 32;

/// Number format of weights that are not trained. Sums are always f32. The other factor is f32 too, except
/// [for inference](super::StoredWeight::for_inference) on the CPU: there it is rounded to the format of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightStorage {
    /// 32 bits, as they were trained.
    #[default]
    F32,
    /// Rounded to bfloat16: half the memory.
    Bf16,
    /// 8-bit integers, [`INT8_BLOCK`] of which share an f32 scale, the largest magnitude among them
    /// being 127: 8.5 bits a weight.
    Int8,
    /// 4-bit integers, [`INT4_GROUP`] inputs of an output sharing a scale and a least weight of 16 bits each, which are
    /// chosen for a small squared error: 5 bits a weight. Products round the other factor to 8 bits. Other devices than
    /// the CPU store [`Int8`](Self::Int8) instead.
    Int4,
}

impl WeightStorage {
    /// Every format with its name in flags and recipes.
    pub const NAMED: [(&'static str, Self); 4] =
        [("f32", Self::F32), ("bf16", Self::Bf16), ("int8", Self::Int8), ("int4", Self::Int4)];

    /// Size of `numbers` weights in bytes.
    #[must_use]
    pub fn bytes(self, numbers: u64) -> u64 {
        match self {
            Self::F32 => 4 * numbers,
            Self::Bf16 => 2 * numbers,
            Self::Int8 => numbers + 4 * numbers.div_ceil(INT8_BLOCK as u64),
            Self::Int4 => numbers.div_ceil(2) + 4 * numbers.div_ceil(INT4_GROUP as u64),
        }
    }
}
