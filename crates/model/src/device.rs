//! Choice of the device.

use std::fmt;
use std::str::FromStr;

#[cfg(any(feature = "wgpu", feature = "vulkan"))]
use burn::tensor::DeviceKind;
use burn::tensor::{Device, DeviceType};

use crate::ModelError;

/// Backends that can be compiled in. The name on the command line is also the name of the cargo feature.
const BACKENDS: [&str; 8] = ["flex", "ndarray", "wgpu", "vulkan", "metal", "webgpu", "cuda", "rocm"];

/// A device that is asked for by name: `cpu`, `gpu`, a backend (`flex`, `ndarray`, `cuda`, `vulkan`, …), or a backend
/// and the index of a GPU (`cuda:0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// `flex` if compiled in, else `ndarray`, else a software adapter of `wgpu`.
    Cpu,
    /// The first GPU of the first compiled-in GPU backend that finds one.
    Gpu,
    /// A device of a backend.
    Backend(&'static str, Card),
}

/// Device of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// The first one.
    First,
    /// The one of this index.
    Index(usize),
    /// A software adapter, `wgpu:cpu` or `vulkan:cpu`.
    Software,
}

impl FromStr for DeviceChoice {
    type Err = ModelError;

    /// # Errors
    /// [`ModelError::Device`] when the name is unknown; it lists the available ones.
    fn from_str(name: &str) -> Result<Self, ModelError> {
        let (backend, card) = match name.split_once(':') {
            Some((backend, card)) => (backend, Some(card)),
            None => (name, None),
        };
        match (backend, card) {
            ("cpu", None) => return Ok(Self::Cpu),
            ("gpu", None) => return Ok(Self::Gpu),
            _ => {}
        }
        let known = BACKENDS.into_iter().find(|known| *known == backend);
        let backend = known.ok_or_else(|| absent(name, "no such device"))?;
        let card = match card {
            None => Card::First,
            Some("cpu") if matches!(backend, "wgpu" | "vulkan") => Card::Software,
            Some(index) => {
                let index = index.parse().map_err(|_| absent(name, "the part after the colon must be a card's number"));
                Card::Index(index?)
            }
        };
        Ok(Self::Backend(backend, card))
    }
}

impl fmt::Display for DeviceChoice {
    /// The name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::Backend(backend, Card::First) => f.write_str(backend),
            Self::Backend(backend, Card::Index(index)) => write!(f, "{backend}:{index}"),
            Self::Backend(backend, Card::Software) => write!(f, "{backend}:cpu"),
        }
    }
}

impl DeviceChoice {
    /// Whether it computes on the CPU, and in its memory.
    #[must_use]
    pub fn is_cpu(self) -> bool {
        matches!(self, Self::Cpu | Self::Backend("flex" | "ndarray", _) | Self::Backend(_, Card::Software))
    }

    /// The device.
    ///
    /// # Errors
    /// [`ModelError::Device`] when it is not compiled in or not present; it lists the available ones.
    pub fn open(self) -> Result<Device, ModelError> {
        let absent = |why| absent(&self.to_string(), why);
        match self {
            Self::Cpu => cpu().ok_or_else(|| absent("no CPU backend is compiled in; build with --features flex")),
            Self::Gpu => ["cuda", "rocm", "metal", "vulkan", "wgpu", "webgpu"]
                .iter()
                .find_map(|backend| device_type(backend).and_then(|kind| enumerate(kind).into_iter().next()))
                .ok_or_else(|| absent("no GPU was found by the backends that are compiled in")),
            Self::Backend(backend @ ("flex" | "ndarray"), Card::First) => {
                backend_cpu(backend).ok_or_else(|| not_compiled(backend))
            }
            Self::Backend(backend, Card::Software) => software(backend).ok_or_else(|| not_compiled(backend)),
            Self::Backend(backend, card) => {
                let kind = device_type(backend).ok_or_else(|| not_compiled(backend))?;
                let index = if let Card::Index(index) = card { index } else { 0 };
                enumerate(kind).into_iter().nth(index).ok_or_else(|| absent("there is no such card"))
            }
        }
    }
}

/// Returns the device of a name; see [`DeviceChoice`].
///
/// # Errors
/// As [`DeviceChoice::from_str`] and [`DeviceChoice::open`].
pub fn parse(name: &str) -> Result<Device, ModelError> {
    name.parse::<DeviceChoice>()?.open()
}

/// The names that [`parse`] accepts in this build on this machine.
#[must_use]
pub fn available() -> Vec<String> {
    let mut names = Vec::new();
    if cpu().is_some() {
        names.push("cpu".to_owned());
    }
    for backend in BACKENDS {
        if backend_cpu(backend).is_some() {
            names.push(backend.into());
        } else if let Some(kind) = device_type(backend) {
            names.extend((0..enumerate(kind).len()).map(|index| format!("{backend}:{index}")));
        }
    }
    names
}

fn absent(name: &str, why: &str) -> ModelError {
    ModelError::Device(format!("device {name:?}: {why}; available here: {}", available().join(", ")))
}

fn not_compiled(backend: &str) -> ModelError {
    ModelError::Device(format!(
        "device {backend:?} is not compiled in; build with --features {backend}, or use one of: {}",
        available().join(", ")
    ))
}

fn cpu() -> Option<Device> {
    backend_cpu("flex").or_else(|| backend_cpu("ndarray")).or_else(|| software("wgpu"))
}

fn software(backend: &str) -> Option<Device> {
    match backend {
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(Device::wgpu(DeviceKind::Cpu)),
        #[cfg(feature = "vulkan")]
        "vulkan" => Some(Device::vulkan(DeviceKind::Cpu)),
        _ => None,
    }
}

fn backend_cpu(backend: &str) -> Option<Device> {
    match backend {
        #[cfg(feature = "flex")]
        "flex" => Some(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated, reason = "upstream removes ndarray in 0.23; until then it is a second opinion on flex")]
        "ndarray" => Some(Device::ndarray()),
        _ => None,
    }
}

fn device_type(backend: &str) -> Option<DeviceType> {
    match backend {
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(DeviceType::Wgpu),
        #[cfg(feature = "vulkan")]
        "vulkan" => Some(DeviceType::Vulkan),
        #[cfg(feature = "metal")]
        "metal" => Some(DeviceType::Metal),
        #[cfg(feature = "webgpu")]
        "webgpu" => Some(DeviceType::WebGpu),
        #[cfg(feature = "cuda")]
        "cuda" => Some(DeviceType::Cuda),
        #[cfg(feature = "rocm")]
        "rocm" => Some(DeviceType::Rocm),
        _ => None,
    }
}

/// The GPUs that a backend finds. A backend may panic if its driver is missing: that means no GPU, too.
fn enumerate(kind: DeviceType) -> Vec<Device> {
    std::panic::catch_unwind(move || Device::enumerate(kind).into_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_device_lists_what_is_there() {
        let message = parse("tpu").unwrap_err().to_string();
        assert!(message.contains("\"tpu\"") && message.contains("available here: cpu"), "{message}");
    }

    #[test]
    fn a_choice_is_shown_by_its_name() {
        for name in ["cpu", "gpu", "flex", "cuda", "cuda:1", "vulkan:cpu"] {
            let choice: DeviceChoice = name.parse().unwrap();
            assert_eq!(choice.to_string(), name);
            assert_eq!(choice.is_cpu(), ["cpu", "flex", "vulkan:cpu"].contains(&name), "{name}");
        }
        let message = "cuda:one".parse::<DeviceChoice>().unwrap_err().to_string();
        assert!(message.contains("must be a card's number"), "{message}");
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        let message = parse("cuda:0").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
