//! Batches of sequences of similar length.
//!
//! A batch is as long as its longest sequence, and the padding of the others is computed for nothing. Answers differ
//! much in length: a sum has ten tokens, a story a hundred. So sequences are sorted by length and split into batches
//! wherever the saved padding is worth another forward pass.

/// Fixed cost of a forward pass, in tokens.
const PASS: usize = 256;

/// Partitions the indices of `lengths` into batches of sequences of similar length, so that the total number of tokens,
/// with padding and a constant for each batch, is smallest. Longer sequences come later. `most` returns the largest
/// number of sequences of up to a given length in one batch; at least one is always allowed.
#[must_use]
pub fn by_length(lengths: &[usize], most: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| lengths[index]);
    // best[n]: the smallest cost of the n shortest sequences, and the beginning of their last batch.
    let mut best = vec![(0, 0)];
    for end in 1..=order.len() {
        let longest = lengths[order[end - 1]];
        let cost = |first: usize| best[first].0 + (end - first) * longest + PASS;
        let least = end.saturating_sub(most(longest).max(1));
        let first = (least..end).min_by_key(|&first| cost(first)).unwrap_or(least);
        best.push((cost(first), first));
    }
    let mut batches = vec![];
    let mut end = order.len();
    while end > 0 {
        let first = best[end].1;
        batches.push(order[first..end].to_vec());
        end = first;
    }
    batches.reverse();
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(lengths: &[usize], batches: &[Vec<usize>]) -> usize {
        let longest = |batch: &Vec<usize>| batch.iter().map(|&index| lengths[index]).max().unwrap_or(0);
        batches.iter().map(|batch| batch.len() * longest(batch)).sum()
    }

    #[test]
    fn short_and_long_sequences_are_read_apart() {
        let lengths = [100, 10, 12, 100, 11, 10, 99, 10];
        let any = |_| usize::MAX;
        assert_eq!(by_length(&lengths, any), [vec![1, 5, 7, 4, 2], vec![6, 0, 3]]);
        assert_eq!(by_length(&[5, 7, 6], any), [vec![0, 2, 1]]);
        assert!(by_length(&[], any).is_empty());
    }

    proptest! {
        #[test]
        fn every_sequence_is_in_one_batch_and_padding_never_grows(lengths in prop::collection::vec(1_usize..300, 0..80)) {
            let batches = by_length(&lengths, |_| usize::MAX);
            let mut all = batches.concat();
            prop_assert!(all.is_sorted_by_key(|&index| lengths[index]));
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            let together = lengths.iter().max().unwrap_or(&0) * lengths.len();
            prop_assert!(tokens(&lengths, &batches) + PASS * batches.len().saturating_sub(1) <= together);
        }

        #[test]
        fn no_batch_has_more_than_are_allowed(lengths in prop::collection::vec(1_usize..300, 0..80), tokens in 1_usize..2000) {
            let most = |length| tokens / length;
            let batches = by_length(&lengths, most);
            prop_assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), lengths.len());
            for batch in batches {
                let longest = batch.iter().map(|&index| lengths[index]).max().unwrap_or(1);
                prop_assert!((1..=most(longest).max(1)).contains(&batch.len()));
            }
        }
    }
}
