//! `.parquet`: the column of text, row by row.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::Document;
use crate::DataError;

/// Number of rows decoded at a time.
const ROWS: usize = 64;

/// The rows of a file's text column; null rows are skipped.
pub(super) struct ParquetRows {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    ready: VecDeque<Document>,
    row: u64,
    bytes_on_disk: u64,
    counter: Arc<AtomicU64>,
}

/// The rows of the text column that is called `column`.
pub(super) fn rows(path: &Path, column: &str, counter: Arc<AtomicU64>) -> Result<ParquetRows, DataError> {
    let failed = |reason: String| unreadable(path, &reason);
    let file = File::open(path).map_err(|error| DataError::read(path, error))?;
    let bytes_on_disk = file.metadata().map_err(|error| DataError::read(path, error))?.len();
    let batches = guarded(path, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(error.to_string()))?;
        check_codecs(path, builder.metadata())?;
        check_growth(path, builder.metadata())?;
        let Ok(field) = builder.schema().field_with_name(column) else {
            let names: Vec<_> = builder.schema().fields().iter().take(8).map(|f| format!("`{}`", f.name())).collect();
            return Err(failed(format!(
                "expected the column `{column}`, found {}; name another one with data.text_column",
                names.join(", ")
            )));
        };
        if !is_text(field.data_type()) {
            return Err(failed(format!("the column `{column}` holds {}, not strings", field.data_type())));
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), [column]);
        builder.with_projection(mask).with_batch_size(ROWS).build().map_err(|error| failed(error.to_string()))
    })?;
    Ok(ParquetRows { path: path.into(), batches, ready: VecDeque::new(), row: 0, bytes_on_disk, counter })
}

impl ParquetRows {
    /// Decodes the next rows; `false` at the end of the file.
    fn refill(&mut self) -> Result<bool, DataError> {
        let path = &self.path;
        let batches = &mut self.batches;
        let texts = guarded(path, || match batches.next() {
            None => Ok(None),
            Some(Ok(batch)) => match cast(batch.column(0), &DataType::LargeUtf8) {
                Ok(texts) => Ok(Some(texts)),
                Err(error) => Err(unreadable(path, &error.to_string())),
            },
            Some(Err(error)) => Err(unreadable(path, &error.to_string())),
        })?;
        let Some(texts) = texts else {
            // The reader seeks in the file, so progress is counted by whole files.
            self.counter.fetch_add(std::mem::take(&mut self.bytes_on_disk), Ordering::Relaxed);
            return Ok(false);
        };
        self.push(&texts);
        Ok(true)
    }

    fn push(&mut self, texts: &ArrayRef) {
        for text in texts.as_string::<i64>() {
            self.row += 1;
            if let Some(text) = text {
                let origin = format!("{}:row {}", self.path.display(), self.row);
                self.ready.push_back(Document::new(text, origin));
            }
        }
    }
}

impl Iterator for ParquetRows {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(document) = self.ready.pop_front() {
                return Some(Ok(document));
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Largest decompressed size, in bytes, of a column of a row group, if it is more than [`GROWTH`] times the compressed
/// size.
const LARGEST_COLUMN: i64 = 256 << 20;
/// Compressed text is rarely below a tenth of its size.
const GROWTH: i64 = 100;

/// Refuses files with pages that are compressed in a way that is not read.
pub(super) fn check_codecs(path: &Path, metadata: &ParquetMetaData) -> Result<(), DataError> {
    let columns = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    for column in columns {
        let codec = column.compression();
        if !is_read(codec) {
            let name = codec.to_string();
            let codec = name.split('(').next().unwrap_or(&name);
            let reason = format!(
                "the column `{}` is compressed with {codec}, which is not read; write the file with zstd or snappy",
                column.column_path()
            );
            return Err(unreadable(path, &reason));
        }
    }
    Ok(())
}

fn is_read(codec: Compression) -> bool {
    !matches!(codec, Compression::LZO)
}

/// Refuses decompression bombs: small files that would take much memory.
pub(super) fn check_growth(path: &Path, metadata: &ParquetMetaData) -> Result<(), DataError> {
    for (number, group) in (1..).zip(metadata.row_groups()) {
        for column in group.columns() {
            let (before, after) = (column.compressed_size(), column.uncompressed_size());
            if after > LARGEST_COLUMN && after / GROWTH > before {
                let reason = format!(
                    "row group {number}: the column `{}` grows from {before} to {after} bytes when decompressed; \
                     write the \
                     file in smaller row groups",
                    column.column_path()
                );
                return Err(unreadable(path, &reason));
            }
        }
    }
    Ok(())
}

pub(super) fn unreadable(path: &Path, reason: &str) -> DataError {
    DataError::Parquet { path: path.into(), reason: reason.replace('\n', " ") }
}

/// The decoder panics on some damaged files; a bad file must be an error all the same.
pub(super) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(unreadable(path, "the decoder gave up on damaged contents")))
}
