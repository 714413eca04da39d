//! Sizes of the blocks of products in tile registers.

/// Sizes of the blocks of a bf16 product in the tile registers of AMX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileBlocks {
    /// Largest number of elements along k over which sums stay in tile registers. 32 rows of A of it lie in L1.
    pub depth: usize,
    /// Largest number of vectors (rows of A, or columns of B) that a thread packs for itself, a multiple of 32. They
    /// lie in L2.
    pub band: usize,
    /// Number of vectors of the other operand that are multiplied with the whole band before the next. They lie in L2.
    pub shared: usize,
    /// Number of steps of 32 elements along k by which the operand that comes from L2 is prefetched; 0 for none.
    pub ahead: usize,
    /// Whether the next block of C is prefetched while one is computed.
    pub prefetch_c: bool,
    /// What is done of it.
    pub work: TileWork,
}

/// The part of a product that is done, for measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileWork {
    /// All of it.
    Whole,
    /// Packing alone; C is left as it is.
    Packing,
    /// Multiplying alone, of whatever an earlier product has packed; C has unspecified values.
    Multiplying,
}

impl Default for TileBlocks {
    fn default() -> Self {
        Self { depth: 512, band: 256, shared: 512, ahead: 1, prefetch_c: true, work: TileWork::Whole }
    }
}
