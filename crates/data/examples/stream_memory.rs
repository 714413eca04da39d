//! Tokenises generated text and prints the peak memory: it stays flat as the text grows.
//!
//! ```text
//! cargo run --release -p fireclay-data --example stream_memory -- 50 txt
//! cargo run --release -p fireclay-data --example stream_memory -- 500 txt
//! ```
//!
//! The kinds are `txt` (one long document), `jsonl`, `jsonl.gz` and, from memory, `stream`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use fireclay_data::{Document, PackedSource, Source, Split, TokenizeOptions, tokenize, tokenize_paths};
use fireclay_tokenizer::{BpeConfig, Tokenizer};

/// Sentences of made-up words, without end and always the same.
fn sentences() -> impl Iterator<Item = String> + Send {
    let syllables = ["ka", "lo", "mi", "ren", "tos", "ul", "ba", "she", "wi", "dor", "an", "ex"];
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    std::iter::repeat_with(move || {
        let words: Vec<String> = (0..5 + random(12))
            .map(|_| (0..=random(3)).map(|_| syllables[random(syllables.len())]).collect())
            .collect();
        words.join(" ") + "."
    })
}

/// Documents of a few sentences, `bytes` of text together.
fn stories(bytes: usize) -> impl Iterator<Item = String> + Send {
    let mut sentences = sentences();
    let mut left = bytes;
    std::iter::from_fn(move || {
        let story: Vec<String> = sentences.by_ref().take(8).collect();
        let story = story.join(" ");
        left = left.checked_sub(story.len())?;
        Some(story)
    })
}

fn write(path: &Path, kind: &str, bytes: usize) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut out: Box<dyn Write> = match kind {
        "jsonl.gz" => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
        _ => Box::new(file),
    };
    for story in stories(bytes) {
        if kind == "txt" {
            writeln!(out, "{story}\n")?;
        } else {
            writeln!(out, "{{\"text\": {story:?}}}")?;
        }
    }
    out.flush()
}

/// A line of `/proc/self/status`, in MiB.
fn memory(field: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let megabytes: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let kind = arguments.next().unwrap_or_else(|| "txt".into());
    let dir = tempfile::tempdir()?;
    let tokenizer = Tokenizer::train_bpe(stories(1_000_000), &BpeConfig { vocab_size: 1024, ..BpeConfig::default() })?;
    let out = dir.path().join("shards");
    let bytes = megabytes * 1_000_000;
    let before = memory("VmHWM");

    let start = Instant::now();
    let shards = if kind == "stream" {
        let documents = stories(bytes).map(|story| Ok(Document::new(story, "generated")));
        tokenize(documents, &tokenizer, &out, &TokenizeOptions::default())?
    } else {
        let path = dir.path().join(format!("stories.{kind}"));
        write(&path, &kind, bytes)?;
        let paths = [path.to_str().ok_or("the temporary folder's name is not UTF-8")?.to_owned()];
        tokenize_paths(&paths, &tokenizer, &out, &TokenizeOptions::default())?.shards
    };
    let seconds = start.elapsed().as_secs_f64();
    let after = memory("VmHWM");

    let mut source = PackedSource::new(&shards, Split::Train, 8, 256, 0)?;
    let start_batches = Instant::now();
    for _ in 0..1000 {
        source.next_batch()?;
    }
    let batches = 1000.0 / start_batches.elapsed().as_secs_f64();
    println!(
        "{megabytes} MB of {kind}: {} tokens in {seconds:.1} s ({:.1} MB/s), {batches:.0} batches of 8 × 256 a second",
        shards.tokens(Split::Train) + shards.tokens(Split::Validation),
        megabytes as f64 / seconds,
    );
    match (before, after) {
        (Some(before), Some(after)) => println!("peak memory: {before:.0} MiB before, {after:.0} MiB after"),
        _ => println!("peak memory: this system does not tell"),
    }
    Ok(())
}
