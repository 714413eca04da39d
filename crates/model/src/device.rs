//! Choice of the device.

#[cfg(any(feature = "wgpu", feature = "vulkan"))]
use burn::tensor::DeviceKind;
use burn::tensor::{Device, DeviceType};

use crate::ModelError;

/// Backends that can be compiled in. The name on the command line is also the name of the cargo feature.
const BACKENDS: [&str; 8] = ["flex", "ndarray", "wgpu", "vulkan", "metal", "webgpu", "cuda", "rocm"];

/// Returns the device of a name: `cpu`, `gpu`, a backend (`flex`, `ndarray`, `cuda`, `vulkan`, …), or a backend and the
/// index of a GPU (`cuda:0`).
///
/// `cpu` is `flex` if compiled in, else `ndarray`, else a software adapter of `wgpu`. `gpu` is the first GPU of the
/// first compiled-in GPU backend that finds one. `wgpu:cpu` and `vulkan:cpu` name a software adapter.
///
/// # Errors
/// [`ModelError::Device`] when the name is unknown, not compiled in, or not present; it lists the available names.
pub fn parse(name: &str) -> Result<Device, ModelError> {
    let (backend, index) = match name.split_once(':') {
        Some((backend, index)) => (backend, Some(index)),
        None => (name, None),
    };
    match (backend, index) {
        ("cpu", None) => cpu().ok_or_else(|| absent(name, "no CPU backend is compiled in; build with --features flex")),
        ("gpu", None) => ["cuda", "rocm", "metal", "vulkan", "wgpu", "webgpu"]
            .iter()
            .find_map(|backend| device_type(backend).and_then(|kind| enumerate(kind).into_iter().next()))
            .ok_or_else(|| absent(name, "no GPU was found by the backends that are compiled in")),
        ("flex" | "ndarray", None) => backend_cpu(backend).ok_or_else(|| not_compiled(backend)),
        #[cfg(feature = "wgpu")]
        ("wgpu", Some("cpu")) => Ok(Device::wgpu(DeviceKind::Cpu)),
        #[cfg(feature = "vulkan")]
        ("vulkan", Some("cpu")) => Ok(Device::vulkan(DeviceKind::Cpu)),
        (backend, index) if BACKENDS.contains(&backend) => {
            let kind = device_type(backend).ok_or_else(|| not_compiled(backend))?;
            let index: usize = match index.map(str::parse) {
                None => 0,
                Some(Ok(index)) => index,
                Some(Err(_)) => return Err(absent(name, "the part after the colon must be a card's number")),
            };
            enumerate(kind).into_iter().nth(index).ok_or_else(|| absent(name, "there is no such card"))
        }
        _ => Err(absent(name, "no such device")),
    }
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
    let device = backend_cpu("flex").or_else(|| backend_cpu("ndarray"));
    #[cfg(feature = "wgpu")]
    let device = device.or_else(|| Some(Device::wgpu(DeviceKind::Cpu)));
    device
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
    #[cfg(not(feature = "cuda"))]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        let message = parse("cuda:0").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
