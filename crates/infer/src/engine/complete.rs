//! Prompts in, completions out, on an idle engine.

use std::ops::ControlFlow;

use super::{Engine, Event, Request, RequestId};
use crate::{Completion, InferError, SamplingConfig};

impl Engine {
    /// Completes one request. `on_token` gets every token with its log-probability under the model as soon as it is
    /// drawn, including the tokens of a stop sequence; if it breaks, the completion ends there.
    ///
    /// # Errors
    /// As [`add`](Self::add), and when the model's logits are not finite.
    ///
    /// # Panics
    /// When the engine is busy.
    pub fn complete(
        &mut self,
        request: Request,
        on_token: &mut dyn FnMut(u32, f32) -> ControlFlow<()>,
    ) -> Result<Completion, InferError> {
        let mut completions = self.complete_requests(vec![request], &mut |_, id, logprob| on_token(id, logprob))?;
        Ok(completions.pop().expect("one completion a request"))
    }

    /// Completes several prompts; prompt `r` draws from stream `config.stream + r`. The result of one prompt does not
    /// depend on the others.
    ///
    /// # Errors
    /// As [`complete`](Self::complete); a prompt at fault is named by its index.
    ///
    /// # Panics
    /// When the engine is busy.
    pub fn complete_all(
        &mut self,
        prompts: &[Vec<u32>],
        config: &SamplingConfig,
    ) -> Result<Vec<Completion>, InferError> {
        self.complete_requests(requests(prompts, config), &mut |_, _, _| ControlFlow::Continue(()))
    }

    /// Completes several requests. `on_token` gets the request's index, the token and its log-probability under the
    /// model; when it breaks, that completion ends there.
    ///
    /// # Errors
    /// As [`complete_all`](Self::complete_all).
    ///
    /// # Panics
    /// When the engine is busy.
    pub fn complete_requests(
        &mut self,
        requests: Vec<Request>,
        on_token: &mut dyn FnMut(usize, u32, f32) -> ControlFlow<()>,
    ) -> Result<Vec<Completion>, InferError> {
        assert!(!self.is_busy(), "the engine still has other requests");
        for (row, request) in requests.iter().enumerate() {
            self.check(request, row)?;
        }
        let ids: Vec<RequestId> = requests.into_iter().map(|request| self.add(request)).collect::<Result<_, _>>()?;
        let row_of = |id: RequestId| ids.binary_search(&id).expect("the engine has no other requests");
        let mut completions: Vec<Option<Completion>> = vec![None; ids.len()];
        let mut told = vec![0; ids.len()];
        while self.is_busy() {
            let mut broken = vec![];
            for event in self.step() {
                match event {
                    Event::Token(id, token) => {
                        let row = row_of(id);
                        // Of several tokens in one step, those after the break are dropped.
                        if broken.last() != Some(&id) {
                            told[row] += 1;
                            if on_token(row, token.id, token.logprob).is_break() {
                                broken.push(id);
                            }
                        }
                    }
                    Event::Finished(id, completion) => {
                        completions[row_of(id)] = Some(completion.first(told[row_of(id)]));
                    }
                    Event::Failed(_, error) => {
                        for &id in &ids {
                            self.cancel(id);
                        }
                        return Err(error);
                    }
                }
            }
            for id in broken {
                // The request may have ended by itself with the same token.
                if let Some(completion) = self.cancel(id) {
                    completions[row_of(id)] = Some(completion.first(told[row_of(id)]));
                }
            }
        }
        Ok(completions.into_iter().map(|completion| completion.expect("every request finishes")).collect())
    }
}

/// One request per prompt, each with its own stream of random numbers.
pub(crate) fn requests(prompts: &[Vec<u32>], config: &SamplingConfig) -> Vec<Request> {
    let request = |(row, prompt): (usize, &Vec<u32>)| {
        let stream = config.stream.wrapping_add(row as u64);
        Request::new(prompt.clone(), SamplingConfig { stream, ..config.clone() })
    };
    prompts.iter().enumerate().map(request).collect()
}
