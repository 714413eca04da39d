//! The tokens of a text that are judged.

/// Length of the common prefix of all sequences. A token at a border may include a space or letters of both sides: the
/// common prefix is given, and the tokens after it are judged.
#[must_use]
pub fn common_prefix(sequences: &[Vec<u32>]) -> usize {
    common(sequences, |ids, at| ids.get(at).copied())
}

/// Length of the common suffix of all sequences.
#[must_use]
pub fn common_suffix(sequences: &[Vec<u32>]) -> usize {
    common(sequences, |ids, at| ids.len().checked_sub(at + 1).map(|place| ids[place]))
}

/// Number of successive tokens, given by `token`, that all sequences share.
fn common(sequences: &[Vec<u32>], token: impl Fn(&[u32], usize) -> Option<u32>) -> usize {
    let Some((first, others)) = sequences.split_first() else { return 0 };
    let same = |at: &usize| {
        let expected = token(first, *at);
        expected.is_some() && others.iter().all(|ids| token(ids, *at) == expected)
    };
    (0..first.len()).take_while(same).count()
}

/// The newest `longest` tokens, and the index at which the answer begins in them; the text is truncated on the left. An
/// answer that fills everything loses its own first tokens, because a token must precede the first one that is judged.
#[must_use]
pub fn keep_end(mut ids: Vec<u32>, start: usize, longest: usize) -> (Vec<u32>, usize) {
    let cut = ids.len().saturating_sub(longest);
    ids.drain(..cut);
    (ids, start.saturating_sub(cut).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sequences: &[&[u32]], prefix: usize, suffix: usize) {
        let sequences: Vec<Vec<u32>> = sequences.iter().map(|ids| ids.to_vec()).collect();
        assert_eq!((common_prefix(&sequences), common_suffix(&sequences)), (prefix, suffix), "{sequences:?}");
    }

    #[test]
    fn what_sequences_share_at_either_end() {
        check(&[&[1, 2, 3, 4], &[1, 2, 5, 4]], 2, 1);
        check(&[&[1, 2, 3], &[1, 2, 3, 4]], 3, 0);
        check(&[&[7, 1, 2], &[8, 9, 1, 2], &[1, 2]], 0, 2);
        check(&[&[1, 2], &[1, 2]], 2, 2);
        check(&[&[1], &[]], 0, 0);
        check(&[], 0, 0);
    }

    #[test]
    fn the_end_is_kept() {
        assert_eq!(keep_end(vec![1, 2, 3, 4], 2, 4), (vec![1, 2, 3, 4], 2));
        assert_eq!(keep_end(vec![1, 2, 3, 4], 3, 2), (vec![3, 4], 1));
        assert_eq!(keep_end(vec![1, 2, 3, 4], 1, 3), (vec![2, 3, 4], 1));
    }
}
