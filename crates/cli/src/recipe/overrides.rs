//! What the command line says about a recipe.

use fireclay_model::Precision;
use toml::Table;

/// Overrides of the recipe by the command line.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--recipe`: an embedded name or a file. `None`: `text` with `--data`, else `tiny`.
    pub recipe: Option<String>,
    /// `--data`
    pub data: Vec<String>,
    /// `--model`: the model to begin with.
    pub model: Option<String>,
    /// Tokens that fit the context of that model, which stages have that name no context.
    pub model_context: Option<usize>,
    /// `--stages`
    pub stages: Vec<String>,
    /// `--steps`, of every stage that trains.
    pub steps: Option<u64>,
    /// `--depth`
    pub depth: Option<usize>,
    /// `--precision`, of every stage that trains.
    pub precision: Option<Precision>,
    /// Number format of products in stages that learn from given text, where neither recipe nor command line names one.
    pub fastest_precision: Precision,
    /// The recipe of the run to resume, from which a default number format is kept.
    pub recorded: Option<Table>,
    /// `--seed`
    pub seed: Option<u64>,
    /// `--set key=value`
    pub set: Vec<String>,
}

impl Overrides {
    /// The recipe's embedded name or file.
    pub(super) fn recipe_name(&self) -> &str {
        let default = if self.data.is_empty() { "tiny" } else { "text" };
        self.recipe.as_deref().unwrap_or(default)
    }
}
