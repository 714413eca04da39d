//! Speed of encoding: `cargo run --release -p fireclay-tokenizer --example encode_speed -- TOKENIZER TEXT [MODE]`.
//!
//! MODE is `whole` (the text as one string, one thread), `lines` (pieces of about 4 KB, one thread) or `batch` (the
//! same pieces on all cores). `encode_speed.py` beside this file measures Python's `tokenizers` in the same way.

use std::time::Instant;

use fireclay_tokenizer::Tokenizer;

const REPEATS: usize = 5;
const PIECE_BYTES: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tokenizer, text, asked @ ..] = arguments.as_slice() else {
        return Err("usage: encode_speed TOKENIZER TEXT [whole|lines|batch]".into());
    };
    let tokenizer = Tokenizer::load(tokenizer)?;
    let text = std::fs::read_to_string(text)?;
    let pieces = pieces(&text);
    for mode in ["whole", "lines", "batch"] {
        if asked.first().is_some_and(|asked| asked != mode) {
            continue;
        }
        let mut best = f64::INFINITY;
        let mut tokens = 0;
        for _ in 0..REPEATS {
            let start = Instant::now();
            tokens = match mode {
                "whole" => tokenizer.encode(&text).len(),
                "lines" => pieces.iter().map(|piece| tokenizer.encode(piece).len()).sum(),
                _ => tokenizer.encode_batch(&pieces).iter().map(Vec::len).sum(),
            };
            best = best.min(start.elapsed().as_secs_f64());
        }
        let megabytes = text.len() as f64 / 1e6;
        println!("fireclay {mode}: {tokens} tokens, {:.2} MB/s (best of {REPEATS})", megabytes / best);
    }
    Ok(())
}

/// Whole lines, of at least [`PIECE_BYTES`] together.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > PIECE_BYTES {
        let Some(end) = rest.as_bytes()[PIECE_BYTES..].iter().position(|&byte| byte == b'\n') else { break };
        let (piece, after) = rest.split_at(PIECE_BYTES + end + 1);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}
