//! Reports on tasks as a table.

use crate::{Metric, TaskReport};

const HEAD: [&str; 6] = ["task", "metric", "value", "95 % interval", "n", "chance"];

/// A table with a line for every metric.
#[must_use]
pub fn table(outcomes: &[TaskReport]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for outcome in outcomes {
        let task = |index| if index == 0 { outcome.task.clone() } else { String::new() };
        rows.extend(outcome.metrics.iter().enumerate().map(|(index, metric)| row(task(index), metric)));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            // Words are left-aligned, numbers right-aligned.
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(task: String, metric: &Metric) -> [String; 6] {
    let interval = metric.interval.map(|(low, high)| format!("{} – {}", number(low), number(high)));
    let chance = metric.chance.map(number);
    [
        task,
        metric.name.clone(),
        number(metric.value),
        interval.unwrap_or_default(),
        metric.n.to_string(),
        chance.unwrap_or_default(),
    ]
}

fn number(value: f64) -> String {
    if value.abs() >= 1e5 { format!("{value:.3e}") } else { format!("{value:.4}") }
}
