//! Texts packed into rows get the same results as alone.
use burn::tensor::{Gradients, Tensor};
use fireclay_model::{Decoder, DecoderConfig};

use crate::parity::Collect;
use crate::{configs, device, distance, tokens};

/// The segment numbers of three rows of twelve tokens: three texts, one, and two.
#[rustfmt::skip]
const SEGMENTS: [u32; 36] = [
    4, 4, 4, 4, 4, 9, 2, 2, 2, 2, 2, 2,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
];
/// Row, first token and length of each text.
const TEXTS: [(usize, usize, usize); 6] = [(0, 0, 5), (0, 5, 1), (0, 6, 6), (1, 0, 12), (2, 0, 3), (2, 3, 9)];

/// The logits of every text by a separate forward pass.
fn alone(decoder: &Decoder) -> Vec<Tensor<3>> {
    let ids = tokens(3, 12, &decoder.device());
    let text = |&(row, start, length): &_| ids.clone().narrow(0, row, 1).narrow(1, start, length);
    TEXTS.iter().map(|place| decoder.forward(text(place), None)).collect()
}

/// The same, of one forward pass.
fn packed(decoder: &Decoder) -> Vec<Tensor<3>> {
    let logits = decoder.forward_segmented(tokens(3, 12, &decoder.device()), &SEGMENTS);
    TEXTS.iter().map(|&(row, start, length)| logits.clone().narrow(0, row, 1).narrow(1, start, length)).collect()
}

#[test]
fn a_text_among_others_gets_the_logits_that_it_gets_alone() {
    let device = device();
    for (name, config) in configs() {
        let decoder = config.init(6, &device);
        for ((alone, packed), place) in alone(&decoder).into_iter().zip(packed(&decoder)).zip(TEXTS) {
            let difference = distance(alone, packed);
            assert!(difference < 1e-5, "{name}, text {place:?}: {difference}");
        }
    }
}

#[test]
fn packed_texts_give_the_gradients_that_they_give_alone() {
    let device = device().autodiff();
    let loss = |texts: Vec<Tensor<3>>| texts.into_iter().map(|logits| logits.sin().sum()).reduce(|a, b| a + b);
    let gradients = |texts| -> Gradients { loss(texts).expect("texts").backward() };
    for (name, config) in configs() {
        let decoder = config.init(7, &device);
        let ours = Collect::of(&decoder, Some(&gradients(packed(&decoder))));
        let theirs = Collect::of(&decoder, Some(&gradients(alone(&decoder))));
        let largest = theirs.iter().flat_map(|(_, numbers)| numbers).fold(0.0f32, |most, x| most.max(x.abs()));
        for ((parameter, ours), (_, theirs)) in ours.iter().zip(&theirs) {
            let difference = ours.iter().zip(theirs).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(difference < 1e-5 * largest, "{name}, {parameter}: {difference} of {largest}");
        }
    }
}

#[test]
fn one_text_a_row_is_an_ordinary_forward_pass_to_the_last_bit() {
    for (name, config) in configs() {
        let decoder = config.init(8, &device());
        let ids = tokens(2, 10, &decoder.device());
        let segments: Vec<u32> = (0..20).map(|i| i / 10).collect();
        let packed = decoder.forward_segmented(ids.clone(), &segments);
        assert_eq!(packed.into_data(), decoder.forward(ids, None).into_data(), "{name}");
    }
}

#[test]
fn a_row_may_be_longer_than_the_context_if_no_text_is() {
    let decoder = DecoderConfig::gpt2(61, 32, 1, 4, 5).init(9, &device());
    let segments = [0, 0, 0, 0, 0, 1, 1, 1, 2];
    assert_eq!(decoder.hidden_segmented(tokens(1, 9, &decoder.device()), &segments).dims(), [1, 9, 32]);
}

#[test]
#[should_panic(expected = "token 6 has no position: the context is 5 tokens")]
fn a_text_longer_than_the_context_is_named() {
    let decoder = DecoderConfig::gpt2(61, 32, 1, 4, 5).init(9, &device());
    let _ = decoder.hidden_segmented(tokens(1, 9, &decoder.device()), &[0, 0, 1, 1, 1, 1, 1, 1, 2]);
}
