//! Real texts; tests that need them are ignored, and run with `--ignored`.

use std::path::PathBuf;

use fireclay_data::{
    PackedSource, ReadOptions, ShardSet, Source, Split, TokenizeOptions, open_documents, open_documents_with,
    tokenize_paths, validation,
};
use fireclay_tokenizer::Tokenizer;

/// The folder of test data: `data` in that which `FIRECLAY_SHARED` names, or in `shared` beside the project.
fn shared() -> PathBuf {
    let folder = std::env::var_os("FIRECLAY_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from)
        .join("data");
    assert!(folder.is_dir(), "no test data in {}", folder.display());
    folder
}

fn read(shards: &ShardSet, split: Split) -> Vec<u32> {
    let mut ids = vec![0; shards.tokens(split) as usize];
    shards.read(split, 0, &mut ids).unwrap();
    ids
}

/// nanoGPT's `data/shakespeare_char/prepare.py` prints: 1,115,394 characters, 65 unique ones, train has
/// 1,003,854 tokens, val has 111,540 tokens.
#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn shakespeare_by_characters_is_nanogpts_data() {
    let data = shared();
    let path = data.join("text/tinyshakespeare.txt");
    let paths = [path.to_str().unwrap().to_owned()];
    let documents = open_documents(&paths).unwrap().map(|document| document.unwrap().text);
    let tokenizer = Tokenizer::train_char(documents).unwrap();
    let out = tempfile::tempdir().unwrap();
    let options = TokenizeOptions::default();
    let shards = tokenize_paths(&paths, &tokenizer, out.path(), &options).unwrap().shards;
    assert_eq!(tokenizer.vocab_size(), 65);
    assert_eq!((shards.tokens(Split::Train), shards.tokens(Split::Validation)), (1_003_854, 111_540));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(tokenizer.decode(&read(&shards, Split::Train)), text[..1_003_854]);
    assert_eq!(tokenizer.decode(&read(&shards, Split::Validation)), text[1_003_854..]);
    assert_eq!(validation(&shards, 12, 64).unwrap().target_tokens(), 111_539);
    assert_eq!(PackedSource::new(&shards, Split::Train, 12, 64, 0).unwrap().windows_per_epoch(), 15_685);
    assert!(tokenize_paths(&paths, &tokenizer, out.path(), &options).unwrap().reused);
}

/// Cutting a long file into parts does not change its tokens, for any tokenizer, language and line ends.
#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn parts_of_a_file_give_the_ids_of_the_whole() {
    let data = shared();
    // The whole texts take minutes without optimisation.
    let characters = if cfg!(debug_assertions) { 8_000 } else { usize::MAX };
    let folder = tempfile::tempdir().unwrap();
    for tokenizer in ["r50k_base.tiktoken", "cl100k_base.tiktoken", "qwen2.5-tokenizer.json"] {
        let tokenizer = Tokenizer::load(data.join("tokenizers").join(tokenizer)).unwrap();
        for name in ["tinyshakespeare", "alice29", "lcet10", "names", "wikitext2_valid", "xiyouji"] {
            let text = std::fs::read_to_string(data.join(format!("text/{name}.txt"))).unwrap();
            let text: String = text.chars().take(characters).collect();
            let path = folder.path().join(format!("{name}.txt"));
            std::fs::write(&path, &text).unwrap();
            // The longest stretch of these texts without a place to cut at is two kilobytes of unpunctuated Chinese.
            let options = ReadOptions { part_bytes: 4_000, ..ReadOptions::default() };
            let parts = open_documents_with(&[path.to_str().unwrap().to_owned()], &options).unwrap();
            let whole = tokenizer.encode(&text);
            let (mut at, mut count) = (0, 0);
            for part in parts {
                let part = part.unwrap().text;
                let ids = tokenizer.encode(&part);
                let there = whole.get(at..at + ids.len());
                assert!(there == Some(&ids[..]), "{name}, part {count}, has other ids than in the whole: {part:?}");
                at += ids.len();
                count += 1;
            }
            assert!(count > 1 && at == whole.len(), "{name} came in {count} parts");
        }
    }
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn every_text_of_the_folder_makes_batches() {
    let data = shared();
    let paths = [data.join("text").to_str().unwrap().to_owned()];
    let documents = open_documents(&paths).unwrap();
    assert!(documents.skipped() > 0, "the poems are .json, which is passed over");
    let tokenizer = Tokenizer::train_char(documents.map(|document| document.unwrap().text)).unwrap();
    let out = tempfile::tempdir().unwrap();
    let shards = tokenize_paths(&paths, &tokenizer, out.path(), &TokenizeOptions::default()).unwrap().shards;
    assert_eq!(shards.documents(Split::Train), 7);
    assert_eq!(shards.documents(Split::Validation), 7);
    let mut source = PackedSource::new(&shards, Split::Train, 4, 128, 1).unwrap();
    let batch = source.next_batch().unwrap();
    assert_eq!((batch.ids.len(), batch.targets.len()), (512, 512));
    assert!(!tokenizer.decode(&batch.ids).contains('\u{FFFD}'));
}
