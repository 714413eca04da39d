//! Preference and rating data from ratings, edits and branches of conversations.
//!
//! | what happened | pair (chosen over rejected) | ratings (label) |
//! |---|---|---|
//! | a reply got a better answer | the better answer over the reply, `better_answer` | the better answer true; the reply false, unless it has a thumb up |
//! | of replies to the same messages some got a thumb up, some down | each up over each down, 1,000 at most, `rated` | up true, down false |
//! | a reply was generated again or rewritten, and the conversation went on from one of them only | that one over each sibling that nothing follows, `kept_branch` | none |
//!
//! A branch that a thumb contradicts (the kept reply has one down, the abandoned one up) makes no pair. Only text
//! replies count that were completed, or that were cut off and have a thumb down or a better answer. Only siblings
//! under the same system prompt are compared. A prompt has no exchanges that the model did not read because the
//! conversation had outgrown its context. If a person edited their own message, the prompts differ, and the replies
//! to them are not compared.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::Row;

use super::tree::{MessagesById, path_in};
use super::{Role, Status, Store, StoreError, StoredMessage, Tree, Verdict};

/// Pairs of a thumb up and a thumb down that the replies to the same messages make.
const MOST_RATED: usize = 1_000;

/// A line of the preference file, which the stages `reward` and `dpo` read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RatedPair {
    /// The messages so far, the last one not the assistant's.
    pub prompt: Vec<Value>,
    /// The better answer.
    pub chosen: String,
    /// The worse one.
    pub rejected: String,
    /// "`better_answer`", "rated" or "`kept_branch`".
    pub kind: &'static str,
}

/// A line of the ratings file, which the stage `kto` reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RatedReply {
    /// The messages so far, the last one not the assistant's.
    pub prompt: Vec<Value>,
    /// The answer.
    pub completion: String,
    /// Whether it is a good one.
    pub label: bool,
}

/// What a conversation has for training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    /// Lines of `preferences.jsonl`.
    pub pairs: Vec<RatedPair>,
    /// Lines of `ratings.jsonl`.
    pub ratings: Vec<RatedReply>,
    /// Number of pairs of thumbs beyond the most of one prompt.
    pub capped: usize,
}

/// Counts of exported examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreferenceExport {
    /// Conversations that were looked at.
    pub conversations: usize,
    /// Lines of `preferences.jsonl`.
    pub pairs: usize,
    /// Lines of `ratings.jsonl`.
    pub ratings: usize,
    /// Number of ratings that training cannot use.
    pub left_out: usize,
    /// Number of pairs of thumbs beyond the most of one prompt.
    pub capped: usize,
    /// Number of pairs and ratings that were there already, as those of a conversation that was imported beside its
    /// original.
    pub repeated: usize,
}

impl Store {
    /// Writes `preferences.jsonl` and `ratings.jsonl` into the folder, from every account's conversations, and replaces
    /// what was there. A file without lines is not written, and removed where it was.
    ///
    /// # Errors
    /// [`StoreError::Write`] when a file cannot be written.
    pub async fn export_preferences(&self, folder: &Path) -> Result<PreferenceExport, StoreError> {
        let all = sqlx::query("SELECT id, account FROM conversations ORDER BY created, id");
        let mut export = PreferenceExport::default();
        let (mut pairs, mut ratings) = (Lines::default(), Lines::default());
        for row in all.fetch_all(&self.pool).await? {
            let (account, id): (String, String) = (row.try_get("account")?, row.try_get("id")?);
            let tree = match self.tree(&account, &id).await {
                // The conversation was deleted meanwhile.
                Err(StoreError::NotFound { .. }) => continue,
                tree => tree?,
            };
            let found = preferences_of(&tree);
            export.conversations += 1;
            export.left_out += left_out(&tree);
            export.capped += found.capped;
            for pair in &found.pairs {
                pairs.add(pair, &(&pair.prompt, &pair.chosen, &pair.rejected));
            }
            for rating in &found.ratings {
                ratings.add(rating, rating);
            }
        }
        (export.pairs, export.ratings) = (pairs.known.len(), ratings.known.len());
        export.repeated = pairs.repeated + ratings.repeated;
        for (name, lines) in [("preferences.jsonl", &pairs), ("ratings.jsonl", &ratings)] {
            let path = folder.join(name);
            replace(folder, &path, &lines.written)
                .map_err(|source| StoreError::Write { path: path.display().to_string(), source })?;
        }
        Ok(export)
    }
}

/// Exports the preferences of the database at `place`, as [`Store::export_preferences`] does, for callers that are not
/// async.
///
/// # Errors
/// [`StoreError::Open`] when there is no database, [`StoreError::Write`] when a file cannot be written.
///
/// # Panics
/// When the operating system gives no thread for the database, or within an async runtime.
pub fn export_preferences(place: &str, folder: &Path) -> Result<PreferenceExport, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the operating system gives what a runtime needs").block_on(async {
        let store = Store::open_existing(place).await?;
        let export = store.export_preferences(folder).await;
        store.close().await;
        export
    })
}

/// The lines of a file, each once.
#[derive(Default)]
struct Lines {
    written: Vec<u8>,
    /// Hashes of what makes lines differ.
    known: HashSet<blake3::Hash>,
    /// Number of lines that were there already.
    repeated: usize,
}

impl Lines {
    /// Adds a line, unless there is one with the same `content`.
    fn add(&mut self, line: &impl Serialize, content: &impl Serialize) {
        let content = serde_json::to_vec(content).expect("plain structures can be written to memory");
        if !self.known.insert(blake3::hash(&content)) {
            self.repeated += 1;
            return;
        }
        serde_json::to_writer(&mut self.written, line).expect("plain structures can be written to memory");
        self.written.push(b'\n');
    }
}

/// Writes the file atomically.
fn replace(folder: &Path, path: &Path, lines: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    if lines.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    fireclay_files::write_atomically(path, |file| file.write_all(lines))
}

/// Preferences and ratings of a conversation, in the order of its messages.
pub fn preferences_of(tree: &Tree) -> Preferences {
    let by_id = tree.by_id();
    let followed: HashSet<&str> = tree.messages.iter().filter_map(|message| message.parent.as_deref()).collect();
    let current = path_in(&by_id, tree.conversation.leaf.as_deref());
    let branches = Branches { followed, current: current.iter().map(|message| message.id.as_str()).collect() };
    let mut preferences = Preferences::default();
    for siblings in siblings(tree).into_iter().filter(|siblings| is_asked(&by_id, siblings[0])) {
        let (pairs, capped) = compare(&branches, &siblings);
        preferences.capped += capped;
        let labels: Vec<(String, bool)> = siblings.iter().flat_map(|sibling| labels(sibling)).collect();
        if pairs.is_empty() && labels.is_empty() {
            continue;
        }
        let prompt = prompt(&by_id, &siblings);
        for (chosen, rejected, kind) in pairs {
            preferences.pairs.push(RatedPair { prompt: prompt.clone(), chosen, rejected, kind });
        }
        for (completion, label) in labels {
            preferences.ratings.push(RatedReply { prompt: prompt.clone(), completion, label });
        }
    }
    preferences
}

/// The replies to the same messages under the same system prompt, in the order of the first of each.
fn siblings(tree: &Tree) -> Vec<Vec<&StoredMessage>> {
    let mut places: HashMap<(Option<&str>, Option<&str>), usize> = HashMap::new();
    let mut groups: Vec<Vec<&StoredMessage>> = vec![];
    for reply in tree.messages.iter().filter(|message| is_answer(message)) {
        let key = (reply.parent.as_deref(), reply.instructions.as_deref());
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(reply),
            None => groups.push(vec![reply]),
        }
    }
    groups
}

/// Ids of messages that something follows, and of those on the current branch.
struct Branches<'a> {
    followed: HashSet<&'a str>,
    current: HashSet<&'a str>,
}

/// A chosen text, a rejected one, and why.
type Compared = (String, String, &'static str);

/// The pairs among replies to the same messages, and the number of pairs of thumbs beyond the most of them.
fn compare(branches: &Branches, siblings: &[&StoredMessage]) -> (Vec<Compared>, usize) {
    let (mut pairs, mut known) = (vec![], HashSet::new());
    let mut add = |chosen: String, rejected: String, kind| {
        if chosen.trim() != rejected.trim() && known.insert((chosen.clone(), rejected.clone())) {
            pairs.push((chosen, rejected, kind));
        }
    };
    for reply in siblings {
        if let Some(better) = reply.rating.as_ref().and_then(|rating| rating.better.clone()) {
            add(better, reply.content.text(), "better_answer");
        }
    }
    let with = |wanted: Verdict| siblings.iter().filter(move |reply| verdict(reply) == Some(wanted)).collect();
    let (ups, downs): (Vec<_>, Vec<_>) = (with(Verdict::Up), with(Verdict::Down));
    // In rounds, each of which has every thumb up once, so that the pairs that are kept have many replies.
    let rounds = (0..downs.len()).flat_map(|round| ups.iter().enumerate().map(move |(index, up)| (up, index + round)));
    for (up, down) in rounds.take(MOST_RATED) {
        add(up.content.text(), downs[down % downs.len()].content.text(), "rated");
    }
    if let Some(kept) = kept(branches, siblings) {
        let abandoned = |reply: &&&StoredMessage| {
            !branches.followed.contains(reply.id.as_str()) && verdict(reply) != Some(Verdict::Up)
        };
        for reply in siblings.iter().filter(abandoned) {
            add(kept.content.text(), reply.content.text(), "kept_branch");
        }
    }
    (pairs, (ups.len() * downs.len()).saturating_sub(MOST_RATED))
}

/// The only reply from which the conversation continued, if it is on the current branch and has no thumb down.
fn kept<'a>(branches: &Branches, siblings: &[&'a StoredMessage]) -> Option<&'a StoredMessage> {
    let mut continued = siblings.iter().filter(|reply| branches.followed.contains(reply.id.as_str()));
    let (Some(kept), None) = (continued.next(), continued.next()) else { return None };
    (branches.current.contains(kept.id.as_str()) && verdict(kept) != Some(Verdict::Down)).then_some(kept)
}

fn labels(reply: &StoredMessage) -> Vec<(String, bool)> {
    let Some(rating) = &reply.rating else { return vec![] };
    // A better answer that says the same is no judgement of either.
    if rating.better.as_ref().is_some_and(|better| better.trim() == reply.content.text().trim()) {
        let good = rating.verdict == Some(Verdict::Up);
        return if good { vec![(reply.content.text(), true)] } else { vec![] };
    }
    let own = match (rating.verdict, &rating.better) {
        (Some(verdict), _) => Some(verdict == Verdict::Up),
        (None, Some(_)) => Some(false),
        (None, None) => None,
    };
    let better = rating.better.clone().map(|better| (better, true));
    better.into_iter().chain(own.map(|label| (reply.content.text(), label))).collect()
}

fn verdict(reply: &StoredMessage) -> Option<Verdict> {
    reply.rating.as_ref()?.verdict
}

/// Ratings that training cannot use: of replies that call functions or have no text, that were cut off and have a thumb
/// up, that have no prompt, or whose better answer is the reply itself.
fn left_out(tree: &Tree) -> usize {
    let rated = tree.messages.iter().filter(|message| message.rating.as_ref().is_some_and(|rating| !rating.is_empty()));
    let by_id = tree.by_id();
    let is_used =
        |message: &StoredMessage| is_answer(message) && is_asked(&by_id, message) && !labels(message).is_empty();
    rated.filter(|message| !is_used(message)).count()
}

/// Whether a reply is text that was completed, or that was cut off and has a thumb down or a better answer. A rewritten
/// reply has no model, and counts.
fn is_answer(message: &StoredMessage) -> bool {
    let rating = message.rating.as_ref();
    let corrected = rating.is_some_and(|rating| {
        rating.verdict != Some(Verdict::Up) && (rating.verdict.is_some() || rating.better.is_some())
    });
    message.role == Role::Assistant
        && (message.status == Status::Completed || (message.status == Status::Incomplete && corrected))
        && message.tool_calls.is_none()
        && !message.content.text().trim().is_empty()
}

/// Whether a reply answers a message that is not the assistant's own.
fn is_asked(by_id: &MessagesById, reply: &StoredMessage) -> bool {
    let parent = reply.parent.as_deref().and_then(|id| by_id.get(id));
    parent.is_some_and(|parent| parent.role != Role::Assistant)
}

/// The messages that replies to the same message answer, under their system prompt: those that all of these replies'
/// models read.
fn prompt(by_id: &MessagesById, replies: &[&StoredMessage]) -> Vec<Value> {
    let reply = replies[0];
    let path = path_in(by_id, reply.parent.as_deref());
    let left_out = replies.iter().map(|reply| reply.left_out).max().unwrap_or(0);
    let (opening, rest) = path.split_at(opening(&path));
    let read = opening.iter().chain(&rest[beginning(rest, left_out)..]);
    let system = reply.instructions.iter().map(|text| json!({"role": "system", "content": text}));
    system.chain(read.copied().map(as_example)).collect()
}

/// Number of system messages before the first exchange of a path, which `ChatHistory` never drops.
fn opening(path: &[&StoredMessage]) -> usize {
    path.iter().take_while(|message| matches!(message.role, Role::System | Role::Developer)).count()
}

/// Number of messages in the first exchanges of a path, as `ChatHistory` drops them: the last message always stays.
fn beginning(path: &[&StoredMessage], exchanges: u64) -> usize {
    let begins =
        |(index, message): (usize, &&StoredMessage)| (index == 0 || message.role == Role::User).then_some(index);
    let last = path.len().saturating_sub(1);
    let exchanges = usize::try_from(exchanges).unwrap_or(usize::MAX);
    path[..last].iter().enumerate().filter_map(begins).nth(exchanges).unwrap_or(last)
}

/// A message as training files have it, and as the model read it: instructions by their older name.
fn as_example(message: &StoredMessage) -> Value {
    let mut object = Map::new();
    let role = if message.role == Role::Developer { Role::System } else { message.role };
    object.insert("role".into(), serde_json::to_value(role).expect("a role is a string"));
    object.insert("content".into(), message.content.text().into());
    if let Some(calls) = &message.tool_calls {
        object.insert("tool_calls".into(), calls.clone());
    }
    if let Some(id) = &message.tool_call_id {
        object.insert("tool_call_id".into(), id.clone().into());
    }
    Value::Object(object)
}
