//! Attention whose keys and values are stored in pages: texts of any length in one step. Texts that begin with the same
//! tokens share pages.

#[cfg(feature = "flex")]
mod cpu;
pub mod reference;
#[cfg(feature = "flex")]
mod untouched;

use burn::tensor::{Device, Tensor};

use crate::Precision;
#[cfg(feature = "flex")]
use crate::chain::Bf16Pair;

/// Number of tokens in a page.
pub const PAGE: usize = 16;

/// The sizes of one layer's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageShape {
    /// Number of pages.
    pub pages: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head (K).
    pub head_dim: usize,
    /// Number format of keys and values on the CPU; elsewhere they are f32. With bf16, queries and probabilities are
    /// rounded to bf16 too, and sums are f32.
    pub precision: Precision,
}

impl PageShape {
    /// Size of all pages in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Values are padded to whole vectors, and keys to pairs.
        let values = self.head_dim.next_multiple_of(16);
        let bytes = match self.precision {
            Precision::F32 => (self.head_dim + values) * 4,
            Precision::Bf16 => (self.head_dim.next_multiple_of(2) + values) * 2,
        };
        self.pages * self.kv_heads * PAGE * bytes
    }
}

/// The new tokens of one text in a step, and the pages of its keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Number of tokens before the new ones.
    pub start: usize,
    /// Number of new tokens, at least one.
    pub tokens: usize,
    /// The page of each [`PAGE`] tokens of the text, the new ones included. Pages that no new token sees are not read.
    pub pages: Vec<u32>,
}

impl Text {
    /// Number of tokens, the new ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.start + self.tokens
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first token that the token at `position` sees.
    fn first_seen(position: usize, window: Option<usize>) -> usize {
        (position + 1).saturating_sub(window.unwrap_or(usize::MAX))
    }
}

/// Window and soft-cap of the attention of one call.
#[derive(Clone, Copy, Debug)]
struct View {
    /// Largest number of keys that a query sees, its own included.
    window: Option<usize>,
    /// Soft-cap of the scores; `None`: no cap.
    softcap: Option<f64>,
}

/// Keys and values of one layer, in memory that is reserved once; on the CPU it is taken as it is written.
#[derive(Debug)]
pub struct Pages {
    shape: PageShape,
    /// Soft-cap of the scores; `None`: no cap.
    softcap: Option<f64>,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Tensors(Box<reference::TensorPages>),
    #[cfg(feature = "flex")]
    F32(cpu::HostPages<f32>),
    #[cfg(feature = "flex")]
    Bf16(cpu::HostPages<Bf16Pair>),
}

impl Pages {
    /// Empty pages.
    #[must_use]
    pub fn new(shape: PageShape, device: &Device) -> Self {
        #[cfg(feature = "flex")]
        if *device == Device::flex() {
            let storage = match shape.precision {
                Precision::F32 => Storage::F32(cpu::HostPages::new(shape)),
                Precision::Bf16 => Storage::Bf16(cpu::HostPages::new(shape)),
            };
            return Self { shape, softcap: None, storage };
        }
        Self::of_tensors(shape, device)
    }

    /// Pages that burn's operations read and write, as on every backend without a kernel.
    #[must_use]
    pub fn of_tensors(shape: PageShape, device: &Device) -> Self {
        let storage = Storage::Tensors(Box::new(reference::TensorPages::new(shape, device)));
        Self { shape, softcap: None, storage }
    }

    /// Pages whose scores become `cap·tanh(score / cap)` where there is a cap, as in
    /// [`softcapped_attention`](super::softcapped_attention).
    #[must_use]
    pub fn with_softcap(mut self, softcap: Option<f64>) -> Self {
        self.softcap = softcap;
        self
    }

    /// Writes the keys and values of the new tokens of several texts to their pages; the tokens of one text follow
    /// those of another. Returns `softmax(Q·Kᵀ / √K)·V` of each new token over the tokens of its text up to it, or over
    /// the last `window` of them. A text may read pages that another writes in the same call.
    ///
    /// On the CPU a token's result depends only on the tokens that it sees, as long as every value is finite: not on
    /// the other texts, nor on which of the tokens are new, nor on the page numbers.
    ///
    /// # Shapes
    /// q `[N, H, K]`, k and v `[N, kv heads, K]` → `[N, H, K]`
    ///
    /// # Panics
    /// If shapes disagree, or a text has too few pages.
    #[must_use]
    pub fn attend(
        &mut self,
        [q, k, v]: [Tensor<3>; 3],
        texts: &[Text],
        window: Option<usize>,
        precision: Precision,
    ) -> Tensor<3> {
        let ([tokens, heads, width], PageShape { kv_heads, head_dim, .. }) = (q.dims(), self.shape);
        assert!(width == head_dim && heads.is_multiple_of(kv_heads), "queries are of {kv_heads} heads of {head_dim}");
        assert_eq!(k.dims(), [tokens, kv_heads, head_dim], "keys are of as many tokens and of the pages' heads");
        assert_eq!(tokens, texts.iter().map(|text| text.tokens).sum::<usize>(), "every new token belongs to a text");
        for text in texts {
            assert!(text.tokens > 0 && text.pages.len() * PAGE >= text.len(), "a text of {} tokens", text.len());
        }
        let view = View { window, softcap: self.softcap };
        match &mut self.storage {
            Storage::Tensors(pages) => pages.attend([q, k, v], texts, view, precision),
            #[cfg(feature = "flex")]
            Storage::F32(pages) => pages.attend([q, k, v], texts, view),
            #[cfg(feature = "flex")]
            Storage::Bf16(pages) => pages.attend([q, k, v], texts, view),
        }
    }
}
