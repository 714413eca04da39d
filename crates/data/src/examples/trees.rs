//! Conversation trees of `OpenAssistant` (Köpf et al. 2023, <https://arxiv.org/abs/2304.07327>): each message may have
//! several replies; people ranked the assistant's, 0 is the best.

use fireclay_tokenizer::Message;
use serde::Deserialize;

use super::record::Record;
use super::{Skips, reason};
use crate::DataError;

#[derive(Deserialize)]
struct TreeNode {
    text: String,
    role: TreeRole,
    #[serde(default)]
    deleted: bool,
    rank: Option<u32>,
    #[serde(default)]
    replies: Vec<TreeNode>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum TreeRole {
    Prompter,
    Assistant,
}

impl TreeNode {
    fn message(&self) -> Message {
        let role = if self.role == TreeRole::Prompter { "user" } else { "assistant" };
        Message::new(role, &self.text)
    }

    /// The replies that were not deleted, the best-ranked first and the unranked last; deleted ones are counted.
    fn kept_replies(&self, role: TreeRole, origin: &str, skips: &mut Skips) -> Vec<&Self> {
        let mut kept = Vec::new();
        for reply in self.replies.iter().filter(|reply| reply.role == role) {
            if reply.deleted {
                skips.add(reason::DELETED, origin);
            } else {
                kept.push(reply);
            }
        }
        kept.sort_by_key(|reply| reply.rank.unwrap_or(u32::MAX));
        kept
    }
}

/// The tree's root; `None` if it was deleted, which is counted.
fn root(record: &Record, skips: &mut Skips) -> Result<Option<TreeNode>, DataError> {
    record.value("message_tree_id");
    if record.has("text") && !record.has("prompt") {
        let found = "a row of one message; use the file of trees that the data set also has (`….trees.jsonl.gz`)";
        return Err(record.wrong("a whole tree of messages under `prompt`", found));
    }
    let prompt = record.value("prompt").cloned().unwrap_or_default();
    let root: TreeNode = serde_json::from_value(prompt).map_err(|error| {
        let expected = "under `prompt` a tree of messages with `text`, `role` (prompter or assistant) and `replies`";
        record.wrong(expected, error.to_string().replace('\n', " "))
    })?;
    if root.role != TreeRole::Prompter {
        return Err(record.wrong("a tree that a prompter begins", "an assistant"));
    }
    if root.deleted {
        skips.add(reason::DELETED, record.origin());
        return Ok(None);
    }
    Ok(Some(root))
}

/// Every path from the root to a last answer on which each answer is the best-ranked one. Prompts without an answer are
/// counted and dropped.
pub(super) fn conversations(record: &Record, skips: &mut Skips) -> Result<Vec<Vec<Message>>, DataError> {
    let mut paths = Vec::new();
    if let Some(root) = root(record, skips)? {
        walk_best(&record.origin(), &root, &mut Vec::new(), skips, &mut paths);
    }
    Ok(paths)
}

/// Whether the prompt was answered.
fn walk_best(
    origin: &str,
    prompt: &TreeNode,
    so_far: &mut Vec<Message>,
    skips: &mut Skips,
    paths: &mut Vec<Vec<Message>>,
) -> bool {
    let answers = prompt.kept_replies(TreeRole::Assistant, origin, skips);
    let Some(best) = answers.first() else {
        skips.add(reason::UNANSWERED, origin);
        return false;
    };
    so_far.extend([prompt.message(), best.message()]);
    let mut goes_on = false;
    for next in best.kept_replies(TreeRole::Prompter, origin, skips) {
        goes_on |= walk_best(origin, next, so_far, skips, paths);
    }
    if !goes_on {
        paths.push(so_far.clone());
    }
    so_far.truncate(so_far.len() - 2);
    true
}

/// A prompt, an answer, one that is ranked lower, and by how many ranks.
type Ranked = (Vec<Message>, String, String, u32);

/// For every prompt, each ranked answer against each that is ranked lower. The pairs of a prompt follow each other.
pub(super) fn ranked(record: &Record, skips: &mut Skips) -> Result<Vec<Ranked>, DataError> {
    let mut pairs = Vec::new();
    if let Some(root) = root(record, skips)? {
        walk_ranked(&record.origin(), &root, &mut Vec::new(), skips, &mut pairs);
    }
    Ok(pairs)
}

fn walk_ranked(origin: &str, prompt: &TreeNode, so_far: &mut Vec<Message>, skips: &mut Skips, pairs: &mut Vec<Ranked>) {
    so_far.push(prompt.message());
    let answers = prompt.kept_replies(TreeRole::Assistant, origin, skips);
    for (place, better) in answers.iter().enumerate() {
        for worse in &answers[place + 1..] {
            let (Some(high), Some(low)) = (better.rank, worse.rank) else { continue };
            if high < low {
                pairs.push((so_far.clone(), better.text.clone(), worse.text.clone(), low - high));
            }
        }
    }
    for answer in answers {
        so_far.push(answer.message());
        for next in answer.kept_replies(TreeRole::Prompter, origin, skips) {
            walk_ranked(origin, next, so_far, skips, pairs);
        }
        so_far.pop();
    }
    so_far.pop();
}
