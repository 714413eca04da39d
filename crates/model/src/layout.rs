//! Layout of the tokens of one forward pass: the text and position of each, and the keys that it may attend to.

use fireclay_kernels::attention::Mask;

/// The new tokens of one forward pass. A row can hold several texts (packed conversations). A
/// token knows where its own text begins: it sees nothing before that, and its position counts from there.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Tokens in the cache, before the new ones.
    pub(crate) start: usize,
    /// New tokens in each row (T).
    pub(crate) time: usize,
    /// `[rows, T]`: for each new token, the index in its row at which its text begins. There is one row if all rows are
    /// equal.
    origins: Vec<usize>,
}

impl Layout {
    /// Tokens from `start` on, in rows of one text each.
    pub(crate) fn plain(start: usize, time: usize) -> Self {
        Self { start, time, origins: vec![0; time] }
    }

    /// Rows of `time` tokens, in which a text begins wherever the number in `segments` `[B, T]` changes.
    pub(crate) fn packed(batch: usize, time: usize, segments: &[u32]) -> Self {
        assert_eq!(segments.len(), batch * time, "one segment number a token");
        let mut origins = Vec::with_capacity(segments.len());
        for row in segments.chunks(time.max(1)) {
            let mut origin = 0;
            for index in 0..time {
                if index > 0 && row[index] != row[index - 1] {
                    origin = index;
                }
                origins.push(origin);
            }
        }
        if origins.iter().all(|&origin| origin == 0) {
            return Self::plain(0, time);
        }
        Self { start: 0, time, origins }
    }

    /// Number of distinct rows: B, or 1 when all rows share one layout.
    pub(crate) fn rows(&self) -> usize {
        self.origins.len() / self.time.max(1)
    }

    /// The position of each new token in its text. `[rows, T]`
    pub(crate) fn positions(&self) -> Vec<usize> {
        self.origins.iter().enumerate().map(|(i, origin)| self.start + i % self.time - origin).collect()
    }

    /// Mask of queries, which see neither another text nor keys before their `window`.
    pub(crate) fn mask(&self, window: Option<usize>) -> Mask {
        let plain = self.origins.iter().all(|&origin| origin == 0);
        let origins = || self.origins.iter().map(|&origin| u32::try_from(origin).expect("a place in a row")).collect();
        Mask::new((!plain).then(origins), window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that each query of each row sees.
    fn seen(layout: &Layout, window: Option<usize>) -> Option<Vec<Vec<usize>>> {
        let device = crate::device::parse("cpu").unwrap();
        let hidden = layout.mask(window).hidden_keys(layout.time, layout.start + layout.time, &device)?;
        let keys = hidden.dims()[3];
        let hidden: Vec<bool> = hidden.into_data().try_into_vec().unwrap();
        Some(hidden.chunks(keys).map(|row| (0..keys).filter(|&key| !row[key]).collect()).collect())
    }

    #[test]
    fn a_text_begins_where_the_segment_number_changes() {
        let layout = Layout::packed(2, 4, &[7, 7, 3, 3, 0, 1, 1, 1]);
        assert_eq!(layout.positions(), [0, 1, 0, 1, 0, 0, 1, 2]);
        let rows = [&[0][..], &[0, 1], &[2], &[2, 3], &[0], &[1], &[1, 2], &[1, 2, 3]];
        assert_eq!(seen(&layout, None).unwrap(), rows);
        let rows = [&[0][..], &[0, 1], &[2], &[2, 3], &[0], &[1], &[1, 2], &[2, 3]];
        assert_eq!(seen(&layout, Some(2)).unwrap(), rows);
    }

    #[test]
    fn rows_of_one_text_need_no_mask() {
        for layout in [Layout::plain(2, 2), Layout::packed(3, 4, &[5; 12])] {
            assert!(layout.rows() == 1 && seen(&layout, None).is_none() && seen(&layout, Some(4)).is_none());
            assert_eq!(seen(&layout, Some(3)).unwrap().last().unwrap(), &[1, 2, 3]);
        }
    }
}
