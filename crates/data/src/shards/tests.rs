use std::fs;
use std::path::Path;

use fireclay_tokenizer::Tokenizer;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{DataError, Document, validation};

/// Lower-case letters, digits, punctuation and some Chinese: one token each.
fn characters() -> Tokenizer {
    let alphabet = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 .,:-\r\n第一二三回世界";
    Tokenizer::train_char(std::iter::once(alphabet.to_owned())).unwrap()
}

fn documents<T: AsRef<str>>(texts: &[T]) -> Vec<Result<Document, DataError>> {
    texts.iter().enumerate().map(|(i, text)| Ok(Document::new(text.as_ref(), format!("test:{i}")))).collect()
}

fn options(split: ValidationSplit) -> TokenizeOptions {
    TokenizeOptions { split, ..TokenizeOptions::default() }
}

fn ids(shards: &ShardSet, split: Split) -> Vec<u32> {
    let mut ids = vec![0; shards.tokens(split) as usize];
    shards.read(split, 0, &mut ids).unwrap();
    ids
}

/// The documents of a split: its tokens decoded, cut at the separators if there are any.
fn texts(shards: &ShardSet, split: Split, tokenizer: &Tokenizer) -> Vec<String> {
    let ids = ids(shards, split);
    let parts = ids.split(|&id| Some(id) == tokenizer.end_of_text_id());
    parts.filter(|part| !part.is_empty()).map(|part| tokenizer.decode(part)).collect()
}

fn message<T>(result: Result<T, DataError>) -> String {
    let message = result.err().expect("this must fail").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

fn tokenizer_with_end() -> Tokenizer {
    let config = fireclay_tokenizer::BpeConfig { vocab_size: 300, ..Default::default() };
    let texts = ["a first story.", "a second story, a third story."].map(str::to_owned);
    Tokenizer::train_bpe(texts.into_iter(), &config).unwrap()
}

#[test]
fn documents_are_separated_by_the_end_token_and_not_followed_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = tokenizer_with_end();
    let shards =
        tokenize(documents(&["one", "", "two\n\n", "three"]), &tokenizer, dir.path(), &options(ValidationSplit::None))
            .unwrap();
    let end = tokenizer.end_of_text_id().unwrap();
    let mut expected = tokenizer.encode("one");
    for text in ["two\n\n", "three"] {
        expected.push(end);
        expected.extend(tokenizer.encode(text));
    }
    assert_eq!(ids(&shards, Split::Train), expected);
    assert_eq!((shards.documents(Split::Train), shards.text_bytes(Split::Train)), (3, 13));
    assert_eq!((shards.tokens(Split::Validation), shards.documents(Split::Validation)), (0, 0));
}

/// nanoGPT: `data[:int(n * 0.9)]` trains and the rest validates, by characters.
#[test]
fn the_tail_of_one_document_is_nanogpts_split() {
    let tokenizer = characters();
    let text: String = "第一回 the world.\r\n\n".chars().cycle().take(1237).collect();
    let dir = tempfile::tempdir().unwrap();
    let rule = ValidationSplit::default();
    let shards = tokenize(documents(&[&text]), &tokenizer, dir.path(), &options(rule)).unwrap();
    let train: String = text.chars().take(1113).collect();
    assert_eq!(texts(&shards, Split::Train, &tokenizer), [train.as_str()]);
    assert_eq!(texts(&shards, Split::Validation, &tokenizer), [&text[train.len()..]]);
    assert_eq!([shards.tokens(Split::Train), shards.tokens(Split::Validation)], [1113, 124]);
    assert_eq!(shards.text_bytes(Split::Train), train.len() as u64);
    assert_eq!(shards.text_bytes(Split::Train) + shards.text_bytes(Split::Validation), text.len() as u64);
}

proptest! {
    // Every case writes and syncs files.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Wherever the parts of a file end, and wherever the split falls between them.
    #[test]
    fn the_tail_is_the_same_for_a_file_in_parts(
        text in "[a-z ,\n世界]{20,400}", part_bytes in 16_usize..100, tenths in 0_u32..10,
    ) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.txt"), &text).unwrap();
        let paths = [dir.path().join("a.txt").to_str().unwrap().to_owned()];
        let fraction = f64::from(tenths) / 10.0;
        let mut options = options(ValidationSplit::Tail { fraction });
        options.read.part_bytes = part_bytes;
        let tokenizer = characters();
        let shards = tokenize_paths(&paths, &tokenizer, dir.path().join("shards"), &options).unwrap().shards;
        let count = text.chars().count();
        let cut = (count as f64 * (1.0 - fraction)).floor() as usize;
        let (train, held_out): (String, String) = (text.chars().take(cut).collect(), text.chars().skip(cut).collect());
        prop_assert_eq!(texts(&shards, Split::Train, &tokenizer).concat(), train);
        prop_assert_eq!(texts(&shards, Split::Validation, &tokenizer).concat(), held_out);
        prop_assert_eq!(shards.tokens(Split::Train) + shards.tokens(Split::Validation), count as u64);
    }
}

#[test]
fn a_few_documents_are_each_cut_and_many_are_divided() {
    let tokenizer = tokenizer_with_end();
    let dir = tempfile::tempdir().unwrap();
    let automatic = options(ValidationSplit::Auto { fraction: 0.2, seed: 0 });
    let few = ["0123456789", "abcdefghij"];
    let shards = tokenize(documents(&few), &tokenizer, dir.path(), &automatic).unwrap();
    assert_eq!(texts(&shards, Split::Train, &tokenizer), ["01234567", "abcdefgh"]);
    assert_eq!(texts(&shards, Split::Validation, &tokenizer), ["89", "ij"]);

    let many: Vec<String> = (0..1000).map(|i| format!("document {i}.")).collect();
    let shards = tokenize(documents(&many), &tokenizer, dir.path(), &automatic).unwrap();
    let held_out = texts(&shards, Split::Validation, &tokenizer);
    assert!((150..250).contains(&held_out.len()), "{} of 1000 for 0.2", held_out.len());
    let mut all = texts(&shards, Split::Train, &tokenizer);
    all.extend(held_out);
    all.sort();
    let mut expected = many.clone();
    expected.sort();
    assert_eq!(all, expected);
}

#[test]
fn equal_documents_never_stand_on_both_sides() {
    let tokenizer = tokenizer_with_end();
    let dir = tempfile::tempdir().unwrap();
    let many: Vec<String> = (0..400).map(|i| format!("document {}.", i % 40)).collect();
    let rule = ValidationSplit::ByDocument { fraction: 0.3, seed: 5 };
    let shards = tokenize(documents(&many), &tokenizer, dir.path(), &options(rule)).unwrap();
    let train = texts(&shards, Split::Train, &tokenizer);
    let held_out = texts(&shards, Split::Validation, &tokenizer);
    assert!(!held_out.is_empty() && held_out.iter().all(|text| !train.contains(text)));
}

#[test]
fn the_sides_of_a_split_by_document_are_all_of_it() {
    let many: Vec<String> = (0..400).map(|i| format!("document {i}.")).collect();
    for fraction in [0.0, 0.4, 0.8] {
        let side = |split| -> Vec<String> {
            documents_of_side(documents(&many), split, fraction, 0).map(|document| document.unwrap().text).collect()
        };
        let (train, held_out) = (side(Split::Train), side(Split::Validation));
        assert_eq!(train.len() + held_out.len(), many.len());
        assert!((held_out.len() as f64 / many.len() as f64 - fraction).abs() < 0.06, "{fraction}: {}", held_out.len());
        assert!(held_out.iter().all(|text| !train.contains(text)));
    }
}

#[test]
fn a_validation_split_of_its_own() {
    let tokenizer = tokenizer_with_end();
    let dir = tempfile::tempdir().unwrap();
    let (train, held_out) = (documents(&["one", "two"]), documents(&["three"]));
    let shards = tokenize_splits(train, held_out, &tokenizer, dir.path(), &TokenizeOptions::default()).unwrap();
    assert_eq!(texts(&shards, Split::Train, &tokenizer), ["one", "two"]);
    assert_eq!(texts(&shards, Split::Validation, &tokenizer), ["three"]);
    let batches = validation(&shards, 2, 4).unwrap();
    let bytes = 5.0 * batches.target_tokens() as f64 / shards.tokens(Split::Validation) as f64;
    assert!((batches.text_bytes().unwrap() - bytes).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_ids_survive_the_round_trip(
        pushes in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0_u32..40, 0..50)), 1..12),
        shard_tokens in 10_u64..100,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let tokenizer = characters();
        let mut writer = ShardWriter::create(dir.path(), &tokenizer).unwrap().with_shard_tokens(shard_tokens);
        let mut expected: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
        for (held_out, ids) in &pushes {
            let split = if *held_out { Split::Validation } else { Split::Train };
            writer.push(split, ids, false, ids.len() as u64).unwrap();
            expected[split as usize].extend(ids);
        }
        let shards = writer.finish().unwrap();
        for split in [Split::Train, Split::Validation] {
            let all = &expected[split as usize];
            prop_assert_eq!(&ids(&shards, split), all);
            prop_assert_eq!(shards.text_bytes(split), all.len() as u64);
            for start in 0..all.len() {
                let mut part = vec![0; (all.len() - start).min(7)];
                shards.read(split, start as u64, &mut part).unwrap();
                prop_assert_eq!(&part, &all[start..start + part.len()]);
            }
        }
    }
}

#[test]
fn a_large_vocabulary_is_written_in_four_bytes() {
    assert_eq!(Width::for_vocabulary(65_536), Width::U16);
    assert_eq!(Width::for_vocabulary(65_537), Width::U32);
    let alphabet: String = (0x1_0000..0x2_2000).filter_map(char::from_u32).collect();
    let tokenizer = Tokenizer::train_char(std::iter::once(alphabet)).unwrap();
    assert!(tokenizer.vocab_size() > 65_536);
    let dir = tempfile::tempdir().unwrap();
    let last = tokenizer.vocab_size() as u32 - 1;
    let mut writer = ShardWriter::create(dir.path(), &tokenizer).unwrap();
    writer.push(Split::Train, &[0, 70_000, last], true, 12).unwrap();
    assert_eq!(ids(&writer.finish().unwrap(), Split::Train), [0, 70_000, last]);
    assert_eq!(fs::metadata(dir.path().join("train-00000.bin")).unwrap().len(), 128 + 3 * 4);
}

/// Whole shards in a fresh folder, several to a split.
fn written(tokenizer: &Tokenizer) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let options = TokenizeOptions { shard_tokens: 100, ..TokenizeOptions::default() };
    tokenize(documents(&["the world 世界.".repeat(50)]), tokenizer, dir.path(), &options).unwrap();
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Opens a set and reads all of it, as training would.
fn read_all(dir: &Path, tokenizer: &Tokenizer) -> Result<(), DataError> {
    let shards = ShardSet::open(dir, tokenizer)?;
    [Split::Train, Split::Validation].into_iter().try_for_each(|split| {
        let mut ids = vec![0; shards.tokens(split) as usize];
        shards.read(split, 0, &mut ids)
    })
}

#[test]
fn every_flipped_byte_is_noticed() {
    let tokenizer = characters();
    let dir = written(&tokenizer);
    read_all(dir.path(), &tokenizer).unwrap();
    let path = dir.path().join("train-00001.bin");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let message = message(read_all(dir.path(), &tokenizer));
        assert!(
            message.contains("train-00001.bin: damaged") && message.contains("tokenise the text again"),
            "{message}"
        );
    }
}

/// Three blocks of the training split, the second of which is damaged.
#[test]
fn damage_is_found_when_its_block_is_read_and_not_before() {
    let tokenizer = characters();
    let dir = tempfile::tempdir().unwrap();
    let block = blocks::BLOCK_BYTES as u64 / 2;
    let mut writer = ShardWriter::create(dir.path(), &tokenizer).unwrap();
    let piece: Vec<u32> = (0..block / 2).map(|at| (at * at % 40) as u32).collect();
    for _ in 0..5 {
        writer.push(Split::Train, &piece, false, 1).unwrap();
    }
    writer.push(Split::Validation, &piece[..100], false, 1).unwrap();
    writer.finish().unwrap();
    let path = dir.path().join("train-00000.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[Header::BYTES + blocks::BLOCK_BYTES + 7] ^= 1;
    fs::write(&path, bytes).unwrap();

    let shards = ShardSet::open(dir.path(), &tokenizer).unwrap();
    let read = |start: u64, count: usize| shards.read(Split::Train, start, &mut vec![0; count]);
    read(0, block as usize).unwrap();
    read(2 * block, block as usize / 2).unwrap();
    // Also where the damaged token itself is not asked for, and however often.
    for (start, count) in [(block, 1), (2 * block - 1, 1), (block - 1, 2), (2 * block - 1, 2), (0, piece.len() * 5)] {
        let message = message(read(start, count));
        assert!(message.contains("train-00000.bin: damaged: its tokens do not match"), "{message}");
    }
    let mut source = crate::PackedSource::new(&shards, Split::Train, 1, 1024, 0).unwrap();
    let found = (0..piece.len() * 5 / 1024).find_map(|_| crate::Source::next_batch(&mut source).err());
    assert!(message(Err::<(), _>(found.unwrap())).contains("damaged"));
}

/// A manifest of an earlier version has one checksum for each shard.
#[test]
fn sets_without_checksums_of_blocks_are_verified_whole() {
    let tokenizer = characters();
    let dir = written(&tokenizer);
    let path = dir.path().join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for split in ["train", "validation"] {
        for entry in manifest[split].as_array_mut().unwrap() {
            assert_eq!(entry.as_object_mut().unwrap().remove("blocks").unwrap().as_array().unwrap().len(), 1);
        }
    }
    fs::write(&path, manifest.to_string()).unwrap();
    read_all(dir.path(), &tokenizer).unwrap();
    let shard = dir.path().join("val-00000.bin");
    let mut bytes = fs::read(&shard).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&shard, bytes).unwrap();
    assert!(message(read_all(dir.path(), &tokenizer)).contains("val-00000.bin: damaged"));
    manifest["train"][0]["blocks"] = serde_json::json!(["0", "1"]);
    fs::write(&path, manifest.to_string()).unwrap();
    assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("a checksum for each of its blocks"));
}

#[test]
fn every_truncation_is_noticed() {
    let tokenizer = characters();
    let dir = written(&tokenizer);
    let path = dir.path().join("val-00000.bin");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("val-00000.bin: damaged"));
    }
    fs::write(&path, [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("bytes long where"));
}

#[test]
fn a_set_that_is_not_whole_is_refused() {
    let tokenizer = characters();
    let dir = written(&tokenizer);
    let swapped = dir.path().join("train-00000.bin");
    let first = fs::read(&swapped).unwrap();
    fs::copy(dir.path().join("train-00001.bin"), &swapped).unwrap();
    assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("not the shard that manifest.json lists"));
    fs::write(&swapped, first).unwrap();

    fs::remove_file(dir.path().join("train-00002.bin")).unwrap();
    assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("train-00002.bin is not there"));
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("manifest.json is not there"));
    assert!(message(ShardSet::open(dir.path().join("absent"), &tokenizer)).contains("no such folder"));
}

#[test]
fn a_damaged_manifest_is_refused() {
    let tokenizer = characters();
    let dir = written(&tokenizer);
    let path = dir.path().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("}", ""),
        ("fireclay-shards", "other"),
        ("\"version\": 1", "\"version\": 9"),
        ("train-00000.bin", "../train.bin"),
    ] {
        fs::write(&path, text.replace(from, to)).unwrap();
        assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("manifest.json: damaged"), "{from} → {to}");
    }
}

#[test]
fn another_tokenizer_is_refused() {
    let dir = written(&characters());
    let other = Tokenizer::train_char(std::iter::once("xyz".to_owned())).unwrap();
    let message = message(ShardSet::open(dir.path(), &other));
    assert!(message.contains("written by another tokenizer"), "{message}");
    assert!(ShardSet::open_any(dir.path()).unwrap().tokens(Split::Train) > 0);
}

/// Tokenising is cut off by bad text: the earlier shards are gone, and no incomplete set remains.
#[test]
fn an_error_leaves_no_set_behind() {
    let tokenizer = characters();
    let dir = written(&tokenizer);
    let mut texts = documents(&["fine"]);
    texts.push(Err(DataError::NoPaths));
    assert!(matches!(tokenize(texts, &tokenizer, dir.path(), &TokenizeOptions::default()), Err(DataError::NoPaths)));
    assert!(message(ShardSet::open(dir.path(), &tokenizer)).contains("an incomplete set of shards"));
    assert!(
        message(tokenize(documents(&["naïve"]), &tokenizer, dir.path(), &TokenizeOptions::default()))
            .contains("test:0: cannot be tokenised")
    );
    assert!(
        message(tokenize(documents::<&str>(&[]), &tokenizer, dir.path(), &TokenizeOptions::default()))
            .contains("training split is empty")
    );

    fs::write(dir.path().join("mine.txt"), "kept").unwrap();
    tokenize(documents(&["the world"]), &tokenizer, dir.path(), &options(ValidationSplit::None)).unwrap();
    assert_eq!(names(dir.path()), ["manifest.json", "mine.txt", "train-00000.bin"]);
}

#[test]
fn options_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for fraction in [1.0, -0.1, f64::NAN] {
        let result =
            tokenize(documents(&["x"]), &characters(), dir.path(), &options(ValidationSplit::Tail { fraction }));
        assert!(message(result).contains("the validation fraction is"));
    }
}

#[test]
fn the_same_sources_are_tokenised_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("a.txt");
    fs::write(&text, "the world ".repeat(20)).unwrap();
    let (paths, out) = ([text.to_str().unwrap().to_owned()], dir.path().join("shards"));
    let run = |options: &TokenizeOptions| tokenize_paths(&paths, &characters(), &out, options);
    let options = TokenizeOptions::default();
    let first = run(&options).unwrap();
    assert!(!first.reused);
    let again = run(&options).unwrap();
    assert!(again.reused);
    assert_eq!(ids(&again.shards, Split::Train), ids(&first.shards, Split::Train));

    let other = TokenizeOptions { split: ValidationSplit::None, ..options.clone() };
    assert!(!run(&other).unwrap().reused);
    assert!(!run(&options).unwrap().reused);
    fs::write(&text, "another world ".repeat(20)).unwrap();
    assert!(!run(&options).unwrap().reused);

    run(&options).unwrap();
    let shard = out.join("train-00000.bin");
    fs::remove_file(&shard).unwrap();
    assert!(!run(&options).unwrap().reused);
    let mut bytes = fs::read(&shard).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&shard, bytes).unwrap();
    let damaged = run(&options).unwrap();
    assert!(damaged.reused);
    let count = damaged.shards.tokens(Split::Train);
    assert!(message(damaged.shards.read(Split::Train, 0, &mut vec![0; count as usize])).contains("damaged"));
}

#[test]
fn an_unwritable_folder_is_not_the_users_text() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let error = tokenize(documents(&["x"]), &characters(), dir.path().join("file/shards"), &TokenizeOptions::default())
        .unwrap_err();
    assert!(!error.is_input_error() && error.to_string().contains("cannot be written"), "{error}");
}
