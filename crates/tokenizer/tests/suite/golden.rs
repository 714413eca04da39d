//! Ids known from llama.cpp's vocabulary tests.

use fireclay_tokenizer::Tokenizer;

use crate::shared;

/// Texts and ids; the program that wrote them puts no beginning of sequence before these vocabularies.
fn check(tokenizer: &str, golden: &str) {
    let (path, inputs, outputs) = (
        shared(&format!("data/tokenizers/{tokenizer}")),
        shared(&format!("data/tokenizers/ggml-vocab-{golden}.gguf.inp")),
        shared(&format!("data/tokenizers/ggml-vocab-{golden}.gguf.out")),
    );
    let tokenizer = Tokenizer::load(path).unwrap();
    let inputs = std::fs::read_to_string(inputs).unwrap();
    let outputs = std::fs::read_to_string(outputs).unwrap();
    let texts: Vec<&str> = inputs.split("\n__ggml_vocab_test__\n").collect();
    let lines: Vec<&str> = outputs.lines().collect();
    assert_eq!(texts.len(), lines.len() + 1, "a separator ends each text");
    for (text, line) in texts.iter().zip(&lines) {
        let expected: Vec<u32> = line.split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert_eq!(tokenizer.encode(text), expected, "{text:?}");
        assert_eq!(tokenizer.encode_with_specials(text), expected, "{text:?}");
        assert_eq!(tokenizer.decode(&expected), *text);
    }
    assert_eq!(tokenizer.encode_batch(&texts)[1], tokenizer.encode(texts[1]));
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn gpt2_from_its_two_files() {
    check("encoder.json", "gpt-2");
    check("vocab.bpe", "gpt-2");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn gpt2_from_a_rank_file() {
    check("r50k_base.tiktoken", "gpt-2");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn qwen_from_its_tokenizer_json() {
    check("qwen2.5-tokenizer.json", "qwen2");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn the_two_forms_of_gpt2_agree_on_a_novel() {
    let (files, ranks, text) = (
        shared("data/tokenizers/encoder.json"),
        shared("data/tokenizers/r50k_base.tiktoken"),
        shared("data/text/alice29.txt"),
    );
    let (files, ranks) = (Tokenizer::load(files).unwrap(), Tokenizer::load(ranks).unwrap());
    let text = std::fs::read_to_string(text).unwrap();
    let ids = files.encode(&text);
    assert_eq!(ids, ranks.encode(&text));
    assert_eq!(files.decode(&ids), text);
    for tokenizer in [files, ranks] {
        assert_eq!(tokenizer.vocab_size(), 50257);
        assert_eq!(tokenizer.end_of_text_id(), Some(50256));
        assert_eq!(tokenizer.encode("<|endoftext|>").len(), 7);
        assert_eq!(tokenizer.encode_with_specials("a<|endoftext|>b"), [64, 50256, 65]);
    }
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn rank_files_keep_the_ids_of_their_special_tokens() {
    let path = shared("data/tokenizers/cl100k_base.tiktoken");
    let tokenizer = Tokenizer::load(path).unwrap();
    assert_eq!(tokenizer.vocab_size(), 100_277);
    assert_eq!(tokenizer.token_to_id("<|endoftext|>"), Some(100_257));
    assert_eq!(tokenizer.id_to_token(100_256), None);
    // From tiktoken's own documentation: "tiktoken is great!" in cl100k_base.
    assert_eq!(tokenizer.encode("tiktoken is great!"), [83, 1609, 5963, 374, 2294, 0]);
    assert_eq!(tokenizer.decode(&[100_256, 83, 100_257]), "t<|endoftext|>");
}

/// The 256 bytes and one merge, by a name whose special tokens leave a gap of a hundred thousand ids.
#[test]
fn gaps_in_the_ids_survive_saving() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cl100k_small.tiktoken");
    std::fs::write(&path, rank_lines()).unwrap();
    let tokenizer = Tokenizer::load(path).unwrap();
    let ids = tokenizer.encode("hhi é");
    assert_eq!(ids, [104, 256, 32, 0xC3, 0xA9]);
    let saved = folder.path().join("saved");
    tokenizer.save(&saved).unwrap();
    let again = Tokenizer::load(saved).unwrap();
    assert_eq!(again.vocab_size(), 100_277);
    assert_eq!(again.hash(), tokenizer.hash());
    assert_eq!(again.encode("hhi é"), ids);
    assert_eq!(again.encode_with_specials("<|endofprompt|>"), [100_276]);
}

fn rank_lines() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |byte: usize| {
        let (high, low) = (DIGITS[byte >> 2], DIGITS[(byte & 3) << 4]);
        format!("{}{}== {byte}\n", char::from(high), char::from(low))
    };
    (0..256).map(byte).chain(["aGk= 256\n".to_owned()]).collect()
}
