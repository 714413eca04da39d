//! The items of a reply while it comes: [`Output`].

use serde_json::{Value, json};

use super::out::Out;
use crate::calls::{Piece, Splitter};
use crate::item_list::{content, objects};
use crate::sse::Gone;
use crate::store::StoredMessage;

/// A reply's items so far. A stream gets text as it comes, and a call once it is certain to be one.
pub struct Output {
    /// Where the reply may call tools.
    splitter: Option<Splitter>,
    /// Texts of the reply, with the number of calls before each.
    texts: Vec<(String, usize)>,
    calls: Vec<Value>,
    /// Items that the stream has begun.
    begun: usize,
    /// The id of the last of them, if it is a message without its end.
    open: Option<Value>,
    /// Pieces found at the end of the reply, which are sent once it is stored.
    last: Vec<Piece>,
}

impl Output {
    /// Of a reply without text, and what finds its calls where it may have some.
    pub fn new(splitter: Option<Splitter>) -> Self {
        Self { splitter, texts: vec![], calls: vec![], begun: 0, open: None, last: vec![] }
    }

    /// Begins the message of a reply that cannot call tools.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn begin(&mut self, reply: &StoredMessage, out: &mut Out) -> Result<(), Gone> {
        match self.splitter {
            Some(_) => Ok(()),
            None => self.open(&objects(std::slice::from_ref(reply)), out).await,
        }
    }

    /// Adds the model's text, and returns the pieces that are certain, which are to be sent.
    pub fn take(&mut self, text: &str, reply: &mut StoredMessage) -> Vec<Piece> {
        let pieces = match &mut self.splitter {
            Some(splitter) => splitter.push(text),
            None if text.is_empty() => vec![],
            None => vec![Piece::Text(text.into())],
        };
        for piece in &pieces {
            self.record(piece);
        }
        if pieces.iter().any(|piece| matches!(piece, Piece::Call(_))) || self.open.is_none() {
            self.write(reply);
        }
        pieces
    }

    /// Takes the end of the reply, and completes the message to be stored.
    pub fn end(&mut self, reply: &mut StoredMessage) {
        self.last = self.splitter.as_mut().map(Splitter::finish).unwrap_or_default();
        for piece in self.last.clone() {
            self.record(&piece);
        }
        self.write(reply);
    }

    /// Writes what there is into the message.
    pub fn write(&self, reply: &mut StoredMessage) {
        reply.content = content(&self.texts);
        reply.tool_calls = (!self.calls.is_empty()).then(|| self.calls.clone().into());
    }

    /// Sends what is left, and ends the last item.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn close(&mut self, reply: &StoredMessage, out: &mut Out) -> Result<(), Gone> {
        let last = std::mem::take(&mut self.last);
        self.send(last, reply, out).await?;
        let items = objects(std::slice::from_ref(reply));
        if self.begun == 0 {
            self.open(&items, out).await?;
        }
        self.close_text(&items, out).await
    }

    fn record(&mut self, piece: &Piece) {
        match (piece, self.texts.last_mut()) {
            (Piece::Call(call), _) => self.calls.push(call.clone()),
            (Piece::Text(text), Some((before, after))) if *after == self.calls.len() => before.push_str(text),
            (Piece::Text(text), _) => self.texts.push((text.clone(), self.calls.len())),
        }
    }

    /// Sends pieces that are already in the message.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn send(&mut self, pieces: Vec<Piece>, reply: &StoredMessage, out: &mut Out) -> Result<(), Gone> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    if self.open.is_none() {
                        self.open(&objects(std::slice::from_ref(reply)), out).await?;
                    }
                    let event = json!({"item_id": self.open, "output_index": self.begun - 1, "content_index": 0,
                        "delta": text, "logprobs": []});
                    out.event("response.output_text.delta", event).await?;
                }
                Piece::Call(_) => {
                    let items = objects(std::slice::from_ref(reply));
                    self.close_text(&items, out).await?;
                    self.call(&items, out).await?;
                }
            }
        }
        Ok(())
    }

    /// Begins the next item, a message.
    async fn open(&mut self, items: &[Value], out: &mut Out) -> Result<(), Gone> {
        let mut item = items[self.begun].clone();
        let mut part = item["content"][0].take();
        part["text"] = "".into();
        (item["content"], item["status"]) = (json!([]), "in_progress".into());
        let place = json!({"item_id": item["id"], "output_index": self.begun, "content_index": 0, "part": part});
        self.open = Some(item["id"].clone());
        self.begun += 1;
        out.event("response.output_item.added", json!({"output_index": self.begun - 1, "item": item})).await?;
        out.event("response.content_part.added", place).await
    }

    /// Ends the message that is open, if one is.
    async fn close_text(&mut self, items: &[Value], out: &mut Out) -> Result<(), Gone> {
        let Some(id) = self.open.take() else { return Ok(()) };
        let index = self.begun - 1;
        let part = &items[index]["content"][0];
        let place = || json!({"item_id": id, "output_index": index, "content_index": 0});
        let (mut text, mut whole) = (place(), place());
        (text["text"], text["logprobs"]) = (part["text"].clone(), json!([]));
        whole["part"] = part.clone();
        out.event("response.output_text.done", text).await?;
        out.event("response.content_part.done", whole).await?;
        out.event("response.output_item.done", json!({"output_index": index, "item": items[index]})).await
    }

    /// Sends the next item, a call.
    async fn call(&mut self, items: &[Value], out: &mut Out) -> Result<(), Gone> {
        let (index, item) = (self.begun, &items[self.begun]);
        self.begun += 1;
        let mut begun = item.clone();
        (begun["arguments"], begun["status"]) = ("".into(), "in_progress".into());
        out.event("response.output_item.added", json!({"output_index": index, "item": begun})).await?;
        let place = || json!({"item_id": item["id"], "output_index": index});
        let (mut delta, mut done) = (place(), place());
        delta["delta"] = item["arguments"].clone();
        (done["arguments"], done["name"]) = (item["arguments"].clone(), item["name"].clone());
        out.event("response.function_call_arguments.delta", delta).await?;
        out.event("response.function_call_arguments.done", done).await?;
        out.event("response.output_item.done", json!({"output_index": index, "item": item})).await
    }
}
