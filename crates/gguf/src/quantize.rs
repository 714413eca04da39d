//! Quantises numbers to blocks, with the rounding of ggml's reference.

use half::{bf16, f16};

use crate::NumberType;

/// The blocks of whole rows; `None` for a type that is not written.
pub(crate) fn narrow(kind: NumberType, numbers: &[f32]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(numbers.len() / kind.block_numbers() * kind.block_bytes());
    match kind {
        NumberType::F32 => numbers.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        NumberType::F16 => numbers.iter().for_each(|&x| bytes.extend(f16::from_f32(x).to_le_bytes())),
        NumberType::Bf16 => numbers.iter().for_each(|&x| bytes.extend(bf16::from_f32(x).to_le_bytes())),
        NumberType::Q8_0 => numbers.as_chunks().0.iter().for_each(|block| q8_0(block, &mut bytes)),
        NumberType::Q4_0 => numbers.as_chunks().0.iter().for_each(|block| q4_0(block, &mut bytes)),
        _ => return None,
    }
    Some(bytes)
}

fn q8_0(block: &[f32; 32], bytes: &mut Vec<u8>) {
    let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    bytes.extend(f16::from_f32(scale).to_le_bytes());
    bytes.extend(block.iter().map(|x| ((x * inverse).round() as i8).cast_unsigned()));
}

fn q4_0(block: &[f32; 32], bytes: &mut Vec<u8>) {
    // The number of the largest size becomes −8, which has no counterpart of the other sign.
    let extreme = block.iter().copied().fold(0.0f32, |extreme, x| if x.abs() > extreme.abs() { x } else { extreme });
    let scale = extreme / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    bytes.extend(f16::from_f32(scale).to_le_bytes());
    let quant = |x: f32| (x.mul_add(inverse, 8.5) as u8).min(15);
    bytes.extend(block[..16].iter().zip(&block[16..]).map(|(&low, &high)| quant(low) | quant(high) << 4));
}
