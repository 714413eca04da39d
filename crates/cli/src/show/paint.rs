//! Rows as text for a terminal or a pipe.

use std::fmt::Write as _;

use super::row::Count;
use super::{RowPart, ShownRow};

/// Style of tokens that carry loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Green, by ANSI escapes.
    Colour,
    /// Between ⟦ and ⟧.
    Marks,
}

impl Paint {
    fn wrap(self, text: &str) -> String {
        match self {
            Self::Colour => format!("\u{1b}[32m{text}\u{1b}[0m"),
            Self::Marks => format!("⟦{text}⟧"),
        }
    }

    /// Rows with their borders, and the shares of loss and padding.
    #[must_use]
    pub fn rows(self, rows: &[ShownRow]) -> String {
        let mut text = String::new();
        for row in rows {
            let _ = writeln!(text, "━━ {} ━━", row.title);
            for part in &row.parts {
                let _ = writeln!(text, "── {} ──\n{}", part.title, self.part(part));
            }
            if row.padding > 0 {
                let _ = writeln!(text, "── padding: {} tokens ──", row.padding);
            }
            text.push('\n');
        }
        let count = Count::of(rows);
        let percent = |share: f64| 100.0 * share;
        let _ = write!(
            text,
            "{} tokens, {:.1} % carry loss, {:.1} % are padding",
            count.tokens,
            percent(count.loss_share()),
            percent(count.padding_share())
        );
        text
    }

    fn part(self, part: &RowPart) -> String {
        let span = |span: &super::Span| {
            let text = visible(&span.text);
            if span.loss { self.wrap(&text) } else { text }
        };
        let text: String = part.spans.iter().map(span).collect();
        text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
    }
}

/// Line breaks with a sign before them, and other control characters as their pictures, so that text cannot move the
/// cursor or ring the bell.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("⏎\n"),
            '\u{0}'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + u32::from(character))),
            '\u{7f}' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}' => shown.push('\u{fffd}'),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(visible("a\nb\t\u{1b}[2J热\u{7f}"), "a⏎\nb␉␛[2J热␡");
    }
}
