//! Scheduling: the requests and tokens of the next step, and their pages.
//!
//! Requests start in the order of arrival. A request gets a token in every step once its prompt is computed. Prompts
//! are computed in the same order, at most [`EngineConfig::chunk`](super::EngineConfig::chunk) tokens per step, so that
//! a long one does not delay the others' tokens. When pages run out, the newest request gives back its own and waits to
//! be computed again. The oldest one is never delayed, so that all requests end.

use fireclay_model::PagedCache;

use super::Engine;

impl Engine {
    /// Number of tokens of each running request to compute next. Takes their pages.
    pub(super) fn schedule(&mut self) -> Vec<usize> {
        let context = self.context();
        let (mut counts, mut budget) = (vec![], self.config.chunk);
        while counts.len() < self.running.len() {
            let index = counts.len();
            self.running[index].make_room(context, &mut self.pool);
            let count = self.running[index].next_count(budget);
            if !self.make_room(index, count) {
                break;
            }
            budget -= if count > 1 { count } else { 0 };
            let count = count + self.draft(index, count);
            self.running[index].take(count, &mut self.pool);
            counts.push(count);
        }
        self.admit(&mut counts, budget, context);
        counts
    }

    /// Lets a request draft tokens after the `count` to compute next, if these are its last. Drafts take no page that
    /// others need in this step.
    fn draft(&mut self, index: usize, count: usize) -> usize {
        let (rows, context) = (self.running.len(), self.context());
        let sequence = &mut self.running[index];
        if sequence.computed + count < sequence.window().len() {
            return 0;
        }
        let drafts = sequence.draft(self.config.drafts, rows, context);
        let sequence = &mut self.running[index];
        if sequence.pages_for(count + drafts) > 0 && self.pool.available() < sequence.pages_for(count + drafts) + rows {
            sequence.drafts.tokens.clear();
            return 0;
        }
        drafts
    }

    /// Frees the pages that `count` more tokens of a request need, if necessary by preempting later requests, and
    /// finally the request itself: `false`.
    fn make_room(&mut self, index: usize, count: usize) -> bool {
        let needed = self.running[index].pages_for(count);
        while self.pool.available() < needed {
            let last = self.running.len() - 1;
            let mut sequence = self.running.pop().expect("the request itself is running");
            sequence.give_back(&mut self.pool);
            self.waiting.push_front(sequence);
            self.preemptions += 1;
            if last == index {
                assert!(index > 0, "a request that does not fit alone is refused when it is added");
                return false;
            }
        }
        true
    }

    /// Starts waiting requests while there is room for all their tokens so far.
    fn admit(&mut self, counts: &mut Vec<usize>, mut budget: usize, context: usize) {
        while self.running.len() < self.config.streams && budget > 0 {
            let Some(sequence) = self.waiting.front_mut() else { return };
            sequence.make_room(context, &mut self.pool);
            sequence.take_cached(&mut self.pool);
            let needed = PagedCache::pages_of(sequence.window().len()) - sequence.pages.len();
            if self.pool.available() < needed {
                sequence.give_back(&mut self.pool);
                return;
            }
            let mut sequence = self.waiting.pop_front().expect("there is a first one");
            let count = sequence.next_count(budget);
            sequence.take(count, &mut self.pool);
            budget -= count;
            counts.push(count);
            self.running.push(sequence);
        }
    }
}
