//! Weights that are not trained, in the memory layout that products read.
//!
//! A weight `[I, O]` is stored in panels of [`PANEL`] outputs, one after the other. Inside a panel the inputs follow
//! one another, so that the product of one token reads memory from end to end. Every result is one chain of fused
//! multiply-adds over the inputs in their order, beginning with the bias; or, for inference, of pairs of bf16 numbers
//! or tile products of them ([`pairs`](super::pairs)), or sums of integers ([`int8`](super::int8)). So a row's result
//! depends neither on the number of rows, nor on its index, nor on the number of threads: batches of any size give the
//! same bits. A weight that is stored in blocks of another format is converted to this layout during the product.

#![expect(unsafe_code, reason = "threads write disjoint parts of one result")]

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;
use half::bf16;
use rayon::prelude::*;

use super::cpu::column_sums;
use super::int4::{self, NibblePanels};
use super::int8::{self, IntegerPanels, RoundedInputs};
#[cfg(target_arch = "x86_64")]
use super::pairs::tiles;
use super::pairs::{PairPanels, RoundedRows};
use super::{BlockWeight, INT8_BLOCK, WeightStorage};
use crate::Precision;
use crate::attention::flash::{self, Product, SharedOutput, buffers};
use crate::chain::{BlocksOfRows, Element, LeftRows};
use crate::host::{contiguous, dims, tensor, values};
#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;
use crate::op::{Forward, Kernel, Tracked, apply};
#[cfg(target_arch = "x86_64")]
use crate::product::pairs::AmxUnit;
use crate::product::{Number, round_to_bf16};
use crate::simd::vectorize;

/// Number of outputs in a panel, which share the scale of an int8 block.
const PANEL: usize = INT8_BLOCK;
/// Outputs of a task if there are many rows: half a panel, whose sums of four or eight rows fit the registers.
const HALF: usize = PANEL / 2;
/// Number of inputs whose weights are widened at a time: 16 KiB with half a panel, half of an L1 cache.
const INPUTS: usize = 128;
/// Number of rows of a task.
const ROWS: usize = 128;
/// Number of multiplications below which waking other threads costs more than it saves.
const SERIAL: usize = 1 << 18;

/// A weight `[I, O]` that is not trained.
#[derive(Debug)]
pub(crate) struct Panels {
    inputs: usize,
    outputs: usize,
    values: PanelValues,
}

/// `[panels, I, PANEL]`, the last panel padded with zeros; or blocks.
#[derive(Debug)]
enum PanelValues {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    /// The weight is the value times its block's scale, `[panels, I]`.
    Int8 {
        values: Vec<[i8; PANEL]>,
        scales: Vec<f32>,
    },
    /// In pairs of inputs.
    Pairs(PairPanels),
    /// In a layout of its own, for products of integers.
    Integers(IntegerPanels),
    /// In a layout of its own, for products of integers or widened.
    Nibbles {
        weights: NibblePanels,
        widened: bool,
    },
    Blocks(Arc<dyn BlockWeight>),
}

impl Panels {
    /// `weight` in the given format: int8 with `scale = max |w| / 127` over each block of a row, `round(w / scale)`.
    pub fn of(weight: Tensor<2>, format: WeightStorage) -> Self {
        let [inputs, outputs] = weight.dims();
        if format == WeightStorage::Int4 {
            let values = PanelValues::Nibbles { weights: NibblePanels::of(weight), widened: true };
            return Self { inputs, outputs, values };
        }
        let weight = weight.into_data();
        let weight = weight.as_slice::<f32>().expect("a weight of f32");
        let panels = outputs.div_ceil(PANEL);
        let blocks = (0..panels * inputs).into_par_iter().map(|index| {
            let (panel, input) = (index / inputs, index % inputs);
            let mut block = [0.0; PANEL];
            let width = PANEL.min(outputs - panel * PANEL);
            block[..width].copy_from_slice(&weight[input * outputs + panel * PANEL..][..width]);
            block
        });
        let values = match format {
            WeightStorage::F32 => PanelValues::F32(blocks.collect::<Vec<_>>().into_flattened()),
            WeightStorage::Bf16 => {
                let rounded = blocks.map(|block| block.map(bf16::from_f32)).collect::<Vec<_>>();
                PanelValues::Bf16(rounded.into_flattened())
            }
            WeightStorage::Int8 => {
                let (values, scales) = blocks.map(|block| rounded(&block)).unzip();
                PanelValues::Int8 { values, scales }
            }
            WeightStorage::Int4 => unreachable!("they were rounded above"),
        };
        Self { inputs, outputs, values }
    }

    /// `weight` in the given format for inference, where x is rounded as weights are.
    pub fn for_inference(weight: Tensor<2>, format: WeightStorage) -> Self {
        let [inputs, outputs] = weight.dims();
        let values = match format {
            WeightStorage::F32 => return Self::of(weight, format),
            WeightStorage::Bf16 => PanelValues::Pairs(PairPanels::of(weight)),
            WeightStorage::Int8 => PanelValues::Integers(IntegerPanels::of(weight)),
            WeightStorage::Int4 => PanelValues::Nibbles { weights: NibblePanels::of(weight), widened: false },
        };
        Self { inputs, outputs, values }
    }

    /// A weight that stays in its blocks.
    pub fn of_blocks(blocks: Arc<dyn BlockWeight>) -> Self {
        let [inputs, outputs] = blocks.dims();
        Self { inputs, outputs, values: PanelValues::Blocks(blocks) }
    }

    /// The number of inputs and of outputs.
    pub fn dims(&self) -> [usize; 2] {
        [self.inputs, self.outputs]
    }

    /// The weight widened to f32.
    pub fn widened(&self) -> Tensor<2> {
        let mut rows = Vec::with_capacity(self.inputs * self.outputs);
        self.widen_outputs(0..self.outputs, &mut rows);
        let device = burn::tensor::Device::flex();
        Tensor::<2>::from_data(TensorData::new(rows, [self.outputs, self.inputs]), &device).transpose()
    }

    /// Appends the weights of some outputs, each output's inputs one after another.
    pub fn widen_outputs(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        match &self.values {
            PanelValues::Blocks(blocks) => return blocks.widen(outputs, into),
            PanelValues::Pairs(weights) => return weights.widen_outputs(outputs, into),
            PanelValues::Integers(weights) => return weights.widen_outputs(outputs, into),
            PanelValues::Nibbles { weights, .. } => return weights.widen_outputs(outputs, into),
            _ => {}
        }
        let mut block = [0.0; PANEL];
        let start = into.len();
        into.resize(start + outputs.len() * self.inputs, 0.0);
        let into = &mut into[start..];
        for panel in outputs.start / PANEL..outputs.end.div_ceil(PANEL) {
            let wanted = outputs.start.max(panel * PANEL)..outputs.end.min((panel + 1) * PANEL);
            for input in 0..self.inputs {
                self.widen::<PANEL>(panel, 0, input, 1, &mut block);
                for output in wanted.clone() {
                    into[(output - outputs.start) * self.inputs + input] = block[output - panel * PANEL];
                }
            }
        }
    }

    /// The weights of `count` inputs from `input` on, of `W` outputs from `first` of a panel on.
    fn widen<const W: usize>(&self, panel: usize, first: usize, input: usize, count: usize, out: &mut [f32]) {
        let start = panel * self.inputs + input;
        let (place, out) = (start * PANEL..(start + count) * PANEL, out.as_chunks_mut::<W>().0);
        vectorize(
            #[inline(always)]
            || match &self.values {
                PanelValues::F32(values) => {
                    for (out, row) in out.iter_mut().zip(values[place.clone()].as_chunks::<PANEL>().0) {
                        out.copy_from_slice(&row[first..first + W]);
                    }
                }
                PanelValues::Bf16(values) => {
                    for (out, row) in out.iter_mut().zip(values[place.clone()].as_chunks::<PANEL>().0) {
                        *out = mapped(&row[first..], Number::widen);
                    }
                }
                PanelValues::Int8 { values, scales } => {
                    for (out, (row, scale)) in out.iter_mut().zip(values[start..].iter().zip(&scales[start..])) {
                        *out = mapped(&row[first..], |weight| f32::from(weight) * *scale);
                    }
                }
                _ => unreachable!("the others are widened by whole outputs"),
            },
        );
    }

    /// `x·W + b` of `[rows, I]`.
    pub fn multiply(&self, x: &[f32], rows: usize, bias: Option<&[f32]>) -> Vec<f32> {
        let y = match &self.values {
            PanelValues::F32(values) => self.multiply_chains(x, self.inputs, values, self.inputs, rows, bias),
            PanelValues::Pairs(weights) => self.multiply_pairs(x, weights, rows, bias),
            PanelValues::Integers(weights) => {
                let x = RoundedInputs::of(x, self.inputs);
                self.in_panels(rows, bias, |panel, rows, sums| {
                    int8::add_products(&x, rows, weights.panel(panel), sums);
                })
            }
            PanelValues::Nibbles { weights, widened: false } => {
                let x = RoundedInputs::of(x, self.inputs);
                self.in_panels(rows, bias, |panel, rows, sums| {
                    int4::add_products(&x, rows, weights.panel(panel), sums);
                })
            }
            // One row alone needs as many independent sums as possible.
            _ if rows == 1 => self.multiply_widened::<PANEL>(x, rows, bias),
            _ => self.multiply_widened::<HALF>(x, rows, bias),
        };
        // SAFETY: the tasks cover every output of every row.
        unsafe { y.finish() }
    }

    /// [`multiply`](Self::multiply) by a function that adds the products of some rows with a panel to sums
    /// `[rows, PANEL]`.
    fn in_panels(
        &self,
        rows: usize,
        bias: Option<&[f32]>,
        add: impl Fn(usize, Range<usize>, &mut [f32]) + Send + Sync,
    ) -> SharedOutput {
        let y = SharedOutput::new(rows * self.outputs);
        let (panels, bands) = (self.outputs.div_ceil(PANEL), rows.div_ceil(ROWS));
        self.each(rows, panels * bands, |index| {
            let (panel, first) = (index / bands, index % bands * ROWS);
            let some = first..rows.min(first + ROWS);
            buffers::with([some.len() * PANEL], |[sums]| {
                self.begin::<PANEL>(panel * PANEL, bias, sums);
                add(panel, some, sums);
                self.write::<PANEL>(first, panel * PANEL, sums, &y);
            });
        });
        y
    }

    /// [`multiply`](Self::multiply) with pairs of weights.
    fn multiply_pairs(&self, x: &[f32], weights: &PairPanels, rows: usize, bias: Option<&[f32]>) -> SharedOutput {
        let (pairs, weights) = (weights.pairs, weights.weights());
        #[cfg(target_arch = "x86_64")]
        if Isa::current() == Isa::Amx {
            let x = tiles::rounded(x, self.inputs, rows);
            return self.in_panels(rows, bias, |panel, rows, sums| {
                let panel = &weights[panel * pairs * PANEL..][..pairs * PANEL];
                // SAFETY: the CPU has AMX.
                unsafe { tiles::add_products::<AmxUnit>(&x, rows, panel, sums) };
            });
        }
        let x = RoundedRows::of(x, self.inputs, 1);
        self.multiply_chains(x.pairs(), x.stride, weights, pairs, rows, bias)
    }

    /// [`multiply`](Self::multiply) of `[rows, length]` with panels that are not widened in memory.
    fn multiply_chains<E: Element>(
        &self,
        x: &[E],
        stride: usize,
        weights: &[E],
        length: usize,
        rows: usize,
        bias: Option<&[f32]>,
    ) -> SharedOutput {
        self.in_panels(rows, bias, |panel, rows, sums| {
            BlocksOfRows {
                left: LeftRows { elements: &x[rows.start * stride..], stride, rows: rows.len() },
                memory: weights,
                block: |_| (panel * length * PANEL, length),
                blocks: 1,
                width: PANEL,
                out: sums,
                out_stride: PANEL,
            }
            .run();
        })
    }

    /// Runs tasks on all threads if that pays.
    fn each(&self, rows: usize, tasks: usize, task: impl Fn(usize) + Send + Sync) {
        if rows * self.inputs * self.outputs < SERIAL {
            (0..tasks).for_each(task);
        } else {
            (0..tasks).into_par_iter().for_each(task);
        }
    }

    /// Initialises the sums of `W` outputs from `column` on with the bias. `[count, W]`
    fn begin<const W: usize>(&self, column: usize, bias: Option<&[f32]>, sums: &mut [f32]) {
        sums.fill(0.0);
        if let Some(bias) = bias {
            let bias = &bias[column..self.outputs.min(column + W)];
            sums.chunks_exact_mut(W).for_each(|row| row[..bias.len()].copy_from_slice(bias));
        }
    }

    /// Writes the sums of `W` outputs from `column` on and rows from `first` on, without the padding of a panel.
    fn write<const W: usize>(&self, first: usize, column: usize, sums: &[f32], y: &SharedOutput) {
        let width = W.min(self.outputs - column);
        for (row, sums) in sums.chunks_exact(W).enumerate() {
            // SAFETY: each task writes different outputs of different rows.
            unsafe { y.write((first + row) * self.outputs + column, &sums[..width], 1.0) };
        }
    }

    /// [`multiply`](Self::multiply) with weights that are widened before, `W` outputs of some rows at a time.
    fn multiply_widened<const W: usize>(&self, x: &[f32], rows: usize, bias: Option<&[f32]>) -> SharedOutput {
        let y = SharedOutput::new(rows * self.outputs);
        let (columns, bands) = (self.outputs.div_ceil(W), rows.div_ceil(ROWS));
        self.each(rows, columns * bands, |index: usize| {
            let (column, first) = (index % columns * W, index / columns * ROWS);
            let count = ROWS.min(rows - first);
            buffers::with([INPUTS * W, count * W], |[block, sums]| {
                self.begin::<W>(column, bias, sums);
                self.sums::<W>(&x[first * self.inputs..], count, column, block, sums);
                self.write::<W>(first, column, sums, &y);
            });
        });
        y
    }

    /// Adds the products of `count` rows to the sums of `W` outputs from `column` on. `[count, W]`
    fn sums<const W: usize>(&self, x: &[f32], count: usize, column: usize, block: &mut [f32], sums: &mut [f32]) {
        let (panel, first) = (column / PANEL, column % PANEL);
        let mut rows = vec![];
        let by_outputs = matches!(self.values, PanelValues::Blocks(_) | PanelValues::Nibbles { .. });
        if by_outputs {
            self.widen_outputs(column..self.outputs.min(column + W), &mut rows);
        }
        for input in (0..self.inputs).step_by(INPUTS) {
            let inner = INPUTS.min(self.inputs - input);
            let block = &mut block[..inner * W];
            if by_outputs {
                by_input::<W>(&rows, self.inputs, input, block);
            } else {
                self.widen::<W>(panel, first, input, inner, block);
            }
            let (a, layout) = (&x[input..], flash::Left::Rows(self.inputs));
            Product { a, layout, b: block, b_stride: W, c: sums, c_stride: W, m: count, n: W, inner, add: true }.run();
        }
    }
}

/// Weights of the inputs from `first` on and the outputs in `rows`, in which the inputs of an output are contiguous:
/// `[inputs, W]`, padded with zeros.
fn by_input<const W: usize>(rows: &[f32], inputs: usize, first: usize, out: &mut [f32]) {
    let (out, count) = (out.as_chunks_mut::<W>().0, rows.len() / inputs);
    if count < W {
        out.as_flattened_mut().fill(0.0);
    }
    for (output, row) in rows.chunks_exact(inputs).enumerate() {
        for (out, weight) in out.iter_mut().zip(&row[first..]) {
            out[output] = *weight;
        }
    }
}

/// The first W weights by `widen`, returned by value: the compiler does not vectorise a loop whose output may overlap
/// its input.
#[inline(always)]
fn mapped<E: Copy, const W: usize>(weights: &[E], widen: impl Fn(E) -> f32) -> [f32; W] {
    let weights: &[E; W] = weights.first_chunk().expect("outputs of a panel");
    let mut wide = [0.0; W];
    for lane in 0..W {
        wide[lane] = widen(weights[lane]);
    }
    wide
}

/// Rounds a block of 64 numbers to int8; returns the values and their scale.
fn rounded(block: &[f32; PANEL]) -> ([i8; PANEL], f32) {
    let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = if largest == 0.0 { 1.0 } else { largest / 127.0 };
    (block.map(|x| (x / scale).round() as i8), scale)
}

/// `x·W + b`; at bf16 precision x is rounded first.
pub(super) fn linear(x: Tensor<2>, weight: &Arc<Panels>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
    let kernel = PanelLinear { weight: weight.clone(), precision };
    match bias {
        Some(bias) => apply(kernel, [x.into_dispatch(), bias.into_dispatch()]),
        None => apply(kernel, [x.into_dispatch()]),
    }
}

/// The map of `[x]` or `[x, bias]`.
#[derive(Debug)]
struct PanelLinear {
    weight: Arc<Panels>,
    precision: Precision,
}

impl Kernel for PanelLinear {
    fn forward(&self, inputs: Vec<FlexTensor>, _tracked: Tracked) -> Forward {
        let inputs: Vec<FlexTensor> = inputs.into_iter().map(contiguous).collect();
        let (rows, bias) = (dims(&inputs[0])[0], inputs.get(1).map(values));
        let rounded: Vec<f32>;
        let x = match self.precision {
            Precision::F32 => values(&inputs[0]),
            Precision::Bf16 => {
                rounded = values(&inputs[0]).iter().map(|&x| round_to_bf16(x)).collect();
                &rounded
            }
        };
        let y = self.weight.multiply(x, rows, bias);
        Forward { output: tensor(y, [rows, self.weight.outputs]), saved: vec![] }
    }

    fn backward(&self, _saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let (dy, outputs) = (contiguous(gradient), self.weight.outputs);
        let dx = wanted[0].then(|| self.weight.input_gradient_of(&dy, self.precision));
        let dbias = (wanted.get(1) == Some(&true)).then(|| tensor(column_sums(values(&dy), outputs), [outputs]));
        [dx, dbias].into_iter().take(wanted.len()).collect()
    }
}
