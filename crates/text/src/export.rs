//! Export of a model as a GGUF file, and comparison of the file with the model.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};
use fireclay_model::gguf::{GgufOptions, NumberType, save_gguf};
use fireclay_model::huggingface::load_token_ids;
use fireclay_model::{Decoder, load};
use fireclay_tokenizer::{Message, Tokenizer};
use serde::Serialize;

use crate::{TextError, tokenizer_near};

/// Tokens of the text on which logits are compared.
const COMPARED: usize = 48;

/// Texts on which tokenizers often differ.
const TEXTS: [&str; 12] = [
    "The quick brown fox jumps over the lazy dog.",
    " leading, trailing and  double  spaces ",
    "line\nline\r\n\n\n  indented\n\ttab",
    "1 12 123 1234 12345 3.14159 1e-9 2026-11-26",
    "I'm, you're, he'll, WE'VE, DON'T",
    "fn main() { println!(\"{}\", 0x1f + 1_000); }",
    "Füße, naïve café, Ελληνικά, Русский",
    "从前有一只小猫，它住在一个小村子里。",
    "日本語のテキスト、한국어 텍스트",
    "emoji 😀👍🏽 and e\u{301} composed",
    "https://example.org/a?b=c&d=%20#e",
    "!!! ??? ... --- === ### ***",
];

/// Comparison of an exported file with its source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Receipt {
    /// The folder of the source.
    pub source: PathBuf,
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Number type of matrices.
    pub number_type: String,
    /// Numbers in the model.
    pub parameters: usize,
    /// Number of texts with the same ids, and number of texts.
    pub same_ids: [usize; 2],
    /// Number of conversations that render to the same text, and number of conversations; 0 without a template.
    pub same_chats: [usize; 2],
    /// Tokens on which logits were compared.
    pub compared_tokens: usize,
    /// The largest difference of a log-probability of one of these tokens.
    pub largest_difference: f64,
    /// Mean Kullback-Leibler divergence of the file's predictions from the source's, in nats.
    pub mean_kl: f64,
    /// The share of places where both think the same token the most probable.
    pub same_top: f64,
}

impl Receipt {
    /// A message about deviations beyond the rounding of the number type; `None` if there are none.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let kl = match self.number_type.as_str() {
            // Weights are the same bits; factors of rotary positions that a file holds were rounded to f32.
            "F32" => 1e-7,
            "F16" => 1e-3,
            "BF16" | "Q8_0" => 0.05,
            _ => 1.0,
        };
        let [same, all] = self.same_ids;
        let [rendered, chats] = self.same_chats;
        if same < all {
            return Some(format!("the tokenizer in the file gives other ids for {} of {all} texts", all - same));
        }
        if rendered < chats {
            return Some(format!(
                "the chat template in the file renders {} of {chats} conversations differently",
                chats - rendered
            ));
        }
        if self.mean_kl.is_nan() || self.mean_kl > kl {
            return Some(format!(
                "the file predicts differently: a divergence of {:.2e} nats where {} allows {kl:.0e}",
                self.mean_kl, self.number_type
            ));
        }
        None
    }
}

/// Writes the model in `dir` as a GGUF file, reads that back and compares.
///
/// # Errors
/// When the model cannot be read, a GGUF file cannot express its configuration or its tokenizer, or the disk refuses.
/// The results of the comparison are in the receipt.
pub fn export_gguf(dir: &Path, file: &Path, kind: NumberType, device: &Device) -> Result<Receipt, TextError> {
    let decoder = load(dir, device)?;
    let tokenizer = tokenizer_near(dir)?;
    let mut tokens = load_token_ids(dir)?;
    if let Some(tokenizer) = &tokenizer {
        tokens.bos = tokens.bos.or(tokenizer.bos_id());
        tokens.pad = tokens.pad.or(tokenizer.pad_id());
        for id in tokenizer.end_ids() {
            if !tokens.eos.contains(&id) {
                tokens.eos.push(id);
            }
        }
    }
    let vocab_size = decoder.config().vocab_size;
    let metadata = tokenizer.as_ref().map(|tokenizer| tokenizer.gguf_metadata(vocab_size)).transpose()?;
    let name = dir.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
    let mut metadata = metadata.unwrap_or_default();
    if let Some(tokenizer) = &tokenizer {
        let leads = crate::model::leading_token(dir, tokenizer).is_some();
        metadata.push(("tokenizer.ggml.add_bos_token".to_owned(), leads.into()));
    }
    save_gguf(&decoder, file, &GgufOptions { kind, name, tokenizer: metadata, tokens })?;
    compare(dir, file, kind, (&decoder, tokenizer.as_ref()), device)
}

fn compare(
    dir: &Path,
    file: &Path,
    kind: NumberType,
    (decoder, tokenizer): (&Decoder, Option<&Tokenizer>),
    device: &Device,
) -> Result<Receipt, TextError> {
    let read = load(file, device)?;
    let (mut same_ids, mut same_chats) = ([0, 0], [0, 0]);
    let mut ids: Vec<u32> = (0..COMPARED).map(|at| ((at * 7919 + 13) % decoder.config().vocab_size) as u32).collect();
    if let Some(tokenizer) = tokenizer {
        let other = tokenizer_near(file)?.ok_or_else(|| TextError::NoTokenizer { dir: file.to_owned() })?;
        let alike = |text: &str| {
            tokenizer.encode(text) == other.encode(text)
                && tokenizer.encode_with_specials(text) == other.encode_with_specials(text)
        };
        same_ids = [TEXTS.iter().filter(|text| alike(text)).count(), TEXTS.len()];
        let chats = chats();
        if tokenizer.chat_template().is_some() {
            let rendered = |tokenizer: &Tokenizer, chat: &[Message]| {
                tokenizer.render_chat(chat, true).ok().map(|text| tokenizer.encode_with_specials(&text))
            };
            let same = chats.iter().filter(|chat| rendered(tokenizer, chat) == rendered(&other, chat)).count();
            same_chats = [same, chats.len()];
        }
        let text = tokenizer.encode(&TEXTS.join("\n"));
        if text.len() >= 2 {
            ids = text;
        }
    }
    ids.retain(|&id| (id as usize) < decoder.config().vocab_size);
    ids.truncate(COMPARED.min(decoder.config().context));
    let [ours, theirs] = [decoder, &read].map(|decoder| log_probabilities(decoder, &ids, device));
    let vocabulary = decoder.config().vocab_size;
    let rows = ours.chunks(vocabulary).zip(theirs.chunks(vocabulary));
    let (mut kl, mut same_top, mut largest) = (0.0, 0.0, 0.0f64);
    let count = rows.len() as f64;
    for (at, (ours, theirs)) in rows.enumerate() {
        kl += ours.iter().zip(theirs).map(|(a, b)| f64::from(a.exp()) * f64::from(a - b)).sum::<f64>() / count;
        same_top += f64::from(u8::from(top(ours) == top(theirs))) / count;
        if let Some(&next) = ids.get(at + 1) {
            largest = largest.max(f64::from((ours[next as usize] - theirs[next as usize]).abs()));
        }
    }
    let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
    Ok(Receipt {
        source: dir.to_owned(),
        file: file.to_owned(),
        bytes,
        number_type: kind.name().into(),
        parameters: decoder.config().num_params(),
        same_ids,
        same_chats,
        compared_tokens: ids.len(),
        largest_difference: largest,
        mean_kl: kl.max(0.0),
        same_top,
    })
}

fn chats() -> [Vec<Message>; 3] {
    let user = |text: &str| Message::new("user", text);
    let assistant = |text: &str| Message::new("assistant", text);
    [
        vec![user("Hello!")],
        vec![user("What is 2 + 3?"), assistant("2 + 3 = 5."), user("And twice that?")],
        vec![Message::new("system", "You are terse."), user("你好"), assistant("你好！"), user(" Name a colour.\n")],
    ]
}

/// Log-probabilities of every token in the vocabulary after each of `ids`, row by row.
fn log_probabilities(decoder: &Decoder, ids: &[u32], device: &Device) -> Vec<f32> {
    let count = ids.len();
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, count]), device);
    log_softmax(decoder.forward(ids, None), 2).into_data().convert::<f32>().try_into_vec().expect("converted to f32")
}

/// The most probable token.
fn top(row: &[f32]) -> usize {
    row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(id, _)| id)
}
