//! `fireclay export`: a model in another format, with a comparison.

use std::path::PathBuf;

use anyhow::Result;
use fireclay_model::device::DeviceChoice;
use fireclay_text::export_gguf;

use crate::args::{ExportArgs, GGUF_TYPES};
use crate::error::user;
use crate::model_dir;
use crate::run_dir::write_whole;

/// Writes the file and its receipt, and prints the figures.
///
/// # Errors
/// When there is no model, a GGUF file cannot express it, the file differs from it, or the disk refuses.
pub fn run(args: &ExportArgs) -> Result<()> {
    let dir = model_dir::resolve(&args.model)?;
    let format = GGUF_TYPES.iter().find(|(_, kind)| *kind == args.gguf).map_or("gguf", |(name, _)| *name);
    let name = args.model.file_stem().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
    let file = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}-{format}.gguf")));
    if file == dir {
        return Err(user(format!("--out {}: this is the model itself; name another file", file.display())));
    }
    let device = DeviceChoice::Cpu.open()?;
    let receipt = export_gguf(&dir, &file, args.gguf, &device)?;
    if let Some(complaint) = receipt.complaint() {
        // A file that differs from the model must not be mistaken for it.
        std::fs::remove_file(&file)?;
        return Err(user(format!("{}: {complaint}; the file was removed, keep the model as a folder", file.display())));
    }
    let mut beside = file.clone().into_os_string();
    beside.push(".receipt.json");
    write_whole(&PathBuf::from(beside), &(serde_json::to_string_pretty(&receipt)? + "\n"))?;
    crate::console::say(format!(
        "{}: {:.1} MB; ids of {} texts and {} conversations are the same; divergence {:.1e} nats, the most probable \
         token is the same in {:.0} % of {} places",
        file.display(),
        receipt.bytes as f64 / 1e6,
        receipt.same_ids[0],
        receipt.same_chats[0],
        receipt.mean_kl,
        100.0 * receipt.same_top,
        receipt.compared_tokens
    ));
    Ok(())
}
