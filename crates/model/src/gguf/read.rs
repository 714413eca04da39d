//! The tensors of a GGUF file as a decoder's parameters.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_gguf::{GgufFile, NumberType, TensorInfo};
use fireclay_kernels::{BlockWeight, StoredWeight};

use crate::ModelError;
use crate::config::DecoderConfig;
use crate::huggingface::names::{Place, place_in_gguf};
use crate::huggingface::transpose;
use crate::init::{EMBEDDING, WeightSource};

/// Tensors that describe positions; `config.rs` reads them.
const OF_POSITIONS: [&str; 3] = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];

/// The weights of a decoder in a file.
pub(super) struct Weights<'a> {
    file: &'a Arc<GgufFile>,
    config: &'a DecoderConfig,
    used: BTreeSet<String>,
    /// Whether quantised matrices stay in the mapped file; they cannot be trained then.
    in_blocks: bool,
}

impl<'a> Weights<'a> {
    pub(super) fn new(file: &'a Arc<GgufFile>, config: &'a DecoderConfig, in_blocks: bool) -> Self {
        Self { file, config, used: BTreeSet::new(), in_blocks }
    }

    /// The tensor that holds a parameter of this shape, and its place in it.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(&'a TensorInfo, Place), ModelError> {
        let place = place_in_gguf(self.config, name);
        let tensor = &place.tensor;
        let Some(info) = self.file.tensor(tensor) else {
            let missing = format!("tensor {tensor:?} is missing; the file is incomplete: copy it again");
            return Err(self.file.error(missing).into());
        };
        let mut expected = shape.to_vec();
        let outputs = expected.last_mut().expect("parameters have axes");
        *outputs = place.part.as_ref().map_or(*outputs, |part| part.total);
        if place.transposed {
            expected.reverse();
        }
        match info.shape == expected {
            true => Ok((info, place)),
            false => Err(self
                .file
                .error(format!(
                    "tensor {tensor:?} has shape {:?} but the metadata makes it {expected:?}; copy the file again",
                    info.shape
                ))
                .into()),
        }
    }

    /// Refuses tensors that no parameter was read from.
    pub(super) fn refuse_unused(&self) -> Result<(), ModelError> {
        let mut others = self.file.tensors().map(|(name, _)| name);
        match others.find(|name| !self.used.contains(*name) && !OF_POSITIONS.contains(name)) {
            None => Ok(()),
            Some(name) => Err(self
                .file
                .error(format!(
                    "tensor {name:?} is not part of the model that the file's metadata describes; use another file"
                ))
                .into()),
        }
    }
}

impl WeightSource for Weights<'_> {
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (info, Place { tensor, transposed, part }) = self.find(name, shape)?;
        let mut numbers = self.file.widened(info);
        if let Some(part) = part {
            // Outputs are the rows of a transposed tensor.
            let each = if transposed { shape[0] } else { 1 };
            let runs = part.runs.iter().flat_map(|run| &numbers[run.start * each..run.end * each]);
            numbers = runs.copied().collect();
        }
        if transposed {
            numbers = transpose(&numbers, shape[1], shape[0]);
        }
        if self.config.variant.zero_centred_norms && name.contains("norm") {
            // A GGUF file stores the gain itself.
            for gain in &mut numbers {
                *gain -= 1.0;
            }
        }
        self.used.insert(tensor);
        Ok(numbers)
    }

    fn stored(&mut self, name: &str, shape: [usize; 2], device: &Device) -> Result<Option<StoredWeight>, ModelError> {
        let (info, Place { tensor, transposed, part }) = self.find(name, &shape)?;
        // Rows are outputs; those of an embedding are tokens.
        let outputs_are_rows = transposed || name == EMBEDDING;
        if !self.in_blocks || info.kind == NumberType::F32 || !outputs_are_rows {
            return Ok(None);
        }
        let dims = if transposed { shape } else { [shape[1], shape[0]] };
        let rows = part.map(|part| part.runs.into_iter().flatten().collect());
        self.used.insert(tensor);
        let blocks = Blocks { file: self.file.clone(), tensor: info.clone(), dims, rows };
        Ok(Some(StoredWeight::of_blocks(Arc::new(blocks), device)))
    }
}

/// A weight in the file; the inputs of an output are contiguous.
#[derive(Debug)]
struct Blocks {
    file: Arc<GgufFile>,
    tensor: TensorInfo,
    /// Inputs and outputs.
    dims: [usize; 2],
    /// The tensor's row of each output; `None`: in order.
    rows: Option<Vec<usize>>,
}

impl BlockWeight for Blocks {
    fn dims(&self) -> [usize; 2] {
        self.dims
    }

    fn widen(&self, outputs: Range<usize>, into: &mut Vec<f32>) {
        match &self.rows {
            None => self.file.widen_rows(&self.tensor, outputs, into),
            Some(rows) => {
                for &row in &rows[outputs] {
                    self.file.widen_rows(&self.tensor, row..row + 1, into);
                }
            }
        }
    }
}
