//! Arguments of constrained decoding.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use fireclay_infer::Constraint;

use crate::error::user;

/// Constraint of a completion: one of the four, or none.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub struct ConstraintArgs {
    /// A file with a JSON schema; the completion is JSON that it validates
    #[arg(long, value_name = "FILE")]
    pub json_schema: Option<PathBuf>,
    /// A regular expression that the whole completion matches
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub regex: Option<String>,
    /// A file with a Lark grammar that the whole completion matches, from its rule `start`
    #[arg(long, value_name = "FILE")]
    pub grammar: Option<PathBuf>,
    /// A text that the completion may be; give the flag once for each
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub choice: Vec<String>,
}

impl ConstraintArgs {
    /// The requested constraint.
    ///
    /// # Errors
    /// When a file cannot be read, or is not JSON where it must be.
    pub fn constraint(&self) -> Result<Option<Constraint>> {
        let Self { json_schema, regex, grammar, choice } = self;
        Ok(if let Some(path) = json_schema {
            let schema = serde_json::from_str(&read("--json-schema", path)?);
            let schema = schema.map_err(|error| user(format!("--json-schema {}: {error}", path.display())))?;
            Some(Constraint::JsonSchema(schema))
        } else if let Some(regex) = regex {
            Some(Constraint::Regex(regex.clone()))
        } else if let Some(path) = grammar {
            Some(Constraint::Lark(read("--grammar", path)?))
        } else {
            (!choice.is_empty()).then(|| Constraint::Choices(choice.clone()))
        })
    }
}

fn read(flag: &str, path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| user(format!("{flag} {}: {error}", path.display())))
}
