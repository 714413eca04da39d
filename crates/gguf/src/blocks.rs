//! Widens blocks of numbers to f32, like ggml's reference.

use half::{bf16, f16};

use crate::NumberType;

/// Widens whole blocks and appends the numbers to `out`.
pub(crate) fn widen(kind: NumberType, bytes: &[u8], out: &mut Vec<f32>) {
    let blocks = bytes.chunks_exact(kind.block_bytes());
    match kind {
        NumberType::F32 => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
        NumberType::F16 => out.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
        NumberType::Bf16 => out.extend(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
        NumberType::Q4_0 => blocks.for_each(|block| {
            let scale = half_at(block, 0);
            nibbles(&block[2..], out, |quant, _| (f32::from(quant) - 8.0) * scale);
        }),
        NumberType::Q4_1 => blocks.for_each(|block| {
            let (scale, least) = (half_at(block, 0), half_at(block, 2));
            nibbles(&block[4..], out, |quant, _| f32::from(quant) * scale + least);
        }),
        NumberType::Q5_0 => blocks.for_each(|block| {
            let (scale, high) = (half_at(block, 0), word_at(block, 2));
            nibbles(&block[6..], out, |quant, at| (f32::from(quant) + fifth_bit(high, at) - 16.0) * scale);
        }),
        NumberType::Q5_1 => blocks.for_each(|block| {
            let (scale, least, high) = (half_at(block, 0), half_at(block, 2), word_at(block, 4));
            nibbles(&block[8..], out, |quant, at| (f32::from(quant) + fifth_bit(high, at)) * scale + least);
        }),
        NumberType::Q8_0 => blocks.for_each(|block| {
            let scale = half_at(block, 0);
            out.extend(block[2..].iter().map(|&quant| f32::from(quant.cast_signed()) * scale));
        }),
        NumberType::Q4K => blocks.for_each(|block| {
            let (scale, least) = (half_at(block, 0), half_at(block, 2));
            let (scales, quants) = (&block[4..16], &block[16..144]);
            for (pair, quants) in quants.chunks_exact(32).enumerate() {
                for (half, shift) in [(0, 0), (1, 4)] {
                    let (s, m) = scale_and_least(scales, 2 * pair + half);
                    let (s, m) = (scale * s, least * m);
                    out.extend(quants.iter().map(|quant| s * f32::from(quant >> shift & 15) - m));
                }
            }
        }),
        NumberType::Q5K => blocks.for_each(|block| {
            let (scale, least) = (half_at(block, 0), half_at(block, 2));
            let (scales, high, quants) = (&block[4..16], &block[16..48], &block[48..176]);
            for (pair, quants) in quants.chunks_exact(32).enumerate() {
                for (half, shift) in [(0, 0), (1, 4)] {
                    let part = 2 * pair + half;
                    let (s, m) = scale_and_least(scales, part);
                    let (s, m) = (scale * s, least * m);
                    let numbers = quants.iter().zip(high);
                    out.extend(
                        numbers.map(|(quant, high)| s * f32::from((quant >> shift & 15) + 16 * (high >> part & 1)) - m),
                    );
                }
            }
        }),
        NumberType::Q6K => blocks.for_each(|block| {
            let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
            let scale = half_at(block, 208);
            for part in 0..2 {
                let (low, high, scales) = (&low[64 * part..], &high[32 * part..], &scales[8 * part..]);
                for quarter in 0..4 {
                    out.extend((0..32).map(|at| {
                        let four = low[at + 32 * (quarter % 2)] >> (4 * (quarter / 2)) & 15;
                        let quant = four | (high[at] >> (2 * quarter) & 3) << 4;
                        let s = f32::from(scales[at / 16 + 2 * quarter].cast_signed());
                        scale * s * (f32::from(quant) - 32.0)
                    }));
                }
            }
        }),
    }
}

/// 16 bytes of two quants each: the low halves are the first 16 numbers.
fn nibbles(bytes: &[u8], out: &mut Vec<f32>, number: impl Fn(u8, usize) -> f32) {
    out.extend(bytes.iter().enumerate().map(|(at, byte)| number(byte & 15, at)));
    out.extend(bytes.iter().enumerate().map(|(at, byte)| number(byte >> 4, at + 16)));
}

fn fifth_bit(high: u32, at: usize) -> f32 {
    16.0 * (high >> at & 1) as f32
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

fn word_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// The scale and the minimum, six bits each, of one of eight parts of a block of 256.
fn scale_and_least(packed: &[u8], part: usize) -> (f32, f32) {
    let (scale, least) = match part {
        0..4 => (packed[part] & 63, packed[part + 4] & 63),
        _ => (packed[part + 4] & 15 | packed[part - 4] >> 6 << 4, packed[part + 4] >> 4 | packed[part] >> 6 << 4),
    };
    (f32::from(scale), f32::from(least))
}
