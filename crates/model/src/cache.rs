//! The KV cache: keys and values of the tokens already seen.

use burn::tensor::{Device, Tensor};
use fireclay_kernels::Precision;
use fireclay_kernels::attention::paged::{PAGE, PageShape, Pages, Text};

use crate::config::DecoderConfig;

/// Keys and values of every layer, in memory allocated once for `capacity` tokens.
/// [`Decoder::forward`](crate::Decoder::forward) appends to it.
#[derive(Clone, Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    capacity: usize,
    length: usize,
}

#[derive(Clone, Debug)]
struct LayerCache {
    /// `[B, kv heads, capacity, K]`
    keys: Tensor<4>,
    /// `[B, kv heads, capacity, K]`
    values: Tensor<4>,
}

impl Cache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens.
    #[must_use]
    pub fn new(config: &DecoderConfig, batch: usize, capacity: usize, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let shape = [batch, config.kv_heads, capacity, config.head_dim];
        let layers = (0..config.layers)
            .map(|_| LayerCache { keys: Tensor::zeros(shape, &device), values: Tensor::zeros(shape, &device) })
            .collect();
        Self { layers, capacity, length: 0 }
    }

    /// Number of tokens seen so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no token was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Number of tokens that fit.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Writes a layer's new keys and values `[B, kv heads, T, K]` after the existing ones and returns all of them.
    pub(crate) fn append(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let [batch, heads, time, width] = keys.dims();
        let end = self.length + time;
        assert!(end <= self.capacity, "a cache for {} tokens got {end}", self.capacity);
        let place = [0..batch, 0..heads, self.length..end, 0..width];
        let cache = &mut self.layers[layer];
        // `slice_assign` writes in place if the tensor has no other owner: hence the two statements.
        replace(&mut cache.keys, |all| all.slice_assign(place.clone(), keys));
        replace(&mut cache.values, |all| all.slice_assign(place, values));
        (cache.keys.clone().narrow(2, 0, end), cache.values.clone().narrow(2, 0, end))
    }

    /// Counts the tokens that every layer has appended.
    pub(crate) fn advance(&mut self, time: usize) {
        self.length += time;
    }
}

/// Keys and values of the tokens before the new ones.
#[derive(Debug)]
pub enum Past<'a> {
    /// There are no earlier tokens.
    Nothing,
    /// In a cache of rows of equal length, and this layer's index in it.
    Cache(&'a mut Cache, usize),
    /// In this layer's pages, and where in them each text lies.
    Pages(&'a mut Pages, &'a [Text]),
}

/// Keys and values of every layer in pages of [`PAGE`] tokens, in memory that is reserved once (on the CPU it is taken
/// as it is written). A page has the same number in
/// every layer. [`InferenceDecoder::step`](crate::InferenceDecoder::step) writes to it; the caller assigns pages to
/// texts.
#[derive(Debug)]
pub struct PagedCache {
    pub(crate) layers: Vec<Pages>,
    pages: usize,
}

impl PagedCache {
    /// An empty cache with the given number of pages, whose keys and values have the given format.
    #[must_use]
    pub fn new(config: &DecoderConfig, precision: Precision, pages: usize, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let shape = Self::shape(config, precision, pages);
        let softcap = config.variant.attention_softcap;
        let layers = (0..config.layers).map(|_| Pages::new(shape, &device).with_softcap(softcap)).collect();
        Self { layers, pages }
    }

    /// Number of pages.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Size of one page in bytes, over all layers.
    #[must_use]
    pub fn page_bytes(config: &DecoderConfig, precision: Precision) -> usize {
        config.layers * Self::shape(config, precision, 1).bytes()
    }

    fn shape(config: &DecoderConfig, precision: Precision, pages: usize) -> PageShape {
        PageShape { pages, kv_heads: config.kv_heads, head_dim: config.head_dim, precision }
    }

    /// Number of pages that `tokens` tokens need.
    #[must_use]
    pub fn pages_of(tokens: usize) -> usize {
        tokens.div_ceil(PAGE)
    }
}

/// Takes a tensor out of its place, changes it as its only owner, and puts it back.
fn replace(slot: &mut Tensor<4>, change: impl FnOnce(Tensor<4>) -> Tensor<4>) {
    let empty = Tensor::empty([1, 1, 1, 1], &slot.device());
    *slot = change(std::mem::replace(slot, empty));
}
