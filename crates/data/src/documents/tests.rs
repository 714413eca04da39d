use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn paths(path: impl AsRef<Path>) -> Vec<String> {
    vec![path.as_ref().to_str().unwrap().to_owned()]
}

pub(super) fn read_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Vec<Document>, DataError> {
    open_documents_with(&paths(path), options)?.collect()
}

pub(super) fn read(path: impl AsRef<Path>) -> Result<Vec<Document>, DataError> {
    read_with(path, &ReadOptions::default())
}

pub(super) fn texts(path: impl AsRef<Path>) -> Vec<String> {
    read(path).unwrap().into_iter().map(|document| document.text).collect()
}

/// One file with `bytes` fails with one line that holds all of `expected`.
pub(super) fn check_error(name: &str, bytes: &[u8], expected: &[&str]) {
    let dir = folder(&[(name, bytes)]);
    let message = read(dir.path().join(name)).unwrap_err().to_string();
    assert!(message.contains(name) && !message.contains('\n'), "{message}");
    for part in expected {
        assert!(message.contains(part), "{message}: expected {part:?}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

#[test]
fn a_text_file_is_one_document_exactly_as_written() {
    let text = "第一回\r\n\r\n  verse \n\n\nend\t";
    let dir = folder(&[("a.txt", text.as_bytes())]);
    let documents = read(dir.path().join("a.txt")).unwrap();
    let [document] = documents.as_slice() else { panic!("{documents:?}") };
    assert_eq!((document.text.as_str(), document.part), (text, None));
    assert!(document.origin.ends_with("a.txt:1"), "{}", document.origin);
}

#[test]
fn a_byte_order_mark_is_not_text() {
    let dir = folder(&[("a.txt", b"\xEF\xBB\xBFhi"), ("b.jsonl", b"\xEF\xBB\xBF{\"text\":\"hi\"}")]);
    assert_eq!(texts(dir.path()), ["hi", "hi"]);
}

#[test]
fn a_long_text_streams_in_parts_that_know_their_place() {
    let text = "One line.\n第二行。\r\n".repeat(500);
    let dir = folder(&[("a.txt", text.as_bytes()), ("b.txt.gz", &gzip(text.as_bytes()))]);
    let options = ReadOptions { part_bytes: 1000, ..ReadOptions::default() };
    for name in ["a.txt", "b.txt.gz"] {
        let parts = read_with(dir.path().join(name), &options).unwrap();
        assert!(parts.len() > 10 && parts.iter().all(|part| part.text.len() <= 1001));
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), text);
        let mut start = 0;
        for part in &parts {
            assert_eq!(part.part, Some(DocumentPart { start, total: text.chars().count() as u64 }));
            assert_eq!(part.begins(), start == 0);
            start += part.text.chars().count() as u64;
        }
        let line = 1 + parts[0].text.matches('\n').count();
        assert!(parts[1].origin.ends_with(&format!("{name}:{line}")), "{}", parts[1].origin);
    }
}

proptest! {
    #[test]
    fn parts_of_any_text_join_to_the_text(text in "[a-z .,'\r\n世界é]{1,400}", part_bytes in 16_usize..80) {
        let dir = folder(&[("a.txt", text.as_bytes())]);
        let options = ReadOptions { part_bytes, ..ReadOptions::default() };
        let parts = read_with(dir.path(), &options).unwrap();
        prop_assert_eq!(parts.into_iter().map(|part| part.text).collect::<String>(), text);
    }

    #[test]
    fn any_bytes_under_any_name_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 1..300),
        name in prop::sample::select(vec!["a.txt", "a.jsonl", "a.txt.gz", "a.jsonl.zst"]),
        packed: bool,
    ) {
        let packed_bytes = if name.ends_with("gz") { gzip(&bytes) } else { zstd(&bytes) };
        let dir = folder(&[(name, if packed { &packed_bytes } else { &bytes })]);
        let options = ReadOptions { part_bytes: 16, ..ReadOptions::default() };
        if let Err(error) = read_with(dir.path(), &options) {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
        }
    }
}

#[test]
fn a_separator_makes_documents_of_a_text() {
    let options = ReadOptions { separator: Some("<|endoftext|>".into()), ..ReadOptions::default() };
    let long = "long ".repeat(40_000);
    let text = format!("one\ntwo\n<|endoftext|>\nthree\r\n<|endoftext|>\r\n{long}<|endoftext|>\n<|endoftext|>last");
    let dir = folder(&[("a.txt", text.as_bytes())]);
    let documents = read_with(dir.path(), &options).unwrap();
    let texts: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
    assert_eq!(texts, ["one\ntwo", "three", long.as_str(), "last"]);
    assert!(documents[1].origin.ends_with("a.txt:3"), "{}", documents[1].origin);

    let small = ReadOptions { max_document_bytes: 1000, ..options };
    let message = read_with(dir.path(), &small).unwrap_err().to_string();
    assert!(message.contains("a.txt:5: one document is longer than 1000 bytes"), "{message}");
}

#[test]
fn lines_of_json_give_their_text() {
    let lines = "{\"text\": \"a\\n\\u4e16\", \"id\": 1}\n\n{\"meta\": {\"text\": 0}, \"text\": \"b\"}";
    let dir = folder(&[("a.jsonl", lines.as_bytes()), ("b.jsonl.zst", &zstd(lines.as_bytes()))]);
    assert_eq!(texts(dir.path()), ["a\n世", "b", "a\n世", "b"]);
    let documents = read(dir.path().join("a.jsonl")).unwrap();
    assert!(documents[1].origin.ends_with("a.jsonl:3"), "{}", documents[1].origin);
}

#[test]
fn another_key_may_hold_the_text() {
    let dir = folder(&[("a.jsonl", "{\"content\": \"one\", \"text\": 1}\n{\"content\": \"two\"}\n".as_bytes())]);
    let options = |key: &str| ReadOptions { text_column: key.into(), ..ReadOptions::default() };
    let read = read_with(dir.path().join("a.jsonl"), &options("content")).unwrap();
    assert_eq!(read.iter().map(|document| document.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let message = read_with(dir.path().join("a.jsonl"), &options("body")).unwrap_err().to_string();
    assert!(message.contains("a.jsonl:1: expected the key `body` with a string, found `content`"), "{message}");
}

#[test]
fn a_folder_is_read_in_order_and_strangers_are_counted() {
    let dir = folder(&[
        ("b/2.txt", b"four"),
        ("b/1.jsonl", b"{\"text\":\"three\"}"),
        ("a.txt", b"one"),
        ("a/x.txt.gz", &gzip(b"two")),
        (".hidden.txt", b"no"),
        (".git/x.txt", b"no"),
        ("picture.png", b"no"),
        ("empty.txt", b""),
    ]);
    let documents = open_documents(&paths(dir.path())).unwrap();
    assert_eq!(documents.skipped(), 2);
    let texts: Vec<_> = documents.map(|document| document.unwrap().text).collect();
    assert_eq!(texts, ["two", "one", "three", "four"]);
}

#[test]
fn progress_counts_the_bytes_on_disk() {
    let dir = folder(&[("a.txt", &b"word ".repeat(50_000)), ("b.txt.gz", &gzip(&b"word ".repeat(9)))]);
    let mut documents = open_documents(&paths(dir.path())).unwrap();
    assert!(documents.by_ref().all(|document| document.is_ok()));
    assert_eq!(documents.bytes_read().load(Ordering::Relaxed), documents.total_bytes());
}

#[test]
fn what_is_wrong_with_paths() {
    let dir = folder(&[("a.txt", b"x"), ("notes.md", b"x"), ("empty.txt", b""), ("only/notes.md", b"x")]);
    for (name, expected) in [
        ("absent.txt", "no such file or folder"),
        ("notes.md", "unknown extension: supported are .txt"),
        ("empty.txt", "holds no text"),
        ("only", "no text here among 1 other files"),
    ] {
        let path = dir.path().join(name);
        let message = read(&path).unwrap_err().to_string();
        assert!(message.starts_with(path.to_str().unwrap()) && message.contains(expected), "{message}");
    }
    assert!(open_documents(&[]).unwrap_err().to_string().contains("no data named"));
}

#[test]
fn what_is_wrong_with_text() {
    check_error("a.txt", b"fine\nbin\0ary", &["a.txt:2: a NUL byte at byte 8", "binary"]);
    check_error("a.txt", b"fine\n\xB5\xDA\xD2\xBB", &["a.txt:2: not UTF-8 at byte 5", "iconv"]);
    check_error("a.txt", b"\xFF\xFEh\0i\0", &["UTF-16"]);
    check_error("a.txt", "caf\u{e9}".as_bytes().split_last().unwrap().1, &["not UTF-8 at byte 3"]);
    check_error("a.txt.gz", &gzip(b""), &["holds no text"]);
    check_error("a.jsonl", b"\n \n", &["holds no text"]);
}

/// Far into a long file, and found before the first part is passed on.
#[test]
fn what_is_wrong_late_in_a_text_is_found_first() {
    let mut bytes = b"a line of text\n".repeat(100_000);
    bytes.extend(b"and\0");
    check_error("a.txt", &bytes, &["a.txt:100001: a NUL byte at byte 1500003"]);
    check_error("a.txt.zst", &zstd(&bytes), &["a.txt.zst:100001: a NUL byte at byte 1500003"]);
}

#[test]
fn what_is_wrong_with_compressed_files() {
    let text: Vec<u8> =
        (0..40_000_u32).flat_map(|i| format!("{} ", i.wrapping_mul(0x9E37_79B1)).into_bytes()).collect();
    for (name, bytes) in [("a.txt.gz", gzip(&text)), ("a.txt.zst", zstd(&text))] {
        check_error(name, &bytes[..bytes.len() / 2], &["damaged or cut off after", "bytes of text"]);
        check_error(name, &bytes[..5], &["damaged or cut off after 0 bytes"]);
        check_error(name, b"not compressed at all", &["damaged or cut off after 0 bytes"]);
    }
}

#[test]
fn what_is_wrong_with_json_lines() {
    let good = "{\"text\":\"x\"}\n";
    let check = |line: &str, expected: &str| {
        check_error("a.jsonl", format!("{good}{line}").as_bytes(), &[&format!("a.jsonl:2: {expected}")]);
    };
    check("{\"text\":\"cut o", "not a JSON object: the line ends early, at column 14");
    check("{\"text\" \"x\"}", "not a JSON object: expected `:` at column 9");
    check("[1]", "not a JSON object: found an array");
    check("{\"text\":3}", "expected the key `text` with a string, found a number under it");
    check("{\"body\":\"x\",\"id\":1}", "expected the key `text` with a string, found `body`, `id`");
    check("{\"messages\":[]}", "expected the key `text` with a string, found `messages`: these are conversations");
    check(
        "{\"chosen\":\"\",\"rejected\":\"\"}",
        "expected the key `text` with a string, found `chosen`, `rejected`: these are preference pairs",
    );
    check("{}", "expected the key `text` with a string, found no keys");
    check_error("a.jsonl", b"{\"text\":\"\xFF\"}", &["a.jsonl:1: not UTF-8 at byte 9"]);
}

#[test]
fn a_stream_ends_after_an_error() {
    let dir = folder(&[("a.jsonl", b"{}\n{\"text\":\"x\"}"), ("b.txt", b"x")]);
    let mut documents = open_documents(&paths(dir.path())).unwrap();
    assert!(documents.next().unwrap().is_err());
    assert!(documents.next().is_none());
}

#[cfg(feature = "parquet")]
mod parquet_files {
    use ::parquet::arrow::ArrowWriter;
    use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn write(path: PathBuf, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
                .unwrap();
        let file = fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    #[test]
    fn rows_give_their_text() {
        let dir = folder(&[]);
        let rows = [Some("one"), None, Some("第三")];
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let plain: ArrayRef = Arc::new(StringArray::from(rows.to_vec()));
        let view: ArrayRef = Arc::new(StringViewArray::from(rows.to_vec()));
        let dictionary: ArrayRef = Arc::new(rows.into_iter().collect::<DictionaryArray<Int32Type>>());
        for text in [plain, view, dictionary] {
            let path = write(dir.path().join("a.parquet"), vec![("id", Arc::clone(&ids)), ("text", text)]);
            let documents = read(&path).unwrap();
            let texts: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
            assert_eq!(texts, ["one", "第三"]);
            assert!(documents[1].origin.ends_with("a.parquet:row 3"), "{}", documents[1].origin);
        }
    }

    #[test]
    fn another_column_may_hold_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let text: ArrayRef = Arc::new(StringArray::from(vec!["one", "two"]));
        let path = write(dir.path().join("a.parquet"), vec![("body", text)]);
        let options = ReadOptions { text_column: "body".into(), ..ReadOptions::default() };
        assert_eq!(read_with(&path, &options).unwrap().len(), 2);
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("expected the column `text`, found `body`; name another one"), "{message}");
    }

    #[test]
    fn what_is_wrong_with_parquet_files() {
        let dir = folder(&[("cut.parquet", b"PAR1 and nothing more")]);
        let check = |path: PathBuf, expected: &str| {
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains("not a readable parquet file") && message.contains(expected), "{message}");
            assert!(!message.contains('\n'), "{message}");
        };
        check(dir.path().join("cut.parquet"), "");
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let other = write(dir.path().join("other.parquet"), vec![("id", Arc::clone(&ids))]);
        check(other, "expected the column `text`, found `id`");
        let number = write(dir.path().join("number.parquet"), vec![("text", ids)]);
        check(number, "holds Int64, not strings");
    }

    #[test]
    fn damage_anywhere_never_panics() {
        let dir = folder(&[]);
        let text: ArrayRef = Arc::new(StringArray::from_iter_values((0..300).map(|i| format!("row {i}"))));
        let whole = fs::read(write(dir.path().join("a.parquet"), vec![("text", text)])).unwrap();
        let path = dir.path().join("bad.parquet");
        for at in (0..whole.len()).step_by(29) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            fs::write(&path, &bytes).unwrap();
            let _ = read(&path);
            if at > 0 {
                fs::write(&path, &whole[..at]).unwrap();
                read(&path).unwrap_err();
            }
        }
    }
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

#[test]
fn packed_texts_and_archives_are_read() {
    let story = "The kiln is hot.\n".repeat(40) + "热\n";
    let dir = folder(&[("a.txt.br", &fixture("story.txt.br")), ("b.txt.lz4", &fixture("story.txt.lz4"))]);
    assert_eq!(texts(dir.path()), [story.clone(), story.clone()]);
    // An lz4 file may have several frames, as `cat a.lz4 b.lz4` makes one.
    let two = [fixture("story.txt.lz4"), fixture("story.txt.lz4")].concat();
    assert_eq!(texts(folder(&[("a.txt.lz4", &two)]).path()), [story.repeat(2)]);
    check_error("a.txt.lz4", &[two, b"something else".to_vec()].concat(), &["a.txt.lz4"]);
    let dir = folder(&[("in/stories.zip", &fixture("stories.zip")), ("in/x.txt", b"beside")]);
    // An archive is a folder: its files by name, hidden ones left out.
    let expected = ["first", "second", &story, "beside"];
    assert_eq!(texts(dir.path()), expected);
    assert_eq!(texts(dir.path().join("in/stories.zip")), expected[..3]);
    let documents = read(dir.path().join("in/stories.zip")).unwrap();
    assert!(documents[1].origin.ends_with("stories.zip/a.jsonl:2"), "{}", documents[1].origin);
}

#[test]
fn what_is_packed_and_damaged_is_named() {
    check_error(
        "a.jsonl",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        &["Git LFS", "pull"],
    );
    for (name, file) in [("a.txt.br", "story.txt.br"), ("a.txt.lz4", "story.txt.lz4")] {
        let whole = fixture(file);
        check_error(name, &whole[..whole.len() - 20], &["a.txt"]);
        check_error(name, b"no such thing, and long enough to be one", &["a.txt"]);
    }
    let whole = fixture("stories.zip");
    check_error("a.zip", &whole[..whole.len() - 9], &["not a complete zip archive"]);
    check_error("a.zip", b"PK\x03\x04", &["not a complete zip archive"]);
    let mut damaged = whole.clone();
    // The first bytes of the deflated text, after its header of 30 bytes and its name.
    damaged[41..45].fill(0xff);
    check_error("a.zip", &damaged, &["a.zip/b/story.txt"]);
}

#[test]
fn a_folder_of_examples_with_several_splits_is_refused_and_its_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let line = "{\"prompt\": \"Hi\", \"completion\": \"Hello\"}\n";
    let files = ["train.jsonl", "test.jsonl"].map(|name| data.join(name).to_string_lossy().into_owned());
    for file in &files {
        std::fs::write(file, line).unwrap();
    }
    let path = [folder.path().to_string_lossy().into_owned()];
    let error = crate::examples::read_conversations(&path).unwrap_err().to_string();
    let expected = "a folder with several splits of a data set: test (data/test.jsonl), train (data/train.jsonl)";
    assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    assert_eq!(crate::examples::read_conversations(&files).unwrap().examples.len(), 2);
    std::fs::remove_file(&files[1]).unwrap();
    assert_eq!(crate::examples::read_conversations(&path).unwrap().examples.len(), 1);
}
