//! `fireclay score`: how probable a text is to a model.

use std::io::{self, Write};

use anyhow::Result;
use fireclay_infer::score;
use serde_json::json;

use crate::args::ScoreArgs;
use crate::error::user;
use crate::ids::parse_ids;
use crate::model::Model;
use crate::text_file;

/// Prints the mean loss of a text, or one JSON object with every token's log-probability.
///
/// # Errors
/// When a flag, the text or the model is wrong, or standard output cannot be written.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let ids = args.ids.as_deref().map(|ids| parse_ids("--ids", ids)).transpose()?;
    let text = args.text.as_deref().map(|path| text_file::read(Some(path))).transpose()?;
    let model = Model::load(&args.model, args.device.as_deref())?;
    let ids = match (ids, &text) {
        (Some(ids), _) => ids,
        (None, Some(text)) if text.is_empty() => {
            return Err(user("--text: the file is empty; give one with text in it"));
        }
        (None, text) => model.encode(text.as_deref().unwrap_or_default())?,
    };
    let logprobs = score(&model.decoder, &ids)?;
    let loss = -logprobs.iter().copied().map(f64::from).sum::<f64>() / logprobs.len() as f64;
    let bits_per_byte = model.tokenizer.as_ref().and_then(|tokenizer| {
        let bytes = scored_bytes(&tokenizer.decode(&ids), &tokenizer.decode(&ids[..1]));
        bits_per_byte(loss, logprobs.len(), bytes)
    });

    let mut out = io::stdout();
    if args.json {
        let result = json!({
            "tokens": ids.len(),
            "ids": ids,
            "logprobs": logprobs,
            "loss": loss,
            "bits_per_byte": bits_per_byte,
        });
        writeln!(out, "{result}")?;
    } else {
        writeln!(out, "tokens         {}", ids.len())?;
        writeln!(out, "loss           {loss:.4} nats a token")?;
        writeln!(out, "perplexity     {:.2}", loss.exp())?;
        if let Some(bits) = bits_per_byte {
            writeln!(out, "bits per byte  {bits:.4}")?;
        }
    }
    Ok(())
}

/// Bytes of a text without its first token, which is not scored.
fn scored_bytes(text: &str, first: &str) -> usize {
    text.len().saturating_sub(first.len())
}

/// `loss · tokens / (ln 2 · bytes)`; `None` where the tokens stand for no text.
fn bits_per_byte(loss: f64, tokens: usize, bytes: usize) -> Option<f64> {
    (bytes > 0).then(|| loss * tokens as f64 / std::f64::consts::LN_2 / bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_byte_costs_eight_bits() {
        let bits = bits_per_byte(256_f64.ln(), 10, 10).unwrap();
        assert!((bits - 8.0).abs() < 1e-12, "{bits}");
        assert_eq!(bits_per_byte(1.0, 1, 0), None);
        assert_eq!(scored_bytes("clay", "c"), 3);
    }
}
