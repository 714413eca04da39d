//! Split of text into training and validation.

use std::collections::VecDeque;

use super::Split;
use crate::{DataError, Document};

/// Split of text between training and validation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValidationSplit {
    /// Nothing is held out.
    None,
    /// [`ByDocument`](Self::ByDocument) if there are enough documents: if the sources begin with at least `10 /
    /// fraction` documents within their first 32 MiB; otherwise [`Tail`](Self::Tail). So many short documents are
    /// assigned as a whole, and one book, or a few, are cut near the end of each.
    Auto {
        /// The share held out, in `0..1`.
        fraction: f64,
        /// As for `ByDocument`.
        seed: u64,
    },
    /// Every document is assigned as a whole, by a keyed hash of its beginning: equal documents are never on both
    /// sides, and the choice does not depend on their order.
    ByDocument {
        /// The share of documents held out, in `0..1`.
        fraction: f64,
        /// Another seed holds out other documents.
        seed: u64,
    },
    /// The last characters of every document are held out: of `n` characters the first
    /// `⌊n · (1 − fraction)⌋` train (`int(n * 0.9)` in nanoGPT's character-level Shakespeare).
    Tail {
        /// The share of each document held out, in `0..1`.
        fraction: f64,
    },
}

/// [`Auto`](ValidationSplit::Auto) with a tenth held out.
impl Default for ValidationSplit {
    fn default() -> Self {
        Self::Auto { fraction: 0.1, seed: 0 }
    }
}

impl ValidationSplit {
    /// The share held out.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Auto { fraction, .. } | Self::ByDocument { fraction, .. } | Self::Tail { fraction } => fraction,
        }
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        let fraction = self.fraction();
        if (0.0..1.0).contains(&fraction) {
            return Ok(());
        }
        Err(DataError::Option {
            option: "the validation fraction",
            value: fraction.to_string(),
            expected: "use a number from 0 up to, not including, 1",
        })
    }
}

/// [`ValidationSplit::Auto`] looks at this much text to decide.
const LOOK_BYTES: usize = 32 << 20;

/// Text assigned to one side of the split.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub split: Split,
    pub text: String,
    /// Place of the document or part, for messages.
    pub origin: String,
    /// Whether a document begins here, on this side.
    pub begins: bool,
    /// Whether special tokens in the text are encoded as such.
    pub special_tokens: bool,
}

impl Assigned {
    /// A whole document, or a whole part of one.
    pub fn whole(document: Document, split: Split) -> Self {
        let begins = document.begins();
        let Document { text, origin, special_tokens, .. } = document;
        Self { split, text, origin, begins, special_tokens }
    }
}

/// Divides a stream of documents between the splits.
pub(super) struct Divided<I> {
    documents: I,
    /// Documents that were already looked at.
    ahead: VecDeque<Result<Document, DataError>>,
    rule: ValidationSplit,
    /// The side of the document that is being streamed in parts.
    side: Split,
    /// The held-out rest of a document that was cut.
    rest: Option<Assigned>,
}

impl<I: Iterator<Item = Result<Document, DataError>>> Divided<I> {
    pub(super) fn new(mut documents: I, rule: ValidationSplit) -> Self {
        let mut ahead = VecDeque::new();
        let rule = match rule {
            ValidationSplit::Auto { fraction: 0.0, .. } => ValidationSplit::None,
            ValidationSplit::Auto { fraction, seed } => {
                let enough = (10.0 / fraction).ceil();
                let (mut begun, mut bytes) = (0.0, 0);
                while begun < enough && bytes < LOOK_BYTES {
                    let Some(document) = documents.next() else { break };
                    if let Ok(document) = &document {
                        begun += f64::from(u8::from(document.begins()));
                        bytes += document.text.len();
                    }
                    ahead.push_back(document);
                }
                if begun >= enough {
                    ValidationSplit::ByDocument { fraction, seed }
                } else {
                    ValidationSplit::Tail { fraction }
                }
            }
            rule => rule,
        };
        Self { documents, ahead, rule, side: Split::Train, rest: None }
    }

    fn assign(&mut self, document: Document) -> Assigned {
        match self.rule {
            ValidationSplit::ByDocument { fraction, seed } => {
                if document.begins() {
                    self.side = side(&document.text, fraction, seed);
                }
                Assigned::whole(document, self.side)
            }
            ValidationSplit::Tail { fraction } => self.cut(document, fraction),
            ValidationSplit::None | ValidationSplit::Auto { .. } => Assigned::whole(document, Split::Train),
        }
    }

    fn cut(&mut self, document: Document, fraction: f64) -> Assigned {
        let (start, total) = match document.part {
            Some(part) => (part.start, part.total),
            None => (0, document.text.chars().count() as u64),
        };
        let mut assigned = Assigned::whole(document, Split::Train);
        let cut = (total as f64 * (1.0 - fraction)).floor() as u64;
        if start >= cut {
            // A document without text in the training split begins in validation.
            return Assigned { split: Split::Validation, begins: start == cut, ..assigned };
        }
        let keep = usize::try_from(cut - start).unwrap_or(usize::MAX);
        if let Some((at, _)) = assigned.text.char_indices().nth(keep) {
            let text = assigned.text.split_off(at);
            let origin = assigned.origin.clone();
            self.rest = Some(Assigned { split: Split::Validation, text, origin, begins: true, ..assigned });
        }
        assigned
    }
}

impl<I: Iterator<Item = Result<Document, DataError>>> Iterator for Divided<I> {
    type Item = Result<Assigned, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(rest) = self.rest.take() {
            return Some(Ok(rest));
        }
        let document = self.ahead.pop_front().or_else(|| self.documents.next())?;
        Some(document.map(|document| self.assign(document)))
    }
}

fn side(text: &str, fraction: f64, seed: u64) -> Split {
    let mut hasher = blake3::Hasher::new_derive_key("fireclay-data 2026 validation split");
    hasher.update(&seed.to_le_bytes()).update(text.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    // 53 bits: a uniform number in 0..1.
    let uniform = (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64;
    if uniform < fraction { Split::Validation } else { Split::Train }
}

/// The documents of one `side` where a share of `fraction` is held out as by [`ValidationSplit::ByDocument`]. Errors
/// are on both sides.
pub fn documents_of_side(
    documents: impl IntoIterator<Item = Result<Document, DataError>>,
    wanted: Split,
    fraction: f64,
    seed: u64,
) -> impl Iterator<Item = Result<Document, DataError>> {
    let mut current = Split::Train;
    documents.into_iter().filter(move |document| {
        let Ok(document) = document else { return true };
        if document.begins() {
            current = side(&document.text, fraction, seed);
        }
        current == wanted
    })
}
