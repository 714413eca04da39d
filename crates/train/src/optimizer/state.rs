//! The optimiser's state as a safetensors file: `exp_avg.NAME` and `exp_avg_sq.NAME`, or `momentum_buffer.NAME` of what
//! Muon updates, and the number of updates in its metadata.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};

use super::{Moments, Optimizer, OptimizerConfig};
use crate::TrainError;

const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";
const MOMENTUM: &str = "momentum_buffer";

impl Optimizer {
    /// Writes the state to `file`, one tensor on the host at a time.
    ///
    /// # Errors
    /// [`TrainError::Io`] when it cannot be written.
    ///
    /// # Panics
    /// Never: the header follows from the moments' shapes.
    pub fn save(&self, file: &Path) -> Result<(), TrainError> {
        let tensors: Vec<(String, &Moments, &Tensor<1>)> = self
            .moments
            .iter()
            .flat_map(|(name, moments)| {
                let entry = |kind, tensor| (format!("{kind}.{name}"), moments, tensor);
                match &moments.second {
                    Some(second) => vec![entry(FIRST, &moments.first), entry(SECOND, second)],
                    None => vec![entry(MOMENTUM, &moments.first)],
                }
            })
            .collect();
        let mut end = 0;
        let infos = tensors.iter().map(|(name, moments, tensor)| {
            let start = end;
            end += 4 * tensor.dims()[0];
            (name.clone(), TensorInfo { dtype: Dtype::F32, shape: moments.shape.clone(), data_offsets: (start, end) })
        });
        let metadata = HashMap::from([("step".to_owned(), self.step.to_string())]);
        let header = Metadata::new(Some(metadata), infos.collect()).expect("offsets follow from the shapes");
        let mut header = serde_json::to_vec(&header).expect("a header is plain data");
        header.resize(header.len().next_multiple_of(8), b' ');
        let write = || -> std::io::Result<()> {
            let mut out = BufWriter::new(File::create(file)?);
            out.write_all(&(header.len() as u64).to_le_bytes())?;
            out.write_all(&header)?;
            tensors.iter().try_for_each(|(_, _, tensor)| out.write_all(tensor.to_data().as_bytes()))?;
            out.flush()
        };
        write().map_err(TrainError::write(file))
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be read, [`TrainError::Damaged`] when it is not such a file.
    pub fn load(config: OptimizerConfig, file: &Path, device: &Device) -> Result<Self, TrainError> {
        let bytes = std::fs::read(file).map_err(TrainError::read(file))?;
        let (step, moments) =
            parse(&bytes, &device.clone().without_autodiff()).map_err(|problem| TrainError::Damaged {
                file: file.into(),
                problem,
                remedy: "delete its checkpoint to resume from the one before".into(),
            })?;
        Ok(Self { config, step, moments })
    }
}

fn parse(bytes: &[u8], device: &Device) -> Result<(u64, BTreeMap<String, Moments>), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let step = header.metadata().as_ref().and_then(|metadata| metadata.get("step")?.parse().ok());
    let step = step.ok_or("the number of steps is missing")?;
    let mut moments = BTreeMap::new();
    for key in tensors.names() {
        let Some((kind, name)) = key.split_once('.').filter(|(kind, _)| *kind != SECOND) else { continue };
        let read = |key: &str| -> Result<(Vec<usize>, Tensor<1>), String> {
            let view = tensors.tensor(key).map_err(|error| error.to_string())?;
            if view.dtype() != Dtype::F32 {
                return Err(format!("{key} is {:?}, not F32", view.dtype()));
            }
            let numbers: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            let elements = numbers.len();
            Ok((view.shape().to_vec(), Tensor::from_data(TensorData::new(numbers, [elements]), device)))
        };
        let (shape, first) = read(key)?;
        let second = if kind == MOMENTUM { None } else { Some(read(&format!("{SECOND}.{name}"))?) };
        if second.as_ref().is_some_and(|(second, _)| *second != shape) {
            return Err(format!("the two moments of {name} differ in shape"));
        }
        let second = second.map(|(_, second)| second);
        moments.insert(name.to_owned(), Moments { shape, first, second });
    }
    Ok((step, moments))
}
