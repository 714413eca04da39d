//! Choice of the device.

use std::fmt;
use std::str::FromStr;

#[cfg(any(feature = "wgpu", feature = "vulkan"))]
use burn::tensor::DeviceKind;
use burn::tensor::{Device, DeviceType};

use crate::ModelError;

/// A backend that can be compiled in. Its name on the command line is also the name of its cargo feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Burn's own on the CPU.
    Flex,
    /// `ndarray`, on the CPU.
    NdArray,
    /// Any GPU, or a software adapter, by `wgpu` with the driver of the platform.
    Wgpu,
    /// `wgpu` with Vulkan.
    Vulkan,
    /// `wgpu` with Metal.
    Metal,
    /// `wgpu` with WebGPU.
    WebGpu,
    /// NVIDIA.
    Cuda,
    /// AMD.
    Rocm,
}

impl Backend {
    /// Every backend, in the order in which they are listed.
    pub const ALL: [Self; 8] =
        [Self::Flex, Self::NdArray, Self::Wgpu, Self::Vulkan, Self::Metal, Self::WebGpu, Self::Cuda, Self::Rocm];

    /// Backends of GPUs, the first to be tried first.
    const GPUS: [Self; 6] = [Self::Cuda, Self::Rocm, Self::Metal, Self::Vulkan, Self::Wgpu, Self::WebGpu];

    /// Its name, and that of its cargo feature.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::WebGpu => "webgpu",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
        }
    }

    /// The CPU, if this backend computes there and is compiled in.
    fn cpu(self) -> Option<Device> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Some(Device::flex()),
            #[cfg(feature = "ndarray")]
            #[expect(
                deprecated,
                reason = "upstream removes ndarray in 0.23; until then it is a second opinion on flex"
            )]
            Self::NdArray => Some(Device::ndarray()),
            _ => None,
        }
    }

    /// Its adapter in software, if it has one and is compiled in.
    fn software(self) -> Option<Device> {
        match self {
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Some(Device::wgpu(DeviceKind::Cpu)),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(Device::vulkan(DeviceKind::Cpu)),
            _ => None,
        }
    }

    /// Burn's type of its GPUs, if it has GPUs and is compiled in.
    fn gpu_type(self) -> Option<DeviceType> {
        match self {
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Some(DeviceType::Wgpu),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(DeviceType::Vulkan),
            #[cfg(feature = "metal")]
            Self::Metal => Some(DeviceType::Metal),
            #[cfg(feature = "webgpu")]
            Self::WebGpu => Some(DeviceType::WebGpu),
            #[cfg(feature = "cuda")]
            Self::Cuda => Some(DeviceType::Cuda),
            #[cfg(feature = "rocm")]
            Self::Rocm => Some(DeviceType::Rocm),
            _ => None,
        }
    }
}

/// A device that is asked for by name: `cpu`, `gpu`, a backend (`flex`, `ndarray`, `cuda`, `vulkan`, …), or a backend
/// and the index of a GPU (`cuda:0`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// `flex` if compiled in, else `ndarray`, else a software adapter of `wgpu`.
    Cpu,
    /// The first GPU of the first compiled-in GPU backend that finds one.
    Gpu,
    /// A device of a backend.
    Backend(Backend, Card),
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
        let known = Backend::ALL.into_iter().find(|known| known.name() == backend);
        let backend = known.ok_or_else(|| absent(name, "no such device"))?;
        let card = match card {
            None => Card::First,
            Some("cpu") if matches!(backend, Backend::Wgpu | Backend::Vulkan) => Card::Software,
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
            Self::Backend(backend, Card::First) => f.write_str(backend.name()),
            Self::Backend(backend, Card::Index(index)) => write!(f, "{}:{index}", backend.name()),
            Self::Backend(backend, Card::Software) => write!(f, "{}:cpu", backend.name()),
        }
    }
}

impl DeviceChoice {
    /// Whether it computes on the CPU, and in its memory.
    #[must_use]
    pub fn is_cpu(self) -> bool {
        matches!(
            self,
            Self::Cpu | Self::Backend(Backend::Flex | Backend::NdArray, _) | Self::Backend(_, Card::Software)
        )
    }

    /// The device.
    ///
    /// # Errors
    /// [`ModelError::Device`] when it is not compiled in or not present; it lists the available ones.
    pub fn open(self) -> Result<Device, ModelError> {
        let absent = |why| absent(&self.to_string(), why);
        match self {
            Self::Cpu => cpu().ok_or_else(|| absent("no CPU backend is compiled in; build with --features flex")),
            Self::Gpu => Backend::GPUS
                .into_iter()
                .find_map(|backend| enumerate(backend.gpu_type()?).into_iter().next())
                .ok_or_else(|| absent("no GPU was found by the backends that are compiled in")),
            Self::Backend(backend @ (Backend::Flex | Backend::NdArray), Card::First) => {
                backend.cpu().ok_or_else(|| not_compiled(backend))
            }
            Self::Backend(backend, Card::Software) => backend.software().ok_or_else(|| not_compiled(backend)),
            Self::Backend(backend, card) => {
                let kind = backend.gpu_type().ok_or_else(|| not_compiled(backend))?;
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
    for backend in Backend::ALL {
        if backend.cpu().is_some() {
            names.push(backend.name().to_owned());
        } else if let Some(kind) = backend.gpu_type() {
            names.extend((0..enumerate(kind).len()).map(|index| format!("{}:{index}", backend.name())));
        }
    }
    names
}

fn absent(name: &str, why: &str) -> ModelError {
    ModelError::Device(format!("device {name:?}: {why}; available here: {}", available().join(", ")))
}

fn not_compiled(backend: Backend) -> ModelError {
    let backend = backend.name();
    ModelError::Device(format!(
        "device {backend:?} is not compiled in; build with --features {backend}, or use one of: {}",
        available().join(", ")
    ))
}

fn cpu() -> Option<Device> {
    Backend::Flex.cpu().or_else(|| Backend::NdArray.cpu()).or_else(|| Backend::Wgpu.software())
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
