//! The lines of a text file, decompressed and checked, in memory proportional to the longest line.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::input::{Input, mark_length, valid_text};
use crate::DataError;

const CHUNK: usize = 64 << 10;

/// The lines of a file; blank ones are skipped.
pub(crate) struct Lines {
    input: Input,
    path: Arc<Path>,
    buffer: Vec<u8>,
    /// Number of bytes of the buffer that were already returned.
    start: usize,
    ended: bool,
    line: u64,
    offset: u64,
    limit: usize,
}

impl Lines {
    /// The lines of `input`, none longer than `limit` bytes (or the size of a read, whichever is more).
    pub(crate) fn new(input: Input, path: Arc<Path>, limit: usize) -> Self {
        Self { input, path, buffer: Vec::new(), start: 0, ended: false, line: 0, offset: 0, limit }
    }

    /// The next line that is not blank, without its line end, and its number from 1; `None` at the end of the file.
    pub(crate) fn next_line(&mut self) -> Result<Option<(u64, &str)>, DataError> {
        let range = loop {
            let Some(range) = self.next_range()? else { return Ok(None) };
            self.line += 1;
            let line = valid_text(&self.buffer[range.clone()], true, &self.path, self.line, self.offset)?;
            let blank = line.trim().is_empty();
            let consumed = (range.end + 1).min(self.buffer.len()) - range.start;
            self.start = range.start + consumed;
            self.offset += consumed as u64;
            if !blank {
                break range;
            }
        };
        let text = std::str::from_utf8(&self.buffer[range]).expect("checked above");
        Ok(Some((self.line, text)))
    }

    /// The next line's range in the buffer, without its line end; `None` at the end of the file.
    fn next_range(&mut self) -> Result<Option<Range<usize>>, DataError> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|&byte| byte == b'\n') {
                return Ok(Some(self.start..searched + at));
            }
            if self.ended {
                let rest = self.start..self.buffer.len();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            if self.buffer.len() - self.start > self.limit {
                return Err(DataError::TooLong {
                    path: self.path.as_ref().into(),
                    line: self.line + 1,
                    limit: self.limit,
                    hint: "is this one JSON object a line? split the document",
                });
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            let at_start = self.offset == 0 && searched == 0;
            let from = self.offset + searched as u64;
            let read = self.input.fill(&mut self.buffer, CHUNK, &self.path, from)?;
            self.ended = read < CHUNK;
            if at_start {
                self.start = mark_length(&self.buffer);
                self.offset = self.start as u64;
                searched = self.start;
            }
        }
    }
}
