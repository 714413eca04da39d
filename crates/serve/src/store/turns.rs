//! Turns: what a person said and the reply that begins, stored together or not at all.

use serde_json::{Map, Value};

use super::conversations;
use super::writing::NewReply;
use super::{NewConversation, NewMessage, Parent, Response, Store, StoreError, StoredMessage, responses};

/// A turn to store.
#[derive(Clone, Debug)]
pub struct NewTurn {
    /// `None`: a new conversation, which lists do not show.
    pub conversation: Option<String>,
    /// Place of the first message.
    pub parent: Parent,
    /// What was said; without it, the message at `parent` is answered.
    pub said: Vec<NewMessage>,
    /// The model that answers.
    pub model: String,
    /// The system prompt.
    pub instructions: Option<String>,
    /// Fields of a response that belongs to the reply, if there is one.
    pub response: Option<Map<String, Value>>,
}

/// A turn whose reply is being generated.
#[derive(Clone, Debug)]
pub struct BegunTurn {
    /// What was said.
    pub said: Vec<StoredMessage>,
    /// The reply in progress.
    pub reply: StoredMessage,
    /// Its response.
    pub response: Option<Response>,
}

impl Store {
    /// Stores what was said and that a reply to it is being generated: all of it or, on an error, nothing. So a
    /// database that fails for a moment leaves no question without a reply, and no reply that nobody writes.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn begin_turn(&self, account: &str, turn: NewTurn) -> Result<BegunTurn, StoreError> {
        let NewTurn { conversation, mut parent, said, model, instructions, response } = turn;
        let mut transaction = self.begin().await?;
        let conversation = if let Some(id) = conversation {
            id
        } else {
            let new = conversations::fresh(NewConversation { unlisted: true, ..NewConversation::default() });
            conversations::insert(&mut *transaction, account, &new).await?;
            new.id
        };
        let mut added = vec![];
        if !said.is_empty() {
            added = self.add(&mut transaction, account, &conversation, parent, said).await?;
            parent = added.last().map_or(Parent::Root, |last| Parent::Message(last.id.clone()));
        }
        let reply = NewReply { model: &model, instructions: instructions.as_deref() };
        let reply = self.add_reply(&mut transaction, account, &conversation, parent, reply).await?;
        let response = match response {
            Some(body) => Some(responses::insert(&mut transaction, &reply, body).await?),
            None => None,
        };
        transaction.commit().await?;
        Ok(BegunTurn { said: added, reply, response })
    }
}
