//! Writing `model.safetensors` and `adapter_model.safetensors`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use fireclay_kernels::StoredWeight;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::read::transpose;
use super::{WeightFormat, write_atomically};
use crate::config::{DecoderConfig, PositionEncoding};
use crate::huggingface::names::{Part, Place, is_adapter, place, place_in_gguf};
use crate::init::EMBEDDING;
use crate::linear::Linear;
use crate::parameters::for_each_parameter;
use crate::position::sinusoids;
use crate::weight::Weight;
use crate::{Decoder, ModelError};

/// Source of a tensor's numbers. Parameters stay on the device and are copied to the host one at a time, when they are
/// written.
enum Source {
    Matrix(Tensor<2>),
    Vector(Tensor<1>),
    /// The table of sines, by number of positions and width.
    Sinusoids(usize, usize),
    /// A vector on the host.
    Numbers(Vec<f32>),
    /// The weight of a map, its adapter merged into it.
    Map(Linear),
    /// An embedding that is stored as a map whose outputs are its rows.
    Rows(StoredWeight),
}

impl Source {
    fn shape(&self) -> Vec<usize> {
        match self {
            Self::Matrix(tensor) => tensor.dims().to_vec(),
            Self::Vector(tensor) => tensor.dims().to_vec(),
            Self::Sinusoids(rows, width) => vec![*rows, *width],
            Self::Numbers(numbers) => vec![numbers.len()],
            Self::Map(map) => map.dims().to_vec(),
            Self::Rows(stored) => stored.dims().into_iter().rev().collect(),
        }
    }

    fn numbers(&self) -> Vec<f32> {
        let host = |data: TensorData| data.convert::<f32>().try_into_vec::<f32>().expect("converted to f32");
        match self {
            Self::Matrix(tensor) => host(tensor.to_data()),
            Self::Vector(tensor) => host(tensor.to_data()),
            Self::Sinusoids(rows, width) => sinusoids(&(0..*rows).collect::<Vec<_>>(), *width),
            Self::Numbers(numbers) => numbers.clone(),
            Self::Map(map) => host(map.merged_weight().into_data()),
            Self::Rows(stored) => stored.widened_outputs(0..stored.dims()[1]),
        }
    }
}

/// One tensor of the file: a parameter, or several that are fused in one map.
pub(crate) struct GgufTensor {
    pub(crate) name: String,
    transposed: bool,
    /// The parameters, each with its outputs if there are several.
    parts: Vec<(Option<Part>, Source)>,
}

impl GgufTensor {
    /// A vector that is not a parameter.
    pub(crate) fn of_numbers(name: &str, numbers: Vec<f32>) -> Self {
        Self { name: name.into(), transposed: false, parts: vec![(None, Source::Numbers(numbers))] }
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        let (part, source) = &self.parts[0];
        let mut shape = source.shape();
        if let Some(part) = part {
            *shape.last_mut().expect("parameters have axes") = part.total;
        }
        if self.transposed {
            shape.reverse();
        }
        shape
    }

    /// Writes the numbers in the file's order, row by row. An embedding in blocks is written a few rows at a time,
    /// because in f32 it may not fit in memory.
    fn write(&self, mut write: impl FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        const ROWS: usize = 1024;
        let [(None, Source::Rows(stored))] = &self.parts[..] else { return write(&self.numbers()) };
        let rows = stored.dims()[1];
        (0..rows).step_by(ROWS).try_for_each(|first| write(&stored.widened_outputs(first..rows.min(first + ROWS))))
    }

    /// The numbers in the file's order, row by row.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        let of = |source: &Source| match (self.transposed, source.shape()) {
            (true, shape) => transpose(&source.numbers(), shape[0], shape[1]),
            (false, _) => source.numbers(),
        };
        let [(None, source)] = &self.parts[..] else {
            let mut numbers = vec![0.0; self.shape().iter().product()];
            for (part, source) in &self.parts {
                let part = part.as_ref().expect("each of several is a part");
                // The outputs of a transposed tensor are its rows, which count as one row of all numbers.
                let each = if self.transposed { source.shape()[0] } else { 1 };
                scatter(&of(source), part, each, &mut numbers);
            }
            return numbers;
        };
        of(source)
    }
}

/// Copies the outputs of a part, `each` numbers per output, to their place in every row of the whole.
fn scatter(part_numbers: &[f32], part: &Part, each: usize, whole: &mut [f32]) {
    let mut rest = part_numbers;
    for row in whole.chunks_exact_mut(part.total * each) {
        for run in &part.runs {
            let (now, later) = rest.split_at(run.len() * each);
            row[run.start * each..run.end * each].copy_from_slice(now);
            rest = later;
        }
    }
    assert!(rest.is_empty(), "a part has the outputs that its runs name");
}

/// Writes all weights of a score model, one tensor on the host at a time.
pub(in crate::huggingface) fn write_model(
    model: &impl Module,
    config: &DecoderConfig,
    path: &Path,
    format: WeightFormat,
) -> Result<(), ModelError> {
    write_whole(sources(model), config, path, format)
}

/// Writes all weights of a decoder, one tensor on the host at a time; each adapter is merged into its weight.
pub(in crate::huggingface) fn write_decoder(
    decoder: &Decoder,
    path: &Path,
    format: WeightFormat,
) -> Result<(), ModelError> {
    write_whole(merged_sources(decoder), decoder.config(), path, format)
}

fn write_whole(
    mut parameters: Vec<(String, Source)>,
    config: &DecoderConfig,
    path: &Path,
    format: WeightFormat,
) -> Result<(), ModelError> {
    if config.position == PositionEncoding::Sinusoidal {
        parameters.push(("position_embedding".into(), Source::Sinusoids(config.context, config.width)));
    }
    write(parameters, config, path, format)
}

/// The tensors of a decoder's GGUF file.
pub(crate) fn gguf_tensors(decoder: &Decoder, config: &DecoderConfig) -> Vec<GgufTensor> {
    stored_tensors(merged_sources(decoder), |name| place_in_gguf(config, name))
}

/// Writes the adapters of a decoder alone, in f32.
pub(in crate::huggingface) fn write_adapter(decoder: &Decoder, path: &Path) -> Result<(), ModelError> {
    let mut parameters = sources(decoder);
    parameters.retain(|(name, _)| is_adapter(name));
    write(parameters, decoder.config(), path, WeightFormat::F32)
}

fn write(
    parameters: Vec<(String, Source)>,
    config: &DecoderConfig,
    path: &Path,
    format: WeightFormat,
) -> Result<(), ModelError> {
    let tensors = stored_tensors(parameters, |name| place(config, name));
    let (dtype, size) = match format {
        WeightFormat::F32 => (Dtype::F32, 4),
        WeightFormat::Bf16 => (Dtype::BF16, 2),
        WeightFormat::F16 => (Dtype::F16, 2),
    };
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let (start, shape) = (end, tensor.shape());
        end += shape.iter().product::<usize>() * size;
        (tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    });
    let infos = infos.collect();
    let metadata = Metadata::new(Some(HashMap::from([("format".into(), "pt".into())])), infos)
        .expect("offsets that follow from the shapes fit them");
    let mut header = serde_json::to_vec(&metadata).expect("a header is plain data");
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomically(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| tensor.write(|numbers| write_numbers(file, numbers, format)))
    })
}

fn write_numbers(file: &mut BufWriter<File>, numbers: &[f32], format: WeightFormat) -> io::Result<()> {
    match format {
        WeightFormat::F32 => numbers.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
        WeightFormat::Bf16 => {
            numbers.iter().try_for_each(|&number| file.write_all(&bf16::from_f32(number).to_le_bytes()))
        }
        WeightFormat::F16 => numbers.iter().try_for_each(|&number| {
            let rounded = f16::from_f32(number);
            match rounded.is_finite() || !number.is_finite() {
                true => file.write_all(&rounded.to_le_bytes()),
                false => Err(io::Error::other(format!("{number} is more than float16 holds; choose bfloat16"))),
            }
        }),
    }
}

/// The tensors of a family's checkpoint, by name, from a decoder's parameters.
fn stored_tensors(parameters: Vec<(String, Source)>, place: impl Fn(&str) -> Place) -> Vec<GgufTensor> {
    let mut tensors: BTreeMap<String, GgufTensor> = BTreeMap::new();
    for (name, source) in parameters {
        let Place { tensor, transposed, part } = place(&name);
        let stored =
            tensors.entry(tensor.clone()).or_insert_with(|| GgufTensor { name: tensor, transposed, parts: vec![] });
        stored.parts.push((part, source));
    }
    tensors.into_values().collect()
}

/// Every tensor of a decoder by name: its parameters, and what is no parameter because it is stored or because an
/// adapter is merged into it.
fn merged_sources(decoder: &Decoder) -> Vec<(String, Source)> {
    let maps = decoder.maps_to_merge();
    let mut found = sources(decoder);
    found.retain(|(name, _)| !is_adapter(name) && !maps.contains_key(name));
    found.extend(maps.into_iter().map(|(name, map)| (name, Source::Map(map))));
    if let Weight::Stored(stored) = &decoder.token_embedding {
        found.push((EMBEDDING.into(), Source::Rows(stored.clone())));
    }
    found
}

/// Every parameter with its name in a decoder or score model.
fn sources(model: &impl Module) -> Vec<(String, Source)> {
    let mut found = vec![];
    for_each_parameter(model, |name, _, numbers, shape| {
        let source = match *shape {
            [_] => Source::Vector(numbers),
            [rows, columns] => Source::Matrix(numbers.reshape([rows, columns])),
            _ => unreachable!("a decoder's parameters are vectors and matrices"),
        };
        found.push((name.strip_prefix("decoder.").unwrap_or(&name).to_owned(), source));
    });
    found
}
