//! Memory that takes no space until it is written.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// Elements that are zero until they are written. The system provides their memory page by page, at the first write to
/// each; an allocator may clear all of it at once.
#[derive(Debug)]
pub(super) struct Untouched<E> {
    /// At least one byte, because the system maps no empty memory.
    map: MmapMut,
    count: usize,
    elements: PhantomData<E>,
}

impl<E: Pod> Untouched<E> {
    /// # Panics
    /// When the system has no room for so many.
    pub fn new(count: usize) -> Self {
        let bytes = count.checked_mul(size_of::<E>()).expect("the size of keys and values fits the address space");
        let map = MmapMut::map_anon(bytes.max(1));
        let map = map.unwrap_or_else(|error| panic!("no memory for {bytes} bytes of keys or values: {error}"));
        // Fewer entries of the translation buffer; a system without large pages refuses, and nothing else changes.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Self { map, count, elements: PhantomData }
    }
}

impl<E: Pod> Deref for Untouched<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        bytemuck::cast_slice(&self.map[..self.count * size_of::<E>()])
    }
}

impl<E: Pod> DerefMut for Untouched<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        bytemuck::cast_slice_mut(&mut self.map[..self.count * size_of::<E>()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_zero_until_they_are_written() {
        let mut elements = Untouched::<f32>::new(5000);
        assert_eq!((elements.len(), elements.iter().filter(|&&element| element != 0.0).count()), (5000, 0));
        elements[4999] = 2.0;
        assert_eq!(elements.iter().sum::<f32>().to_bits(), 2f32.to_bits());
        assert!(Untouched::<u32>::new(0).is_empty());
    }
}
