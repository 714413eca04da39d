//! Which device a command computes on.

use anyhow::Result;
use burn::tensor::{DType, Device};
use fireclay_model::device;

use crate::error::user;

/// Whether a backend for graphics cards was compiled in.
const HAS_GPU_BACKEND: bool = cfg!(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "webgpu",
    feature = "cuda",
    feature = "rocm"
));

/// The device of `--device`, and its name. Without the flag it is a graphics card if this build has a backend for them
/// and the machine has one, and the CPU otherwise.
///
/// # Errors
/// When a device is asked for that is not there; the message lists what is.
pub fn choose(asked: Option<&str>) -> Result<(Device, String)> {
    if let Some(name) = asked {
        return Ok((device::parse(name)?, name.into()));
    }
    if HAS_GPU_BACKEND {
        match device::parse("gpu") {
            Ok(device) => return Ok((device, "gpu".into())),
            Err(error) => tracing::warn!("{error}; computing on the CPU"),
        }
    }
    Ok((device::parse("cpu")?, "cpu".into()))
}

/// That a device computes in bfloat16, which `asked` wants.
///
/// # Errors
/// When it does not.
pub fn check_bf16(asked: &str, device: &Device) -> Result<()> {
    match device.supports_dtype(DType::BF16) {
        true => Ok(()),
        false => Err(user(format!("{asked}: this device does not compute in bfloat16; use f32"))),
    }
}
