#[cfg(target_arch = "x86_64")]
mod levels;

use std::mem::MaybeUninit;

use proptest::prelude::*;

use crate::Precision;

use super::{MatRef, Start, TileBlocks, portable, product, product_into, round_to_bf16};

/// Numbers in −1..1 that differ from each other, from a seed (splitmix64).
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let number = |i: usize| {
        let mut z =
            (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed.wrapping_mul(0xd1b5_4a32_d192_ed03));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(number).collect()
}

/// Memory layout of a matrix.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    /// Rows apart by more than their length.
    Padded,
    /// No two elements are adjacent.
    Sparse,
    /// All rows share the same memory.
    Broadcast,
}

/// A matrix that owns its data.
struct Stored {
    data: Vec<f32>,
    shape: [usize; 4],
}

impl Stored {
    fn new(rows: usize, cols: usize, layout: Layout, seed: u64) -> Self {
        let (row_stride, col_stride) = match layout {
            Layout::Rows => (cols, 1),
            Layout::Columns => (1, rows),
            Layout::Padded => (cols + 5, 1),
            Layout::Sparse => (3 * cols + 1, 3),
            Layout::Broadcast => (0, 1),
        };
        let len = if rows * cols == 0 { 0 } else { (rows - 1) * row_stride + (cols - 1) * col_stride + 1 };
        Self { data: numbers(len, seed), shape: [rows, cols, row_stride, col_stride] }
    }

    fn view(&self) -> MatRef<'_> {
        let [rows, cols, row_stride, col_stride] = self.shape;
        MatRef { data: &self.data, rows, cols, row_stride, col_stride }
    }
}

/// The product in f64 of operands rounded to the format, and for each number the sum of the magnitudes of its terms.
fn reference(a: MatRef, b: MatRef, precision: Precision) -> Vec<(f64, f64)> {
    let at = |m: &MatRef, r: usize, c: usize| {
        let value = m.data[r * m.row_stride + c * m.col_stride];
        f64::from(if precision == Precision::Bf16 { round_to_bf16(value) } else { value })
    };
    let mut sums = Vec::new();
    for row in 0..a.rows {
        for col in 0..b.cols {
            let terms = (0..a.cols).map(|x| at(&a, row, x) * at(&b, x, col));
            sums.push(terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs())));
        }
    }
    sums
}

/// The error of an f32 sum is at most one rounding per term, relative to the terms' magnitudes; usually far less.
fn assert_close(got: &[f32], start: &[f32], want: &[(f64, f64)], depth: usize) {
    for (i, ((&got, &start), &(sum, size))) in got.iter().zip(start).zip(want).enumerate() {
        let want = sum + f64::from(start);
        let bound = (size + f64::from(start).abs()) * f64::from(f32::EPSILON) * (depth as f64 + 2.0).sqrt() * 4.0;
        assert!((f64::from(got) - want).abs() <= bound, "number {i}: {got}, want {want} within {bound}");
    }
}

fn check_all(a: MatRef, b: MatRef, precision: Precision) {
    let want = reference(a, b, precision);
    let len = a.rows * b.cols;
    let mut c = vec![f32::NAN; len];
    product(a, b, &mut c, false, precision);
    assert_close(&c, &vec![0.0; len], &want, a.cols);

    let mut fresh = vec![MaybeUninit::uninit(); len];
    assert_eq!(product_into(a, b, None, &mut fresh, precision), &c, "fresh memory");

    let row = numbers(b.cols, 55);
    let added = product_into(a, b, Some(&row), &mut fresh, precision);
    assert_close(added, &row.repeat(a.rows), &want, a.cols);

    let start = numbers(len, 77);
    c.copy_from_slice(&start);
    product(a, b, &mut c, true, precision);
    assert_close(&c, &start, &want, a.cols);
}

fn layouts() -> impl Strategy<Value = Layout> {
    let all = [Layout::Rows, Layout::Columns, Layout::Padded, Layout::Sparse, Layout::Broadcast];
    prop::sample::select(all.to_vec())
}

fn formats() -> impl Strategy<Value = Precision> {
    prop::sample::select(vec![Precision::F32, Precision::Bf16])
}

/// A product by tiles of a unit. Only a CPU with AVX-512 BF16 can pack its operands.
#[cfg(target_arch = "x86_64")]
fn check_tiles<U: super::amx::TileUnit + Send + Sync>(a: MatRef, b: MatRef, sizes: TileBlocks) {
    use super::amx::{Tiles, blocking};
    use super::{blocks, columns_of, rows_of};
    if !crate::isa::Isa::best().has_bf16() {
        return eprintln!("not checked: products in tiles, whose operands this CPU cannot pack");
    }
    if a.rows == 0 || b.cols == 0 || a.cols == 0 {
        return;
    }
    let want = reference(a, b, Precision::Bf16);
    let (zero, row, held) = (vec![0.0; b.cols], numbers(b.cols, 55), numbers(a.rows * b.cols, 77));
    let starts =
        [(Start::Zero, zero.repeat(a.rows)), (Start::Row(row.as_ptr()), row.repeat(a.rows)), (Start::Held, held)];
    for (start, values) in starts {
        let mut c = if matches!(start, Start::Held) { values.clone() } else { vec![f32::NAN; values.len()] };
        let mut by_lanes = c.clone();
        // SAFETY: the shapes agree, the CPU has the instructions that pack, and the caller the unit.
        unsafe { blocks::product::<Tiles<U>, f32, f32>(rows_of(a), columns_of(b), by_lanes.as_mut_ptr(), start) };
        assert_close(&by_lanes, &values, &want, a.cols);
        // SAFETY: as above.
        unsafe { blocking::product::<U, f32, f32>(rows_of(a), columns_of(b), c.as_mut_ptr(), start, sizes) };
        assert_close(&c, &values, &want, a.cols);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn tiles_agree_with_the_definition(
        (m, n, k) in (0usize..100, 0usize..150, 0usize..300),
        (a_layout, b_layout) in (layouts(), layouts()),
        (depth, band, shared, ahead) in (1usize..300, 1usize..4, 1usize..150, 0usize..3),
    ) {
        let (a, b) = (Stored::new(m, k, a_layout, 1), Stored::new(k, n, b_layout, 2));
        let sizes = TileBlocks { depth, band: 32 * band, shared, ahead, ..TileBlocks::default() };
        check_tiles::<super::amx::software::Software>(a.view(), b.view(), sizes);
    }

    #[test]
    fn any_shape_and_layout_agrees_with_the_definition(
        (m, n, k) in (0usize..150, 0usize..150, 0usize..300),
        (a_layout, b_layout, precision) in (layouts(), layouts(), formats()),
    ) {
        let (a, b) = (Stored::new(m, k, a_layout, 1), Stored::new(k, n, b_layout, 2));
        check_all(a.view(), b.view(), precision);
        check_all(b.view().transposed(), a.view().transposed(), precision);
    }

    #[test]
    fn the_portable_product_agrees_with_the_definition(
        (m, n, k) in (1usize..40, 1usize..40, 1usize..80),
        (a_layout, b_layout, precision) in (layouts(), layouts(), formats()),
    ) {
        let (a, b) = (Stored::new(m, k, a_layout, 1), Stored::new(k, n, b_layout, 2));
        let start = numbers(m * n, 3);
        let mut c = start.clone();
        let want = reference(a.view(), b.view(), precision);
        // SAFETY: the shapes agree.
        unsafe { portable(a.view(), b.view(), c.as_mut_ptr(), Start::Held, precision) };
        assert_close(&c, &start, &want, k);
        let row = numbers(n, 4);
        // SAFETY: as above.
        unsafe { portable(a.view(), b.view(), c.as_mut_ptr(), Start::Row(row.as_ptr()), precision) };
        assert_close(&c, &row.repeat(m), &want, k);
    }
}

/// By the tile registers of AMX, or by their machine code on another CPU.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_machine_code_of_tiles_agrees_with_the_definition() {
    use super::amx::Hardware;
    assert!(super::pairs::emulate_tiles(), "Linux tells a process of invalid instructions");
    let layouts = [Layout::Rows, Layout::Columns];
    for (m, n, k) in [(1, 1, 1), (32, 32, 32), (33, 65, 70), (70, 33, 129), (64, 100, 40), (5, 130, 300)] {
        for (a_layout, b_layout) in [(layouts[0], layouts[0]), (layouts[0], layouts[1]), (layouts[1], layouts[0])] {
            let (a, b) = (Stored::new(m, k, a_layout, 1), Stored::new(k, n, b_layout, 2));
            for (depth, band, ahead) in [(512, 256, 1), (64, 32, 0), (96, 64, 2)] {
                let sizes = TileBlocks { depth, band, ahead, ..TileBlocks::default() };
                check_tiles::<Hardware>(a.view(), b.view(), sizes);
            }
        }
    }
}

#[test]
fn shapes_beyond_every_block_agree_with_the_definition() {
    // Beyond a block of k, a split of k, a band of rows or columns, each of them alone and in odd sizes.
    for (m, n, k) in [
        (7, 65, 4500),
        (130, 70, 2049),
        (600, 40, 2100),
        (40, 700, 2100),
        (1, 3000, 33),
        (3000, 1, 33),
        (515, 515, 97),
        (1, 1, 5000),
    ] {
        for precision in [Precision::F32, Precision::Bf16] {
            for layout in [Layout::Rows, Layout::Columns] {
                let (a, b) = (Stored::new(m, k, layout, 1), Stored::new(k, n, layout, 2));
                check_all(a.view(), b.view(), precision);
                #[cfg(target_arch = "x86_64")]
                check_tiles::<super::amx::software::Software>(a.view(), b.view(), TileBlocks::default());
            }
        }
    }
}

#[test]
fn more_vectors_than_are_shared_at_once_agree_with_the_definition() {
    // 2048 f32 columns of depth 2048 fill the shared buffer.
    let (a, b) = (Stored::new(2200, 2048, Layout::Rows, 1), Stored::new(2048, 2100, Layout::Rows, 2));
    let (row_to_add, mut c) = (numbers(2100, 3), vec![MaybeUninit::uninit(); 2200 * 2100]);
    let c = product_into(a.view(), b.view(), Some(&row_to_add), &mut c, Precision::F32);
    for (row, col) in [(0, 0), (2199, 2047), (2199, 2048), (2199, 2099), (1000, 2050)] {
        let row_of_a = MatRef { data: &a.data[row * 2048..], rows: 1, ..a.view() };
        let col_of_b = MatRef { data: &b.data[col..], cols: 1, ..b.view() };
        assert_close(&[c[row * 2100 + col]], &[row_to_add[col]], &reference(row_of_a, col_of_b, Precision::F32), 2048);
    }
}

#[test]
fn the_result_does_not_depend_on_the_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (one, two, seven) = (pool(1), pool(2), pool(7));
    for (m, n, k) in [(300, 200, 700), (200, 900, 100), (128, 128, 4100), (2000, 64, 64), (1, 900, 3000)] {
        for precision in [Precision::F32, Precision::Bf16] {
            let (a, b) = (Stored::new(m, k, Layout::Rows, 1), Stored::new(k, n, Layout::Columns, 2));
            let on = |pool: &rayon::ThreadPool| {
                let mut c = numbers(m * n, 3);
                pool.install(|| product(a.view(), b.view(), &mut c, true, precision));
                c
            };
            let alone = on(&one);
            assert!(alone == on(&two) && alone == on(&seven), "{m} × {n} × {k} {precision:?}");
        }
    }
}

/// The order of summation follows from the shape and from the length of a part of k.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_result_of_tiles_depends_neither_on_the_threads_nor_on_bands() {
    use super::amx::{blocking, software::Software};
    use super::{columns_of, rows_of};
    if !crate::isa::Isa::best().has_bf16() {
        return;
    }
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (one, two, seven) = (pool(1), pool(2), pool(7));
    for (m, n, k) in [(300, 200, 700), (200, 400, 100), (128, 128, 2100), (600, 64, 64), (1, 900, 3000)] {
        for (a_layout, b_layout) in [(Layout::Rows, Layout::Columns), (Layout::Columns, Layout::Rows)] {
            let (a, b) = (Stored::new(m, k, a_layout, 1), Stored::new(k, n, b_layout, 2));
            let on = |pool: &rayon::ThreadPool, band, shared| {
                let mut c = numbers(m * n, 3);
                let sizes = TileBlocks { depth: 256, band, shared, ..TileBlocks::default() };
                let (rows, columns) = (rows_of(a.view()), columns_of(b.view()));
                pool.install(|| {
                    let c: &mut [f32] = &mut c;
                    // SAFETY: the shapes agree, and the CPU has the instructions that pack.
                    unsafe {
                        blocking::product::<Software, f32, f32>(rows, columns, c.as_mut_ptr(), Start::Held, sizes);
                    }
                });
                c
            };
            let alone = on(&one, 256, 512);
            assert!(alone == on(&two, 256, 64) && alone == on(&seven, 64, 128), "{m} × {n} × {k} {a_layout:?}");
        }
    }
}

#[test]
fn products_within_a_parallel_loop_do_not_disturb_each_other() {
    use rayon::prelude::*;
    let (a, b) = (Stored::new(150, 150, Layout::Rows, 1), Stored::new(150, 150, Layout::Rows, 2));
    let alone = product_of(&a, &b);
    (0..50).into_par_iter().for_each(|_| assert_eq!(product_of(&a, &b), alone));
}

fn product_of(a: &Stored, b: &Stored) -> Vec<f32> {
    let mut c = vec![0.0; a.shape[0] * b.shape[1]];
    product(a.view(), b.view(), &mut c, false, Precision::Bf16);
    c
}

#[test]
fn bf16_rounds_to_nearest_even() {
    // Between 1 and 1 + 2⁻⁷ the tie goes to 1; between 1 + 2⁻⁷ and 1 + 2⁻⁶ to the latter.
    let halfway = 1.0 + f32::powi(2.0, -8);
    let next = 1.0 + f32::powi(2.0, -7) + f32::powi(2.0, -8);
    let values = [halfway, next, -halfway, f32::INFINITY];
    let want = [1.0, 1.0 + f32::powi(2.0, -6), -1.0, f32::INFINITY];
    let mut c = [0.0; 4];
    product(MatRef::row_major(&values, 4, 1), MatRef::row_major(&[1.0], 1, 1), &mut c, false, Precision::Bf16);
    assert_eq!(c.map(f32::to_bits), want.map(f32::to_bits));
    assert_eq!(values.map(|value| round_to_bf16(value).to_bits()), want.map(f32::to_bits));
}

#[test]
fn what_is_not_a_number_stays_where_it_is() {
    let (mut a, b) = (numbers(9 * 33, 1), numbers(33 * 70, 2));
    a[2 * 33 + 5] = f32::NAN;
    for precision in [Precision::F32, Precision::Bf16] {
        let mut c = vec![0.0; 9 * 70];
        product(MatRef::row_major(&a, 9, 33), MatRef::row_major(&b, 33, 70), &mut c, false, precision);
        assert!(c.iter().enumerate().all(|(i, x)| x.is_nan() == (i / 70 == 2)));
    }
}

#[test]
#[should_panic(expected = "a matrix lies inside its data")]
fn a_matrix_that_exceeds_its_data_is_refused() {
    let a = MatRef { data: &[1.0; 5], rows: 2, cols: 3, row_stride: 3, col_stride: 1 };
    product(a, MatRef::row_major(&[1.0; 3], 3, 1), &mut [0.0; 2], false, Precision::F32);
}
