//! Bytes of a file: decompressed and counted, with errors that name the place.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use lz4_flex::frame::FrameDecoder;

use super::Compression;
use crate::DataError;

/// A stream of a file's bytes, decompressed.
pub(crate) struct Input {
    bytes: Box<dyn Read + Send>,
    compressed: bool,
}

/// Counts the bytes read from disk.
struct Counted {
    file: File,
    counter: Option<Arc<AtomicU64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(counter) = &self.counter {
            counter.fetch_add(read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

pub(crate) fn open(path: &Path, compression: Compression, counter: Option<Arc<AtomicU64>>) -> Result<Input, DataError> {
    let failed = |error| DataError::read(path, error);
    let file = match compression {
        Compression::Member { start, .. } => {
            let archive = path.ancestors().find(|path| path.is_file()).unwrap_or(path);
            let mut file = File::open(archive).map_err(failed)?;
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
            file
        }
        _ => File::open(path).map_err(failed)?,
    };
    let file = BufReader::with_capacity(128 << 10, Counted { file, counter });
    Ok(Input {
        bytes: match compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(file).map_err(failed)?),
            Compression::Lz4 => Box::new(Frames { decoder: Some(FrameDecoder::new(file)) }),
            Compression::Brotli => Box::new(Decompressor::new(file, 64 << 10)),
            Compression::Member { length, deflated: false, .. } => Box::new(file.take(length)),
            Compression::Member { length, deflated: true, .. } => Box::new(DeflateDecoder::new(file.take(length))),
        },
        compressed: compression != Compression::None,
    })
}

/// The frames of an lz4 file, which may have several, one after the other.
struct Frames<R: BufRead> {
    /// `None` after the last.
    decoder: Option<FrameDecoder<R>>,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let mut rest = self.decoder.take().expect("it was just read from").into_inner();
            if !rest.fill_buf()?.is_empty() {
                self.decoder = Some(FrameDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

impl Input {
    /// Appends up to `wanted` bytes; fewer only at the end of the input. `offset` is their position, for messages.
    pub(crate) fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        wanted: usize,
        path: &Path,
        offset: u64,
    ) -> Result<usize, DataError> {
        let before = buffer.len();
        match (&mut self.bytes).take(wanted as u64).read_to_end(buffer) {
            Ok(read) => Ok(read),
            // A decoder's own error has no error code of the operating system.
            Err(error) if self.compressed && error.raw_os_error().is_none() => Err(DataError::Compressed {
                path: path.into(),
                offset: offset + (buffer.len() - before) as u64,
                reason: error.to_string(),
            }),
            Err(error) => Err(DataError::read(path, error)),
        }
    }
}

/// The longest valid UTF-8 prefix of `bytes`. Unless `last`, an incomplete character at the end of `bytes` is left for
/// later. `line` and `offset` are those of the first byte.
pub(crate) fn valid_text<'a>(
    bytes: &'a [u8],
    last: bool,
    path: &Path,
    line: u64,
    offset: u64,
) -> Result<&'a str, DataError> {
    let (text, bad) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let bad = last || error.error_len().is_some();
            (std::str::from_utf8(valid).unwrap_or_default(), bad)
        }
    };
    let line_at = |at: usize| line + newlines(&bytes[..at]);
    if let Some(at) = text.as_bytes().iter().position(|&byte| byte == 0) {
        let path = path.into();
        return Err(DataError::Binary { path, line: line_at(at), offset: offset + at as u64 });
    }
    if bad {
        let at = text.len();
        return Err(DataError::NotUtf8 {
            path: path.into(),
            line: line_at(at),
            offset: offset + at as u64,
            hint: if offset == 0 && matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
                "it looks like UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`"
            } else {
                "convert it with `iconv -f ENCODING -t UTF-8`, or leave it out if it is not text"
            },
        });
    }
    Ok(text)
}

pub(crate) fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

/// Length of the byte-order mark at the start of a file.
pub(crate) fn mark_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 }
}
