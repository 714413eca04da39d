//! Replies for the web page: [`PageReplies`].

use std::pin::Pin;
use std::sync::Arc;

use fireclay_infer::Request;
use fireclay_text::{CHAT_TEMPERATURE, ChatHistory, FittedPrompt, prompt_limit};
use fireclay_tokenizer::OmittedPart;
use serde_json::Map;
use tokio::sync::{Notify, mpsc};

use crate::app::App;
use crate::blocking::blocking;
use crate::error::ApiError;
use crate::items::as_chat;
use crate::messages::{Asked, encode};
use crate::model::Served;
use crate::sampling_fields::SamplingFields;
use crate::store::{StoredMessage, Usage};
use crate::ui::{Generated, PageModel, Replies, ReplyRequest, ReplyStream};

/// Largest number of deltas of a reply that wait for the page's route.
const WAITING: usize = 16;

/// The server's models as the page uses them.
pub struct PageReplies(pub Arc<App>);

impl Replies for PageReplies {
    fn models(&self) -> Vec<PageModel> {
        let chats = self.0.models.iter().filter(|model| model.tokenizer.chat_template().is_some());
        let page = |model: &Arc<Served>| PageModel {
            id: model.id.clone(),
            context: model.context,
            defaults: model.page_defaults(),
            suggestions: self.0.suggestions.get(&model.id).cloned().unwrap_or_default(),
        };
        chats.map(page).collect()
    }

    fn begin(&self, request: ReplyRequest) -> Pin<Box<dyn Future<Output = Result<ReplyStream, ApiError>> + Send + '_>> {
        Box::pin(async move { begin(&self.0, request).await })
    }
}

async fn begin(app: &App, request: ReplyRequest) -> Result<ReplyStream, ApiError> {
    let ReplyRequest { account, model, instructions, messages, sampling } = request;
    let model = app.model(&model)?;
    let places = model.admit(1)?;
    let FittedReply { prompt, shorter_prompts, left_out } = {
        let (model, wanted) = (Arc::clone(&model), sampling.max_tokens);
        blocking(move || fitted(&model, instructions, &messages, wanted)).await?
    };
    let fields = SamplingFields {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        min_p: sampling.min_p,
        seed: sampling.seed.map(|seed| seed as i64),
        ..SamplingFields::default()
    };
    let shortest = shorter_prompts.last().unwrap_or(&prompt).len();
    let config = fields.config(&model, app.room(&model, shortest, sampling.max_tokens), CHAT_TEMPERATURE)?;
    let request = Request { shorter_prompts, ..model.request(&account, prompt, config, &[], true)? };
    let mut generation = app.generate(&model, vec![(request, model.reply_text(&[]))], places);
    let (sender, pieces) = mpsc::channel(WAITING);
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    if left_out > 0 {
        sender.try_send(Generated::LeftOut(left_out)).expect("the channel is new, and its receiver is here");
    }
    tokio::spawn(async move {
        loop {
            let delta = tokio::select! {
                delta = generation.next() => delta,
                () = stopped.notified() => {
                    generation.stop();
                    continue;
                }
                () = sender.closed() => return,
            };
            let sent = match delta {
                None => return,
                Some(Err(error)) => sender.send(Generated::Failed(error.to_string())).await,
                Some(Ok(delta)) => {
                    let mut sent = Ok(());
                    if !delta.text.is_empty() {
                        sent = sender.send(Generated::Text(delta.text)).await;
                    }
                    match delta.end {
                        Some(end) if sent.is_ok() => {
                            let usage = Usage::of(&end.completion);
                            sender.send(Generated::End { finish_reason: end.reason.into(), usage }).await
                        }
                        _ => sent,
                    }
                }
            };
            if sent.is_err() {
                return;
            }
        }
    });
    Ok(ReplyStream::new(pieces, stop))
}

/// A conversation that is to be answered.
struct FittedReply {
    /// Its ids.
    prompt: Vec<u32>,
    /// The same without more and more of the oldest exchanges, for a reply that outgrows the context.
    shorter_prompts: Vec<Vec<u32>>,
    /// Number of oldest exchanges that are dropped from the beginning to leave room for a reply.
    left_out: usize,
}

fn fitted(
    model: &Served,
    instructions: Option<String>,
    messages: &[StoredMessage],
    wanted: Option<usize>,
) -> Result<FittedReply, ApiError> {
    let mut chat: Vec<_> = messages.iter().map(as_chat).collect();
    let question = chat.pop().ok_or_else(|| ApiError::invalid("there is nothing to answer"))?;
    let mut history = ChatHistory::continuing(instructions, chat);
    let limit = prompt_limit(model.context, wanted.unwrap_or(usize::MAX));
    let encoded = |messages: &[_]| {
        let place = |_: &OmittedPart| "conversation".to_owned();
        encode(model, &Asked { messages, tools: None, variables: Map::new(), place: &place })
    };
    let mut fit = history.fit(&question, limit, encoded)?;
    // The question alone may still leave room for a short reply.
    if let FittedPrompt::TooLong { tokens } = fit {
        model.check_room("text", tokens, 1)?;
        fit = history.fit(&question, tokens, encoded)?;
    }
    let FittedPrompt::Fits { ids: prompt, dropped: left_out } = fit else {
        unreachable!("it has as many tokens as may be");
    };
    let outgrows = wanted.is_none_or(|wanted| prompt.len() + wanted > model.context);
    let shorter_prompts = if outgrows { history.shorter_prompts(&question, encoded)? } else { vec![] };
    Ok(FittedReply { prompt, shorter_prompts, left_out })
}

impl Usage {
    /// Token usage of a completion.
    #[must_use]
    pub fn of(completion: &fireclay_infer::Completion) -> Self {
        Self {
            prompt_tokens: completion.prompt_tokens as u64,
            completion_tokens: completion.ids.len() as u64,
            cached_tokens: completion.cached_tokens as u64,
            seconds: Some(completion.timing.decode_seconds),
        }
    }
}
