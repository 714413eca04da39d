//! Refuses content of files that would be lost.

use super::ReadOptions;
use super::tests::{check_error, fixture, folder, read, read_with, texts};

#[test]
fn files_of_an_archive_that_would_be_lost_are_refused() {
    // Both files have names of as many bytes as others that they are given in place of their own.
    let renamed = |old: &[u8], new: &[u8]| {
        let mut bytes = fixture("stories.zip");
        for at in 0..bytes.len() - old.len() {
            if &bytes[at..at + old.len()] == old {
                bytes[at..at + old.len()].copy_from_slice(new);
            }
        }
        bytes
    };
    check_error("a.zip", &renamed(b"b/story.txt", b"picture.png"), &["two files in it have the same name"]);
    check_error("a.zip", &renamed(b"b/story.txt", b"../tory.txt"), &["lies outside of the archive", "../tory.txt"]);
    check_error("a.zip", &renamed(b"picture.png", b"picture.zip"), &["a.zip/picture.zip", "unpack the archive"]);
}

#[test]
fn a_data_set_of_save_to_disk_is_named() {
    let dir = folder(&[("train/state.json", b"{}"), ("train/data-00000-of-00001.arrow", b"ARROW1")]);
    let message = read(dir.path()).unwrap_err().to_string();
    assert!(message.contains("data-00000-of-00001.arrow") && message.contains("to_parquet"), "{message}");
    // Elsewhere it is a file of another kind.
    let dir = folder(&[("a.txt", b"text"), ("b.arrow", b"ARROW1")]);
    assert_eq!(texts(dir.path()), ["text"]);
}

#[test]
fn another_key_that_stands_twice_is_an_error() {
    let dir = folder(&[("a.jsonl", br#"{"content": "a", "content": "b"}"#)]);
    let options = ReadOptions { text_column: "content".into(), ..ReadOptions::default() };
    let message = read_with(dir.path(), &options).unwrap_err().to_string();
    assert!(message.contains("the key `content` twice"), "{message}");
}
