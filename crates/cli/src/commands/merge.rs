//! `fireclay merge`: adapters and the model under them as one plain model directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fireclay_model::device::DeviceChoice;
use fireclay_model::huggingface::{SaveOptions, WeightFormat, adapter_base, load_sampling, load_token_ids, save_with};
use fireclay_model::{load_adapter, load_frozen};
use fireclay_text::tokenizer_near;
use fireclay_tokenizer::{ChatTemplate, Tokenizer};
use fireclay_train::Inherited;

use crate::args::MergeArgs;
use crate::error::user;
use crate::model_dir;

/// Writes the folder.
///
/// # Errors
/// When there are no adapters, their base is not there, the folder is in use, or the disk refuses.
pub fn run(args: &MergeArgs) -> Result<()> {
    let out = &args.out;
    if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) || out.is_file() {
        return Err(user(format!("--out {}: the folder is not empty; give an empty folder", out.display())));
    }
    let found = model_dir::resolve(&args.model)?;
    let (adapter, base) = adapter_of(&found)?;
    let inherited = Inherited::default().of(&found).of(&base);
    let named = inherited.number_format().and_then(WeightFormat::named);
    let format = args.dtype.or(named).unwrap_or_default();
    let device = DeviceChoice::Cpu.open()?;
    // The base stays in its storage format, and each weight is merged when it is written.
    let decoder = load_adapter(load_frozen(&base, &device, None)?, &adapter)?;
    let tokenizer = with_own_template(tokenizer_near(&found)?, &found)?;
    let mut tokens = load_token_ids(&found)?;
    if let Some(tokenizer) = &tokenizer {
        for id in tokenizer.end_ids() {
            if !tokens.eos.contains(&id) {
                tokens.eos.push(id);
            }
        }
    }
    let sampling = load_sampling(&found).0;
    save_with(&decoder, out, &SaveOptions { tokens, sampling, format })?;
    inherited.without_number_format().write_into(out).with_context(|| out.display().to_string())?;
    if let Some(tokenizer) = tokenizer {
        tokenizer.save(out)?;
    }
    crate::console::say(format!(
        "{}: {} with the adapters of {} merged into it, in {}",
        out.display(),
        base.display(),
        adapter.display(),
        format.name()
    ));
    Ok(())
}

/// The tokenizer with the chat template beside the adapters, where that stands there without a tokenizer.
fn with_own_template(tokenizer: Option<Tokenizer>, folder: &Path) -> Result<Option<Tokenizer>> {
    let file = folder.join("chat_template.jinja");
    let Some(tokenizer) = tokenizer else { return Ok(None) };
    if !file.is_file() || folder.join("tokenizer.json").is_file() {
        return Ok(Some(tokenizer));
    }
    let source = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let template = ChatTemplate::new(&source).map_err(|error| user(format!("{}: {error}", file.display())))?;
    Ok(Some(tokenizer.with_chat_template(template)))
}

/// The folder of the adapters in or at `found`, and the model that they are for.
fn adapter_of(found: &Path) -> Result<(PathBuf, PathBuf)> {
    for folder in [found.to_path_buf(), found.join("adapter")] {
        if let Some(base) = adapter_base(&folder)? {
            return Ok((folder, base));
        }
    }
    Err(user(format!(
        "{}: no adapters here; give a folder with adapter_config.json, or a run that trained with lora",
        found.display()
    )))
}
