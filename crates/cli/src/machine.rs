//! The machine that a run is trained on, recorded at its start and shown in its report.

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Content of `machine.json`, so that a report made elsewhere names the machine of the run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Machine {
    /// The processor's model name, `unknown` if the system does not report it.
    pub cpu: String,
    /// Physical cores, if the system reports them.
    pub cores: Option<usize>,
    /// Number of threads that compute.
    pub threads: usize,
    /// Memory in bytes, if the system reports it.
    pub memory_bytes: Option<u64>,
    /// Operating system and architecture.
    pub os: String,
    /// Version of fireclay.
    pub fireclay: String,
    /// The device trained on, as `--device` names it; [`machine`] leaves it for `train` to fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The instruction set of the CPU kernels, if they computed, or all that the run has used; `train` fills it in too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction_set: Option<String>,
}

/// Describes this machine.
#[must_use]
pub fn machine() -> Machine {
    let wanted =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted).ok();
    let cpu = system
        .as_ref()
        .and_then(|system| system.cpus().first())
        .map(|cpu| cpu.brand().trim().to_owned())
        .filter(|brand| !brand.is_empty());
    let name = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    Machine {
        cpu: cpu.unwrap_or_else(|| "unknown".to_owned()),
        cores: System::physical_core_count().ok(),
        threads: rayon::current_num_threads(),
        memory_bytes: system.map(|system| system.total_memory()),
        os: format!("{name}, {}", std::env::consts::ARCH),
        fireclay: env!("CARGO_PKG_VERSION").to_owned(),
        device: None,
        instruction_set: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described_and_survives_json() {
        let machine = machine();
        assert!(machine.memory_bytes > Some(1 << 20) && machine.threads >= 1 && !machine.os.is_empty());
        let json = serde_json::to_string(&machine).expect("serialises");
        assert_eq!(serde_json::from_str::<Machine>(&json).expect("reads back"), machine);
    }
}
