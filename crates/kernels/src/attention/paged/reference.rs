//! Pages as tensors: texts are gathered into rows and go through [`attention`](crate::attention()).

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{PAGE, PageShape, Text, View};
use crate::Precision;
use crate::attention::{Mask, reference::attention_with};

/// Keys and values, `[pages · PAGE, kv heads, K]` each.
#[derive(Debug)]
pub(super) struct TensorPages {
    keys: Tensor<3>,
    values: Tensor<3>,
}

impl TensorPages {
    pub fn new(shape: PageShape, device: &Device) -> Self {
        let PageShape { pages, kv_heads, head_dim, .. } = shape;
        let zeros = || Tensor::zeros([pages * PAGE, kv_heads, head_dim], device);
        Self { keys: zeros(), values: zeros() }
    }

    /// Reference implementation of [`Pages::attend`](super::Pages::attend).
    pub fn attend(&mut self, [q, k, v]: [Tensor<3>; 3], texts: &[Text], view: View, precision: Precision) -> Tensor<3> {
        let mut first = 0;
        for text in texts {
            let new = [&k, &v].map(|x| x.clone().narrow(0, first, text.tokens));
            self.write(text, &new);
            first += text.tokens;
        }
        // Texts with one new token form a batch; every other text is a batch by itself, so that none is padded to the
        // longest.
        let mut results = Vec::with_capacity(texts.len());
        let mut first = 0;
        let mut rest = texts;
        while let Some(text) = rest.first() {
            let count = match text.tokens {
                1 => rest.iter().take_while(|text| text.tokens == 1).count(),
                _ => 1,
            };
            let (some, others) = rest.split_at(count);
            let queries = q.clone().narrow(0, first, count * text.tokens);
            results.push(self.attend_alike(queries, some, view, precision));
            first += count * text.tokens;
            rest = others;
        }
        Tensor::cat(results, 0)
    }

    /// Attention of texts that have the same number of new tokens each. `[B·T, H, K]` → `[B·T, H, K]`
    fn attend_alike(&self, q: Tensor<3>, texts: &[Text], view: View, precision: Precision) -> Tensor<3> {
        let [tokens, heads, width] = q.dims();
        let (batch, time) = (texts.len(), tokens / texts.len());
        let longest = texts.iter().map(Text::len).max().unwrap_or(0);
        let mut slots = Vec::with_capacity(batch * longest);
        let mut origins = Vec::with_capacity(tokens);
        for text in texts {
            // Shorter texts are padded on the left.
            let padding = longest - text.len();
            slots.extend(std::iter::repeat_n(slot(text, text.start), padding));
            slots.extend((0..text.len()).map(|position| slot(text, position)));
            origins.extend(std::iter::repeat_n(padding as u32, time));
        }
        let slots = Tensor::<1, Int>::from_data(TensorData::new(slots, [batch * longest]), &q.device());
        let rows = |x: &Tensor<3>| {
            let kv_heads = x.dims()[1];
            x.clone().select(0, slots.clone()).reshape([batch, longest, kv_heads, width]).swap_dims(1, 2)
        };
        let plain = origins.iter().all(|&origin| origin == 0);
        let mask = Mask::new((!plain).then(|| origins.into()), view.window);
        let q = q.reshape([batch, time, heads, width]).swap_dims(1, 2);
        let heads_of = [q, rows(&self.keys), rows(&self.values)];
        attention_with(heads_of, &mask, view.softcap, precision).reshape([tokens, heads, width])
    }

    /// Writes a text's new keys and values, page by page.
    fn write(&mut self, text: &Text, [k, v]: &[Tensor<3>; 2]) {
        let [_, heads, width] = k.dims();
        let mut position = text.start;
        while position < text.len() {
            let count = (PAGE - position % PAGE).min(text.len() - position);
            let slot = slot(text, position) as usize;
            let place = [slot..slot + count, 0..heads, 0..width];
            let new = |x: &Tensor<3>| x.clone().narrow(0, position - text.start, count);
            replace(&mut self.keys, |all| all.slice_assign(place.clone(), new(k)));
            replace(&mut self.values, |all| all.slice_assign(place, new(v)));
            position += count;
        }
    }
}

/// Index of a token's key. A page that no query sees may not exist; the values read in its place are masked.
fn slot(text: &Text, position: usize) -> i32 {
    let page = text.pages[position / PAGE];
    let page = if page == u32::MAX { text.pages[text.start / PAGE] } else { page };
    page as i32 * PAGE as i32 + (position % PAGE) as i32
}

/// Takes a tensor out of its place, changes it as its only owner, and puts it back.
fn replace(slot: &mut Tensor<3>, change: impl FnOnce(Tensor<3>) -> Tensor<3>) {
    let empty = Tensor::empty([1, 1, 1], &slot.device());
    *slot = change(std::mem::replace(slot, empty));
}
