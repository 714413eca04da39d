//! Files made by gguf-py are read as it reads them, what is written is read back, and damaged files are errors.
use std::fs;
use std::path::{Path, PathBuf};

use fireclay_gguf::{Entry, GgufFile, NewTensor, NumberType, write};
use proptest::prelude::*;

const WRITTEN: [NumberType; 5] =
    [NumberType::F32, NumberType::F16, NumberType::Bf16, NumberType::Q8_0, NumberType::Q4_0];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/blocks.gguf")
}

/// A file of these entries and tensors, whose numbers are given.
fn written(metadata: &[(String, Entry)], tensors: &[(NewTensor, Vec<f32>)]) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    let new: Vec<NewTensor> = tensors.iter().map(|tensor| tensor.0.clone()).collect();
    write(&mut bytes, metadata, &new, |index| Ok(tensors[index].1.clone()))?;
    Ok(bytes)
}

fn opened(bytes: &[u8]) -> Result<GgufFile, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.gguf");
    fs::write(&path, bytes).expect("a file");
    GgufFile::open(&path).map_err(|error| error.to_string())
}

#[test]
fn blocks_are_widened_as_by_gguf_py() {
    let file = GgufFile::open(&fixture()).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> =
        file.tensors().map(|(name, _)| name).filter(|name| name.strip_suffix(".f32").is_none()).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    for name in names {
        let tensor = file.tensor(name).expect("there");
        assert_eq!(tensor.kind.name(), name);
        assert_eq!(tensor.shape, [2, 512]);
        let theirs = file.widened(file.tensor(&format!("{name}.f32")).expect("there"));
        let ours = file.widened(tensor);
        let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(ours.len() == theirs.len() && worst <= 1e-6, "{name}: {worst}");
    }
    assert_eq!(file.texts("a.texts").unwrap(), ["one", "zwei", "三"]);
    assert_eq!(file.numbers("a.numbers").unwrap(), [1.5, -2.0]);
    assert_eq!(file.flag("a.flag"), Some(true));
    assert_eq!(file.text("general.architecture"), Some("llama"));
}

#[test]
fn blocks_are_narrowed_as_by_gguf_py() {
    let file = GgufFile::open(&fixture()).unwrap_or_else(|error| panic!("{error}"));
    let numbers = file.widened(file.tensor("F32").expect("there"));
    for kind in WRITTEN {
        let tensor = NewTensor { name: "x".into(), shape: vec![2, 512], kind };
        let ours = opened(&written(&[], &[(tensor, numbers.clone())]).expect("written")).expect("read");
        let theirs = file.tensor(kind.name()).expect("there");
        assert!(ours.bytes(ours.tensor("x").expect("there")) == file.bytes(theirs), "{}", kind.name());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let check = |bytes: &[u8], expect: &str| {
        let message = opened(bytes).expect_err("an error");
        assert!(message.contains(expect) && !message.contains('\n'), "{message}");
    };
    check(b"GGUF", "its header ends at byte 4");
    check(b"GGML\x03\0\0\0", "does not begin with \"GGUF\"");
    check(b"GGUF\0\0\0\x03", "big-endian");
    check(b"GGUF\x09\0\0\0", "version 9 is not supported");
    check(b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS");
    let start =
        |tensors: u64, entries: u64| [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &entries.to_le_bytes()].concat();
    check(&start(0, u64::MAX), "its header ends");
    check(&start(u64::MAX, 0), "its header ends");
    // Lengths that no memory has are no reason to ask for it.
    let name = |length: u64| length.to_le_bytes();
    check(&[&start(0, 1)[..], &name(u64::MAX)].concat(), "a name of 18446744073709551615 bytes");
    let array = [&start(0, 1)[..], &name(1), b"k", &9u32.to_le_bytes(), &4u32.to_le_bytes()].concat();
    check(&[&array[..], &u64::MAX.to_le_bytes()].concat(), "is the largest supported number");
    check(&[&array[..], &(1u64 << 24).to_le_bytes()].concat(), "more bytes should be");
    let tensor = |sizes: &[u64], code: u32| {
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        let axes = (sizes.len() as u32 / 8).to_le_bytes();
        [&start(1, 0)[..], &name(1), b"t", &axes, &sizes, &code.to_le_bytes(), &0u64.to_le_bytes(), &[0; 64]].concat()
    };
    check(&tensor(&[u64::MAX, u64::MAX], 0), "does not fit the file");
    check(&tensor(&[1 << 40], 0), "does not fit the file");
    check(&tensor(&[0], 0), "does not fit the file");
    check(&tensor(&[33], 2), "does not fit the file");
    check(&tensor(&[256], 10), "Q2_K, which is not supported; use a file in F32");
    check(&tensor(&[40], 0), "does not fit the file");
    check(&tensor(&[20], 0), "outside the file");
    let odd = NewTensor { name: "x".into(), shape: vec![2, 40], kind: NumberType::Q8_0 };
    let error = written(&[], &[(odd, vec![0.0; 80])]).expect_err("a refusal").to_string();
    assert!(error.contains("rows that are not whole blocks"), "{error}");
}

fn entries() -> impl Strategy<Value = Vec<(String, Entry)>> {
    let entry = prop_oneof![
        any::<u32>().prop_map(Entry::U32),
        (-1e9f32..1e9).prop_map(Entry::F32),
        any::<bool>().prop_map(Entry::Bool),
        ".{0,9}".prop_map(Entry::Text),
        prop::collection::vec(".{0,5}", 0..4).prop_map(Entry::Texts),
        prop::collection::vec(any::<i32>(), 0..4).prop_map(Entry::I32s),
        prop::collection::vec(-9.0f32..9.0, 0..4).prop_map(Entry::F32s),
        prop::collection::vec(any::<bool>(), 0..4).prop_map(Entry::Bools),
    ];
    prop::collection::btree_map("[a-z.]{1,9}", entry, 0..6).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        metadata in entries(),
        kinds in prop::collection::vec(0usize..5, 0..4),
        numbers in prop::collection::vec(-3.0f32..3.0, 64),
    ) {
        let tensors: Vec<(NewTensor, Vec<f32>)> = kinds
            .iter()
            .enumerate()
            .map(|(at, &kind)| (NewTensor { name: format!("t{at}"), shape: vec![2, 32], kind: WRITTEN[kind] }, numbers.clone()))
            .collect();
        let file = opened(&written(&metadata, &tensors).expect("written")).expect("read");
        for (key, entry) in &metadata {
            let same = match entry {
                Entry::U32(number) => file.unsigned(key) == Some(u64::from(*number)),
                Entry::F32(number) => file.number(key) == Some(f64::from(*number)),
                Entry::Bool(flag) => file.flag(key) == Some(*flag),
                Entry::Text(text) => file.text(key) == Some(text),
                Entry::Texts(texts) => file.texts(key).as_ref() == Some(texts),
                Entry::I32s(numbers) => file.numbers(key) == Some(numbers.iter().map(|&n| f64::from(n)).collect()),
                Entry::F32s(numbers) => file.numbers(key) == Some(numbers.iter().map(|&n| f64::from(n)).collect()),
                Entry::Bools(flags) => file.numbers(key) == Some(flags.iter().map(|&f| f64::from(f)).collect()),
            };
            prop_assert!(same, "{key}: {entry:?}");
        }
        for (tensor, numbers) in &tensors {
            let read = file.widened(file.tensor(&tensor.name).expect("there"));
            let largest = numbers.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
            let rounding = match tensor.kind {
                NumberType::F32 => 0.0,
                NumberType::F16 => largest / 2048.0,
                NumberType::Bf16 => largest / 256.0,
                NumberType::Q8_0 => largest / 127.0,
                // The last of sixteen steps is one short.
                _ => largest / 8.0 * 1.01,
            };
            for (a, b) in read.iter().zip(numbers) {
                prop_assert!((a - b).abs() <= rounding, "{}: {a} for {b}", tensor.kind.name());
            }
        }
    }

    #[test]
    fn damaged_files_are_errors_or_other_files(
        places in prop::collection::vec((0usize..4000, any::<u8>()), 1..8),
        cut in prop::option::of(0usize..30_000),
    ) {
        let mut bytes = fs::read(fixture()).expect("the fixture");
        for (place, byte) in places {
            bytes[place] = byte;
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        if let Ok(file) = opened(&bytes) {
            for (_, tensor) in file.tensors() {
                let numbers = file.widened(tensor);
                prop_assert_eq!(numbers.len(), tensor.shape.iter().product::<usize>());
            }
            let keys: Vec<String> = file.keys().map(str::to_owned).collect();
            for key in keys {
                let _ = (file.texts(&key), file.numbers(&key));
            }
        }
    }
}
