//! `RUN/eval.json` as a table: the last results of `fireclay eval`.

use std::fmt::Write as _;
use std::fs;

use fireclay_train::RunFiles;
use serde_json::{Map, Value};

use super::format::{compact, escape, grouped, label};

/// Results of an evaluation, with the checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunEvaluation {
    /// The checkpoint's folder within the run.
    checkpoint: String,
    tasks: Vec<Value>,
}

/// Reads `eval.json`; nothing where there is none, or none that can be read.
pub fn read(run: &RunFiles) -> Option<RunEvaluation> {
    let value: Value = serde_json::from_slice(&fs::read(run.evaluation()).ok()?).ok()?;
    let tasks = value.get("tasks")?.as_array()?.clone();
    let checkpoint = value.get("checkpoint").and_then(Value::as_str).unwrap_or_default().to_owned();
    (!tasks.is_empty()).then_some(RunEvaluation { checkpoint, tasks })
}

/// A line for every metric of every task.
pub fn html(evaluation: &RunEvaluation) -> String {
    let mut html = String::from(
        "<section id=\"evaluation\" aria-labelledby=\"title-evaluation\">\n<h2 \
         id=\"title-evaluation\">Evaluation</h2>\n",
    );
    if !evaluation.checkpoint.is_empty() {
        let _ = writeln!(html, "<p class=\"facts\">{}</p>", escape(&evaluation.checkpoint));
    }
    html += "<div class=\"scroll\"><table class=\"numbers\"><thead><tr>";
    for head in ["Task", "Metric", "Value", "95 % interval", "n", "Chance"] {
        let _ = write!(html, "<th scope=\"col\">{head}</th>");
    }
    html += "</tr></thead><tbody>\n";
    for task in &evaluation.tasks {
        html += &rows(task);
    }
    html + "</tbody></table></div>\n</section>\n"
}

fn rows(task: &Value) -> String {
    let name = task.get("task").and_then(Value::as_str).unwrap_or("?");
    let empty = Map::new();
    let object = |key: &str| task.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let (metrics, intervals, counts) = (object("metrics"), object("intervals"), object("counts"));
    let chance = object("chances");
    let mut html = String::new();
    for (metric, value) in metrics {
        let Some(value) = value.as_f64() else { continue };
        let bound = |at: usize| intervals.get(metric)?.get(at)?.as_f64().map(compact);
        let interval = bound(0).zip(bound(1)).map(|(low, high)| format!("{low} – {high}"));
        let n = counts.get(metric).or_else(|| task.get("n")).and_then(Value::as_f64).map(grouped);
        let chance = chance.get(metric).and_then(Value::as_f64).map(compact);
        let cells = [Some(escape(&label(metric))), Some(compact(value)), interval, n, chance];
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(name));
        for cell in cells {
            let _ = write!(html, "<td>{}</td>", cell.unwrap_or_default());
        }
        html += "</tr>\n";
    }
    html
}
