//! The optimiser's state as a safetensors file: `exp_avg.NAME` and `exp_avg_sq.NAME`, or `momentum_buffer.NAME` of what
//! Muon updates, and the number of updates in its metadata.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Moments, Optimizer, OptimizerConfig};
use crate::TrainError;

const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";
const MOMENTUM: &str = "momentum_buffer";

impl Optimizer {
    /// Writes the state to `file`.
    ///
    /// # Errors
    /// [`TrainError::Io`] when it cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), TrainError> {
        let host: Vec<(String, &[usize], TensorData)> = self
            .moments
            .iter()
            .flat_map(|(name, moments)| {
                let entry = |kind, tensor: &Tensor<1>| (format!("{kind}.{name}"), &moments.shape[..], tensor.to_data());
                match &moments.second {
                    Some(second) => vec![entry(FIRST, &moments.first), entry(SECOND, second)],
                    None => vec![entry(MOMENTUM, &moments.first)],
                }
            })
            .collect();
        let views: Result<Vec<_>, _> = host
            .iter()
            .map(|(name, shape, data)| {
                TensorView::new(Dtype::F32, shape.to_vec(), data.as_bytes()).map(|view| (name, view))
            })
            .collect();
        let metadata = HashMap::from([("step".to_owned(), self.step.to_string())]);
        views
            .and_then(|views| safetensors::serialize_to_file(views, Some(metadata), file))
            .map_err(std::io::Error::other)
            .map_err(TrainError::write(file))
    }

    /// Reads what [`save`](Self::save) wrote.
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
