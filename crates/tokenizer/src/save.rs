//! Writing tokenizer files.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::settings::Settings;
use crate::{Tokenizer, TokenizerError};

impl Tokenizer {
    /// Writes `tokenizer.json`, `tokenizer_config.json` and, if there is a chat template, `chat_template.jinja` into
    /// the folder, which is made if need be. It opens in `transformers`' `AutoTokenizer` and gives the same ids there.
    ///
    /// # Errors
    /// When the folder or a file cannot be written.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<(), TokenizerError> {
        let dir = dir.as_ref();
        create(dir)?;
        let library = self.library().to_string(true);
        let library = library.map_err(|error| TokenizerError::invalid(dir, error))?;
        write(&dir.join("tokenizer.json"), &library)?;
        write(&dir.join("tokenizer_config.json"), &config_text(self.settings()))?;
        for (name, template) in self.settings().templates() {
            if name == "default" {
                write(&dir.join("chat_template.jinja"), template.source())?;
            } else {
                let others = dir.join("additional_chat_templates");
                create(&others)?;
                write(&others.join(format!("{name}.jinja")), template.source())?;
            }
        }
        Ok(())
    }
}

fn config_text(settings: &Settings) -> String {
    let generated;
    let config = if settings.is_empty() {
        generated = Settings::generated(None, None);
        generated.config()
    } else {
        settings.config()
    };
    serde_json::to_string_pretty(config).expect("a JSON value can be written") + "\n"
}

fn create(dir: &Path) -> Result<(), TokenizerError> {
    let failed = |source| TokenizerError::Io { action: "create", path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(failed)
}

fn write(path: &Path, text: &str) -> Result<(), TokenizerError> {
    let failed = |source| TokenizerError::Io { action: "write", path: path.to_owned(), source };
    // Synced, so that what says that the files are whole is never older than they.
    let whole = || {
        let mut file = fs::File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    whole().map_err(failed)
}
