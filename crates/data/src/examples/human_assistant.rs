//! Dialogues as one text, as Anthropic's data sets have them: `"\n\nHuman: …\n\nAssistant: …"`; in some
//! copies with one line end in the place of two.

use fireclay_tokenizer::Message;

/// Marks of turns, and their roles.
const MARKS: [(&str, &str); 2] = [("Human:", "user"), ("Assistant:", "assistant")];

/// The turns of a dialogue, whose lines may end as in Windows; `None` if the text does not begin with one.
///
/// Turns begin after an empty line; or, as in BELLE's data, on lines of their own. The latter holds if the first mark
/// inside the text follows no empty line and user and assistant then speak in turn. If they do not, and no mark follows
/// an empty line, the text is none.
pub(super) fn messages(text: &str) -> Option<Vec<Message>> {
    // Some copies have lost the empty line at the start.
    let whole = format!("\n\n{}", text.trim_start()).replace("\r\n", "\n");
    let by_line = turns(&whole, "\n");
    let apart = turns(&whole, "\n\n");
    if apart.first()?.start != 0 {
        return None;
    }
    let inner = by_line.get(1).filter(|turn| !whole[..turn.start].ends_with('\n'));
    let turns = match inner {
        Some(_) if apart.len() == 1 => Some(by_line).filter(|turns| alternate(turns))?,
        // Text that has not lost the empty line at its start has them between its turns.
        Some(_) if text.starts_with(['\n', '\r']) && alternate(&apart) => apart,
        Some(_) if alternate(&by_line) => by_line,
        _ => apart,
    };
    let ends = turns.iter().skip(1).map(|turn| turn.start).chain([whole.len()]);
    let messages = turns.iter().zip(ends);
    Some(messages.map(|(turn, end)| Message::new(turn.role, whole[turn.words..end].trim())).collect())
}

/// The place of a turn in a dialogue.
struct MarkedTurn {
    /// Where the line ends before its mark begin.
    start: usize,
    /// Where its words begin.
    words: usize,
    role: &'static str,
}

/// The turns with marks after `before`, in order.
fn turns(text: &str, before: &str) -> Vec<MarkedTurn> {
    let mut turns = vec![];
    for (mark, role) in MARKS {
        let mark = format!("{before}{mark}");
        turns.extend(text.match_indices(&mark).map(|(start, _)| MarkedTurn { start, words: start + mark.len(), role }));
    }
    turns.sort_unstable_by_key(|turn| turn.start);
    turns
}

fn alternate(turns: &[MarkedTurn]) -> bool {
    turns.windows(2).all(|pair| pair[0].role != pair[1].role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|turns| turns.iter().map(|&(role, content)| Message::new(role, content)).collect());
        assert_eq!(messages(text), expected, "{text:?}");
    }

    #[test]
    fn turns_are_told_apart_by_their_marks() {
        let dialogue = [("user", "Hi\n\nthere"), ("assistant", "Hello: Human"), ("user", "x"), ("assistant", "")];
        check("\n\nHuman: Hi\n\nthere\n\nAssistant: Hello: Human\n\nHuman: x\n\nAssistant:", Some(&dialogue));
        check("Human: a", Some(&[("user", "a")]));
        check("\r\n\r\nHuman: a\r\n\r\nAssistant: b", Some(&[("user", "a"), ("assistant", "b")]));
        check("\n\nAssistant: b\n\nHuman: c ", Some(&[("assistant", "b"), ("user", "c")]));
        check("Human: a\nAssistant:", Some(&[("user", "a"), ("assistant", "")]));
        check("Once upon a time\n\nHuman: a", None);
        check("", None);
    }

    #[test]
    fn turns_may_be_lines_without_an_empty_one_between_them() {
        let belle = [("user", "Q1"), ("assistant", "A1\nmore"), ("user", "Q2"), ("assistant", "")];
        check("Human: Q1\nAssistant: A1\nmore\nHuman: Q2\nAssistant:", Some(&belle));
        check("Human: Q1\r\nAssistant: A1\r\nmore\r\n\r\nHuman: Q2\r\nAssistant:", Some(&belle));
        check("\n\nHuman: Q1\nAssistant: A1\nmore\nHuman: Q2\nAssistant:", Some(&belle));
        // Where empty lines separate the turns, a dialogue inside a turn is its text.
        let quoted = [("user", "Mend:\nAssistant: hi\nHuman: yo"), ("assistant", "b\nHuman: c")];
        check("\n\nHuman: Mend:\nAssistant: hi\nHuman: yo\n\nAssistant: b\nHuman: c", Some(&quoted));
        check("Human: a\n\nAssistant: b\nHuman: c", Some(&[("user", "a"), ("assistant", "b\nHuman: c")]));
        let quoted = [("user", "x:\nAssistant: hi"), ("assistant", "b")];
        check("Human: x:\nAssistant: hi\n\nAssistant: b", Some(&quoted));
        check("Human: a\nHuman: b", None);
    }
}
