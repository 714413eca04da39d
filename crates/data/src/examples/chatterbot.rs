//! `ChatterBot`'s corpora: YAML with lists of sentences that two speakers say in turn.

use std::path::Path;

use saphyr_parser::{Event, Parser, ScanError, Span};
use serde_json::{Map, Value, json};

use crate::DataError;

/// Collections nested deeper than this are no dialogues.
const DEEPEST: usize = 8;

/// The line a dialogue starts on, and the dialogue as an object with `messages`.
pub(super) type Dialogue = (u64, Map<String, Value>);

/// The dialogues under `conversations` in each document of the file, and the keys beside them that nobody reads.
///
/// A sentence in the place of a list is a dialogue without an answer. Scalars are text as written, such as `22` and
/// `yes`.
pub(super) fn dialogues(path: &Path, text: &str) -> Result<(Vec<Dialogue>, Vec<String>), DataError> {
    let mut reader = YamlReader { path, events: Parser::new_from_str(text) };
    let (mut dialogues, mut left_out) = (vec![], vec![]);
    while let Some(document) = reader.document()? {
        let expected = "expected the key `conversations` with a list";
        let (line, entries) = match document.value {
            Yaml::Map(entries) => (document.line, entries),
            // A document without content.
            Yaml::Text(text) if matches!(text.as_str(), "" | "~" | "null") => continue,
            _ => return Err(reader.refused(document.line, expected)),
        };
        let mut conversations = None;
        for (key, value) in entries {
            match key.as_str() {
                "conversations" if conversations.is_some() => {
                    return Err(reader.refused(value.line, "the key `conversations` twice"));
                }
                "conversations" => conversations = Some(value),
                "categories" => {}
                _ if left_out.contains(&key) => {}
                _ => left_out.push(key),
            }
        }
        let Some(conversations) = conversations else { return Err(reader.refused(line, expected)) };
        let Yaml::List(items) = conversations.value else {
            return Err(reader.refused(conversations.line, "`conversations` is not a list"));
        };
        for item in items {
            dialogues.push((item.line, dialogue(&reader, item)?));
        }
    }
    Ok((dialogues, left_out))
}

fn dialogue<E>(reader: &YamlReader<E>, item: YamlNode) -> Result<Map<String, Value>, DataError> {
    let sentences = match item.value {
        Yaml::Text(sentence) => vec![sentence],
        Yaml::List(nodes) => {
            let sentences = nodes.into_iter().map(|node| match node.value {
                Yaml::Text(sentence) => Ok(sentence),
                _ => Err(reader.refused(node.line, "expected a sentence, found a list or a map")),
            });
            sentences.collect::<Result<_, _>>()?
        }
        Yaml::Map(_) => return Err(reader.refused(item.line, "expected a list of sentences, found a map")),
    };
    let roles = ["user", "assistant"].into_iter().cycle();
    let messages: Vec<Value> =
        roles.zip(sentences).map(|(role, content)| json!({"role": role, "content": content})).collect();
    Ok(Map::from_iter([("messages".to_owned(), Value::Array(messages))]))
}

struct YamlNode {
    value: Yaml,
    line: u64,
}

enum Yaml {
    Text(String),
    List(Vec<YamlNode>),
    Map(Vec<(String, YamlNode)>),
}

struct YamlReader<'a, E> {
    path: &'a Path,
    events: E,
}

impl<'t, E: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> YamlReader<'_, E> {
    /// The next document of the file.
    fn document(&mut self) -> Result<Option<YamlNode>, DataError> {
        loop {
            match self.next()? {
                (Event::DocumentStart(_), _) => {
                    let (event, line) = self.next()?;
                    return self.node(event, line, 0).map(Some);
                }
                (Event::StreamEnd, _) => return Ok(None),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, u64), DataError> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line() as u64)),
            Some(Err(error)) => Err(self.refused(error.marker().line() as u64, error.info())),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn node(&mut self, event: Event<'t>, line: u64, depth: usize) -> Result<YamlNode, DataError> {
        if depth > DEEPEST {
            return Err(self.refused(line, "nested too deep for dialogues"));
        }
        let value = match event {
            Event::Scalar(text, ..) => Yaml::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Yaml::List(items),
                        (event, line) => items.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    let (event, line) = match self.next()? {
                        (Event::MappingEnd, _) => break Yaml::Map(entries),
                        key => key,
                    };
                    let Yaml::Text(key) = self.node(event, line, depth + 1)?.value else {
                        return Err(self.refused(line, "a key that is not text"));
                    };
                    let (event, line) = self.next()?;
                    entries.push((key, self.node(event, line, depth + 1)?));
                }
            }
            Event::Alias(_) => return Err(self.refused(line, "an alias (`*name`): write the text out")),
            _ => return Err(self.refused(line, "the file ends early")),
        };
        Ok(YamlNode { value, line })
    }
}

impl<E> YamlReader<'_, E> {
    fn refused(&self, line: u64, reason: &str) -> DataError {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        DataError::Yaml { path: self.path.into(), line, reason }
    }
}
