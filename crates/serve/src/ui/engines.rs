use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use fireclay_tokenizer::Message;
use serde_json::Map;
use tokio::sync::mpsc;

use super::{ApiError, Generated, Generation, PageModel, Replies, ReplyRequest};
use crate::app::{App, blocking};
use crate::asked::Choosing;
use crate::generation::{self, Piece, Tokens};
use crate::items::as_chat;
use crate::model::CHAT_TEMPERATURE;
use crate::routes::chat::encode;
use crate::store::Usage;

/// Pieces that wait for the database and the client.
const WAITING: usize = 64;

/// Replies of the served models.
pub(crate) struct Engines(pub Arc<App>);

impl Replies for Engines {
    fn models(&self) -> Vec<PageModel> {
        let model = |model: &Arc<crate::model::Served>| PageModel { id: model.id.clone(), context: model.context };
        self.0.models.iter().map(model).collect()
    }

    fn begin(&self, request: ReplyRequest) -> Pin<Box<dyn Future<Output = Result<Generation, ApiError>> + Send + '_>> {
        Box::pin(self.start(request))
    }
}

impl Engines {
    async fn start(&self, request: ReplyRequest) -> Result<Generation, ApiError> {
        let Self(app) = self;
        let model = app.model(&request.model)?;
        let place = model.admit(1)?;
        let system = request.instructions.iter().map(|text| Message::new("system", text));
        let chat: Vec<Message> = system.chain(request.messages.iter().map(as_chat)).collect();
        let prompt = {
            let model = Arc::clone(&model);
            blocking(move || encode(&model, &chat, None, Map::new())).await?
        };
        model.check_room(prompt.len(), 1)?;
        let sampling = request.sampling;
        let most = app.room(&model, prompt.len(), sampling.max_tokens);
        let choosing = Choosing {
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            seed: sampling.seed.map(u64::cast_signed),
            ..Choosing::default()
        };
        let config = choosing.config(&model, most, CHAT_TEMPERATURE)?;
        let asked = model.request(prompt, config, &[], true)?;
        let pieces = app.generate(&model, vec![(asked, model.reply_text(&[]))], place);
        let (sender, generation) = mpsc::channel(WAITING);
        tokio::spawn(forward(pieces, sender));
        Ok(generation)
    }
}

/// Hands on what the engine says until it ends, or nobody listens, which ends it.
async fn forward(mut pieces: generation::Generation, sender: mpsc::Sender<Generated>) {
    let mut first = None;
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            () = sender.closed() => return,
        };
        let told = match piece {
            None => return,
            Some(Err(error)) => vec![Generated::Failed(error.to_string())],
            Some(Ok(Piece { text, end, .. })) => {
                let begun = *first.get_or_insert_with(Instant::now);
                let end = end.map(|end| Generated::End {
                    finish_reason: end.reason.to_owned(),
                    usage: usage(&end, begun.elapsed().as_secs_f64()),
                });
                let text = (!text.is_empty()).then_some(Generated::Text(text));
                text.into_iter().chain(end).collect()
            }
        };
        for one in told {
            if sender.send(one).await.is_err() {
                return;
            }
        }
    }
}

fn usage(end: &generation::End, seconds: f64) -> Usage {
    let mut tokens = Tokens::default();
    tokens.add(&end.completion, true);
    Usage {
        prompt_tokens: tokens.prompt as u64,
        completion_tokens: tokens.completion as u64,
        cached_tokens: tokens.cached as u64,
        seconds: Some(seconds),
    }
}
