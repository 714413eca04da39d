//! Rows of `.parquet` files as JSON objects, for readers of examples.
//!
//! A column is read whatever it holds, since an example may not need it: bytes that are text are text; times are text,
//! in UTC where they have a zone; what has no form in JSON has a stand-in ([`foreign`]).

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use super::foreign::foreign;
use super::parquet::{check_codecs, check_growth, guarded, unreadable};
use crate::DataError;

/// Rows decoded at a time.
const ROWS: usize = 64;

/// The rows of a file in order, with their numbers from 1. Null fields inside a value are left out: a column has them
/// for every row without a value.
pub(crate) fn for_each_row(
    path: &Path,
    each: &mut dyn FnMut(u64, Map<String, Value>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let file = File::open(path).map_err(|error| DataError::read(path, error))?;
    let failed = |reason: String| unreadable(path, &reason);
    let mut batches = guarded(path, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(error.to_string()))?;
        check_codecs(path, builder.metadata())?;
        check_growth(path, builder.metadata())?;
        builder.with_batch_size(ROWS).build().map_err(|error| failed(error.to_string()))
    })?;
    let mut row = 0;
    loop {
        let rows = guarded(path, || match batches.next() {
            None => Ok(None),
            Some(Ok(batch)) => Ok(Some(objects(&batch))),
            Some(Err(error)) => Err(failed(error.to_string())),
        })?;
        let Some(rows) = rows else { return Ok(()) };
        for object in rows {
            row += 1;
            each(row, object)?;
        }
    }
}

fn objects(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    let schema = batch.schema();
    let mut rows = vec![Map::new(); batch.num_rows()];
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        for (row, value) in rows.iter_mut().zip(values(column.as_ref())) {
            row.insert(field.name().clone(), value);
        }
    }
    rows
}

/// Each item of a column as JSON.
fn values(column: &dyn Array) -> Vec<Value> {
    values_as_json(column).unwrap_or_else(|| {
        let what = format!("values of the type {}", column.data_type());
        stand_ins(column, |_| foreign(&what))
    })
}

/// Each item of a column as `stand_in` has it by its index, but for nulls.
fn stand_ins(column: &dyn Array, stand_in: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..column.len()).map(|index| if column.is_valid(index) { stand_in(index) } else { Value::Null }).collect()
}

/// Each item of a column as JSON; `None` if it has no form there.
fn values_as_json(column: &dyn Array) -> Option<Vec<Value>> {
    let with = |kind: &DataType| cast(column, kind).ok();
    Some(match column.data_type() {
        DataType::Null => vec![Value::Null; column.len()],
        DataType::Boolean => column.as_boolean().iter().map(Value::from).collect(),
        kind if kind.is_integer() && *kind != DataType::UInt64 => {
            with(&DataType::Int64)?.as_primitive::<Int64Type>().iter().map(Value::from).collect()
        }
        DataType::UInt64 => column.as_primitive::<UInt64Type>().iter().map(Value::from).collect(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            with(&DataType::Float64)?.as_primitive::<Float64Type>().iter().map(Value::from).collect()
        }
        DataType::List(_) | DataType::FixedSizeList(..) | DataType::ListView(_) => {
            list(with(&DataType::LargeList(inner_field(column.data_type())))?.as_ref())
        }
        DataType::LargeList(_) => list(column),
        DataType::Struct(fields) => {
            let mut rows: Vec<Map<String, Value>> = vec![Map::new(); column.len()];
            for (field, inner) in fields.iter().zip(column.as_struct().columns()) {
                for (row, value) in rows.iter_mut().zip(values(inner.as_ref())) {
                    if !value.is_null() {
                        row.insert(field.name().clone(), value);
                    }
                }
            }
            let rows = rows.into_iter().enumerate();
            rows.map(|(index, row)| if column.is_valid(index) { Value::Object(row) } else { Value::Null }).collect()
        }
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => {
            let bytes = with(&DataType::LargeBinary)?;
            let bytes = bytes.as_binary::<i64>();
            stand_ins(column, |index| {
                let text = std::str::from_utf8(bytes.value(index));
                text.map_or_else(|_| foreign("bytes that are not text"), Value::from)
            })
        }
        DataType::Timestamp(unit, Some(_)) => {
            // Names of zones are not known here; the numbers are in UTC.
            let kind = DataType::Timestamp(*unit, Some("+00:00".into()));
            let in_utc = column.to_data().into_builder().data_type(kind).build().ok()?;
            texts(&make_array(in_utc))?
        }
        // Text, and types that can be written as text: dates, decimals.
        _ => texts(column)?,
    })
}

/// Each item of a column as text; `None` if it has no form in text.
fn texts(column: &dyn Array) -> Option<Vec<Value>> {
    let texts = cast(column, &DataType::LargeUtf8).ok()?;
    Some(texts.as_string::<i64>().iter().map(|text| text.map_or(Value::Null, Value::from)).collect())
}

/// The field of a list's items.
fn inner_field(kind: &DataType) -> std::sync::Arc<arrow::datatypes::Field> {
    match kind {
        DataType::List(field) | DataType::FixedSizeList(field, _) | DataType::ListView(field) => field.clone(),
        other => unreachable!("{other} is no list"),
    }
}

fn list(column: &dyn Array) -> Vec<Value> {
    let list = column.as_list::<i64>();
    let mut items = values(list.values().as_ref()).into_iter();
    let offsets = list.value_offsets();
    // The items before the first list of a slice belong to none of it.
    items.by_ref().take(offsets.first().map_or(0, |&first| first as usize)).for_each(drop);
    let lists = offsets.windows(2).enumerate().map(|(index, bounds)| {
        let own: Vec<Value> = items.by_ref().take((bounds[1] - bounds[0]) as usize).collect();
        if list.is_valid(index) { Value::Array(own) } else { Value::Null }
    });
    lists.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, ListArray, StringArray, StructArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::{Field, Fields};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
    use parquet::file::properties::WriterProperties;
    use serde_json::json;

    use super::*;

    /// Two rows: a list of messages, of which one has no name; and numbers.
    fn batch() -> RecordBatch {
        let fields: Fields =
            vec![Field::new("role", DataType::Utf8, true), Field::new("name", DataType::Utf8, true)].into();
        let roles: ArrayRef = Arc::new(StringArray::from(vec!["user", "assistant", "user"]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![None, Some("ann"), None]));
        let messages = StructArray::new(fields.clone(), vec![roles, names], None);
        let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
        let offsets = OffsetBuffer::new(vec![0, 2, 3, 3].into());
        let nulls = NullBuffer::from(vec![true, true, false]);
        let list = ListArray::new(item, offsets, Arc::new(messages), Some(nulls));
        let columns: [(&str, ArrayRef); 3] = [
            ("messages", Arc::new(list)),
            ("rank", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))),
            ("score", Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// Writes rows of columns into a file, and gives its path.
    fn written(folder: &std::path::Path, columns: Vec<(&str, ArrayRef)>) -> [String; 1] {
        let path = folder.join("a.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        [path.to_string_lossy().into_owned()]
    }

    fn texts(texts: [&str; 2]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn every_kind_of_example_is_read_from_rows() {
        let folder = tempfile::tempdir().unwrap();
        let fields: Fields = ["role", "content"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec().into();
        let words = StringArray::from(vec!["Hi", "Hello", "Bye", "See you"]);
        let roles = StringArray::from(vec!["user", "assistant", "user", "assistant"]);
        let messages = StructArray::new(fields.clone(), vec![Arc::new(roles), Arc::new(words)], None);
        let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
        let list = ListArray::new(item, OffsetBuffer::new(vec![0, 2, 4].into()), Arc::new(messages), None);

        let columns: Vec<(&str, ArrayRef)> = vec![("messages", Arc::new(list)), ("system", texts(["S", "T"]))];
        let read = crate::examples::read_conversations(&written(folder.path(), columns)).unwrap().examples;
        let said = |at: usize| read[at].messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>();
        assert_eq!([said(0), said(1)], [["S", "Hi", "Hello"], ["T", "Bye", "See you"]]);

        let asked = || ("prompt", texts(["Hi", "Bye"]));
        let columns = vec![asked(), ("chosen", texts(["a", "b"])), ("rejected", texts(["c", "d"]))];
        let read = crate::examples::read_preferences(&written(folder.path(), columns)).unwrap().examples;
        assert_eq!((read.len(), read[1].chosen.as_str(), read[1].rejected.as_str()), (2, "b", "d"));

        let labels: ArrayRef = Arc::new(arrow::array::BooleanArray::from(vec![true, false]));
        let columns = vec![asked(), ("completion", texts(["a", "b"])), ("label", labels)];
        let read = crate::examples::read_ratings(&written(folder.path(), columns)).unwrap().examples;
        assert_eq!((read[0].good, read[1].good, read[1].completion.as_str()), (true, false, "b"));

        let columns = vec![asked(), ("answer", texts(["a", "b"]))];
        let read = crate::examples::read_tasks(&written(folder.path(), columns)).unwrap().examples;
        assert_eq!((read.len(), read[1].messages[0].content.as_str()), (2, "Bye"));
    }

    #[test]
    fn pages_are_read_in_every_compression_but_lzo() {
        let folder = tempfile::tempdir().unwrap();
        let write = |compression: Compression| {
            let path = folder.path().join("a.parquet");
            let properties = WriterProperties::builder().set_compression(compression).build();
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch().schema(), Some(properties))?;
            writer.write(&batch())?;
            writer.close()?;
            Ok::<_, parquet::errors::ParquetError>(path)
        };
        let codecs = [Compression::SNAPPY, Compression::LZ4, Compression::LZ4_RAW];
        let levels = [
            Compression::ZSTD(ZstdLevel::default()),
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
        ];
        for codec in [&codecs[..], &levels].concat() {
            let mut rows = 0;
            for_each_row(&write(codec).unwrap(), &mut |_, _| {
                rows += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(rows, 3, "{codec}");
        }
        // None can be written here: a file says so of itself.
        let path = write(Compression::UNCOMPRESSED).unwrap();
        let metadata = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().metadata().clone();
        let group = metadata.row_group(0);
        let column = group.column(0).clone().into_builder().set_compression(Compression::LZO);
        let mut columns = group.columns().to_vec();
        columns[0] = column.build().unwrap();
        let group = group.clone().into_builder().set_column_metadata(columns).build().unwrap();
        let metadata = metadata.as_ref().clone().into_builder().set_row_groups(vec![group]).build();
        let error = check_codecs(&path, &metadata).unwrap_err().to_string();
        assert!(error.contains("a.parquet") && error.contains("compressed with LZO, which"), "{error}");
        assert!(error.ends_with("write the file with zstd or snappy"), "{error}");
    }

    #[test]
    fn rows_are_objects_without_the_nulls_inside_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let batch = batch();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut rows = vec![];
        for_each_row(&path, &mut |number, object| {
            rows.push((number, Value::Object(object)));
            Ok(())
        })
        .unwrap();
        let expected = [
            (1, json!({"messages": [{"role": "user"}, {"role": "assistant", "name": "ann"}], "rank": 1, "score": 0.5})),
            (2, json!({"messages": [{"role": "user"}], "rank": null, "score": 1.5})),
            (3, json!({"messages": null, "rank": 3, "score": 2.5})),
        ];
        assert_eq!(rows, expected);
    }

    /// Times in UTC, of which the second is null.
    fn times() -> ArrayRef {
        let times = arrow::array::TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None]);
        Arc::new(times.with_timezone("UTC"))
    }

    #[test]
    fn a_column_that_no_example_needs_is_read_past_whatever_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let strange: Vec<(&str, ArrayRef)> = vec![
            ("time", times()),
            ("zone", Arc::new(arrow::array::TimestampSecondArray::from(vec![0, 1]).with_timezone("Europe/Berlin"))),
            ("bytes", Arc::new(arrow::array::BinaryArray::from(vec![Some(&b"\xff"[..]), None]))),
            ("span", Arc::new(arrow::array::DurationSecondArray::from(vec![1, 2]))),
            ("map", {
                let mut map = arrow::array::MapBuilder::new(
                    None,
                    arrow::array::StringBuilder::new(),
                    arrow::array::Int32Builder::new(),
                );
                map.append(true).unwrap();
                map.append(false).unwrap();
                Arc::new(map.finish())
            }),
        ];
        for (name, column) in strange {
            let columns = vec![("prompt", texts(["Hi", "Bye"])), ("completion", texts(["a", "b"])), (name, column)];
            let read = crate::examples::read_conversations(&written(folder.path(), columns)).unwrap();
            assert_eq!(read.examples.len(), 2, "{name}");
            let ignored: Vec<_> = read.ignored.iter().map(|(what, _)| what.to_owned()).collect();
            assert_eq!(ignored, [format!("the key `{name}` is ignored")]);
        }
        let mut rows = vec![];
        let path = written(folder.path(), vec![("time", times())]);
        for_each_row(Path::new(&path[0]), &mut |_, object| {
            rows.push(Value::Object(object));
            Ok(())
        })
        .unwrap();
        assert_eq!(rows, [json!({"time": "2023-11-14T22:13:20Z"}), json!({"time": null})]);
    }

    #[test]
    fn bytes_in_the_place_of_text_are_text_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = |second: &'static [u8]| -> ArrayRef {
            Arc::new(arrow::array::BinaryArray::from(vec![Some(&b"Hi"[..]), Some(second)]))
        };
        let columns = |prompt: ArrayRef| vec![("prompt", prompt), ("completion", texts(["a", "b"]))];
        let read = crate::examples::read_conversations(&written(folder.path(), columns(bytes(b"Bye")))).unwrap();
        assert_eq!(read.examples[1].messages[0].content, "Bye");
        let error = crate::examples::read_conversations(&written(folder.path(), columns(bytes(b"\xff")))).unwrap_err();
        let expected = "a.parquet:2: expected text under `prompt`, found bytes that are not text";
        assert!(error.to_string().ends_with(expected), "{error}");
        // An image is skipped, whatever its bytes are; a row without one is learned.
        let fields: Fields = vec![Field::new("bytes", DataType::Binary, true)].into();
        let image = arrow::array::BinaryArray::from(vec![None, Some(&b"\xff\xd8"[..])]);
        let images: ArrayRef = Arc::new(StructArray::new(fields, vec![Arc::new(image)], None));
        let with_image = [columns(texts(["Hi", "Bye"])), vec![("image", images)]].concat();
        let read = crate::examples::read_conversations(&written(folder.path(), with_image)).unwrap();
        assert_eq!((read.examples.len(), read.skips.total()), (1, 1));
    }
}
