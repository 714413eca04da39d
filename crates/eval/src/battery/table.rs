//! Comparison of stages: shares of right replies by topic, and the replies.

use std::fmt;

use fireclay_rlhf::{BatteryReport, Tally};
use fireclay_tokenizer::Message;
use fireclay_train::RunFiles;

/// Replies of one stage to its last battery.
#[derive(Clone, Debug, PartialEq)]
pub struct StageReplies {
    /// The stage's name.
    pub stage: String,
    /// Its replies.
    pub report: BatteryReport,
}

/// The named stages that left replies in `run`.
pub fn read<'a>(run: &RunFiles, stages: impl IntoIterator<Item = &'a str>) -> Vec<StageReplies> {
    let one = |stage: &str| {
        let report = BatteryReport::read(&run.stage(stage).battery()).ok()?;
        (!report.replies.is_empty()).then(|| StageReplies { stage: stage.into(), report })
    };
    stages.into_iter().filter_map(one).collect()
}

/// Table of right replies: one row per topic, one column per stage.
#[derive(Clone, Debug, PartialEq)]
pub struct BatteryTable {
    /// The columns' names.
    pub stages: Vec<String>,
    /// The topics, then all of them together, then the most frequent reply.
    pub rows: Vec<TopicRow>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicRow {
    /// The topic, or what else the row is about.
    pub name: String,
    /// The shares of each stage; `None` if it has none.
    pub cells: Vec<Option<Cell>>,
}

/// Result of a stage in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Of greedy replies.
    pub greedy: f64,
    /// Of sampled replies; `None` where only greedy ones count.
    pub sampled: Option<f64>,
}

impl From<Tally> for Cell {
    fn from(tally: Tally) -> Self {
        Self { greedy: tally.greedy_share(), sampled: Some(tally.sampled_share()) }
    }
}

impl BatteryTable {
    /// `None` without stages.
    #[must_use]
    pub fn new(stages: &[StageReplies]) -> Option<Self> {
        if stages.is_empty() {
            return None;
        }
        let row = |name: &str, cell: &dyn Fn(&BatteryReport) -> Option<Cell>| TopicRow {
            name: name.into(),
            cells: stages.iter().map(|stage| cell(&stage.report)).collect(),
        };
        let of_topic = |report: &BatteryReport, topic: &str| {
            report.by_topic().into_iter().find(|(name, _)| *name == topic).map(|(_, tally)| tally.into())
        };
        let mut rows: Vec<TopicRow> =
            topics(stages).into_iter().map(|topic| row(topic, &|report| of_topic(report, topic))).collect();
        rows.push(row("all", &|report| Some(report.all().into())));
        rows.push(row("most frequent reply", &|report| {
            report.most_frequent().map(|(_, share)| Cell { greedy: share, sampled: None })
        }));
        Some(Self { stages: stages.iter().map(|stage| stage.stage.clone()).collect(), rows })
    }
}

/// Every topic, as they first occur.
fn topics(stages: &[StageReplies]) -> Vec<&str> {
    let mut topics: Vec<&str> = vec![];
    for (topic, _) in stages.iter().flat_map(|stage| stage.report.by_topic()) {
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    topics
}

/// `87.5` of 0.875.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

impl fmt::Display for BatteryTable {
    /// In percent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        write!(f, "{:<width$}", "")?;
        for stage in &self.stages {
            write!(f, "  {stage:>16}")?;
        }
        write!(f, "\n{:<width$}", "% right")?;
        for _ in &self.stages {
            write!(f, "  {:>7} {:>8}", "greedy", "sampled")?;
        }
        for TopicRow { name, cells } in &self.rows {
            write!(f, "\n{name:<width$}")?;
            for cell in cells {
                let greedy = cell.map_or_else(|| "–".into(), |cell| percent(cell.greedy));
                let sampled = cell.and_then(|cell| cell.sampled).map(percent).unwrap_or_default();
                write!(f, "  {greedy:>7} {sampled:>8}")?;
            }
        }
        Ok(())
    }
}

/// One prompt with every stage's greedy reply.
#[derive(Clone, Debug, PartialEq)]
pub struct SideBySide<'a> {
    /// Its topic.
    pub topic: Option<&'a str>,
    /// The conversation that waits for a reply.
    pub messages: &'a [Message],
    /// Reply of each stage, and whether it is right; `None` if it has none.
    pub replies: Vec<Option<(&'a str, bool)>>,
}

/// `per_topic` prompts of each topic, spread over those of the last stage.
#[must_use]
pub fn side_by_side(stages: &[StageReplies], per_topic: usize) -> Vec<SideBySide<'_>> {
    let Some(last) = stages.last() else { return vec![] };
    let mut by_topic: Vec<(Option<&str>, Vec<&[Message]>)> = vec![];
    for reply in &last.report.replies {
        let topic = reply.topic.as_deref();
        match by_topic.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, prompts)) => prompts.push(&reply.messages),
            None => by_topic.push((topic, vec![&reply.messages])),
        }
    }
    let one = |topic, messages| SideBySide { topic, messages, replies: said(stages, messages) };
    let some = by_topic.into_iter().flat_map(|(topic, prompts)| {
        let count = per_topic.min(prompts.len());
        (0..count).map(move |index| (topic, prompts[index * prompts.len() / count])).collect::<Vec<_>>()
    });
    some.map(|(topic, messages)| one(topic, messages)).collect()
}

fn said<'a>(stages: &'a [StageReplies], messages: &[Message]) -> Vec<Option<(&'a str, bool)>> {
    let of_stage = |stage: &'a StageReplies| {
        let reply = stage.report.replies.iter().find(|reply| reply.messages == messages)?;
        Some((reply.greedy.as_str(), reply.greedy_right))
    };
    stages.iter().map(of_stage).collect()
}

#[cfg(test)]
mod tests {
    use fireclay_rlhf::BatteryReply;

    use super::*;

    fn stage(name: &str, replies: &[(&str, &str, &str, bool)]) -> StageReplies {
        let reply = |&(topic, prompt, said, right): &(&str, &str, &str, bool)| BatteryReply {
            topic: Some(topic.into()),
            messages: vec![Message::new("user", prompt)],
            greedy: said.into(),
            greedy_right: right,
            sampled: said.into(),
            sampled_right: false,
        };
        StageReplies { stage: name.into(), report: BatteryReport { replies: replies.iter().map(reply).collect() } }
    }

    fn two() -> [StageReplies; 2] {
        [
            stage(
                "sft",
                &[("greeting", "Hi", "Hello.", true), ("sum", "2 + 2", "4", true), ("sum", "1 + 1", "3", false)],
            ),
            stage("ppo", &[("sum", "2 + 2", "4", true), ("sum", "1 + 1", "4", false), ("sum", "3 + 3", "4", false)]),
        ]
    }

    #[test]
    fn stages_stand_side_by_side() {
        let expect = "                                  sft               ppo
% right               greedy  sampled   greedy  sampled
greeting               100.0      0.0        –         
sum                     50.0      0.0     33.3      0.0
all                     66.7      0.0     33.3      0.0
most frequent reply     33.3             100.0         ";
        assert_eq!(BatteryTable::new(&two()).expect("stages").to_string(), expect);
        assert_eq!(BatteryTable::new(&[]), None);
    }

    #[test]
    fn every_stages_reply_to_a_prompt_is_shown() {
        let two = two();
        let shown = side_by_side(&two, 2);
        let prompts: Vec<&str> = shown.iter().map(|one| one.messages[0].content.as_str()).collect();
        assert_eq!(prompts, ["2 + 2", "1 + 1"]);
        assert_eq!(shown[1].replies, [Some(("3", false)), Some(("4", false))]);
        assert_eq!(side_by_side(&two, 9)[2].replies[0], None, "sft was not asked that");
    }

    #[test]
    fn stages_without_replies_are_passed_over() {
        let run = tempfile::tempdir().unwrap();
        let files = RunFiles::new(run.path());
        std::fs::create_dir(files.stage("ppo").folder()).unwrap();
        let lines: String =
            two()[1].report.replies.iter().map(|reply| serde_json::to_string(reply).unwrap() + "\n").collect();
        std::fs::write(files.stage("ppo").battery(), lines).unwrap();
        assert_eq!(read(&files, ["sft", "ppo"]), two()[1..]);
    }
}
