//! Prompt-lookup speculation: draft tokens from the request's own tokens ([`Drafts`]).
//!
//! If the newest tokens have occurred before, the tokens that followed then are likely to follow again: in quotes,
//! code, lists, corrections of a text. The engine computes such draft tokens in one step with the newest token, and
//! accepts each as long as the request draws the same token there. The request draws from the same logits, with the
//! same random numbers, as without drafts. So at any temperature the tokens are the same, if a product's result does
//! not depend on the number of its rows (`flex`); on other backends their distribution is the same, up to rounding.
//!
//! Drafts cost time, so their number follows the request's acceptance rate, and drafting pauses if it does not pay off.

/// Numbers of newest tokens to look up among earlier ones, the longer first.
const LENGTHS: [usize; 2] = [4, 2];
/// Number of tokens that are searched, the newest first.
const REACH: usize = 8192;
/// Cost of one more row in a step, as a fraction of the cost of a step of one row.
const ROW_COST: f64 = 0.2;
/// Weight of the newest draft in the moving average of the acceptance rate.
const NEWEST: f64 = 0.15;
/// Number of tokens without drafts after rejected ones: at first, and at most.
const PAUSES: (usize, usize) = (8, 256);

/// The draft tokens of one request.
#[derive(Clone, Debug)]
pub(crate) struct Drafts {
    /// The draft tokens of this step.
    pub tokens: Vec<u32>,
    /// Acceptance rate of drafts whose predecessors were accepted.
    share: f64,
    /// Number of tokens until the next draft, and in the next pause.
    pause: usize,
    next_pause: usize,
}

impl Default for Drafts {
    fn default() -> Self {
        Self { tokens: vec![], share: 0.5, pause: 0, next_pause: PAUSES.0 }
    }
}

impl Drafts {
    /// Drafts the tokens after `tokens`: at most `most`, and only as many as are likely to pay off in a step of `rows`
    /// requests.
    pub fn draft(&mut self, tokens: &[u32], most: usize, rows: usize) -> usize {
        self.tokens.clear();
        if self.pause > 0 {
            self.pause -= 1;
            return 0;
        }
        let worth = worth(rows);
        // The next draft is accepted with probability share, the one after it with share², …
        let paying = if self.share >= 1.0 { most } else { (worth.ln() / self.share.ln()) as usize };
        if paying == 0 {
            self.pause = self.next_pause;
            self.next_pause = (2 * self.next_pause).min(PAUSES.1);
            // The one draft after the pause is a trial.
            self.share = self.share.max(worth + 0.01);
            return 0;
        }
        let Some(begin) = LENGTHS.iter().find_map(|&length| after_last(tokens, length)) else { return 0 };
        for index in begin..begin + paying.min(most) {
            // After the end, read the drafts themselves, so that a repetition continues.
            let token = tokens.get(index).or_else(|| self.tokens.get(index - tokens.len()));
            self.tokens.push(*token.expect("drafts begin before the end"));
        }
        self.tokens.len()
    }

    /// Updates the acceptance rate: the first `accepted` drafts of this step were accepted, and `rejected` says whether
    /// the next one was rejected.
    pub fn observe(&mut self, accepted: usize, rejected: bool) {
        for _ in 0..accepted {
            self.share += NEWEST * (1.0 - self.share);
        }
        if rejected {
            self.share -= NEWEST * self.share;
        }
        if accepted > 0 {
            self.next_pause = PAUSES.0;
        }
        self.tokens.clear();
    }
}

/// Smallest acceptance probability at which a draft pays for its row, in a step of `rows` requests.
fn worth(rows: usize) -> f64 {
    let all = ROW_COST * rows as f64;
    all / (1.0 - ROW_COST + all)
}

/// The index after the newest earlier occurrence of the last `length` tokens.
fn after_last(tokens: &[u32], length: usize) -> Option<usize> {
    let end = tokens.len();
    let pattern = tokens.get(end.checked_sub(length)?..)?;
    let first = end.saturating_sub(REACH);
    (first..end - length).rev().find(|&at| tokens[at..at + length] == *pattern).map(|at| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafted(tokens: &[u32], most: usize) -> Vec<u32> {
        let mut drafts = Drafts { share: 1.0, ..Drafts::default() };
        drafts.draft(tokens, most, 1);
        drafts.tokens
    }

    #[test]
    fn tokens_that_followed_before_are_drafted() {
        assert_eq!(drafted(&[1, 2, 3, 4, 9, 1, 2], 2), [3, 4]);
        // The longer match is preferred, though the shorter one is newer.
        assert_eq!(drafted(&[5, 6, 1, 2, 3, 8, 1, 2, 7, 5, 6, 1, 2], 1), [3]);
        assert_eq!(drafted(&[4, 5, 4, 5], 5), [4, 5, 4, 5, 4]);
        for short in [&[1, 2, 3][..], &[1], &[]] {
            assert!(drafted(short, 4).is_empty());
        }
    }

    #[test]
    fn accepted_drafts_grow_and_rejected_ones_pause() {
        let tokens = [1, 2, 3, 1, 2, 3, 1, 2];
        let mut drafts = Drafts::default();
        let first = drafts.draft(&tokens, 8, 1);
        drafts.observe(first, false);
        for _ in 0..20 {
            let count = drafts.draft(&tokens, 8, 1);
            drafts.observe(count, false);
        }
        assert!(first < 8 && drafts.draft(&tokens, 8, 1) == 8);
        let mut made = 0;
        for _ in 0..1000 {
            let count = drafts.draft(&tokens, 8, 1);
            made += count;
            drafts.observe(0, count > 0);
        }
        assert!(made < 100, "{made} drafts in 1000 steps, none of them accepted");
    }

    #[test]
    fn with_more_requests_a_draft_must_be_likelier() {
        assert!(worth(1) < 0.25 && worth(8) > 0.6 && worth(256) > 0.95 && worth(256) < 1.0);
        let mut drafts = Drafts::default();
        assert_eq!(drafts.draft(&[1, 2, 1, 2], 8, 64), 0);
    }
}
