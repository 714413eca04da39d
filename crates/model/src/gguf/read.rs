//! The tensors of a GGUF file as a decoder's parameters.

use std::collections::BTreeSet;

use fireclay_gguf::GgufFile;

use crate::ModelError;
use crate::config::DecoderConfig;
use crate::huggingface::names::{Place, place_in_gguf};
use crate::huggingface::transpose;
use crate::init::WeightSource;

/// Tensors that say something about positions, which `config.rs` reads.
const OF_POSITIONS: [&str; 3] = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];

/// The weights of a decoder in a file.
pub(super) struct Weights<'a> {
    file: &'a GgufFile,
    config: &'a DecoderConfig,
    used: BTreeSet<String>,
}

impl<'a> Weights<'a> {
    pub(super) fn new(file: &'a GgufFile, config: &'a DecoderConfig) -> Self {
        Self { file, config, used: BTreeSet::new() }
    }

    /// Refuses tensors that no parameter was made of.
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
        let Place { tensor, transposed, part } = place_in_gguf(self.config, name);
        let Some(info) = self.file.tensor(&tensor) else {
            return Err(self
                .file
                .error(format!("tensor {tensor:?} is missing; the file is not whole: copy it anew"))
                .into());
        };
        let outputs = *shape.last().expect("parameters have axes");
        let total = part.as_ref().map_or(outputs, |part| part.total);
        let mut expected = shape.to_vec();
        *expected.last_mut().expect("parameters have axes") = total;
        if transposed {
            expected.reverse();
        }
        if info.shape != expected {
            return Err(self
                .file
                .error(format!(
                    "tensor {tensor:?} has shape {:?} but the metadata makes it {expected:?}; copy the file anew",
                    info.shape
                ))
                .into());
        }
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
            // A GGUF file has the gain itself.
            for gain in &mut numbers {
                *gain -= 1.0;
            }
        }
        self.used.insert(tensor);
        Ok(numbers)
    }
}
