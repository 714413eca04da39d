//! From a job's tokens to deltas of text for clients: [`Generation`]. Streams and whole answers consist of the same
//! deltas.

use fireclay_infer::{Completion, FinishReason, Request, Token};
use fireclay_text::ReplyText;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use crate::error::ApiError;
use crate::metrics::ModelMetrics;
use crate::model::Served;
use crate::worker::{Update, Updates};

/// A token of an answer's text, with its log-probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub id: u32,
    pub logprob: f32,
    pub top: Vec<(u32, f32)>,
    /// Bytes of the answer's text before it.
    pub start: usize,
}

/// New delta of one answer.
#[derive(Clone, Debug)]
pub struct AnswerDelta {
    /// Index of the answer, from 0.
    pub index: usize,
    pub text: String,
    pub said: Vec<Said>,
    /// With the last delta.
    pub end: Option<End>,
}

/// End of an answer, and its token usage.
#[derive(Clone, Debug)]
pub struct End {
    /// "stop" or "length".
    pub reason: &'static str,
    pub completion: Completion,
}

/// One answer in progress.
struct AnswerText {
    text: ReplyText,
    /// Tokens whose text is held back.
    waiting: Vec<Said>,
    /// A stop text was found that the engine did not find, and the engine was told to end.
    cut: bool,
    done: bool,
}

/// Answers of one job in progress. Dropping it cancels the unfinished ones.
pub struct Generation {
    updates: Updates,
    answers: Vec<AnswerText>,
    open: usize,
    begun: Instant,
    first: Option<Instant>,
    deadline: Instant,
    ending: watch::Receiver<bool>,
    metrics: ModelMetrics,
    tells_ends: bool,
    _room: OwnedSemaphorePermit,
}

impl Generation {
    /// Sends the requests, each with the decoder of its text, to the model's engine.
    pub fn start(
        model: &Served,
        requests: Vec<(Request, ReplyText)>,
        room: OwnedSemaphorePermit,
        rules: Rules,
    ) -> Self {
        let answer = |text| AnswerText { text, waiting: vec![], cut: false, done: false };
        let (requests, answers): (Vec<_>, Vec<_>) =
            requests.into_iter().map(|(request, text)| (request, answer(text))).unzip();
        let begun = Instant::now();
        Self {
            updates: model.worker.submit(requests, rules.metrics.clone()),
            open: answers.len(),
            answers,
            begun,
            first: None,
            deadline: begun + rules.timeout,
            ending: rules.ending,
            metrics: rules.metrics,
            tells_ends: false,
            _room: room,
        }
    }

    /// The same, but the end-of-text token is reported too. It is never part of the text.
    #[must_use]
    pub fn telling_ends(self) -> Self {
        Self { tells_ends: true, ..self }
    }

    /// The next delta; `None` when all answers are finished.
    ///
    /// # Errors
    /// When the engine fails, the answers take too long, or the server shuts down. No deltas follow.
    pub async fn next(&mut self) -> Option<Result<AnswerDelta, ApiError>> {
        while self.open > 0 {
            let received = tokio::select! {
                biased;
                // Before the updates, of which many may wait for a slow reader.
                () = sleep_until(self.deadline) => Err(ApiError::timeout()),
                _ = self.ending.wait_for(|ending| *ending) => Err(ApiError::ending()),
                update = self.updates.events.recv() => {
                    update.ok_or_else(|| ApiError::of_failure(&self.updates.failure()))
                }
            };
            let delta = match received {
                Ok((index, Update::Token(token))) => Ok(self.token(index, token)),
                Ok((index, Update::Finished(completion))) => Ok(Some(self.finished(index, *completion))),
                Ok((_, Update::Failed(failure))) => Err(ApiError::of_failure(&failure)),
                Err(error) => Err(error),
            };
            match delta {
                Ok(Some(delta)) => return Some(Ok(delta)),
                Ok(None) => {}
                Err(error) => {
                    self.open = 0;
                    self.updates.events.close();
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Ends the answers where they are; their ends still come.
    pub fn stop(&self) {
        (0..self.answers.len()).for_each(|index| self.updates.cancel(index));
    }

    fn token(&mut self, index: usize, token: Token) -> Option<AnswerDelta> {
        if self.first.is_none() {
            self.first = Some(Instant::now());
            self.metrics.first_token(self.begun.elapsed());
        }
        let answer = &mut self.answers[index];
        if answer.cut || (answer.text.ends_with(token.id) && !self.tells_ends) {
            return None;
        }
        let delta = answer.text.push(token.id);
        answer.waiting.push(Said { id: token.id, logprob: token.logprob, top: token.top, start: delta.start });
        if answer.text.is_stopped() {
            answer.cut = true;
            self.updates.cancel(index);
        }
        let said = if answer.cut || !answer.text.is_flushed() { vec![] } else { std::mem::take(&mut answer.waiting) };
        (!delta.text.is_empty() || !said.is_empty()).then_some(AnswerDelta { index, text: delta.text, said, end: None })
    }

    fn finished(&mut self, index: usize, completion: Completion) -> AnswerDelta {
        self.open -= 1;
        let answer = &mut self.answers[index];
        answer.done = true;
        let text = answer.text.finish();
        let mut said = std::mem::take(&mut answer.waiting);
        if answer.text.is_stopped() {
            said.retain(|said| said.start < answer.text.shown());
        }
        let stopped = answer.cut || completion.finish_reason == FinishReason::Stop;
        let reason = if stopped { "stop" } else { "length" };
        AnswerDelta { index, text, said, end: Some(End { reason, completion }) }
    }

    /// All of the answers, in their order.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn whole(mut self) -> Result<Vec<Whole>, ApiError> {
        let mut texts = vec![(String::new(), vec![], None); self.answers.len()];
        while let Some(delta) = self.next().await {
            let AnswerDelta { index, text, said, end } = delta?;
            let whole: &mut (String, Vec<Said>, Option<End>) = &mut texts[index];
            whole.0 += &text;
            whole.1.extend(said);
            whole.2 = end.or(whole.2.take());
        }
        let whole = |(text, said, end): (String, Vec<Said>, Option<End>)| {
            let end = end.expect("an answer without an end is an error");
            Whole { text, said, end }
        };
        Ok(texts.into_iter().map(whole).collect())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Whole {
    pub text: String,
    pub said: Vec<Said>,
    pub end: End,
}

/// Bounds of a generation.
pub struct Rules {
    pub timeout: std::time::Duration,
    /// True once the server no longer waits for answers.
    pub ending: watch::Receiver<bool>,
    pub metrics: ModelMetrics,
}
