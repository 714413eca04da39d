//! Rows of a batch, cut into parts and spans.

use fireclay_tokenizer::Tokenizer;
use serde_json::{Value, json};

/// Consecutive tokens that either all carry loss or all do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Their text, special tokens written out.
    pub text: String,
    /// Whether they carry loss.
    pub loss: bool,
    /// Number of tokens.
    pub tokens: usize,
}

/// One example in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPart {
    /// Its title.
    pub title: String,
    /// Its tokens.
    pub spans: Vec<Span>,
}

/// Rows that are computed together: a row of a batch, or a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRow {
    /// Its title.
    pub title: String,
    /// Its examples.
    pub parts: Vec<RowPart>,
    /// Number of padding tokens after the last example.
    pub padding: usize,
}

impl RowPart {
    /// Tokens as spans; `loss` has a mark for each.
    #[must_use]
    pub fn new(title: impl Into<String>, ids: &[u32], loss: &[bool], tokenizer: &Tokenizer) -> Self {
        assert_eq!(ids.len(), loss.len(), "a mark a token");
        let (mut spans, mut start) = (vec![], 0);
        for alike in loss.chunk_by(|a, b| a == b) {
            let tokens = alike.len();
            let text = tokenizer.decode(&ids[start..start + tokens]);
            spans.push(Span { text, loss: alike[0], tokens });
            start += tokens;
        }
        Self { title: title.into(), spans }
    }

    fn tokens(&self, wanted: impl Fn(&Span) -> bool) -> usize {
        self.spans.iter().filter(|span| wanted(span)).map(|span| span.tokens).sum()
    }
}

/// Number of all tokens, of those that carry loss, and of padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All, padding included.
    pub tokens: usize,
    /// Tokens that carry loss.
    pub loss: usize,
    /// Padding.
    pub padding: usize,
}

impl Count {
    /// Counts over all rows.
    #[must_use]
    pub fn of(rows: &[ShownRow]) -> Self {
        let parts = || rows.iter().flat_map(|row| &row.parts);
        let padding = rows.iter().map(|row| row.padding).sum();
        Self {
            tokens: parts().map(|part| part.tokens(|_| true)).sum::<usize>() + padding,
            loss: parts().map(|part| part.tokens(|span| span.loss)).sum(),
            padding,
        }
    }

    fn share(self, part: usize) -> f64 {
        part as f64 / self.tokens.max(1) as f64
    }

    /// The share of all tokens that carry loss.
    #[must_use]
    pub fn loss_share(self) -> f64 {
        self.share(self.loss)
    }

    /// The share of all tokens that are padding.
    #[must_use]
    pub fn padding_share(self) -> f64 {
        self.share(self.padding)
    }
}

/// Rows as one JSON object.
#[must_use]
pub fn json(kind: &str, rows: &[ShownRow]) -> Value {
    let span = |span: &Span| json!({"text": span.text, "loss": span.loss, "tokens": span.tokens});
    let part = |part: &RowPart| json!({"title": part.title, "spans": part.spans.iter().map(span).collect::<Vec<_>>()});
    let row = |row: &ShownRow| json!({"title": row.title, "parts": row.parts.iter().map(part).collect::<Vec<_>>(), "padding": row.padding});
    let count = Count::of(rows);
    json!({
        "kind": kind,
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
        "tokens": count.tokens,
        "loss_share": count.loss_share(),
        "padding_share": count.padding_share(),
    })
}
