//! Rows of `.parquet` files as JSON objects, for readers of examples.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

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
            Some(Ok(batch)) => objects(&batch).map(Some).map_err(failed),
            Some(Err(error)) => Err(failed(error.to_string())),
        })?;
        let Some(rows) = rows else { return Ok(()) };
        for object in rows {
            row += 1;
            each(row, object)?;
        }
    }
}

fn objects(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, String> {
    let schema = batch.schema();
    let mut rows = vec![Map::new(); batch.num_rows()];
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let values = values(column.as_ref()).map_err(|reason| format!("the column `{}`: {reason}", field.name()))?;
        for (row, value) in rows.iter_mut().zip(values) {
            row.insert(field.name().clone(), value);
        }
    }
    Ok(rows)
}

/// Each item of a column as JSON.
fn values(column: &dyn Array) -> Result<Vec<Value>, String> {
    let with = |kind: &DataType| cast(column, kind).map_err(|error| error.to_string());
    let given = |index: usize| column.is_valid(index);
    Ok(match column.data_type() {
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
            list(with(&DataType::LargeList(inner_field(column.data_type())))?.as_ref())?
        }
        DataType::LargeList(_) => list(column)?,
        DataType::Struct(fields) => {
            let mut rows: Vec<Map<String, Value>> = vec![Map::new(); column.len()];
            for (field, inner) in fields.iter().zip(column.as_struct().columns()) {
                for (row, value) in rows.iter_mut().zip(values(inner.as_ref())?) {
                    if !value.is_null() {
                        row.insert(field.name().clone(), value);
                    }
                }
            }
            let rows = rows.into_iter().enumerate();
            rows.map(|(index, row)| if given(index) { Value::Object(row) } else { Value::Null }).collect()
        }
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => {
            return Err("it holds bytes, not text".into());
        }
        // Text, and types that can be written as text: dates, decimals.
        _ => {
            let texts = with(&DataType::LargeUtf8)?;
            texts.as_string::<i64>().iter().map(|text| text.map_or(Value::Null, Value::from)).collect()
        }
    })
}

/// The field of a list's items.
fn inner_field(kind: &DataType) -> std::sync::Arc<arrow::datatypes::Field> {
    match kind {
        DataType::List(field) | DataType::FixedSizeList(field, _) | DataType::ListView(field) => field.clone(),
        other => unreachable!("{other} is no list"),
    }
}

fn list(column: &dyn Array) -> Result<Vec<Value>, String> {
    let list = column.as_list::<i64>();
    let mut items = values(list.values().as_ref())?.into_iter();
    let offsets = list.value_offsets();
    // The items before the first list of a slice belong to none of it.
    items.by_ref().take(offsets.first().map_or(0, |&first| first as usize)).for_each(drop);
    let lists = offsets.windows(2).enumerate().map(|(index, bounds)| {
        let own: Vec<Value> = items.by_ref().take((bounds[1] - bounds[0]) as usize).collect();
        if list.is_valid(index) { Value::Array(own) } else { Value::Null }
    });
    Ok(lists.collect())
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
}
