//! The conversation in the database that the server uses too: [`Stored`].

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fireclay_serve::as_chat;
use fireclay_serve::store::{
    ConversationFile, ListQuery, MessageRating, NewConversation, NewMessage, Parent, ReplyOutcome, Role, Status, Store,
    StoredConversation, StoredMessage, Usage, Verdict,
};
use tokio::runtime::{Builder, Runtime};

use super::input::RatingCommand;
use crate::error::user;

/// Number of conversations that `/list` shows.
const LISTED: u32 = 20;
/// Number of conversations that are searched for a prefix of an id.
const SEARCHED: u32 = 1000;
/// Number of lines of earlier conversations that the arrow keys recall.
const EARLIER: u32 = 200;
/// Interval in which a partial reply is stored.
const SAVED_EVERY: Duration = Duration::from_secs(2);

/// The way to the conversations, from within a chat and from a shell.
const LIST: &str = "/list in `fireclay chat` shows what there is";

/// The database, and the chat's place in it. A conversation is stored with its first message.
pub struct Stored {
    runtime: Runtime,
    store: Store,
    /// Where it is.
    place: String,
    account: String,
    /// The model's name.
    model: String,
    current: Option<Current>,
    /// The conversations that were listed last, by their number.
    listed: Vec<StoredConversation>,
    saved: Instant,
}

#[derive(Default)]
struct Current {
    conversation: String,
    /// Parent of the next message.
    leaf: Option<String>,
    /// The last finished reply on the way there.
    reply: Option<String>,
}

impl Stored {
    /// Opens the database at `place`, as [`Store::open`] does, for replies of `model`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(place: &str, account: &str, model: String) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("starting the database's runtime")?;
        let store = runtime.block_on(Store::open(place))?;
        let (place, account, saved) = (place.to_owned(), account.to_owned(), Instant::now());
        Ok(Self { runtime, store, place, account, model, current: None, listed: vec![], saved })
    }

    /// Where the database is.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The id of the conversation, once it has one.
    pub fn conversation(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.conversation.as_str())
    }

    /// The id of the last reply.
    pub fn reply(&self) -> Option<&str> {
        self.current.as_ref()?.reply.as_deref()
    }

    /// Questions of earlier conversations, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn earlier(&self) -> Result<Vec<String>> {
        Ok(self.runtime.block_on(self.store.last_questions(&self.account, EARLIER))?)
    }

    /// Starts a new conversation with the next message.
    pub fn begin_new(&mut self) {
        self.current = None;
    }

    /// The conversations with this text in them, the last changed first, and whether there are more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list(&mut self, search: &str) -> Result<(&[StoredConversation], bool)> {
        let query = ListQuery { search: search.into(), limit: LISTED, after: None };
        let list = self.runtime.block_on(self.store.conversations(&self.account, &query))?;
        self.listed = list.conversations;
        Ok((&self.listed, list.has_more))
    }

    /// Opens a conversation: by its number in the last list, its id or a prefix of it; without a name, the most
    /// recently changed one. Returns it with its messages up to the current leaf.
    ///
    /// # Errors
    /// When there is no such conversation, or there are several.
    pub fn go_on(&mut self, which: Option<&str>) -> Result<(StoredConversation, Vec<StoredMessage>)> {
        let id = self.find(which)?;
        let tree = self.runtime.block_on(self.store.tree(&self.account, &id))?;
        let path: Vec<StoredMessage> = tree.path(tree.conversation.leaf.as_deref()).into_iter().cloned().collect();
        self.set_current(&id, &path);
        Ok((tree.conversation, path))
    }

    /// The messages up to the conversation's newest, if the web page or another chat has gone on with it since.
    ///
    /// # Errors
    /// When the database fails, or the conversation was deleted.
    pub fn catch_up(&mut self) -> Result<Option<Vec<StoredMessage>>> {
        let Some(Current { conversation, leaf, .. }) = &self.current else { return Ok(None) };
        let now = self.runtime.block_on(self.store.conversation(&self.account, conversation))?;
        if now.leaf == *leaf {
            return Ok(None);
        }
        Ok(Some(self.go_on(Some(&now.id))?.1))
    }

    fn find(&self, which: Option<&str>) -> Result<String> {
        if let Some(number) = which.and_then(|which| which.parse::<usize>().ok()) {
            let listed = number.checked_sub(1).and_then(|index| self.listed.get(index));
            let listed = listed.map(|conversation| conversation.id.clone());
            let unknown = || user(format!("there is no conversation {number} in the last list; {LIST}"));
            return listed.ok_or_else(unknown);
        }
        if let Some(id) = which
            && let Ok(conversation) = self.runtime.block_on(self.store.conversation(&self.account, id))
        {
            return Ok(conversation.id);
        }
        let query = ListQuery { limit: SEARCHED, ..ListQuery::default() };
        let all = self.runtime.block_on(self.store.conversations(&self.account, &query))?.conversations;
        let Some(beginning) = which else {
            let last = all.into_iter().next().map(|conversation| conversation.id);
            return last.ok_or_else(|| user("there is no stored conversation yet"));
        };
        let mut found = all.into_iter().map(|conversation| conversation.id).filter(|id| id.starts_with(beginning));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => {
                Err(user(format!("several conversations begin with {beginning}; give more of the id")))
            }
            _ => Err(user(format!("there is no conversation {beginning}; {LIST}"))),
        }
    }

    fn set_current(&mut self, conversation: &str, path: &[StoredMessage]) {
        let is_reply =
            |message: &&StoredMessage| message.role == Role::Assistant && message.status != Status::InProgress;
        self.current = Some(Current {
            conversation: conversation.into(),
            leaf: path.last().map(|message| message.id.clone()),
            reply: path.iter().rev().find(is_reply).map(|message| message.id.clone()),
        });
    }

    /// Stores a question and a reply in progress, in a new conversation if there is none. The model does not read the
    /// first `left_out` exchanges of the conversation.
    ///
    /// # Errors
    /// When the database fails, or another process is answering in this conversation.
    pub fn ask(&mut self, system: Option<&str>, left_out: usize, question: &str) -> Result<PendingQuestion> {
        let Self { runtime, store, account, model, current, .. } = self;
        runtime.block_on(async {
            if current.is_none() {
                let new = NewConversation { persona: system.map(Into::into), ..NewConversation::default() };
                let conversation = store.create_conversation(account, new).await?.id;
                *current = Some(Current { conversation, ..Current::default() });
            }
            let Current { conversation, leaf, reply } = current.as_mut().expect("it was just begun");
            let before = Before { leaf: leaf.clone(), reply: reply.clone() };
            let parent = leaf.clone().map_or(Parent::Root, Parent::Message);
            let question = NewMessage::new(Role::User, question);
            let question = store.append(account, conversation, parent, vec![question]).await?.remove(0).id;
            *leaf = Some(question.clone());
            let parent = Parent::Message(question.clone());
            let reply = store.begin_reply(account, conversation, parent, model, system).await?.id;
            if left_out > 0 {
                store.set_left_out(account, &reply, left_out as u64).await?;
            }
            Ok(PendingQuestion { question, reply, before })
        })
    }

    /// Saves the partial reply at intervals, in case the process dies.
    pub fn save_progress(&mut self, pending: &PendingQuestion, text: &str) {
        if self.saved.elapsed() < SAVED_EVERY {
            return;
        }
        self.saved = Instant::now();
        let saved = self.runtime.block_on(self.store.save_progress(&self.account, &pending.reply, text, None));
        if let Err(error) = saved {
            tracing::warn!("a reply in progress was not saved: {error}");
        }
    }

    /// Stores a reply; `reason` is why it ended.
    ///
    /// # Errors
    /// When the database fails.
    pub fn finish(&mut self, pending: PendingQuestion, text: &str, reason: &str, usage: Usage) -> Result<()> {
        let status = if reason == "stop" { Status::Completed } else { Status::Incomplete };
        let outcome = ReplyOutcome {
            content: text.into(),
            tool_calls: None,
            status,
            finish_reason: Some(reason.into()),
            usage: Some(usage),
        };
        self.runtime.block_on(self.store.finish_reply(&self.account, &pending.reply, outcome))?;
        let current = self.current.as_mut().expect("something was asked");
        current.leaf = Some(pending.reply.clone());
        current.reply = Some(pending.reply);
        Ok(())
    }

    /// Deletes a question that got no answer.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget(&mut self, pending: PendingQuestion) -> Result<()> {
        self.finish(PendingQuestion { before: Before::default(), ..pending.clone() }, "", "stop", Usage::default())?;
        let current = self.current.as_mut().expect("something was asked");
        for message in [&pending.reply, &pending.question] {
            let delete = self.store.delete_message(&self.account, &current.conversation, message);
            self.runtime.block_on(delete)?;
        }
        (current.leaf, current.reply) = (pending.before.leaf, pending.before.reply);
        let id = current.conversation.clone();
        if self.runtime.block_on(self.store.tree(&self.account, &id))?.messages.is_empty() {
            self.runtime.block_on(self.store.delete_conversation(&self.account, &id))?;
            self.current = None;
        }
        Ok(())
    }

    /// Moves back to before the last question, which stays as a branch. Returns the messages before it; `None` if there
    /// is no question.
    ///
    /// # Errors
    /// When the database fails.
    pub fn undo(&mut self) -> Result<Option<Vec<StoredMessage>>> {
        let Some(Current { conversation, leaf: Some(leaf), .. }) = &self.current else { return Ok(None) };
        let (conversation, leaf) = (conversation.clone(), leaf.clone());
        let mut path = self.runtime.block_on(self.store.path_to(&self.account, &leaf))?;
        let Some(last) = path.iter().rposition(|message| message.role == Role::User) else { return Ok(None) };
        path.truncate(last);
        let end = path.last().map(|message| message.id.as_str());
        self.runtime.block_on(self.store.go_back(&self.account, &conversation, end))?;
        self.set_current(&conversation, &path);
        Ok(Some(path))
    }

    /// Rates the last reply; a thumb keeps an existing better answer, and a better answer keeps a thumb.
    ///
    /// # Errors
    /// When there is no reply yet.
    pub fn rate(&mut self, rating: RatingCommand) -> Result<()> {
        let reply = self.reply().ok_or_else(|| user("there is no reply to rate yet"))?;
        let kept = self.runtime.block_on(self.store.message(&self.account, reply))?.rating.unwrap_or_default();
        let rating = match rating {
            RatingCommand::Up => MessageRating { verdict: Some(Verdict::Up), ..kept },
            RatingCommand::Down => MessageRating { verdict: Some(Verdict::Down), ..kept },
            RatingCommand::Better(answer) => MessageRating { better: Some(answer), ..kept },
            RatingCommand::None => MessageRating::default(),
        };
        Ok(self.runtime.block_on(self.store.rate(&self.account, reply, &rating))?)
    }

    /// The conversation as a file.
    ///
    /// # Errors
    /// When there is no conversation yet.
    pub fn file(&self) -> Result<ConversationFile> {
        let id = self.conversation().ok_or_else(|| user("the conversation is empty"))?;
        Ok(self.runtime.block_on(self.store.export_conversation(&self.account, id))?)
    }
}

/// A question that is being answered.
#[derive(Clone, Debug)]
pub struct PendingQuestion {
    question: String,
    reply: String,
    before: Before,
}

/// State of the conversation before a question.
#[derive(Clone, Debug, Default)]
struct Before {
    leaf: Option<String>,
    reply: Option<String>,
}

/// Stored messages as the chat template takes them.
pub fn as_messages(path: &[StoredMessage]) -> impl Iterator<Item = fireclay_tokenizer::Message> {
    path.iter().map(as_chat)
}
