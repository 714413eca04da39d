//! `.txt`: one long document in parts, or many between separators.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::input::{self, Input, mark_length, newlines, valid_text};
use super::{Compression, Document, DocumentPart};
use crate::DataError;

/// A file as one document, in parts of bounded size.
///
/// A file longer than a part is read once beforehand, to count its characters: a split at a fraction of the text needs
/// the total, and errors in the file are found before any work.
pub(super) struct TextParts {
    bytes: TextBytes,
    part_bytes: usize,
    characters: u64,
    /// Characters of the whole file, if it is longer than a part.
    total: Option<u64>,
    recount: Option<(Arc<Path>, Compression)>,
}

impl TextParts {
    pub(super) fn new(
        path: Arc<Path>,
        compression: Compression,
        counter: Option<Arc<AtomicU64>>,
        part_bytes: usize,
    ) -> Result<Self, DataError> {
        let recount = Some((Arc::clone(&path), compression));
        let bytes = TextBytes::new(input::open(&path, compression, counter)?, path);
        Ok(Self { bytes, part_bytes, characters: 0, total: None, recount })
    }

    fn next_part(&mut self) -> Result<Option<Document>, DataError> {
        self.bytes.fill_to(self.part_bytes)?;
        if self.bytes.buffer.is_empty() {
            return Ok(None);
        }
        if !self.bytes.ended
            && let Some((path, compression)) = self.recount.take()
        {
            self.total = Some(count_characters(path, compression, self.part_bytes)?);
        }
        let (line, start) = (self.bytes.line, self.characters);
        let text = self.bytes.text()?;
        let end = if self.bytes.ended { text.len() } else { safe_cut(text) };
        let text = self.bytes.take(end)?;
        self.characters += text.chars().count() as u64;
        Ok(Some(Document {
            text,
            origin: format!("{}:{line}", self.bytes.path.display()),
            part: self.total.map(|total| DocumentPart { start, total }),
            special_tokens: false,
        }))
    }
}

impl Iterator for TextParts {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_part().transpose()
    }
}

fn count_characters(path: Arc<Path>, compression: Compression, part_bytes: usize) -> Result<u64, DataError> {
    let mut parts = TextParts::new(path, compression, None, part_bytes)?;
    parts.recount = None;
    while parts.next_part()?.is_some() {}
    Ok(parts.characters)
}

/// Last offset at which a text may be cut so that byte-level BPE gives the same ids for the two parts as for the whole:
/// a place where the pre-tokenizers of GPT-2, GPT-4 and their descendants always start a new word. Without such a
/// place, the last line end; without one, the end.
///
/// The places: before a space that follows anything but whitespace, and where a letter or digit
/// (Latin, Chinese, Korean) is followed by a line end or by punctuation other than an apostrophe.
fn safe_cut(text: &str) -> usize {
    let mut following: Option<(usize, char)> = None;
    for (at, c) in text.char_indices().rev() {
        if let Some((next_at, next)) = following
            && ((next == ' ' && !c.is_whitespace()) || (is_word(c) && ends_word(next)))
        {
            return next_at;
        }
        following = Some((at, c));
    }
    text.rfind('\n').map_or(text.len(), |at| at + 1)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

fn ends_word(c: char) -> bool {
    (c.is_ascii_punctuation() && c != '\'') || matches!(c, '\r' | '\n' | '，' | '。' | '、' | '；' | '：' | '？' | '！')
}

/// A file's documents between separators.
pub(super) struct Separated {
    bytes: TextBytes,
    separator: Vec<u8>,
    limit: usize,
}

impl Separated {
    pub(super) fn new(input: Input, path: Arc<Path>, separator: &str, limit: usize) -> Self {
        Self { bytes: TextBytes::new(input, path), separator: separator.into(), limit }
    }

    fn next_document(&mut self) -> Result<Option<Document>, DataError> {
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.bytes.buffer, &self.separator, searched) {
                let line = self.bytes.line;
                let document = self.bytes.take(at)?;
                self.bytes.take(self.separator.len())?;
                searched = 0;
                if let Some(document) = self.trimmed(&document, line) {
                    return Ok(Some(document));
                }
                continue;
            }
            searched = (self.bytes.buffer.len() + 1).saturating_sub(self.separator.len());
            if self.bytes.ended {
                let line = self.bytes.line;
                let rest = self.bytes.take(self.bytes.buffer.len())?;
                return Ok(self.trimmed(&rest, line));
            }
            if self.bytes.buffer.len() > self.limit {
                return Err(DataError::TooLong {
                    path: self.bytes.path.as_ref().into(),
                    line: self.bytes.line,
                    limit: self.limit,
                    hint: "check the separator, or leave it out to stream the file as one document",
                });
            }
            self.bytes.fill_to(self.bytes.buffer.len() + (64 << 10))?;
        }
    }

    fn trimmed(&self, text: &str, line: u64) -> Option<Document> {
        let body = text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text);
        let body = body.strip_suffix('\n').map_or(body, |body| body.strip_suffix('\r').unwrap_or(body));
        (!body.is_empty()).then(|| Document::new(body, format!("{}:{line}", self.bytes.path.display())))
    }
}

impl Iterator for Separated {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_document().transpose()
    }
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = from;
    while let Some(offset) = bytes.get(at..)?.iter().position(|&byte| byte == first) {
        at += offset;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Bytes of a text file read but not yet passed on, and where they start.
struct TextBytes {
    input: Input,
    path: Arc<Path>,
    buffer: Vec<u8>,
    ended: bool,
    line: u64,
    offset: u64,
}

impl TextBytes {
    fn new(input: Input, path: Arc<Path>) -> Self {
        Self { input, path, buffer: Vec::new(), ended: false, line: 1, offset: 0 }
    }

    /// Reads until the buffer holds more than `bytes`, or the file ends.
    fn fill_to(&mut self, bytes: usize) -> Result<(), DataError> {
        let at_start = self.offset == 0 && self.buffer.is_empty();
        let wanted = (bytes + 1).saturating_sub(self.buffer.len());
        if !self.ended && wanted > 0 {
            let from = self.offset + self.buffer.len() as u64;
            let read = self.input.fill(&mut self.buffer, wanted, &self.path, from)?;
            self.ended = read < wanted;
        }
        if at_start {
            let mark = mark_length(&self.buffer);
            self.buffer.drain(..mark);
            self.offset = mark as u64;
        }
        Ok(())
    }

    fn text(&self) -> Result<&str, DataError> {
        valid_text(&self.buffer, self.ended, &self.path, self.line, self.offset)
    }

    /// Removes and returns the first `length` bytes.
    fn take(&mut self, length: usize) -> Result<String, DataError> {
        let taken = &self.buffer[..length];
        let text = valid_text(taken, true, &self.path, self.line, self.offset)?.to_owned();
        self.line += newlines(taken);
        self.offset += length as u64;
        self.buffer.drain(..length);
        Ok(text)
    }
}
