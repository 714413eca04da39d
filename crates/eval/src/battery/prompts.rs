//! The prompts of a battery: those of the embedded corpus, or of files.

use std::collections::HashMap;

use fireclay_corpus::WorldConfig;
use fireclay_data::examples::{Skips, Task, read_tasks};
use fireclay_infer::SamplingConfig;
use fireclay_rlhf::Battery;
use fireclay_tokenizer::Tokenizer;

use crate::EvalError;
use crate::answers::prompts;

/// `per_topic` prompts of each topic: from the embedded corpus, about the people of `world`, or, if there are any
/// `files`, the first of these.
///
/// # Errors
/// When a file is missing or holds something else, or names a topic whose metric would have the name of another metric.
pub fn tasks(files: &[String], world: &WorldConfig, per_topic: usize) -> Result<Vec<Task>, EvalError> {
    if files.is_empty() {
        return Ok(fireclay_corpus::battery(world, per_topic).into_iter().map(Task::from).collect());
    }
    let found = read_tasks(files)?;
    if !found.skips.is_empty() {
        tracing::warn!("battery: {} tasks; {}", found.examples.len(), found.skips);
    }
    if let Some((task, topic)) = found.examples.iter().find_map(|task| Some((task, reserved(task)?))) {
        return Err(EvalError::ReservedTopic { origin: task.origin.clone(), topic: topic.into() });
    }
    let mut counts: HashMap<Option<String>, usize> = HashMap::new();
    let few = found.examples.into_iter().filter(|task| {
        let count = counts.entry(task.topic.clone()).or_default();
        *count += 1;
        *count <= per_topic
    });
    Ok(few.collect())
}

/// The topic of a task, if `battery_TOPIC` means something else.
fn reserved(task: &Task) -> Option<&str> {
    task.topic.as_deref().filter(|topic| topic.starts_with("sampled") || *topic == "most_frequent")
}

/// Tasks as a battery for a model of `context` tokens, with the skipped ones.
///
/// # Errors
/// When the tokenizer has no chat template, every prompt is too long, or no answer can be judged.
pub fn encode(
    tasks: &[Task],
    tokenizer: &Tokenizer,
    context: usize,
    sampling: &SamplingConfig,
) -> Result<(Battery, Skips), EvalError> {
    let encoded = prompts(tasks, tokenizer, context, sampling.max_tokens)?;
    let battery = Battery::new(encoded.items, sampling.clone());
    match battery.tasks.is_empty() {
        true => Err(EvalError::NothingCheckedInBattery),
        false => Ok((battery, encoded.skips)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(lines: &str, per_topic: usize) -> Result<Vec<String>, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("first.jsonl");
        std::fs::write(&file, lines).unwrap();
        let files = [file.to_string_lossy().into_owned()];
        let tasks = tasks(&files, &WorldConfig::default(), per_topic)?;
        Ok(tasks.into_iter().map(|task| task.messages[0].content.clone()).collect())
    }

    #[test]
    fn of_ones_own_file_each_topic_gives_its_first_prompts() {
        let lines = "{\"prompt\": \"Hi\", \"regex\": \"Hello\", \"topic\": \"greeting\"}\n\
                     {\"prompt\": \"Hey\", \"regex\": \"Hello\", \"topic\": \"greeting\"}\n\
                     {\"prompt\": \"2 + 2\", \"answer\": \"4\"}\n";
        assert_eq!(of_file(lines, 1).unwrap(), ["Hi", "2 + 2"]);
        assert_eq!(of_file(lines, 2).unwrap(), ["Hi", "Hey", "2 + 2"]);
    }

    #[test]
    fn a_topic_that_would_be_another_metric_is_refused_with_its_place() {
        let error = of_file("{\"prompt\": \"Hi\", \"answer\": \"Hello\", \"topic\": \"sampled\"}\n", 1).unwrap_err();
        assert!(error.to_string().contains("first.jsonl:1: a topic cannot be called \"sampled\""), "{error}");
    }

    #[test]
    fn the_embedded_battery_can_be_judged() {
        let tasks = tasks(&[], &WorldConfig::default(), 4).unwrap();
        assert!(tasks.iter().any(|task| task.check.is_right("nonsense") == Some(false)));
        assert!(tasks.iter().all(|task| task.topic.is_some()));
    }
}
