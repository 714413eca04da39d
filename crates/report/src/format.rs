//! Numbers, times and text as the page shows them.

use std::fmt::Write as _;

use fireclay_train::metrics::names;

/// Text made safe inside an element or a quoted attribute. Control characters, which HTML forbids and models do write,
/// become their visible pictures (U+2400…), so that a sample shows them instead of breaking the page.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            '\u{0}'..='\u{1f}' => escaped.extend(char::from_u32(0x2400 + u32::from(character))),
            '\u{7f}' => escaped.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// An argument for a POSIX shell: bare when plain, else in single quotes.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A whole number with its thousands set apart: `1,234,567`.
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < -0.5 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number in at most four figures: `0`, `3e-4`, `0.0125`, `2.031`, `9,500`, `12.5k`, `3.2M`.
pub fn compact(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "not finite".to_owned();
    }
    for (unit, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M")] {
        if size >= unit * 0.9995 {
            return figures(value / unit, 3) + suffix;
        }
    }
    if size >= 9999.5 {
        return figures(value / 1e3, 3) + "k";
    }
    if size >= 999.5 {
        return grouped(value);
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if size < 1e-3 {
        let scientific = format!("{value:.2e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return format!("{}e{exponent}", without_tail(mantissa));
    }
    figures(value, 4)
}

/// `count` significant figures without trailing zeros, for sizes from 0.001 to 1000.
fn figures(value: f64, count: i32) -> String {
    let before = value.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from((count - before).max(0)).unwrap_or(0);
    without_tail(&format!("{value:.decimals$}")).to_owned()
}

fn without_tail(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

/// A duration in words: `0.4 s`, `42 s`, `5 min 12 s`, `3 h 07 min`, `2 d 4 h`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{} s", figures(seconds.max(0.001), 2)),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// "1 step", "2,000 steps".
pub fn count(number: usize, of: &str) -> String {
    format!("{} {of}{}", grouped(number as f64), if number == 1 { "" } else { "s" })
}

/// An estimated duration in words: at most two units, and no seconds beside other units.
pub fn about(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        0 => count(seconds.round().max(1.0) as usize, "second"),
        1 => "1 minute".into(),
        2..=119 => format!("{minutes} minutes"),
        120..=2879 => format!("{} hours {} minutes", minutes / 60, minutes % 60),
        _ => format!("{} days {} hours", minutes / 1440, minutes % 1440 / 60),
    }
}

/// A time that was estimated to lie between two: `12 to 17 minutes`, one where both read the same.
pub fn about_between(least: f64, most: f64) -> String {
    let (least, most) = (about(least), about(most));
    // A number and its unit, if there is one unit alone.
    let alone = |time: &str| {
        let (number, unit) = time.split_once(' ')?;
        (!unit.contains(' ')).then(|| (number.to_owned(), unit.trim_end_matches('s').to_owned()))
    };
    match (alone(&least), alone(&most)) {
        _ if least == most => most,
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} to {most}"),
        _ => format!("{least} to {most}"),
    }
}

/// A size in binary units: `512 B`, `1.4 KiB`, `3.1 GiB`.
pub fn bytes(count: u64) -> String {
    let mut size = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1023.5 {
            let decimals = usize::from(unit != "B" && size < 99.95);
            return format!("{size:.decimals$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// A two-column table of already escaped cells.
pub fn table<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut html = String::from("<table class=\"facts\"><tbody>\n");
    for (name, value) in rows {
        let _ = writeln!(html, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    html + "</tbody></table>\n"
}

/// The name of a metric in words.
pub fn label(key: &str) -> String {
    match key {
        names::LOSS => "Loss",
        names::VAL_LOSS => "Validation loss",
        names::VAL_BITS_PER_BYTE => "Validation, bits per byte",
        names::LR => "Learning rate",
        names::GRAD_NORM => "Gradient norm",
        names::TOKENS_PER_S => "Tokens per second",
        names::MFU => "Model-flops utilisation",
        names::BATTERY => "Battery, greedy",
        names::BATTERY_SAMPLED => "Battery, sampled",
        names::BATTERY_MOST_FREQUENT => "Battery, most frequent reply",
        names::KL => "KL divergence",
        names::SKIPPED => "Skipped steps so far",
        _ => {
            let words = key.replace(['_', '/'], " ");
            let mut characters = words.chars();
            let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
            return first + characters.as_str();
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_told_in_words() {
        assert_eq!(about(12.4), "12 seconds");
        assert_eq!(about(3.0 * 3600.0), "3 hours 0 minutes");
        assert_eq!(about(49.0 * 3600.0), "2 days 1 hours");
        assert_eq!(about_between(700.0, 1000.0), "12 to 17 minutes");
        assert_eq!(about_between(1000.0, 1001.0), "17 minutes");
        assert_eq!(about_between(20.0, 100.0), "20 seconds to 2 minutes");
        assert_eq!(about_between(7000.0, 8000.0), "117 minutes to 2 hours 13 minutes");
    }

    #[test]
    fn unknown_keys_read_as_words() {
        assert_eq!(label("clip_fraction"), "Clip fraction");
        assert_eq!(label("lr"), "Learning rate");
        assert_eq!(label(""), "");
    }

    #[test]
    fn markup_and_control_characters_are_made_harmless() {
        assert_eq!(escape("<b a='1'>&\"x\"</b>"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;x&quot;&lt;/b&gt;");
        assert_eq!(escape("a\u{0}\u{1b}[31m\r\nb\u{7f}"), "a␀␛[31m␍\nb␡");
        assert_eq!(escape("从前，有一只🦊"), "从前，有一只🦊");
    }

    #[test]
    fn shell_words_survive_a_shell() {
        assert_eq!(shell_word("runs/tiny-1"), "runs/tiny-1");
        assert_eq!(shell_word("my runs/it's"), r"'my runs/it'\''s'");
        assert_eq!(shell_word("-x"), "'-x'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (3e-4, "3e-4"),
            (1.25e-5, "1.25e-5"),
            (0.0125, "0.0125"),
            (2.0312, "2.031"),
            (-2.5, "-2.5"),
            (9.0, "9"),
            (640.0, "640"),
            (9500.0, "9,500"),
            (12_500.0, "12.5k"),
            (999_999.0, "1M"),
            (3.2e6, "3.2M"),
            (1.5e9, "1.5G"),
            (0.1 + 0.2, "0.3"),
            (f64::NAN, "not finite"),
        ];
        for (value, text) in cases {
            assert_eq!(compact(value), text);
        }
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(-1_000.0), "-1,000");
    }

    #[test]
    fn times_and_sizes() {
        let times =
            [(0.42, "0.42 s"), (42.0, "42 s"), (312.0, "5 min 12 s"), (11_220.0, "3 h 07 min"), (187_200.0, "2 d 4 h")];
        for (seconds, text) in times {
            assert_eq!(duration(seconds), text);
        }
        for (count, text) in [(512, "512 B"), (1434, "1.4 KiB"), (3_328_599_654, "3.1 GiB"), (120 << 20, "120 MiB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
