//! The device of a command.

use anyhow::Result;
use burn::tensor::{DType, Device};
use fireclay_kernels::Isa;
use fireclay_model::device::DeviceChoice;

use crate::error::user;

/// Whether a GPU backend was compiled in.
const HAS_GPU_BACKEND: bool = cfg!(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "webgpu",
    feature = "cuda",
    feature = "rocm"
));

/// The device of `--device`, and the choice. Without the flag it is a GPU if this build has a GPU backend and the
/// machine has a GPU, and the CPU otherwise.
///
/// # Errors
/// When the requested device is not present; the message lists the available ones.
pub fn choose(asked: Option<DeviceChoice>) -> Result<(Device, DeviceChoice)> {
    if let Some(choice) = asked {
        return Ok((choice.open()?, choice));
    }
    if HAS_GPU_BACKEND {
        match DeviceChoice::Gpu.open() {
            Ok(device) => return Ok((device, DeviceChoice::Gpu)),
            Err(error) => tracing::warn!("{error}; computing on the CPU"),
        }
    }
    Ok((DeviceChoice::Cpu.open()?, DeviceChoice::Cpu))
}

/// Limits the CPU kernels to `--isa`, if it is given, and checks what `FIRECLAY_ISA` asks for. No kernel has run yet.
///
/// # Errors
/// When there is no such instruction set, or this CPU does not have it.
pub fn choose_instruction_set(asked: Option<Isa>) -> Result<()> {
    if let Some(isa) = asked {
        return isa.limit().map_err(|error| user(format!("--isa {}: {error}", isa.name())));
    }
    Isa::asked().map(drop).map_err(|error| user(format!("FIRECLAY_ISA: {error}")))
}

/// The instruction set of the CPU kernels, if they are what computes there.
#[must_use]
pub fn instruction_set(choice: DeviceChoice) -> Option<&'static str> {
    matches!(choice, DeviceChoice::Cpu).then(|| Isa::current().name())
}

/// Checks that a device supports bfloat16, if `asked` requests it.
///
/// # Errors
/// When it does not support it.
pub fn check_bf16(asked: &str, device: &Device) -> Result<()> {
    match device.supports_dtype(DType::BF16) {
        true => Ok(()),
        false => Err(user(format!("{asked}: this device does not compute in bfloat16; use f32"))),
    }
}
