//! Results of a battery: shares of right replies, and the replies.

use std::collections::BTreeMap;
use std::path::Path;

use fireclay_tokenizer::Message;
use fireclay_train::TrainError;
use fireclay_train::metrics::names;
use serde::{Deserialize, Serialize};

/// The two replies to one prompt: a line of `battery.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatteryReply {
    /// Topic of the prompt, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The conversation that waits for the reply.
    pub messages: Vec<Message>,
    /// The greedy reply.
    pub greedy: String,
    /// Whether it is right.
    pub greedy_right: bool,
    /// A reply with the chat's sampling settings.
    pub sampled: String,
    /// Whether it is right.
    pub sampled_right: bool,
}

/// All replies to a battery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatteryReport {
    /// In the order of the prompts.
    pub replies: Vec<BatteryReply>,
}

/// Number of right replies in a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Prompts.
    pub prompts: usize,
    /// Greedy replies that are right.
    pub greedy: usize,
    /// Sampled replies that are right.
    pub sampled: usize,
}

impl Tally {
    fn add(&mut self, reply: &BatteryReply) {
        self.prompts += 1;
        self.greedy += usize::from(reply.greedy_right);
        self.sampled += usize::from(reply.sampled_right);
    }

    /// The share of greedy replies that are right; 0 of no prompts.
    #[must_use]
    pub fn greedy_share(&self) -> f64 {
        share(self.greedy, self.prompts)
    }

    /// The share of sampled replies that are right; 0 of no prompts.
    #[must_use]
    pub fn sampled_share(&self) -> f64 {
        share(self.sampled, self.prompts)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl BatteryReport {
    /// Over all prompts, each counting alike.
    #[must_use]
    pub fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.replies.iter().for_each(|reply| all.add(reply));
        all
    }

    /// Per topic, in the order of first occurrence; prompts without a topic are left out.
    #[must_use]
    pub fn by_topic(&self) -> Vec<(&str, Tally)> {
        let mut topics: Vec<(&str, Tally)> = vec![];
        for reply in &self.replies {
            let Some(topic) = reply.topic.as_deref() else { continue };
            let at = topics.iter().position(|(known, _)| *known == topic).unwrap_or_else(|| {
                topics.push((topic, Tally::default()));
                topics.len() - 1
            });
            topics[at].1.add(reply);
        }
        topics
    }

    /// Score by which checkpoints are compared: the mean of the greedy and the sampled share.
    #[must_use]
    pub fn score(&self) -> f64 {
        f64::midpoint(self.all().greedy_share(), self.all().sampled_share())
    }

    /// The greedy reply given to the most prompts, word by word, and its share of all prompts; of equal ones the first
    /// in alphabetical order.
    #[must_use]
    pub fn most_frequent(&self) -> Option<(&str, f64)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for reply in &self.replies {
            *counts.entry(&reply.greedy).or_default() += 1;
        }
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map(|(reply, count)| (reply, share(count, self.replies.len())))
    }

    /// The metrics by name: `battery`, `battery_sampled`, `battery_most_frequent`, and for every topic `battery_TOPIC`
    /// and `battery_sampled_TOPIC`.
    #[must_use]
    pub fn named(&self) -> Vec<(String, f64)> {
        let all = self.all();
        let mut numbers = vec![
            (names::BATTERY.to_owned(), all.greedy_share()),
            (names::BATTERY_SAMPLED.to_owned(), all.sampled_share()),
            (names::BATTERY_MOST_FREQUENT.to_owned(), self.most_frequent().map_or(0.0, |(_, share)| share)),
        ];
        for (topic, tally) in self.by_topic() {
            numbers.push((names::of_topic(topic), tally.greedy_share()));
            numbers.push((names::sampled_of_topic(topic), tally.sampled_share()));
        }
        numbers
    }

    /// Reads a stage's `battery.jsonl`, up to the first line that cannot be parsed.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be read.
    pub fn read(file: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(file).map_err(|source| TrainError::Io {
            path: file.into(),
            action: "read",
            source,
        })?;
        Ok(Self { replies: text.lines().map_while(|line| serde_json::from_str(line).ok()).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(topic: &str, greedy: &str, greedy_right: bool, sampled_right: bool) -> BatteryReply {
        BatteryReply {
            topic: (!topic.is_empty()).then(|| topic.to_owned()),
            messages: vec![Message::new("user", "?")],
            greedy: greedy.into(),
            greedy_right,
            sampled: "drawn".into(),
            sampled_right,
        }
    }

    fn report() -> BatteryReport {
        BatteryReport {
            replies: vec![
                reply("sum", "5", true, false),
                reply("greeting", "Hello.", true, true),
                reply("sum", "7", false, true),
                reply("sum", "5", false, false),
                reply("", "Hello.", true, false),
            ],
        }
    }

    #[test]
    fn every_prompt_counts_alike_whatever_its_topic() {
        let numbers: BTreeMap<String, f64> = report().named().into_iter().collect();
        let expect = [
            ("battery", 3.0 / 5.0),
            ("battery_greeting", 1.0),
            ("battery_most_frequent", 2.0 / 5.0),
            ("battery_sampled", 2.0 / 5.0),
            ("battery_sampled_greeting", 1.0),
            ("battery_sampled_sum", 1.0 / 3.0),
            ("battery_sum", 1.0 / 3.0),
        ];
        assert_eq!(numbers, expect.map(|(name, share)| (name.to_owned(), share)).into());
        assert!((report().score() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn topics_stand_as_they_first_occur() {
        let report = report();
        let topics: Vec<&str> = report.by_topic().into_iter().map(|(topic, _)| topic).collect();
        assert_eq!(topics, ["sum", "greeting"]);
    }

    #[test]
    fn the_most_frequent_reply_is_the_same_to_the_letter() {
        assert_eq!(report().most_frequent(), Some(("5", 0.4)));
        let other = BatteryReport { replies: vec![reply("", "5", true, true), reply("", "5 ", true, true)] };
        assert_eq!(other.most_frequent(), Some(("5", 0.5)));
        assert_eq!(BatteryReport::default().most_frequent(), None);
    }

    #[test]
    fn replies_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("battery.jsonl");
        let line = |reply| serde_json::to_string(reply).unwrap() + "\n";
        std::fs::write(&file, report().replies.iter().map(line).collect::<String>() + "{\"topic\":\"su").unwrap();
        assert_eq!(BatteryReport::read(&file).unwrap(), report());
    }
}
