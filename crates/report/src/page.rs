//! The page: a summary, then curves, samples, and next commands.

use std::fmt::Write as _;
use std::path::Path;

use fireclay_eval::battery::{BatteryShares, best_stage, percent};
use fireclay_train::metrics::{MetricColumns, Point, names};
use serde_json::Value;

use super::ReportError;
use super::battery;
use super::evaluation;
use super::figures::{self, identifier};
use super::format::{bytes, compact, count, duration, escape, grouped, label, shell_word, table};
use super::run::{Run, RunStage};
use super::samples;

/// The page's style sheet.
pub const STYLE: &str = include_str!("style.css");
/// Rows of a table of evaluations.
const MOST_ROWS: usize = 20;

/// The whole page. It loads and runs nothing, which its content-security policy enforces.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn html(run: &Run) -> Result<String, ReportError> {
    let name = escape(&run.name);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name} – Fireclay report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
    );
    html += &body(run)?;
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(html, "<footer>Written by fireclay {version}.</footer>\n</body>\n</html>");
    Ok(html)
}

/// Body of the page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn body(run: &Run) -> Result<String, ReportError> {
    let mut html = format!(
        "<header>\n<p class=\"kicker\">Fireclay report</p>\n<h1>{}</h1>\n<p class=\"lede\">{}</p>\n",
        escape(&run.name),
        summary(run),
    );
    html += &tiles(run);
    html += &contents(run);
    html += "</header>\n<main>\n";
    html += &battery::html(run);
    for stage in &run.stages {
        html += &stage_section(stage)?;
    }
    html += &run.evaluation.as_ref().map(evaluation::html).unwrap_or_default();
    html += &next_steps(run);
    html += &about(run);
    Ok(html + "</main>\n")
}

/// One sentence: the model, the number of tokens, and the result.
fn summary(run: &Run) -> String {
    let parameters = run.architecture.as_ref().and_then(|model| model.parameters);
    let size = parameters.map_or(String::new(), |count| format!(" of {} parameters", compact(count)));
    let kind = run.architecture.as_ref().map_or(String::new(), |model| format!("{} ", escape(&model.model_type)));
    let stages: Vec<String> = run.stages.iter().map(|stage| escape(&stage.name)).collect();
    let unchanged = run.stages.iter().all(|stage| stage.keeps_start);
    let trained = if unchanged { "not changed by training" } else { "trained" };
    let mut text = format!("A {kind}decoder{size}, {trained}");
    if let Some(tokens) = total(run, tokens) {
        let _ = write!(text, " on {} tokens", compact(tokens));
    }
    if let Some(time) = total(run, seconds) {
        let _ = write!(text, " in {}", duration(time));
    }
    let _ = write!(text, " ({})", stages.join(", "));
    if let Some((stage, figures)) = answers_best(run) {
        let (share, stage_name) = (percent(figures.greedy), escape(stage));
        let _ = match keeps_start(run, stage) {
            true => write!(
                text,
                "; {stage_name} kept the model it began with, which answers {share} % of first messages correctly"
            ),
            false => write!(text, "; after {stage_name} it answers {share} % of first messages correctly"),
        };
    } else if let Some(stage) = validated(run) {
        let loss = |key| stage.metrics.last(key).map(|point| compact(point.1));
        let _ = write!(text, "; final validation loss {}", loss(names::VAL_LOSS).unwrap_or_default());
        if let Some(bits) = loss(names::VAL_BITS_PER_BYTE) {
            let _ = write!(text, " ({bits} bits per byte)");
        }
        if run.stages.len() > 1 {
            let _ = write!(text, " in {}", escape(&stage.name));
        }
    }
    text += ".";
    if !run.is_done() {
        text += " <strong>The run is not finished.</strong>";
    }
    text
}

/// The stage whose validation loss is shown: the last that read text, else the last of all.
fn validated(run: &Run) -> Option<&RunStage> {
    let last_with = |key| run.stages.iter().rev().find(|stage| stage.metrics.last(key).is_some());
    last_with(names::VAL_BITS_PER_BYTE).or_else(|| last_with(names::VAL_LOSS))
}

/// The stage that the run stands for, which `chat` takes, if it has a battery score.
fn answers_best(run: &Run) -> Option<(&str, BatteryShares)> {
    let replies = |stage: &RunStage| run.battery.iter().find(|replies| replies.stage == stage.name);
    let shares = |stage: &RunStage| replies(stage).map(|replies| BatteryShares::from(replies.report.all()));
    let finished = run.stages.iter().filter(|stage| stage.chats && (stage.done || replies(stage).is_some()));
    let (names, shares): (Vec<_>, Vec<_>) = finished.map(|stage| (stage.name.as_str(), shares(stage))).unzip();
    let best = best_stage(&shares)?;
    Some((names[best], shares[best]?))
}

/// Whether a stage leaves the model that it began with.
fn keeps_start(run: &Run, name: &str) -> bool {
    run.stages.iter().any(|stage| stage.name == name && stage.keeps_start)
}

fn tokens(stage: &RunStage) -> Option<f64> {
    stage.metrics.last(names::TOKENS).map(|point| point.1)
}

/// `seconds` counts from the stage's beginning, over all runs that it took.
fn seconds(stage: &RunStage) -> Option<f64> {
    stage.metrics.last(names::SECONDS).map(|point| point.1)
}

/// The sum over stages, `None` where no stage knows.
fn total(run: &Run, of: impl Fn(&RunStage) -> Option<f64>) -> Option<f64> {
    run.stages.iter().filter_map(of).reduce(|a, b| a + b)
}

/// The main figures of a run.
fn tiles(run: &Run) -> String {
    let Some(last) = run.stages.last() else {
        return String::new();
    };
    let mut tiles = Vec::new();
    let answers = answers_best(run);
    if let Some((stage, figures)) = answers {
        let of = if keeps_start(run, stage) { "by the model before" } else { "after" };
        let note = format!("first messages {of} {}, greedy; sampled {} %", escape(stage), percent(figures.sampled));
        tiles.push(("Correct replies", format!("{} %", percent(figures.greedy)), note));
    }
    if let Some(count) = run.architecture.as_ref().and_then(|model| model.parameters) {
        tiles.push(("Parameters", compact(count), String::new()));
    }
    if let Some(tokens) = total(run, tokens) {
        tiles.push(("Tokens", compact(tokens), String::new()));
    }
    // If replies were judged, the loss of the last stage adds nothing.
    let losses = [("Training loss", names::LOSS), ("Reward", names::REWARD_MEAN)];
    for (title, key) in losses.into_iter().filter(|_| answers.is_none()) {
        if let Some(value) = mean_of_last(last.metrics.column(key)) {
            tiles.push((title, compact(value), format!("{}, mean of the last steps", escape(&last.name))));
        }
    }
    for (title, key) in [("Validation loss", names::VAL_LOSS), ("Bits per byte", names::VAL_BITS_PER_BYTE)] {
        let Some(stage) = validated(run) else { break };
        if let (Some((_, value)), Some(best)) = (stage.metrics.last(key), stage.metrics.lowest(key)) {
            let note = format!("{}, best {} at step {}", escape(&stage.name), compact(best.1), grouped(best.0));
            tiles.push((title, compact(value), note));
        }
    }
    if let Some(time) = total(run, seconds) {
        let speed = run.stages.first().and_then(|stage| median(stage.metrics.column(names::TOKENS_PER_S)));
        let of = run.stages.first().map_or_else(String::new, |stage| escape(&stage.name));
        let note = speed.map_or(String::new(), |speed| format!("{of}: {} tokens/s, median", compact(speed)));
        tiles.push(("Time", duration(time), note));
    }
    let tile = |(title, value, note): (&str, String, String)| {
        let note = if note.is_empty() { note } else { format!("<dd class=\"note\">{note}</dd>") };
        format!("<div><dt>{title}</dt><dd>{value}</dd>{note}</div>\n")
    };
    format!("<dl class=\"tiles\">\n{}</dl>\n", tiles.into_iter().map(tile).collect::<String>())
}

/// The mean of the finite values among the last fiftieth of a series.
fn mean_of_last(points: &[Point]) -> Option<f64> {
    let tail = &points[points.len() - points.len().div_ceil(50)..];
    let finite: Vec<f64> = tail.iter().map(|point| point.1).filter(|value| value.is_finite()).collect();
    (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
}

fn median(points: &[Point]) -> Option<f64> {
    let mut values: Vec<f64> = points.iter().map(|point| point.1).filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn contents(run: &Run) -> String {
    let stages = run.stages.iter().map(|stage| (format!("stage-{}", identifier(&stage.name)), stage.title.clone()));
    let battery = (!run.battery.is_empty()).then(|| ("battery".to_owned(), "What people type first".to_owned()));
    let evaluation = run.evaluation.as_ref().map(|_| ("evaluation", "Evaluation"));
    let rest = evaluation.into_iter().chain([("next", "Go on"), ("about", "Model, machine, recipe")]);
    let links = battery
        .into_iter()
        .chain(stages)
        .chain(rest.map(|(id, name)| (id.into(), name.into())))
        .map(|(id, name)| format!("<a href=\"#{id}\">{}</a>\n", escape(&name)));
    format!("<nav aria-label=\"On this page\">\n{}</nav>\n", links.collect::<String>())
}

fn stage_section(stage: &RunStage) -> Result<String, ReportError> {
    let id = identifier(&stage.name);
    let state = if stage.done { "finished" } else { "not finished" };
    let step = stage.metrics.last_step().unwrap_or(0.0);
    let progress = match stage.planned_steps {
        Some(planned) if !stage.done => format!("step {} of {}", grouped(step), grouped(planned)),
        _ => count(step.max(0.0) as usize, "step"),
    };
    let mut facts = vec![progress];
    facts.extend(tokens(stage).map(|tokens| format!("{} tokens", compact(tokens))));
    facts.extend(seconds(stage).map(duration));
    facts.extend(stage.keeps_start.then(|| {
        let learned = stage.checkpoints.last().map(|folder| escape(&folder.display().to_string()));
        let learned = learned.map(|folder| format!(": what it learned is in <code>{folder}</code>"));
        format!("kept the model it began with, since no checkpoint answers better{}", learned.unwrap_or_default())
    }));
    let mut html = format!(
        "<section id=\"stage-{id}\" aria-labelledby=\"title-{id}\">\n\
         <h2 id=\"title-{id}\">{} <span class=\"state\">{state}</span></h2>\n<p class=\"facts\">{}</p>\n",
        escape(&stage.title),
        facts.join(" · "),
    );
    html += &figures::html(stage)?;
    html += &evaluations(&stage.metrics);
    html += "<h3>What it wrote</h3>\n";
    html += &match stage.samples.as_slice() {
        [] => "<p class=\"note\">No samples were recorded.</p>\n".to_owned(),
        _ => samples::html(&stage.samples),
    };
    Ok(html + "</section>\n")
}

/// The evaluations as a table, for readers who cannot see the curves.
fn evaluations(metrics: &MetricColumns) -> String {
    let keys: Vec<&str> = metrics.keys().filter(|key| key.starts_with("val_")).collect();
    let Some(rows) = keys.iter().map(|key| metrics.column(key)).max_by_key(|column| column.len()) else {
        return String::new();
    };
    let every = rows.len().div_ceil(MOST_ROWS);
    let mut html = String::from(
        "<details>\n<summary>Evaluations as a table</summary>\n<div class=\"scroll\"><table class=\"numbers\">\
         <thead><tr><th scope=\"col\">Step</th>",
    );
    for key in &keys {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(&label(key)));
    }
    html += "</tr></thead><tbody>\n";
    for (i, (step, _)) in rows.iter().enumerate() {
        if i % every != 0 && i + 1 != rows.len() {
            continue;
        }
        let value =
            |key: &&str| metrics.column(key).iter().find(|point| point.0.total_cmp(step).is_eq()).map(|point| point.1);
        let cell = |key| format!("<td>{}</td>", value(key).map_or_else(|| "–".to_owned(), compact));
        let cells: String = keys.iter().map(cell).collect();
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th>{cells}</tr>", grouped(*step));
    }
    html + "</tbody></table></div>\n</details>\n"
}

/// The next commands.
fn next_steps(run: &Run) -> String {
    let path = shell_word(&run.files.folder().display().to_string());
    let mut commands = Vec::new();
    if !run.is_done() {
        let recipe = shell_word(&run.files.recipe().display().to_string());
        let command = format!("fireclay train --recipe {recipe} --out {path}");
        commands.push(("Train on from the last checkpoint", command));
    }
    if run.stages.iter().any(|stage| stage.chats && !stage.checkpoints.is_empty()) {
        commands.push(("Talk to it", format!("fireclay chat --model {path}")));
        commands.push(("Talk to it in the browser, or over HTTP", format!("fireclay serve --model {path}")));
    }
    // A sample of a chat begins with a speaker, after whom raw text ends at once.
    let of_text = run.stages.iter().rev().filter(|stage| !stage.chats);
    let prompts = of_text.flat_map(|stage| &stage.samples).map(|(prompt, _)| prompt.as_str());
    let prompt = prompts.into_iter().find(|prompt| !prompt.trim().is_empty() && prompt.chars().count() < 80);
    let prompt = shell_word(prompt.map_or("Once upon a time", str::trim));
    commands.push(("Let it write", format!("fireclay generate --model {path} --prompt {prompt}")));
    commands.push(("Score a text", format!("fireclay score --model {path} --text FILE")));
    commands.push(("Measure it on a benchmark", format!("fireclay eval --model {path} --task FILE")));
    commands.push(("Write this page again", format!("fireclay report {path}")));
    let mut html = String::from("<section id=\"next\">\n<h2>Go on</h2>\n<dl class=\"commands\">\n");
    for (what, command) in commands {
        let _ = writeln!(html, "<dt>{what}</dt><dd><pre><code>{}</code></pre></dd>", escape(&command));
    }
    html + "</dl>\n</section>\n"
}

fn about(run: &Run) -> String {
    let mut html = String::from("<section id=\"about\">\n<h2>Model, machine, recipe</h2>\n<div class=\"columns\">\n");
    html += "<div><h3>Model</h3>\n";
    html += &run.architecture.as_ref().map_or("<p class=\"note\">No checkpoint yet.</p>\n".to_owned(), |model| {
        let kind = ("Kind", escape(&model.model_type));
        let count = model.parameters.map(|count| ("Parameters", grouped(count)));
        table([kind].into_iter().chain(count).chain(model.sizes.iter().map(|(name, size)| (*name, size.clone()))))
    });
    html += "</div>\n<div><h3>Machine</h3>\n";
    html += &machine(run);
    html += "</div>\n<div><h3>Files</h3>\n";
    html += &files(run);
    html += "</div>\n</div>\n<h3>Recipe</h3>\n";
    html += &recipe(run);
    html + "</section>\n"
}

fn recipe(run: &Run) -> String {
    let Some(toml) = &run.recipe else {
        return "<p class=\"note\">not recorded (no recipe.toml in the run)</p>\n".to_owned();
    };
    let toml = escape(toml.trim_end());
    format!(
        "<details>\n<summary>recipe.toml, as it was resolved</summary>\n<pre><code>{toml}</code></pre>\n</details>\n"
    )
}

/// machine.json in words; keys of later versions are shown as they are.
fn machine(run: &Run) -> String {
    const KNOWN: [(&str, &str); 8] = [
        ("cpu", "Processor"),
        ("cores", "Cores"),
        ("threads", "Threads"),
        ("memory_bytes", "Memory"),
        ("device", "Device"),
        ("instruction_set", "Instruction set"),
        ("os", "System"),
        ("fireclay", "Fireclay"),
    ];
    if run.machine.is_empty() {
        return "<p class=\"note\">not recorded (no machine.json in the run)</p>\n".to_owned();
    }
    let text = |key: &str, value: &Value| match value {
        Value::Number(number) if key.ends_with("_bytes") => number.as_u64().map(bytes),
        Value::String(text) => Some(escape(text)),
        Value::Number(_) | Value::Bool(_) => Some(escape(&value.to_string())),
        _ => None,
    };
    let known = KNOWN.iter().filter_map(|(key, name)| Some(((*name).to_owned(), text(key, run.machine.get(*key)?)?)));
    let others = run.machine.iter().filter(|(key, _)| !KNOWN.iter().any(|known| known.0 == key.as_str()));
    let others = others.filter_map(|(key, value)| Some((escape(&label(key)), text(key, value)?)));
    let rows: Vec<(String, String)> = known.chain(others).collect();
    table(rows.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

fn files(run: &Run) -> String {
    let mut rows = Vec::new();
    let shown = |path: &Path| escape(&path.strip_prefix(run.files.folder()).unwrap_or(path).to_string_lossy());
    let of_all = [
        (run.files.recipe(), "every setting"),
        (run.files.machine(), "where it ran"),
        (run.files.evaluation(), "what was measured"),
        (run.files.stage("tokenizer").folder().to_owned(), "text to ids"),
        (run.files.data(), "the text as ids"),
    ];
    for (file, what) in of_all {
        if file.exists() {
            rows.push((shown(&file), what.to_owned()));
        }
    }
    for stage in &run.stages {
        let files = &stage.files;
        rows.push((shown(&files.metrics()), "one line a step".to_owned()));
        if !stage.samples.is_empty() {
            rows.push((shown(&files.samples()), "texts over time".to_owned()));
        }
        if run.battery.iter().any(|replies| replies.stage == stage.name) {
            rows.push((shown(&files.battery()), "replies to what people type first".to_owned()));
        }
        if files.has_events() {
            rows.push((shown(&files.folder().join("events.out.tfevents.*")), "for TensorBoard".to_owned()));
        }
        let newest = stage.checkpoints.last().and_then(|folder| folder.file_name());
        if let Some(newest) = newest {
            let newest = escape(&newest.to_string_lossy());
            let count = stage.checkpoints.len();
            rows.push((shown(&files.checkpoints_dir()), format!("{count}, newest {newest}")));
        }
    }
    let rows: Vec<(String, String)> =
        rows.into_iter().map(|(file, what)| (format!("<code>{file}</code>"), what)).collect();
    table(rows.iter().map(|(file, what)| (file.as_str(), what.clone())))
}
