//! The figures of a stage: a large one of the loss, a small one of every other logged metric.

use std::fmt::Write as _;

use fireclay_train::metrics::{MetricColumns, Point, names};

use super::ReportError;
use super::chart::{Chart, Pen, Size};
use super::curve::{finite, smooth, smoothing_width, value_range};
use super::format::{compact, count, escape, grouped, label};
use super::run::RunStage;

/// For a screen, and for a phone, where the same lettering takes more of the width; style.css shows one of the two.
const LARGE: [Size; 2] = [Size { width: 960, height: 360 }, Size { width: 360, height: 290 }];
const SMALL: [Size; 1] = [Size { width: 360, height: 190 }];

/// Up to this number of points, each is marked; more form a curve, which is smoothed if there are many.
const MAX_MARKED_POINTS: usize = 40;

/// Keys that are the axis or a clock, not something measured.
const NOT_MEASURED: [&str; 3] = [names::STEP, names::TOKENS, names::SECONDS];

/// Keys in the order shown; others follow by name.
const FIRST: [&str; 9] = [
    names::LOSS,
    names::REWARD_MEAN,
    names::VAL_LOSS,
    names::VAL_BITS_PER_BYTE,
    names::LR,
    names::GRAD_NORM,
    names::TOKENS_PER_S,
    names::MFU,
    names::KL,
];

/// Ratios and rates, whose axis starts at 0.
const FROM_ZERO: [&str; 5] = [names::LR, names::GRAD_NORM, names::TOKENS_PER_S, names::MFU, names::RESPONSE_LENGTH];

/// Figures of one stage as HTML.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn html(stage: &RunStage) -> Result<String, ReportError> {
    let metrics = &stage.metrics;
    let mut keys: Vec<&str> = metrics.keys().filter(|key| !NOT_MEASURED.contains(key)).collect();
    // There are many topics; they have their own table.
    let whole = [names::BATTERY_SAMPLED, names::BATTERY_MOST_FREQUENT];
    keys.retain(|key| !key.starts_with(&names::of_topic("")) || whole.contains(key));
    // A metric of training and its validation counterpart share a chart.
    keys.retain(|key| key.strip_prefix(names::VALIDATION).is_none_or(|base| metrics.column(base).is_empty()));
    keys.sort_by_key(|key| (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), *key));
    let Some((headline, others)) = keys.split_first() else {
        return Ok("<p class=\"note\">metrics.jsonl has no measured values yet.</p>\n".to_owned());
    };
    let mut html = figure(stage, headline, &LARGE)?;
    if !others.is_empty() {
        html += "<div class=\"grid\">\n";
        for key in others {
            html += &figure(stage, key, &SMALL)?;
        }
        html += "</div>\n";
    }
    Ok(html + &damage(metrics))
}

/// Note on lines that are missing from the charts.
fn damage(metrics: &MetricColumns) -> String {
    let mut notes = Vec::new();
    if let Some(first) = metrics.unreadable.first() {
        let lines = count(metrics.unreadable.len(), "line");
        notes.push(format!("Not JSON objects, left out of metrics.jsonl: {lines}, first line {first}."));
    }
    if metrics.cut_off {
        notes.push("The last line of metrics.jsonl is cut off and was left out.".to_owned());
    }
    if notes.is_empty() { String::new() } else { format!("<p class=\"note\">{}</p>\n", notes.join(" ")) }
}

fn figure(stage: &RunStage, key: &str, sizes: &[Size]) -> Result<String, ReportError> {
    let all = stage.metrics.column(key);
    let points = finite(all);
    let validation = finite(stage.metrics.column(&names::validation(key)));
    let title = label(key);
    let mut notes = Vec::new();
    let lost = all.len() - points.len();
    if lost > 0 {
        let first = all.iter().find(|(_, value)| !value.is_finite()).map_or(0.0, |point| point.0);
        notes.push(format!("Without a finite value: {}, first at step {}.", count(lost, "step"), grouped(first)));
    }
    let Some(values) = frame(key, &points, &validation) else {
        return Ok(format!(
            "<figure class=\"chart\"><figcaption>{}</figcaption></figure>\n",
            caption(&title, "", &notes)
        ));
    };
    let outside = points.iter().filter(|(_, value)| *value < values.0 || *value > values.1).count();
    if outside > 0 {
        notes.push(format!("Outside the frame, drawn on its edge: {}.", count(outside, "step")));
    }
    let width = smoothing_width(points.len());
    let smoothed = width > 1 && points.len() > MAX_MARKED_POINTS && key != names::LR;
    let mut description = describe("", &points);
    if !validation.is_empty() {
        description += &describe(" Validation: ", &validation);
    }
    let chart = Chart {
        id: format!("{}-{}", identifier(&stage.name), identifier(key)),
        title: format!("{title} over the steps of {}", stage.name),
        description,
        steps: steps(&stage.metrics),
        values,
        layers: layers(&inside(&points, values), validation.clone(), smoothed.then_some(width), is_validation(key)),
    };
    let mut html = String::from("<figure class=\"chart\">\n<figcaption>");
    let by_step = if sizes.len() > 1 { format!("{title} by step") } else { title };
    html += &caption(&by_step, &legend(&points, &validation, smoothed.then_some(width)), &notes);
    html += "</figcaption>\n";
    for size in sizes {
        html += &chart.svg(*size)?;
    }
    Ok(html + "</figure>\n")
}

fn is_validation(key: &str) -> bool {
    key.starts_with(names::VALIDATION)
}

fn layers(
    points: &[Point],
    validation: Vec<Point>,
    width: Option<usize>,
    in_validation: bool,
) -> Vec<(Pen, Vec<Point>)> {
    let mut layers = match width {
        Some(width) => vec![(Pen::Raw, points.to_vec()), (Pen::Line, smooth(points, width))],
        None if in_validation => vec![(Pen::Validation, points.to_vec())],
        None if points.len() <= MAX_MARKED_POINTS => vec![(Pen::Marked, points.to_vec())],
        None => vec![(Pen::Line, points.to_vec())],
    };
    if !validation.is_empty() {
        layers.push((Pen::Validation, validation));
    }
    layers
}

/// The frame holds all of validation; outliers of training may lie outside.
fn frame(key: &str, points: &[Point], validation: &[Point]) -> Option<(f64, f64)> {
    let from_zero = FROM_ZERO.contains(&key);
    match (value_range(points, from_zero), value_range(validation, from_zero)) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Outliers moved to the edge of the frame, before smoothing: one would lift the mean of all its neighbours.
fn inside(points: &[Point], (low, high): (f64, f64)) -> Vec<Point> {
    points.iter().map(|&(step, value)| (step, value.clamp(low, high))).collect()
}

/// All charts of a stage share the horizontal frame: from 0, unless the stage began far from it.
fn steps(metrics: &MetricColumns) -> (f64, f64) {
    let first = metrics.keys().filter_map(|key| metrics.column(key).first()).map(|&(step, _)| step);
    let first = first.fold(f64::INFINITY, f64::min);
    let last = metrics.last_step().unwrap_or(first);
    let from = if first <= last * 0.1 || first <= 1.0 { first.min(0.0) } else { first };
    (from, if last > from { last } else { from + 1.0 })
}

fn legend(points: &[Point], validation: &[Point], width: Option<usize>) -> String {
    let last = |points: &[Point]| points.last().map_or_else(|| "–".to_owned(), |&(_, value)| compact(value));
    if validation.is_empty() {
        return format!("last {}", last(points));
    }
    let how = width.map_or(String::new(), |width| format!(" (line: mean of {} steps)", grouped(width as f64)));
    format!(
        "<span class=\"key train\"></span>training {}{how} \
         <span class=\"key validation\"></span>validation {}",
        last(points),
        last(validation),
    )
}

fn caption(title: &str, legend: &str, notes: &[String]) -> String {
    let mut html = format!("<strong>{}</strong> <span class=\"legend\">{legend}</span>", escape(title));
    for note in notes {
        let _ = write!(html, " <span class=\"note\">{note}</span>");
    }
    html
}

/// The curve in words.
fn describe(prefix: &str, points: &[Point]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
    let at = |point: &Point| format!("{} at step {}", compact(point.1), grouped(point.0));
    let mut text = format!("{prefix}From {} to {}", at(first), at(last));
    if let (Some(low), Some(high)) = (points.iter().min_by(by_value), points.iter().max_by(by_value)) {
        let _ = write!(text, "; lowest {}, highest {}", at(low), at(high));
    }
    text + "."
}

/// A name as part of an `id`: a character other than a letter, digit or dash becomes its number, so that names stay
/// apart.
pub fn identifier(name: &str) -> String {
    let one = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_string() } else { format!("-{:x}-", u32::from(c)) }
    };
    name.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_hold_no_markup_and_differ() {
        assert_eq!(identifier("a\" b"), "a-22--20-b");
        assert_ne!(identifier("a_b"), identifier("a b"));
    }

    #[test]
    fn the_curve_is_told_in_words() {
        let points = [(1.0, 8.31), (500.0, 1.98), (1000.0, 2.03)];
        assert_eq!(
            describe("", &points),
            "From 8.31 at step 1 to 2.03 at step 1,000; lowest 1.98 at step 500, highest 8.31 at step 1."
        );
    }

    #[test]
    fn validation_is_inside_the_frame() {
        let frame = frame("loss", &[(0.0, 1.0), (1.0, 2.0)], &[(1.0, 5.0)]).expect("points");
        assert!(frame.0 < 1.0 && frame.1 > 5.0);
    }
}
