use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{DataError, ShardSet, Split};

/// Tokens whose ids are their indices.
fn counting(train: u32, validation: u32) -> ShardSet {
    ShardSet::from_ids((0..train).collect(), (0..validation).collect())
}

fn packed(tokens: &ShardSet, batch: usize, context: usize, seed: u64) -> PackedSource {
    PackedSource::new(tokens, Split::Train, batch, context, seed).unwrap()
}

fn random(tokens: &ShardSet, batch: usize, context: usize, seed: u64) -> RandomWindows {
    RandomWindows::new(tokens, Split::Train, batch, context, seed).unwrap()
}

/// The first id of each row, once the rows are found to be whole windows.
fn starts(batch: &Batch) -> Vec<u32> {
    let rows = batch.ids.chunks(batch.context).zip(batch.targets.chunks(batch.context));
    let starts = rows.map(|(ids, targets)| {
        for (at, (&id, &target)) in ids.iter().zip(targets).enumerate() {
            assert_eq!((id, target), (ids[0] + at as u32, id + 1));
        }
        ids[0]
    });
    starts.collect()
}

/// The windows of each epoch, as a source of single rows gives them.
fn epochs(source: &mut impl Source, windows: u64) -> BTreeMap<u64, Vec<u32>> {
    let mut epochs: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for _ in 0..windows {
        let batch = source.next_batch().unwrap();
        epochs.entry(source.position().epoch).or_default().extend(starts(&batch));
    }
    epochs
}

proptest! {
    #[test]
    fn every_window_comes_once_an_epoch(tokens in 2_u32..2000, context in 1_usize..40, seed: u64) {
        prop_assume!(tokens as usize > context);
        let mut source = packed(&counting(tokens, 0), 1, context, seed);
        let per_epoch = source.windows_per_epoch();
        let mut epochs = epochs(&mut source, 4 * per_epoch + 4);
        for epoch in 0..3 {
            let mut windows = epochs.remove(&epoch).unwrap();
            windows.sort_unstable();
            let phase = windows[0];
            prop_assert!(epoch > 0 || phase == 0);
            prop_assert!((phase as usize) < context);
            let expected = (phase..tokens).step_by(context).filter(|start| start + (context as u32) < tokens);
            prop_assert!(expected.eq(windows));
        }
    }

    #[test]
    fn a_packed_source_resumes_exactly(
        tokens in 20_u32..400, batch in 1_usize..9, context in 1_usize..19, seed: u64, cut in 0_usize..60,
    ) {
        let tokens = counting(tokens, 0);
        resumes_exactly(|| packed(&tokens, batch, context, seed), cut)?;
    }

    #[test]
    fn random_windows_resume_exactly(
        tokens in 20_u32..400, batch in 1_usize..9, context in 1_usize..19, seed: u64, cut in 0_usize..60,
    ) {
        let tokens = counting(tokens, 0);
        resumes_exactly(|| random(&tokens, batch, context, seed), cut)?;
    }

    #[test]
    fn validation_predicts_every_token_once(tokens in 2_u32..600, batch in 1_usize..9, context in 1_usize..50) {
        let batches = validation(&counting(0, tokens), batch, context).unwrap();
        prop_assert_eq!(batches.target_tokens(), u64::from(tokens) - 1);
        let promised = batches.len();
        let batches: Vec<Batch> = batches.collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(batches.len(), promised);
        let mut predicted = Vec::new();
        for part in &batches {
            prop_assert_eq!(part.ids.len(), part.batch * context);
            prop_assert!(part.batch >= 1 && part.batch <= batch);
            for at in 0..part.ids.len() {
                let weight = part.weights.as_ref().map_or(1.0, |weights| weights[at]);
                prop_assert!([0.0, 1.0].contains(&weight));
                if weight > 0.0 {
                    prop_assert_eq!(part.targets[at], part.ids[at] + 1);
                    predicted.push(part.targets[at]);
                }
            }
        }
        prop_assert!(predicted.into_iter().eq(1..tokens));
    }
}

/// Stops after `cut` batches, writes the position as JSON, and continues with a new source.
fn resumes_exactly<S: Source>(make: impl Fn() -> S, cut: usize) -> Result<(), TestCaseError> {
    let mut whole = make();
    for _ in 0..cut {
        whole.next_batch().unwrap();
    }
    let saved = serde_json::to_string(&whole.position()).unwrap();
    let mut resumed = make();
    resumed.seek(&serde_json::from_str(&saved).unwrap()).unwrap();
    for _ in 0..30 {
        prop_assert_eq!(resumed.position(), whole.position());
        prop_assert_eq!(resumed.next_batch().unwrap(), whole.next_batch().unwrap());
    }
    Ok(())
}

#[test]
fn epochs_and_seeds_give_other_orders() {
    let tokens = counting(1001, 0);
    let mut by_seed: Vec<_> = (0..8).map(|seed| epochs(&mut packed(&tokens, 1, 10, seed), 250)).collect();
    let first: Vec<u32> = by_seed[0].remove(&0).unwrap();
    let second: Vec<u32> = by_seed[0].remove(&1).unwrap();
    assert_eq!(first.len(), 100);
    assert_ne!(first, second);
    for other in &by_seed[1..] {
        assert_ne!(other[&0], first);
    }
    let phases: std::collections::BTreeSet<u32> =
        by_seed[1..].iter().map(|epochs| epochs[&1].iter().min().copied().unwrap()).collect();
    assert!(phases.len() > 1, "the phase never moves: {phases:?}");
}

/// Three tokens are two windows of one token: a batch of five needs two and a half epochs.
#[test]
fn a_batch_larger_than_an_epoch_is_still_full() {
    let mut source = packed(&counting(3, 0), 5, 1, 0);
    let mut rows = starts(&source.next_batch().unwrap());
    assert_eq!(source.position().epoch, 2);
    rows.truncate(4);
    rows.sort_unstable();
    assert_eq!(rows, [0, 0, 1, 1]);
}

#[test]
fn random_windows_reach_both_ends_evenly() {
    let mut source = random(&counting(14, 0), 1000, 4, 7);
    let mut counts = [0_u32; 10];
    for start in starts(&source.next_batch().unwrap()) {
        counts[start as usize] += 1;
    }
    // Ten starts (0..=9), each about 100 times; the standard deviation is 9.5.
    assert!(counts.iter().all(|&count| (60..140).contains(&count)), "{counts:?}");
}

#[test]
fn a_short_validation_split_is_padded() {
    let batches: Vec<Batch> = validation(&counting(0, 4), 2, 8).unwrap().collect::<Result<_, _>>().unwrap();
    let [batch] = batches.as_slice() else { panic!("{batches:?}") };
    assert_eq!(batch.targets, [1, 2, 3, 0, 0, 0, 0, 0]);
    assert_eq!(batch.weights.as_deref(), Some([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0].as_slice()));
}

fn message<T>(result: Result<T, DataError>) -> String {
    result.err().expect("this must fail").to_string()
}

#[test]
fn a_context_longer_than_the_data_names_both() {
    let tokens = counting(100, 1);
    for message in [
        message(PackedSource::new(&tokens, Split::Train, 1, 100, 0)),
        message(RandomWindows::new(&tokens, Split::Train, 1, 100, 0)),
    ] {
        assert_eq!(
            message,
            "the context of 100 tokens is longer than the training split, which has 100 tokens: \
             use a context of at most 99, or more text"
        );
    }
    assert!(PackedSource::new(&tokens, Split::Train, 1, 99, 0).is_ok());
    assert!(message(validation(&tokens, 1, 8)).contains("the validation split has 1 tokens and needs at least 2"));
}

#[test]
fn a_position_of_other_data_is_refused() {
    let position = packed(&counting(100, 0), 2, 8, 1).position();
    let refused =
        |mut source: Box<dyn Source>| message(source.seek(&position)).contains("does not belong to this data");
    assert!(refused(Box::new(packed(&counting(101, 0), 2, 8, 1))));
    assert!(refused(Box::new(packed(&counting(100, 0), 2, 9, 1))));
    assert!(refused(Box::new(packed(&counting(100, 0), 2, 8, 2))));
    assert!(refused(Box::new(random(&counting(100, 0), 2, 8, 1))));
    let mut larger_batch = packed(&counting(100, 0), 4, 8, 1);
    larger_batch.seek(&position).unwrap();
    let beyond = Position { index: 99, ..position.clone() };
    assert!(message(larger_batch.seek(&beyond)).contains("window 99 of 12"));
}

#[test]
fn an_ordered_source_goes_through_the_text_once_before_it_shuffles() {
    let mut source = PackedSource::ordered(&counting(101, 0), Split::Train, 1, 10, 3).unwrap();
    let epochs = epochs(&mut source, 20);
    assert_eq!(epochs[&0], (0..10).map(|window| window * 10).collect::<Vec<_>>());
    assert!(!epochs[&1].is_sorted());
}

proptest! {
    #[test]
    fn an_ordered_source_resumes_exactly(
        tokens in 20_u32..400, batch in 1_usize..9, context in 1_usize..19, seed: u64, cut in 0_usize..60,
    ) {
        let tokens = counting(tokens, 0);
        resumes_exactly(|| PackedSource::ordered(&tokens, Split::Train, batch, context, seed).unwrap(), cut)?;
    }

    #[test]
    fn documents_apart_begin_at_their_end_of_text(
        ids in proptest::collection::vec(0_u32..6, 20..200), batch in 1_usize..5, context in 1_usize..19, seed: u64,
    ) {
        const END: u32 = 5;
        let tokens = ShardSet::from_ids(ids.clone(), ids).with_documents_apart(END);
        let mut batches = vec![packed(&tokens, batch, context, seed).next_batch().unwrap()];
        batches.push(random(&tokens, batch, context, seed).next_batch().unwrap());
        batches.extend(validation(&tokens, batch, context).unwrap().map(Result::unwrap));
        for batch in batches {
            let segments = batch.segments.unwrap();
            prop_assert_eq!(segments.len(), batch.ids.len());
            let weights = batch.weights.unwrap_or_else(|| vec![1.0; segments.len()]);
            for row in 0..batch.batch {
                prop_assert_eq!(segments[row * context], 0);
                for at in row * context + 1..(row + 1) * context {
                    if weights[at] > 0.0 {
                        prop_assert_eq!(segments[at] - segments[at - 1], u32::from(batch.ids[at] == END));
                    }
                }
            }
        }
    }
}

#[test]
fn a_position_does_not_fit_the_same_tokens_with_documents_apart() {
    let tokens = counting(100, 0);
    let mut together = packed(&tokens, 1, 10, 0);
    let mut apart = packed(&tokens.with_documents_apart(7), 1, 10, 0);
    together.next_batch().unwrap();
    assert!(apart.seek(&together.position()).is_err());
    assert_eq!(together.next_batch().unwrap().segments, None);
}
