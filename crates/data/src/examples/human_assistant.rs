//! Dialogues as one text, as Anthropic's data sets have them: `"\n\nHuman: …\n\nAssistant: …"`.

use fireclay_tokenizer::Message;

const MARKS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];

/// The turns of a dialogue, whose lines may end as in Windows; `None` if the text does not begin with one.
pub(super) fn messages(text: &str) -> Option<Vec<Message>> {
    // Some copies have lost the empty line at the start.
    let text = format!("\n\n{}", text.trim_start()).replace("\r\n", "\n");
    let mut turns: Vec<(usize, &str, &str)> = Vec::new();
    for (mark, role) in MARKS {
        turns.extend(text.match_indices(mark).map(|(at, _)| (at, mark, role)));
    }
    turns.sort_unstable();
    if turns.first()?.0 != 0 {
        return None;
    }
    let ends = turns.iter().skip(1).map(|turn| turn.0).chain([text.len()]);
    let messages = turns.iter().zip(ends).map(|(&(at, mark, role), end)| {
        let content = text[at + mark.len()..end].trim();
        Message::new(role, content)
    });
    Some(messages.collect())
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
        check("Once upon a time\n\nHuman: a", None);
        check("", None);
    }
}
