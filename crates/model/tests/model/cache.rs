//! Decoding with the cache gives the same logits as one full forward pass.
use burn::tensor::Tensor;
use fireclay_model::{Cache, InferenceDecoder, WeightStorage};

use crate::{configs, device, distance, has_bf16, tokens};

#[test]
fn prefill_and_decode_equal_one_full_forward() {
    let device = device();
    for (name, config) in configs() {
        let decoder = config.init(1, &device);
        for batch in [1, 4] {
            let ids = tokens(batch, 12, &device);
            let full = decoder.forward(ids.clone(), None);
            // Five tokens at once, then three, then one by one.
            let mut cache = Cache::new(&config, batch, 16, &device);
            let mut parts = vec![];
            for range in [0..5, 5..8, 8..9, 9..10, 10..11, 11..12] {
                parts.push(decoder.forward(ids.clone().narrow(1, range.start, range.len()), Some(&mut cache)));
            }
            assert_eq!(cache.len(), 12);
            let difference = distance(full, Tensor::cat(parts, 1));
            assert!(difference < 1e-4, "{name}, batch {batch}: {difference}");
        }
    }
}

/// Weights of fewer bits: a token at a time and all at once agree, and both are near the result with full weights.
#[test]
fn rounded_weights_are_near_the_whole_ones() {
    let device = device();
    for (name, config) in configs() {
        let decoder = config.init(1, &device);
        let ids = tokens(1, 12, &device);
        let exact = decoder.forward(ids.clone(), None);
        let size = exact.clone().abs().max().into_scalar::<f32>();
        let off = |format, allowed: f32| {
            let rounded = InferenceDecoder::new(decoder.clone(), format);
            let all = rounded.forward(ids.clone(), None);
            let mut cache = Cache::new(&config, 1, 12, &device);
            let one = |t| rounded.forward(ids.clone().narrow(1, t, 1), Some(&mut cache));
            let difference = distance(all.clone(), Tensor::cat((0..12).map(one).collect(), 1)) / size;
            assert!(difference < allowed / 2.0, "{name}, {format:?}: {difference} between one and many rows");
            let difference = distance(all, exact.clone()) / size;
            assert!(difference < allowed, "{name}, {format:?}: {difference} from f32");
            difference
        };
        if !has_bf16(&device) {
            off(WeightStorage::Int8, 0.1);
            continue;
        }
        // Of 8 bits of mantissa and of 7 bits below the largest of 32, through two layers of weights far from small.
        let (bf16, int8) = (off(WeightStorage::Bf16, 0.05), off(WeightStorage::Int8, 0.1));
        assert!(bf16 > 0.0 && int8 > 0.0, "{name}: {bf16} and {int8} are differences that rounding makes");
    }
}

#[test]
fn a_token_sees_only_what_is_before_it() {
    let device = device();
    for (name, config) in configs() {
        let decoder = config.init(3, &device);
        let ids = tokens(2, 10, &device);
        let changed = Tensor::cat(vec![ids.clone().narrow(1, 0, 6), ids.clone().narrow(1, 0, 4) + 1], 1);
        let (a, b) = (decoder.forward(ids, None), decoder.forward(changed, None));
        let before = distance(a.clone().narrow(1, 0, 6), b.clone().narrow(1, 0, 6));
        let after = distance(a.narrow(1, 6, 4), b.narrow(1, 6, 4));
        assert!(before < 1e-5 && after > 1e-3, "{name}: {before} before the change, {after} after it");
    }
}
