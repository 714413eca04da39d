//! Text that is always valid UTF-8: [`Utf8Guard`].
//!
//! Byte-level tokens may hold a part of a character. UTF-8 validity is a finite automaton of eight states (Unicode 15,
//! table 3-7), so the effect of a token is eight numbers, which are computed before the first token is drawn.

/// State of the automaton: between characters, or the bytes that an unfinished character needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u8);

const STATES: usize = 8;
/// Between characters.
const BETWEEN: State = State(0);
/// One more continuation byte.
const ONE: State = State(1);
/// Two more.
const TWO: State = State(2);
/// After E0: no overlong form.
const AFTER_E0: State = State(3);
/// After ED: no surrogate.
const AFTER_ED: State = State(4);
/// After F0: no overlong form.
const AFTER_F0: State = State(5);
/// Three more continuation bytes.
const THREE: State = State(6);
/// After F4: nothing above U+10FFFF.
const AFTER_F4: State = State(7);
/// No valid text.
const BROKEN: State = State(8);

impl State {
    fn after_byte(self, byte: u8) -> Self {
        match (self, byte) {
            (BETWEEN, 0x00..=0x7F) | (ONE, 0x80..=0xBF) => BETWEEN,
            (BETWEEN, 0xC2..=0xDF) | (TWO, 0x80..=0xBF) | (AFTER_E0, 0xA0..=0xBF) | (AFTER_ED, 0x80..=0x9F) => ONE,
            (BETWEEN, 0xE0) => AFTER_E0,
            (BETWEEN, 0xED) => AFTER_ED,
            (BETWEEN, 0xE1..=0xEF) | (AFTER_F0, 0x90..=0xBF) | (THREE, 0x80..=0xBF) | (AFTER_F4, 0x80..=0x8F) => TWO,
            (BETWEEN, 0xF0) => AFTER_F0,
            (BETWEEN, 0xF1..=0xF3) => THREE,
            (BETWEEN, 0xF4) => AFTER_F4,
            _ => BROKEN,
        }
    }

    fn after_token(self, token: Option<&[u8]>) -> Self {
        match token {
            Some(bytes) if !bytes.is_empty() => bytes.iter().fold(self, |state, &byte| state.after_byte(byte)),
            _ if self == BETWEEN => BETWEEN,
            _ => BROKEN,
        }
    }

    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Tokens of a vocabulary that may follow a text so that it stays, and ends as, valid UTF-8. Make one per vocabulary; a
/// step then looks at each token once.
#[derive(Clone, Debug)]
pub struct Utf8Guard {
    /// For every token, the next state from each state.
    after: Vec<[State; STATES]>,
    /// Smallest number of tokens from each state to the end of its character, `usize::MAX` if there is none; the last
    /// entry is that of [`BROKEN`].
    to_end: [usize; STATES + 1],
}

impl Utf8Guard {
    /// A guard for the tokens with these bytes, in the order of their ids. `None` is a token that may only occur
    /// between characters: a special token, or one that ends a text. Tokens without bytes, and ids after the last, are
    /// treated the same.
    #[must_use]
    pub fn new<'a>(tokens: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        let of = |token| std::array::from_fn(|state| State(state as u8).after_token(token));
        let after: Vec<[State; STATES]> = tokens.into_iter().map(of).collect();
        Self { to_end: distances(&after), after }
    }

    /// The state after these tokens.
    pub(crate) fn state_after(&self, ids: &[u32]) -> State {
        ids.iter().fold(BETWEEN, |state, &id| self.follow(state, id))
    }

    /// The state after one more token; an invalid one restarts between characters.
    pub(crate) fn follow(&self, state: State, id: u32) -> State {
        let unbroken = |state| (state != BROKEN).then_some(state);
        unbroken(self.next(state, id)).or_else(|| unbroken(self.next(BETWEEN, id))).unwrap_or(BETWEEN)
    }

    /// The state after one more token.
    fn next(&self, state: State, id: u32) -> State {
        self.after.get(id as usize).map_or_else(|| state.after_token(None), |after| after[state.index()])
    }

    /// Sets to −∞ the logits `[V]` of all tokens that would make the text invalid, or leave a character that cannot be
    /// completed in `left` tokens, this one included. Returns whether a token is still possible.
    pub(crate) fn mask(&self, state: State, left: usize, logits: &mut [f32]) -> bool {
        let allowed = self.to_end.map(|tokens| tokens < left);
        let mut possible = false;
        for (id, logit) in (0..).zip(logits) {
            if allowed[self.next(state, id).index()] {
                possible |= logit.is_finite();
            } else {
                *logit = f32::NEG_INFINITY;
            }
        }
        possible
    }
}

/// Smallest number of tokens from each state to [`BETWEEN`].
fn distances(after: &[[State; STATES]]) -> [usize; STATES + 1] {
    let mut to_end = [usize::MAX; STATES + 1];
    to_end[BETWEEN.index()] = 0;
    // A shortest path has fewer steps than there are states.
    for _ in 1..STATES {
        for after in after {
            for (state, next) in after.iter().enumerate() {
                to_end[state] = to_end[state].min(to_end[next.index()].saturating_add(1));
            }
        }
    }
    to_end
}

#[cfg(test)]
mod tests;
