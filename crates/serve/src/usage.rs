//! Token usage of requests: [`Tokens`].

use fireclay_infer::Completion;

/// Token usage of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Prompt tokens, each prompt once.
    pub prompt: usize,
    /// Prompt tokens found in the cache.
    pub cached: usize,
    /// Generated tokens.
    pub completion: usize,
}

impl Tokens {
    /// Counts an answer; its prompt only if it is the first to that prompt.
    pub fn add(&mut self, completion: &Completion, first: bool) {
        self.completion += completion.ids.len();
        if first {
            self.prompt += completion.prompt_tokens;
            self.cached += completion.cached_tokens;
        }
    }
}
