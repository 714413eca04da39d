//! A thousand damaged files: each is an error of one line or another model, and none a panic.
use std::fs;
use std::path::Path;

use fireclay_model::gguf::{GgufOptions, NumberType, save_gguf};
use fireclay_model::huggingface::{TokenIds, load_config, load_token_ids};
use fireclay_model::load;

use crate::device;
use crate::parity::{FAMILIES, fixture};

/// Numbers that are the same each time (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Some changed bytes among the first ones, or a file cut short.
    fn damage(&mut self, bytes: &mut Vec<u8>, first: usize) {
        let first = bytes.len().min(first);
        for _ in 0..=self.below(4) {
            let at = self.below(first);
            bytes[at] = [0, 1, 0x7f, 0xff, b'9', b'-', b'"', b'e'][self.below(8)];
        }
        if self.below(5) == 0 {
            let length = self.below(bytes.len());
            bytes.truncate(length);
        }
    }
}

fn check(what: &str, path: &Path) {
    let loaded = std::panic::catch_unwind(|| {
        let _ = (load_config(path), load_token_ids(path));
        load(path, &device()).map(drop)
    });
    assert!(loaded.is_ok(), "{what}: a panic");
    if let Ok(Err(error)) = loaded {
        assert!(!error.to_string().contains('\n'), "{what}: {error}");
    }
}

#[test]
fn three_hundred_configurations_and_as_many_files_of_weights() {
    for (file, first) in [("config.json", usize::MAX), ("model.safetensors", 2500)] {
        for index in 0..300 {
            let mut dice = Dice(0x9e37_79b9 + index as u64 * 7919);
            let folder = tempfile::tempdir().expect("a folder");
            let source = fixture(FAMILIES[index % FAMILIES.len()]);
            for name in ["config.json", "model.safetensors"] {
                fs::copy(source.join(name), folder.path().join(name)).expect("a copy");
            }
            let path = folder.path().join(file);
            let mut bytes = fs::read(&path).expect("the copy");
            dice.damage(&mut bytes, first);
            fs::write(&path, bytes).expect("written");
            check(&format!("{file} {index}"), folder.path());
        }
    }
}

#[test]
fn four_hundred_gguf_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut whole = vec![];
    for (index, name) in FAMILIES.into_iter().enumerate() {
        let decoder = load(fixture(name), &device()).unwrap_or_else(|error| panic!("{error}"));
        let path = folder.path().join(format!("{index}.gguf"));
        let kind = [NumberType::F32, NumberType::F16, NumberType::Q8_0][index % 3];
        let tokens = TokenIds { bos: Some(1), eos: vec![2], pad: None };
        let options = GgufOptions { kind, name: name.into(), tokenizer: vec![], tokens };
        // Some of these a GGUF file cannot express.
        if save_gguf(&decoder, &path, &options).is_ok() {
            whole.push(fs::read(&path).expect("the file"));
        }
    }
    assert!(whole.len() >= 7, "{}", whole.len());
    for index in 0..400 {
        let mut dice = Dice(0x2545_f491 + index as u64 * 104_729);
        let mut bytes = whole[index % whole.len()].clone();
        dice.damage(&mut bytes, 3000);
        let path = folder.path().join("damaged.gguf");
        fs::write(&path, bytes).expect("written");
        check(&format!("GGUF file {index}"), &path);
    }
}
