//! The order in which blocks of C are computed in tile registers, and when their operands are packed.
//!
//! As in the blocking for vector registers, the smaller operand is packed once, for all threads, and each thread packs
//! bands of the larger one. A band is packed one part of k after the other. One of its blocks stays in L1 while it is
//! multiplied with all shared blocks, which come from L2 in the order of memory. The order of summation of each number
//! of C follows from the shape alone.

use super::super::Start;
use super::super::blocks::{DEPTH_BLOCK, OutputBand, PACKING, PARALLEL_FROM, Packed, SHARED_LANES, each, in_parts};
use super::super::number::Number;
use super::super::scratch::Scratch;
use super::super::tile_blocks::{TileBlocks, TileWork};
use super::super::vectors::Vectors;
use super::TileUnit;
use super::kernel::{BLOCK, STEP, STEP_LANES, TILE, TileProduct};
use super::pack::Side;

/// Bands for each thread, if they have at least this number of vectors: the last one to end is waited for.
const BANDS_A_THREAD: usize = 4;
const LEAST_BAND: usize = 128;
/// Steps along k, and blocks, that a thread packs at once.
const PACKED_STEPS: usize = 4;
const PACKED_BLOCKS: usize = 2;

/// C ← start + A·B, with the rows of A in `a` and the columns of B in `b`, neither of them empty.
///
/// # Safety
/// As for the product in vector registers, and the CPU has the unit.
pub(in crate::product) unsafe fn product<U: TileUnit, A: Number, B: Number>(
    a: Vectors<A>,
    b: Vectors<B>,
    c: *mut f32,
    start: Start,
    sizes: TileBlocks,
) {
    // SAFETY: the caller's promise holds for parts of the operands too.
    unsafe { in_parts(a, b, c, start, |a, b, output, parallel| whole::<U, A, B>(a, b, output, parallel, sizes)) }
}

/// All of C, k block by block.
///
/// # Safety
/// As for [`product`].
unsafe fn whole<U: TileUnit, A: Number, B: Number>(
    a: Vectors<A>,
    b: Vectors<B>,
    mut output: OutputBand,
    parallel: bool,
    sizes: TileBlocks,
) {
    for from in (0..a.depth).step_by(DEPTH_BLOCK) {
        let depth = DEPTH_BLOCK.min(a.depth - from);
        let (a, b) = (a.part(0, a.count, from, depth), b.part(0, b.count, from, depth));
        let most = SHARED_LANES / (a.tile_steps() * STEP_LANES) * BLOCK;
        let run = Run::<U>::new(parallel, a.tile_steps(), sizes);
        // SAFETY: the parts lie inside the operands and C.
        unsafe {
            if a.count > b.count {
                for first in (0..b.count).step_by(most) {
                    let b = b.part(first, most.min(b.count - first), 0, depth);
                    run.product(b, Side::Right, a, Side::Left, output.at(0, first));
                }
            } else {
                for first in (0..a.count).step_by(most) {
                    let a = a.part(first, most.min(a.count - first), 0, depth);
                    run.product(a, Side::Left, b, Side::Right, output.at(first, 0));
                }
            }
        }
        output.start = Start::Held;
    }
}

/// How a product of some depth is computed.
#[derive(Clone, Copy)]
struct Run<U> {
    parallel: bool,
    steps: usize,
    /// Steps of a part of k; the last part may be shorter.
    part: usize,
    sizes: TileBlocks,
    unit: std::marker::PhantomData<fn() -> U>,
}

/// A part of k of the packed operands, and what is computed of them.
#[derive(Clone, Copy)]
struct PackedPart {
    steps: usize,
    /// Packed blocks of the band that a thread has, and of the operand that all threads share.
    band: *const u32,
    shared: *const u32,
    band_count: usize,
    shared_count: usize,
    band_side: Side,
    output: OutputBand,
}

impl<U: TileUnit> Run<U> {
    fn new(parallel: bool, steps: usize, sizes: TileBlocks) -> Self {
        let parts = steps.div_ceil(sizes.depth.div_ceil(STEP));
        Self { parallel, steps, part: steps.div_ceil(parts), sizes, unit: std::marker::PhantomData }
    }

    /// The parts of k: their first step, and their number of steps.
    fn parts(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.steps).step_by(self.part).map(move |from| (from, self.part.min(self.steps - from)))
    }

    /// Packs the shared operand, then the other in bands, each of which is multiplied by the thread that packed it.
    ///
    /// # Safety
    /// As for [`product`].
    unsafe fn product<S: Number, B: Number>(
        self,
        shared: Vectors<S>,
        shared_side: Side,
        vectors: Vectors<B>,
        side: Side,
        output: OutputBand,
    ) {
        let blocks = shared.count.div_ceil(BLOCK);
        let band = self.band(vectors.count);
        Scratch::Shared.with(blocks * self.steps * STEP_LANES, |lanes| {
            let packed = Packed(lanes);
            if self.sizes.work != TileWork::Multiplying {
                // SAFETY: the buffer holds all blocks.
                unsafe { self.pack_shared(shared, shared_side, packed) };
            }
            each(vectors.count.div_ceil(band), self.parallel, |index| {
                let first = index * band;
                let count = band.min(vectors.count - first);
                let output = if side == Side::Left { output.at(first, 0) } else { output.at(0, first) };
                Scratch::Local.with(count.div_ceil(BLOCK) * self.part * STEP_LANES, |local| {
                    // SAFETY: the band is a part of the operand, and its numbers of C are this task's.
                    unsafe {
                        self.multiply_band(vectors.part(first, count, 0, vectors.depth), side, local, |from, steps| {
                            PackedPart {
                                steps,
                                band: local,
                                shared: packed.at(from * blocks * STEP_LANES),
                                band_count: count,
                                shared_count: shared.count,
                                band_side: side,
                                output: OutputBand {
                                    start: if from > 0 { Start::Held } else { output.start },
                                    ..output
                                },
                            }
                        });
                    }
                });
            });
        });
    }

    /// Packs each part of k of a band, and multiplies it.
    ///
    /// # Safety
    /// `local` holds a part of the band, and `part` returns packed operands and a C that this thread alone writes.
    unsafe fn multiply_band<E: Number>(
        self,
        band: Vectors<E>,
        side: Side,
        local: *mut u32,
        part: impl Fn(usize, usize) -> PackedPart,
    ) {
        let multiplies = self.sizes.work != TileWork::Packing;
        // SAFETY: the caller's promise; the thread is prepared before it multiplies.
        unsafe {
            if multiplies {
                U::begin();
            }
            for (from, steps) in self.parts() {
                if self.sizes.work != TileWork::Multiplying {
                    let depth = (steps * STEP).min(band.depth - from * STEP);
                    let part = band.part(0, band.count, from * STEP, depth);
                    part.pack_tiles(side, local, steps * STEP_LANES);
                }
                if multiplies {
                    multiply_part::<U>(part(from, steps), self.sizes);
                }
            }
            if multiplies {
                U::end();
            }
        }
    }

    /// Packs all of the shared operand, one part of k after the other.
    ///
    /// # Safety
    /// The elements are readable, and `packed` holds all blocks.
    unsafe fn pack_shared<E: Number>(self, shared: Vectors<E>, side: Side, packed: Packed) {
        let blocks = shared.count.div_ceil(BLOCK);
        let parallel = self.parallel && PACKING * shared.count * shared.depth >= PARALLEL_FROM;
        // Tasks read memory in order.
        let [vectors, length] = match (parallel, shared.steps_first(side)) {
            (false, _) => [shared.count, self.part],
            (true, true) => [shared.count, PACKED_STEPS.min(self.part)],
            (true, false) => [PACKED_BLOCKS * BLOCK, self.part],
        };
        let [along, across] = [self.part.div_ceil(length), shared.count.div_ceil(vectors)];
        let parts = self.steps.div_ceil(self.part);
        each(parts * along * across, parallel, |task| {
            let (part, first) = (task / (along * across) * self.part, task % across * vectors);
            let steps = self.part.min(self.steps - part);
            let step = task / across % along * length;
            if step >= steps {
                return;
            }
            let from = (part + step) * STEP;
            let depth = (length.min(steps - step) * STEP).min(shared.depth - from);
            let place = (part * blocks + first / BLOCK * steps + step) * STEP_LANES;
            let vectors = shared.part(first, vectors.min(shared.count - first), from, depth);
            // SAFETY: only this task writes these steps of these blocks.
            unsafe { vectors.pack_tiles(side, packed.at(place), steps * STEP_LANES) }
        });
    }

    /// Number of vectors in a band. All bands have one size, and each thread gets the same number.
    fn band(self, count: usize) -> usize {
        let threads = if self.parallel { rayon::current_num_threads() } else { 1 };
        let wanted = if self.parallel { (BANDS_A_THREAD * threads).min(count / LEAST_BAND) } else { 1 };
        let bands = count.div_ceil(self.sizes.band).max(wanted).next_multiple_of(threads);
        count.div_ceil(bands).next_multiple_of(BLOCK)
    }
}

/// Multiplies a part of k of a band with all shared blocks.
///
/// # Safety
/// The thread is prepared; the operands are packed, and C is writable.
unsafe fn multiply_part<U: TileUnit>(part: PackedPart, sizes: TileBlocks) {
    let block = part.steps * STEP_LANES;
    let chunk = sizes.shared.next_multiple_of(BLOCK);
    for from in (0..part.shared_count).step_by(chunk) {
        let end = part.shared_count.min(from + chunk);
        for first in (0..part.band_count).step_by(BLOCK) {
            for second in (from..end).step_by(BLOCK) {
                let next = if second + BLOCK < end { [first, second + BLOCK] } else { [first + BLOCK, from] };
                let shared = part.shared.wrapping_add(second / BLOCK * block);
                let band = part.band.wrapping_add(first / BLOCK * block);
                let ahead = shared.wrapping_add(sizes.ahead * STEP_LANES);
                let [a, b] = if part.band_side == Side::Left { [band, shared] } else { [shared, band] };
                let output = part.at(first, second);
                let product = TileProduct {
                    a,
                    b,
                    count: part.steps,
                    start: [std::ptr::null(); 2],
                    start_stride: 0,
                    c: [output.c, output.c.wrapping_add(TILE * output.row_stride)],
                    c_stride: size_of::<f32>() * output.row_stride,
                    ahead: if sizes.ahead > 0 { ahead } else { std::ptr::null() },
                    next: part.at(next[0], next[1]).c,
                    next_rows: if sizes.prefetch_c { BLOCK } else { 0 },
                };
                let (of_band, of_shared) = (part.band_count - first, part.shared_count - second);
                let [rows, cols] =
                    if part.band_side == Side::Left { [of_band, of_shared] } else { [of_shared, of_band] };
                // SAFETY: the block lies inside the packed operands, and its numbers inside C.
                unsafe {
                    if rows >= BLOCK && cols >= BLOCK {
                        multiply_whole::<U>(product, output.start);
                    } else {
                        multiply_edge::<U>(product, output, [rows.min(BLOCK), cols.min(BLOCK)]);
                    }
                }
            }
        }
    }
}

impl PackedPart {
    /// C at a vector of the band and one of the shared operand.
    fn at(&self, band: usize, shared: usize) -> OutputBand {
        if self.band_side == Side::Left { self.output.at(band, shared) } else { self.output.at(shared, band) }
    }
}

/// A block with all of its numbers in C.
///
/// # Safety
/// As for [`multiply_part`].
unsafe fn multiply_whole<U: TileUnit>(product: TileProduct, start: Start) {
    let (start, start_stride) = match start {
        Start::Zero => (product.start, 0),
        Start::Held => (product.c.map(<*mut f32>::cast_const), product.c_stride),
        Start::Row(row) => ([row; 2], 0),
    };
    // SAFETY: the caller's promise.
    unsafe { U::product(&TileProduct { start, start_stride, ..product }) }
}

/// A block on the edge of C, by way of a buffer: C has only some rows and columns of it.
///
/// # Safety
/// As for [`multiply_part`].
unsafe fn multiply_edge<U: TileUnit>(product: TileProduct, output: OutputBand, [rows, cols]: [usize; 2]) {
    #[repr(C, align(64))]
    struct EdgeBlock([[f32; BLOCK]; BLOCK]);
    let mut buffer = EdgeBlock([[0.0; BLOCK]; BLOCK]);
    for (row, sums) in buffer.0.iter_mut().enumerate().take(rows) {
        let OutputBand { c, start, .. } = output.at(row, 0);
        let from = match start {
            Start::Zero => continue,
            Start::Held => c.cast_const(),
            Start::Row(values) => values,
        };
        // SAFETY: the caller's promise on C, and on the row that it starts from.
        unsafe { sums.as_mut_ptr().copy_from_nonoverlapping(from, cols) };
    }
    let sums: *mut f32 = buffer.0.as_mut_ptr().cast();
    let c = [sums, sums.wrapping_add(TILE * BLOCK)];
    let stride = size_of::<f32>() * BLOCK;
    let start = c.map(<*mut f32>::cast_const);
    let product = TileProduct { start, start_stride: stride, c, c_stride: stride, next_rows: 0, ..product };
    // SAFETY: the buffer holds a whole block.
    unsafe { U::product(&product) };
    for (row, sums) in buffer.0.iter().enumerate().take(rows) {
        // SAFETY: the caller's promise on C.
        unsafe { output.at(row, 0).c.copy_from_nonoverlapping(sums.as_ptr(), cols) };
    }
}
