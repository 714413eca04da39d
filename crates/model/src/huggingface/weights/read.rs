//! Reading `model.safetensors`, or the shards that `model.safetensors.index.json` lists, and
//! `adapter_model.safetensors`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;

use super::weights_error;
use crate::ModelError;
use crate::config::DecoderConfig;
use crate::huggingface::names::{in_block, is_buffer, optional_prefix, place};
use crate::init::WeightSource;
use crate::position::sinusoids;

const MODEL_HINT: &str =
    "a model folder needs model.safetensors, or its index and all its shards; convert .bin or .gguf weights first";
const REMEDY: &str = "the file is damaged or was cut off: copy it again from its source";

/// First bytes of a Git LFS pointer, which may be in the place of a large file.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// The memory-mapped weight files of one model. Numbers are read when a parameter is built.
pub(in crate::huggingface) struct Checkpoint {
    config: DecoderConfig,
    /// The one file, or the folder of the shards.
    path: PathBuf,
    /// The file that lists the tensors.
    described_by: &'static str,
    tensors: BTreeMap<String, StoredTensor>,
}

/// One tensor in a file.
struct StoredTensor {
    file: std::rc::Rc<WeightFile>,
    info: TensorInfo,
    used: Cell<bool>,
}

struct WeightFile {
    path: PathBuf,
    map: Mmap,
    /// Offset of the numbers, after the header.
    start: usize,
}

/// `model.safetensors.index.json`
#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

impl Checkpoint {
    /// Opens the weights in `dir` and checks that no file is truncated.
    pub(in crate::huggingface) fn open(dir: &Path, config: &DecoderConfig) -> Result<Self, ModelError> {
        let single = dir.join("model.safetensors");
        let index = dir.join("model.safetensors.index.json");
        let mut tensors = BTreeMap::new();
        if single.exists() || !index.exists() {
            read_header(&single, MODEL_HINT, &mut tensors)?;
            return Ok(Self { config: config.clone(), path: single, described_by: "config.json", tensors });
        }
        let text = std::fs::read(&index).map_err(|source| ModelError::Io {
            path: index.clone(),
            source,
            hint: "make the file readable",
        })?;
        let Index { weight_map } = serde_json::from_slice(&text)
            .map_err(|error| weights_error(&index, format!("not an index of shards ({error}); copy it again")))?;
        for shard in weight_map.values().collect::<BTreeSet<_>>() {
            if Path::new(shard).file_name().is_none_or(|name| name != shard.as_str()) {
                return Err(weights_error(&index, format!("shard {shard:?} is not a file name; copy the index again")));
            }
            read_header(&dir.join(shard), MODEL_HINT, &mut tensors)?;
        }
        for (name, shard) in &weight_map {
            if tensors.get(name).is_none_or(|t: &StoredTensor| !t.file.path.ends_with(shard)) {
                return Err(weights_error(
                    &dir.join(shard),
                    format!("tensor {name:?} is missing, which the index puts here; {REMEDY}"),
                ));
            }
        }
        Ok(Self { config: config.clone(), path: dir.to_owned(), described_by: "config.json", tensors })
    }

    /// Opens the adapters in `dir`, for a decoder of `config`.
    pub(in crate::huggingface) fn open_adapter(dir: &Path, config: &DecoderConfig) -> Result<Self, ModelError> {
        let path = dir.join("adapter_model.safetensors");
        let mut tensors = BTreeMap::new();
        let hint = "an adapter's folder needs adapter_model.safetensors; convert .bin weights first";
        read_header(&path, hint, &mut tensors)?;
        Ok(Self { config: config.clone(), path, described_by: "adapter_config.json", tensors })
    }

    /// The maps within the blocks that an adapter's tensors are for.
    ///
    /// # Errors
    /// When they are for none, or for a map in some of the blocks only.
    pub(in crate::huggingface) fn adapted_maps(&self) -> Result<Vec<String>, ModelError> {
        let mut maps: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.tensors.keys().filter_map(|name| name.strip_suffix(".lora_A.weight")) {
            *maps.entry(in_block(name)).or_default() += 1;
        }
        if maps.is_empty() {
            let reason = "no tensor's name ends with lora_A.weight, and adapter_config.json lists no maps";
            return Err(weights_error(&self.path, reason.into()));
        }
        let layers = self.config.layers;
        if let Some((map, count)) = maps.iter().find(|(_, count)| **count < layers) {
            let reason = format!(
                "it adapts {map} in {count} of {layers} blocks, as target_modules and exclude_modules pick them, which \
                 is not supported; use an adapter for all blocks, or merge this one with PEFT"
            );
            return Err(weights_error(&self.path, reason));
        }
        Ok(maps.into_keys().map(str::to_owned).collect())
    }

    /// The tensor of that name, with or without the bare model's prefix, or under its other name.
    fn find(&self, name: &str) -> Option<(&str, &StoredTensor)> {
        let bare = name.strip_prefix(optional_prefix(self.config.family)).unwrap_or(name);
        let other = self.other_name(name);
        let (name, stored) =
            [Some(name), Some(bare), other].into_iter().flatten().find_map(|name| self.tensors.get_key_value(name))?;
        Some((name, stored))
    }

    /// Another name of a tensor: some files store a tied model's embedding only as the head, and some name the head of
    /// `GPT-NeoX` like that of other families.
    fn other_name(&self, name: &str) -> Option<&'static str> {
        let is = |parameter: &str| place(&self.config, parameter).tensor == name;
        ((self.config.tied_head && is("token_embedding")) || (!self.config.tied_head && is("head.weight")))
            .then_some("lm_head.weight")
    }

    /// Whether the position embedding is the sinusoidal table of `context` rows, up to the rounding of the file's
    /// number format.
    pub(in crate::huggingface) fn has_sinusoids(&mut self, context: usize, width: usize) -> Result<bool, ModelError> {
        let table = self.numbers("position_embedding", &[context, width])?;
        let rounding = match self.find("transformer.wpe.weight").map(|(_, stored)| stored.info.dtype) {
            Some(Dtype::BF16) => 8e-3,
            Some(Dtype::F16) => 1e-3,
            _ => 1e-6,
        };
        let rows = table.chunks_exact(width).enumerate();
        Ok(rows.into_iter().all(|(position, row)| {
            sinusoids(&[position], width).iter().zip(row).all(|(ours, theirs)| (ours - theirs).abs() <= rounding)
        }))
    }

    /// Refuses tensors that no parameter was read from, except known buffers and a tied model's copy of the embedding.
    pub(in crate::huggingface) fn refuse_unused(&self) -> Result<(), ModelError> {
        for (name, stored) in &self.tensors {
            if stored.used.get() || is_buffer(name) {
                continue;
            }
            if *name == "lm_head.weight" || *name == place(&self.config, "head.weight").tensor {
                let embedding = self.find(&place(&self.config, "token_embedding").tensor);
                if embedding.is_some_and(|(_, embedding)| embedding.bytes() == stored.bytes()) {
                    continue;
                }
                let message = format!(
                    "tensor {name:?} differs from the token embedding although config.json ties them; \
                     set tie_word_embeddings to false there if the head is its own"
                );
                return Err(weights_error(&stored.file.path, message));
            }
            let config = self.described_by;
            let message = format!(
                "tensor {name:?} is not part of the model that {config} describes; correct {config}, or use the files \
                 of one model"
            );
            return Err(weights_error(&stored.file.path, message));
        }
        Ok(())
    }
}

/// Maps a file and adds its tensors to `tensors`.
fn read_header(
    path: &Path,
    hint: &'static str,
    tensors: &mut BTreeMap<String, StoredTensor>,
) -> Result<(), ModelError> {
    let map = File::open(path).and_then(|file| map(&file)).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
        hint,
    })?;
    let bad = |what: String| weights_error(path, format!("{what}; {REMEDY}"));
    if map.starts_with(LFS_POINTER) {
        return Err(weights_error(
            path,
            "a pointer of Git LFS, not the weights; fetch them with `git lfs pull`".into(),
        ));
    }
    let header_length = map.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let Some(start) = header_length.and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_add(8)) else {
        return Err(bad(format!("not a safetensors file: {} bytes", map.len())));
    };
    let Some(header) = map.get(8..start) else {
        return Err(bad(format!(
            "not a complete safetensors file: its header should end at byte {start} of {}",
            map.len()
        )));
    };
    let metadata: Metadata =
        serde_json::from_slice(header).map_err(|error| bad(format!("not a safetensors header ({error})")))?;
    let numbers = map.len() - start;
    if metadata.data_len() != numbers {
        return Err(bad(format!(
            "its header announces {} bytes of numbers but {numbers} are there",
            metadata.data_len()
        )));
    }
    let file = std::rc::Rc::new(WeightFile { path: path.to_owned(), map, start });
    for (name, info) in metadata.tensors() {
        let stored = StoredTensor { file: file.clone(), info: info.clone(), used: Cell::new(false) };
        if let Some(other) = tensors.insert(name.clone(), stored) {
            return Err(bad(format!("tensor {name:?} is also in {}", other.file.path.display())));
        }
    }
    Ok(())
}

#[expect(unsafe_code, reason = "a map of a file, which nobody must change while it is read")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is only read. Should another program shorten the file meanwhile, the system ends this one;
    // writers of model folders, ours and transformers', put new files in place by renaming, which leaves the mapped one
    // as it was.
    unsafe { Mmap::map(file) }
}

impl StoredTensor {
    fn bytes(&self) -> &[u8] {
        let (from, to) = self.info.data_offsets;
        &self.file.map[self.file.start + from..self.file.start + to]
    }

    /// Widens the numbers of some columns of a tensor whose rows have `width` numbers.
    fn read(&self, width: usize, columns: &[Range<usize>]) -> Option<Vec<f32>> {
        // Other formats include numbers of less than a byte.
        if !matches!(self.info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return None;
        }
        let size = self.info.dtype.bitsize() / 8;
        let rows = self.bytes().chunks_exact((width * size).max(1));
        let count = self.bytes().len() / (width * size).max(1) * columns.iter().map(Range::len).sum::<usize>();
        let cut = rows.flat_map(|row| columns.iter().map(move |run| &row[run.start * size..run.end * size]));
        let mut numbers = Vec::with_capacity(count);
        match self.info.dtype {
            Dtype::F32 => cut.for_each(|row| numbers.extend(row.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)))),
            Dtype::F16 => {
                cut.for_each(|row| numbers.extend(row.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())));
            }
            Dtype::BF16 => {
                cut.for_each(|row| numbers.extend(row.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())));
            }
            _ => return None,
        }
        Some(numbers)
    }
}

impl WeightSource for Checkpoint {
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let place = place(&self.config, name);
        let Some((found, stored)) = self.find(&place.tensor) else {
            let remedy = match name {
                "head.weight" => {
                    "if the head is the token embedding's transpose, set tie_word_embeddings to true in config.json"
                        .into()
                }
                _ => format!(
                    "the file is incomplete, or {} describes another model: copy both again from one source",
                    self.described_by
                ),
            };
            return Err(weights_error(&self.path, format!("tensor {:?} is missing; {remedy}", place.tensor)));
        };
        let outputs = *shape.last().expect("parameters have axes");
        let (total, runs) = match &place.part {
            Some(part) => (part.total, part.runs.clone()),
            None => (outputs, std::iter::once(0..outputs).collect()),
        };
        let mut expected = shape.to_vec();
        *expected.last_mut().expect("parameters have axes") = total;
        if place.transposed {
            expected.reverse();
        }
        if stored.info.shape != expected {
            return Err(weights_error(
                &stored.file.path,
                format!(
                    "tensor {found:?} has shape {:?} but {config} makes it {expected:?}; use the {config} that \
                     belongs to these weights",
                    stored.info.shape,
                    config = self.described_by
                ),
            ));
        }
        stored.used.set(true);
        // The outputs of a transposed tensor are its rows: their numbers are contiguous, as if the tensor were one row.
        let each = if place.transposed { shape[0] } else { 1 };
        let runs: Vec<Range<usize>> = runs.into_iter().map(|run| run.start * each..run.end * each).collect();
        let numbers = stored.read(total * each, &runs).ok_or_else(|| {
            weights_error(
                &stored.file.path,
                format!(
                    "tensor {found:?} is {:?}, which is not supported; save the weights as F32, F16 or BF16",
                    stored.info.dtype
                ),
            )
        })?;
        Ok(match place.transposed {
            true => transpose(&numbers, shape[1], shape[0]),
            false => numbers,
        })
    }
}

/// The transpose of a `rows × columns` matrix, in square blocks that fit the cache.
pub(crate) fn transpose(numbers: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const SQUARE: usize = 32;
    let mut transposed = vec![0.0; numbers.len()];
    for top in (0..rows).step_by(SQUARE) {
        for left in (0..columns).step_by(SQUARE) {
            for row in top..(top + SQUARE).min(rows) {
                for column in left..(left + SQUARE).min(columns) {
                    transposed[column * rows + row] = numbers[row * columns + column];
                }
            }
        }
    }
    transposed
}
