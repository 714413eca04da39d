//! `fireclay score`: the log-probability of a text under a model.

use std::io::{self, Write};

use anyhow::Result;
use fireclay_eval::Likelihood;
use fireclay_infer::score;
use serde_json::json;

use crate::args::ScoreArgs;
use crate::error::user;
use crate::ids::parse_ids;
use crate::{model, text_file};

/// Prints the mean loss of a text, or one JSON object with every token's log-probability.
///
/// # Errors
/// When a flag, the text or the model is wrong, or standard output cannot be written.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let ids = args.ids.as_deref().map(|ids| parse_ids("--ids", ids)).transpose()?;
    let text = args.text.as_deref().map(|path| text_file::read(Some(path))).transpose()?;
    let model = model::load(&args.model, &args.load)?;
    let ids = match (ids, &text) {
        (Some(ids), _) => ids,
        (None, Some(text)) if text.is_empty() => {
            return Err(user("--text: the file is empty; give one with text in it"));
        }
        (None, text) => model.encode(text.as_deref().unwrap_or_default())?,
    };
    let logprobs = score(&model.decoder, &ids)?;
    let likelihood = Likelihood::new(&ids, &logprobs, model.tokenizer.as_ref());
    let (loss, bits_per_byte) = (likelihood.loss(), likelihood.bits_per_byte());

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
        writeln!(out, "perplexity     {:.2}", likelihood.perplexity())?;
        if let Some(bits) = bits_per_byte {
            writeln!(out, "bits per byte  {bits:.4}")?;
        }
    }
    Ok(())
}
