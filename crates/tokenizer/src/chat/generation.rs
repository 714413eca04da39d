//! `{% generation %}` blocks, which Jinja itself does not know.
//!
//! The tag is rewritten into a filter block in its own scope, as in `transformers`; the filter puts marks around its
//! input, and the marks are removed from the rendered text afterwards.

use std::ops::Range;

use minijinja::State;
use serde_json::Value as Json;

use super::source::{Part, parts};

pub(crate) const FILTER: &str = "__fireclay_generation";
pub(crate) const MARK_VARIABLE: &str = "__fireclay_mark";

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text, which [`Tokenizer::encode_with_specials`](crate::Tokenizer::encode_with_specials) turns into ids.
    pub text: String,
    /// The bytes inside `{% generation %}` blocks, in order.
    pub generated: Vec<Range<usize>>,
}

/// The source with its generation tags rewritten, and whether it had any.
pub(crate) fn accept(source: &str) -> (String, bool) {
    let mut any = false;
    let rewritten = |part: Part| {
        let tag = match part {
            Part::Tag(source) => generation_tag(source),
            _ => None,
        };
        let Some(tag) = tag else { return part.source().to_owned() };
        any = true;
        // No white space may come between the two tags, so each side keeps its own trimming.
        let (first, second) = match tag.name {
            "generation" => ("with".to_owned(), format!("filter {FILTER}")),
            _ => ("endfilter".to_owned(), "endwith".to_owned()),
        };
        let Tag { left, right, .. } = tag;
        ["{%", left, " ", &first, " %}{% ", &second, " ", right, "%}"].concat()
    };
    let accepted = parts(source).into_iter().map(rewritten).collect();
    (accepted, any)
}

struct Tag<'a> {
    left: &'a str,
    name: &'a str,
    right: &'a str,
}

/// The tag, if it is one of the two.
fn generation_tag(source: &str) -> Option<Tag<'_>> {
    let tag = source.strip_prefix("{%")?.strip_suffix("%}")?;
    let (left, tag) = tag.split_at(usize::from(tag.starts_with(['-', '+'])));
    let (tag, right) = tag.split_at(tag.len() - usize::from(tag.ends_with(['-', '+'])));
    let name = tag.trim();
    matches!(name, "generation" | "endgeneration").then_some(Tag { left, name, right })
}

/// The filter: its input between marks.
pub(crate) fn mark(state: &State, said: &str) -> String {
    let mark = state.lookup(MARK_VARIABLE).map(|mark| mark.to_string()).unwrap_or_default();
    format!("{mark}{said}{mark}")
}

/// A mark that occurs neither in the messages nor in the template. U+FDD0 is a code point that Unicode promises never
/// to make a character.
pub(crate) fn unused_mark(messages: &[Json], source: &str) -> String {
    let occurs = |mark: &str| source.contains(mark) || messages.iter().any(|message| mentions(message, mark));
    let marks = (0_u32..).map(|number| format!("\u{FDD0}{number}\u{FDD0}"));
    marks.into_iter().find(|mark| !occurs(mark)).expect("a text is finite")
}

fn mentions(value: &Json, mark: &str) -> bool {
    match value {
        Json::String(text) => text.contains(mark),
        Json::Array(items) => items.iter().any(|item| mentions(item, mark)),
        Json::Object(entries) => entries.iter().any(|(key, value)| key.contains(mark) || mentions(value, mark)),
        _ => false,
    }
}

/// Removes the marks and returns the range between each pair.
pub(crate) fn take_marks(marked: &str, mark: &str) -> Rendered {
    let mut text = String::with_capacity(marked.len());
    let mut generated: Vec<Range<usize>> = Vec::new();
    let mut opened = None;
    for (index, part) in marked.split(mark).enumerate() {
        if index > 0 {
            opened = match opened {
                None => Some(text.len()),
                Some(start) => {
                    generated.push(start..text.len());
                    None
                }
            };
        }
        text.push_str(part);
    }
    Rendered { text, generated }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_keep_their_trimming() {
        let check = |source: &str, expected: &str| {
            assert_eq!(accept(source), (expected.replace("MARK", FILTER), true), "{source}");
        };
        check("a{% generation %}b", "a{% with %}{% filter MARK %}b");
        check("{%- generation -%}", "{%- with %}{% filter MARK -%}");
        check("{%-endgeneration+%}", "{%- endfilter %}{% endwith +%}");
        assert!(!accept("{% if generation %}{{ x }}{% endif %}{%").1);
        assert!(!accept("{# {% generation %} #}{% raw %}{% generation %}{% endraw %}{{ '{% generation %}' }}").1);
    }

    #[test]
    fn marks_leave_no_trace() {
        let rendered = take_marks("a|bc||d|e", "|");
        assert_eq!(rendered, Rendered { text: "abcde".into(), generated: vec![1..3, 3..4] });
    }
}
