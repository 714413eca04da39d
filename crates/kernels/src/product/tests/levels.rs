//! The vectors of every instruction set that this CPU has.

use half::bf16;
use proptest::prelude::*;

use super::super::{MatRef, Number, Start, by_vectors};
use super::{Layout, Stored, assert_close, formats, layouts, numbers, reference};
use crate::Precision;
use crate::isa::Isa;

/// Those of which products in vectors are made, the slowest first.
fn levels() -> Vec<Isa> {
    Isa::all().filter(|&isa| isa > Isa::Portable).collect()
}

/// The product of a level, added to `c`.
fn added<A: Number, B: Number>(isa: Isa, a: MatRef<A>, b: MatRef<B>, c: &[f32], precision: Precision) -> Vec<f32> {
    let mut c = c.to_vec();
    // SAFETY: the shapes agree and are not empty, and the CPU has the level.
    unsafe { by_vectors(isa, a, b, c.as_mut_ptr(), Start::Held, precision) };
    c
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// f32 has the same bits at every level.
fn check(a: MatRef, b: MatRef, precision: Precision) {
    let (want, row, held) = (reference(a, b, precision), numbers(b.cols, 55), numbers(a.rows * b.cols, 77));
    let mut first = None;
    for isa in levels() {
        let sums = added(isa, a, b, &held, precision);
        assert_close(&sums, &held, &want, a.cols);
        let mut c = vec![f32::NAN; held.len()];
        for (start, values) in [(Start::Zero, vec![0.0; held.len()]), (Start::Row(row.as_ptr()), row.repeat(a.rows))] {
            // SAFETY: as above; the row is as long as one of C.
            unsafe { by_vectors(isa, a, b, c.as_mut_ptr(), start, precision) };
            assert_close(&c, &values, &want, a.cols);
        }
        if precision == Precision::F32 {
            let all = [bits(&sums), bits(&c)];
            assert!(*first.get_or_insert_with(|| all.clone()) == all, "the bits of {}", isa.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_level_agrees_with_the_definition(
        (m, n, k) in (1usize..100, 1usize..150, 1usize..300),
        (a_layout, b_layout, precision) in (layouts(), layouts(), formats()),
    ) {
        let (a, b) = (Stored::new(m, k, a_layout, 1), Stored::new(k, n, b_layout, 2));
        check(a.view(), b.view(), precision);
    }

    #[test]
    fn every_level_widens_bf16(
        (m, n, k) in (1usize..20, 1usize..100, 1usize..100),
        layout in layouts(),
    ) {
        let (a, mut b) = (Stored::new(m, k, Layout::Rows, 1), Stored::new(k, n, layout, 2));
        let halves: Vec<bf16> = b.data.iter().map(|&number| bf16::from_f32(number)).collect();
        b.data = halves.iter().map(|half| half.to_f32()).collect();
        let MatRef { rows, cols, row_stride, col_stride, .. } = b.view();
        let halves = MatRef { data: &halves, rows, cols, row_stride, col_stride };
        let zeros = vec![0.0; m * n];
        for isa in levels() {
            for precision in [Precision::F32, Precision::Bf16] {
                let wide = added(isa, a.view(), b.view(), &zeros, precision);
                assert_eq!(bits(&added(isa, a.view(), halves, &zeros, precision)), bits(&wide), "{}", isa.name());
            }
        }
    }
}

/// A left side in bf16, whose rows are read in place where they can be: an even and an odd number of elements, rows
/// with gaps, one that begins inside of a lane, and more elements than a block.
#[test]
fn a_left_side_in_bf16_is_the_same_widened() {
    for (m, n, k, gap, skip) in
        [(9, 70, 32, 0, 0), (9, 70, 33, 1, 0), (40, 20, 64, 6, 0), (7, 33, 48, 0, 1), (300, 40, 2100, 0, 0)]
    {
        let stride = k + gap;
        let halves: Vec<bf16> = numbers(m * stride + skip, 4).into_iter().map(bf16::from_f32).collect();
        let wide: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
        let b = Stored::new(k, n, Layout::Rows, 2);
        let zeros = vec![0.0; m * n];
        for isa in levels() {
            for precision in [Precision::F32, Precision::Bf16] {
                let of_halves = MatRef { data: &halves[skip..], rows: m, cols: k, row_stride: stride, col_stride: 1 };
                let of_wide = MatRef { data: &wide[skip..], rows: m, cols: k, row_stride: stride, col_stride: 1 };
                let want = bits(&added(isa, of_wide, b.view(), &zeros, precision));
                assert_eq!(bits(&added(isa, of_halves, b.view(), &zeros, precision)), want, "{} {k}", isa.name());
            }
        }
    }
}

#[test]
fn every_level_agrees_beyond_every_block() {
    for (m, n, k) in [(7, 65, 4500), (130, 70, 2049), (300, 40, 2100), (40, 400, 2100), (1, 3000, 33), (300, 1, 33)] {
        for layout in [Layout::Rows, Layout::Columns] {
            let (a, b) = (Stored::new(m, k, layout, 1), Stored::new(k, n, layout, 2));
            check(a.view(), b.view(), Precision::F32);
        }
    }
}

#[test]
fn no_level_depends_on_the_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let pools = [1, 2, 7].map(pool);
    for (m, n, k) in [(300, 200, 700), (200, 900, 100), (128, 128, 4100), (2000, 64, 64), (1, 900, 3000)] {
        let (a, b) = (Stored::new(m, k, Layout::Rows, 1), Stored::new(k, n, Layout::Columns, 2));
        let start = numbers(m * n, 3);
        for isa in levels() {
            for precision in [Precision::F32, Precision::Bf16] {
                let [one, two, seven] =
                    pools.each_ref().map(|pool| pool.install(|| added(isa, a.view(), b.view(), &start, precision)));
                assert!(one == two && one == seven, "{} {m} × {n} × {k} {precision:?}", isa.name());
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_in_its_row_at_every_level() {
    let mut a = numbers(9 * 33, 1);
    // Both have low bits that a rounding to bf16 could carry out of.
    (a[2 * 33 + 5], a[4 * 33]) = (f32::from_bits(0x7fff_ffff), f32::from_bits(0xffff_ffff));
    let b = numbers(33 * 70, 2);
    for isa in levels() {
        for precision in [Precision::F32, Precision::Bf16] {
            let c = added(isa, MatRef::row_major(&a, 9, 33), MatRef::row_major(&b, 33, 70), &[0.0; 630], precision);
            assert!(c.iter().enumerate().all(|(i, x)| x.is_nan() == [2, 4].contains(&(i / 70))), "{}", isa.name());
        }
    }
}
