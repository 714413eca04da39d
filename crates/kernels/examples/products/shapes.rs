//! Shapes of products, their operands, and the time that they take.

use std::time::Instant;

use fireclay_kernels::product::MatRef;

/// Rows of A, columns of B, what is summed over, and whether A and B lie in memory by columns.
pub type Shape = ([usize; 3], [bool; 2]);

pub const DECODER: [Shape; 9] = [
    ([4096, 512, 128], [false, false]),
    ([4096, 128, 512], [false, true]),
    ([128, 512, 4096], [true, false]),
    ([2048, 1536, 384], [false, false]),
    ([2048, 384, 1536], [false, true]),
    ([384, 1536, 2048], [true, false]),
    ([2048, 384, 384], [false, false]),
    ([384, 384, 2048], [true, false]),
    ([256, 4096, 384], [false, false]),
];

/// Which operands lie in memory by columns, in words.
pub fn columns(by_columns: [bool; 2]) -> &'static str {
    match by_columns {
        [false, false] => "",
        [true, false] => "A",
        [false, true] => "B",
        [true, true] => "A, B",
    }
}

/// Both operands of a shape.
pub fn matrices<'a>(([m, n, k], by_columns): Shape, a: &'a Aligned, b: &'a Aligned) -> (MatRef<'a>, MatRef<'a>) {
    let view = |data: &'a Aligned, rows, cols, by_columns| match by_columns {
        true => MatRef::row_major(data.view(), cols, rows).transposed(),
        false => MatRef::row_major(data.view(), rows, cols),
    };
    (view(a, m, k, by_columns[0]), view(b, k, n, by_columns[1]))
}

/// Numbers that begin at a cache line, as large allocations of the allocator that the program uses do; those of the
/// system begin 16 bytes after one, so that every vector of 64 bytes straddles two lines.
pub struct Aligned {
    data: Vec<f32>,
    first: usize,
}

impl Aligned {
    const LINE: usize = 64 / size_of::<f32>();

    pub fn zeros(count: usize) -> Self {
        let data = vec![0.0; count + Self::LINE];
        let first = (data.as_ptr() as usize).next_multiple_of(64) - data.as_ptr() as usize;
        Self { data, first: first / size_of::<f32>() }
    }

    pub fn waves(count: usize) -> Self {
        let mut numbers = Self::zeros(count);
        numbers.numbers().iter_mut().enumerate().for_each(|(i, number)| *number = (i as f32 * 0.7).sin());
        numbers
    }

    pub fn numbers(&mut self) -> &mut [f32] {
        let end = self.data.len() - Self::LINE + self.first;
        &mut self.data[self.first..end]
    }

    pub fn view(&self) -> &[f32] {
        &self.data[self.first..self.data.len() - Self::LINE + self.first]
    }
}

/// The seconds that one of several runs takes, all of them at least `least` together.
pub fn seconds(least: f64, mut run: impl FnMut()) -> f64 {
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed().as_secs_f64() < least {
        run();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}
