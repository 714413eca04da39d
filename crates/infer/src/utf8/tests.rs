use proptest::prelude::*;

use super::*;
use crate::{Sampler, SamplingConfig};

/// All single bytes, some parts and runs of characters, and one special token at the end.
fn vocabulary() -> Vec<Option<Vec<u8>>> {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let longer: [&[u8]; 9] = [
        b"the",
        " été".as_bytes(),
        b" \xC3",
        b"\xE2\x80",
        b"\x99s \xF0\x9F",
        b"\x98\x80",
        b"\xED\xA0\x80",
        b"\xC0\xAF",
        "火".as_bytes(),
    ];
    tokens.extend(longer.map(<[u8]>::to_vec));
    tokens.into_iter().map(Some).chain([None]).collect()
}

fn guard(tokens: &[Option<Vec<u8>>]) -> Utf8Guard {
    Utf8Guard::new(tokens.iter().map(Option::as_deref))
}

/// The ids that may follow `before` when `left` tokens may still come.
fn allowed(tokens: &[Option<Vec<u8>>], before: &[u32], left: usize) -> Vec<u32> {
    let (guard, mut logits) = (guard(tokens), vec![0.0; tokens.len()]);
    guard.mask(guard.state_after(before), left, &mut logits);
    (0..).zip(logits).filter(|(_, logit)| *logit > f32::NEG_INFINITY).map(|(id, _)| id).collect()
}

/// The token that ends a character and begins another, which [`ENDS`] can end.
const ENDS_AND_BEGINS: u32 = 260;
const ENDS: u32 = 261;

#[test]
fn the_automaton_agrees_with_the_standard_library_on_all_short_texts() {
    // Bytes at the borders of every range.
    let bytes = [
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
        0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ];
    let mut texts: Vec<Vec<u8>> = vec![vec![]];
    for length in 1..=4 {
        let longer = texts.iter().filter(|text| text.len() == length - 1);
        let grown: Vec<Vec<u8>> =
            longer.flat_map(|text| bytes.map(|byte| [text.as_slice(), &[byte]].concat())).collect();
        for text in &grown {
            let state = text.iter().fold(BETWEEN, |state, &byte| state.after_byte(byte));
            let (valid, unfinished) = match std::str::from_utf8(text) {
                Ok(_) => (true, false),
                Err(error) => (false, error.error_len().is_none()),
            };
            assert_eq!((state == BETWEEN, state == BROKEN), (valid, !valid && !unfinished), "{text:x?}");
        }
        texts.extend(grown);
    }
}

#[test]
fn a_special_token_stands_between_characters_only() {
    let tokens = vocabulary();
    let special = tokens.len() as u32 - 1;
    assert!(allowed(&tokens, &[], 9).contains(&special));
    assert!(!allowed(&tokens, &[0xC3], 9).contains(&special));
    let behind: Vec<u32> = (0x80..=0xBF).chain([ENDS_AND_BEGINS]).collect();
    assert_eq!(allowed(&tokens, &[0xC3], 9), behind, "one continuation byte is missing, no more");
    assert!(allowed(&tokens, &[0xC3, 0xA9], 9).contains(&special));
}

#[test]
fn no_character_begins_that_the_tokens_left_cannot_end() {
    let tokens = vocabulary();
    assert!(allowed(&tokens, &[], 2).contains(&0xC3) && !allowed(&tokens, &[], 1).contains(&0xC3));
    let behind = |left| allowed(&tokens, &[0xE2, 0x80], left);
    assert!(behind(2).contains(&ENDS_AND_BEGINS) && !behind(1).contains(&ENDS_AND_BEGINS));
    assert_eq!(allowed(&tokens, &[0xE2, 0x80, ENDS_AND_BEGINS], 1), [ENDS]);
    // Three more bytes are two more tokens.
    assert!(allowed(&tokens, &[], 3).contains(&0xF1) && !allowed(&tokens, &[], 2).contains(&0xF1));
}

#[test]
fn a_character_that_the_vocabulary_cannot_end_never_begins() {
    let tokens = [&b"a"[..], b"\xC3", b"\xE2\x80"].map(|token| Some(token.to_vec()));
    assert_eq!(allowed(&tokens, &[], 9), [0]);
}

#[test]
fn a_prompt_may_end_inside_a_character_or_be_no_text_at_all() {
    let tokens = vocabulary();
    assert_eq!(allowed(&tokens, &[0xE2, 0x80], 9), allowed(&tokens, &[0xE2, 0x81], 9));
    assert_eq!(allowed(&tokens, &[0xE2, 0xFF], 9), allowed(&tokens, &[], 9));
    assert_eq!(allowed(&tokens, &[0xE2, 0xC3], 9), allowed(&tokens, &[0xC3], 9), "the newer character counts");
}

proptest! {
    #[test]
    fn whatever_the_logits_the_text_is_valid_utf8(
        seed in 0_u64..u64::MAX,
        max_tokens in 1_usize..30,
        logits in prop::collection::vec(-8.0_f32..8.0, 266),
        greedy in any::<bool>(),
        top_k in prop::option::of(1_usize..20),
    ) {
        let tokens = vocabulary();
        prop_assert_eq!(tokens.len(), logits.len());
        let guard = guard(&tokens);
        let temperature = if greedy { 0.0 } else { 1.3 };
        let mut sampler = Sampler::new(&SamplingConfig { temperature, top_k, seed, ..SamplingConfig::default() }, 0);
        let (mut ids, mut text) = (vec![], vec![]);
        for step in 0..max_tokens {
            // Other logits at every step.
            let mut logits = logits.clone();
            logits.rotate_left(step * 37 % 266);
            let mut masked = logits.clone();
            prop_assert!(guard.mask(guard.state_after(&ids), max_tokens - step, &mut masked));
            let id = sampler.sample_masked(&logits, &masked, ids.as_slice().into()).unwrap().id;
            ids.push(id);
            text.extend_from_slice(tokens[id as usize].as_deref().unwrap_or_default());
        }
        prop_assert!(String::from_utf8(text).is_ok());
    }
}
