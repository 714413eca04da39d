//! A decoder for inference computes the same as its decoder.
use burn::tensor::Tensor;
use fireclay_model::{InferenceDecoder, PAGE, PagedCache, Precision, Text, WeightStorage, load, save};

use crate::{configs, device, distance, has_bf16, tokens};

const TIME: usize = 20;

#[test]
fn steps_over_pages_equal_one_full_forward() {
    let device = device();
    for (name, config) in configs() {
        let decoder = config.init(1, &device);
        let full = decoder.forward(tokens(2, TIME, &device), None);
        let ids: Vec<u32> = (0..2 * TIME).map(|i| ((i * 7919 + 13) % 61) as u32).collect();
        let inference = InferenceDecoder::from(&decoder);
        let mut cache = PagedCache::new(&config, Precision::F32, 4, &device);
        let pages = [[2, 0], [3, 1]];
        // The second text is fed one step later than the first.
        let mut parts: [Vec<Tensor<2>>; 2] = [vec![], vec![]];
        let ranges = [0..5, 5..17, 17..18, 18..TIME];
        for step in 0..=ranges.len() {
            let both = [(0, ranges.get(step)), (1, step.checked_sub(1).map(|before| &ranges[before]))];
            let new: Vec<_> = both.into_iter().filter_map(|(row, range)| Some((row, range?.clone()))).collect();
            let texts: Vec<Text> = new
                .iter()
                .map(|(row, range)| Text {
                    start: range.start,
                    tokens: range.len(),
                    pages: pages[*row][..range.end.div_ceil(PAGE)].to_vec(),
                })
                .collect();
            let of = |(row, range): &(usize, std::ops::Range<usize>)| &ids[row * TIME..][range.clone()];
            let ids: Vec<u32> = new.iter().flat_map(of).copied().collect();
            let logits = inference.logits(inference.step(&ids, &texts, &mut cache));
            let mut first = 0;
            for (row, range) in new {
                parts[row].push(logits.clone().narrow(0, first, range.len()));
                first += range.len();
            }
        }
        let rows = parts.map(|parts| Tensor::cat(parts, 0).unsqueeze_dim(0));
        let difference = distance(full, Tensor::cat(rows.to_vec(), 0));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn one_forward_is_that_of_the_decoder() {
    let device = device();
    for (name, config) in configs() {
        let decoder = config.init(2, &device);
        let inference = InferenceDecoder::new(decoder.clone(), WeightStorage::F32);
        let ids = tokens(3, 9, &device);
        let difference = distance(decoder.forward(ids.clone(), None), inference.forward(ids, None));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
#[should_panic(expected = "decoder.valid()")]
fn a_decoder_with_gradients_is_refused() {
    let (_, config) = configs().remove(0);
    let _ = InferenceDecoder::from(&config.init(1, &device().autodiff()));
}

#[test]
fn a_decoder_that_is_converted_while_it_is_read_has_the_same_numbers() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let of_bits = if has_bf16(&device) { vec![WeightStorage::Bf16, WeightStorage::Int4] } else { vec![] };
    let formats = [vec![WeightStorage::F32, WeightStorage::Int8], of_bits].concat();
    for (name, config) in configs() {
        let dir = folder.path().join(name);
        save(&config.init(3, &device), &dir).unwrap();
        let ids = tokens(2, 9, &device);
        for &format in &formats {
            let whole = InferenceDecoder::new(load(&dir, &device).unwrap(), format);
            let converted = InferenceDecoder::load(&dir, &device, format).unwrap();
            assert_eq!(converted.cache_precision(), whole.cache_precision());
            let difference = distance(whole.forward(ids.clone(), None), converted.forward(ids.clone(), None));
            assert!(difference < 1e-5, "{name}, {format:?}: {difference}");
        }
    }
}
