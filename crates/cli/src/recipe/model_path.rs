//! A model to begin with has its own shape: keys of `[model]` that would change it have no effect.

use toml::{Table, Value};

use super::Recipe;
use super::overrides::Overrides;

/// A warning of what the command line, or the recipe as `written`, says about the shape of a model that is given;
/// `None` if they say nothing.
pub(super) fn without_effect(recipe: &Recipe, overrides: &Overrides, written: &Table) -> Option<String> {
    let path = recipe.model.path.as_ref()?;
    let mut what: Vec<String> = overrides.depth.map(|_| "--depth".to_owned()).into_iter().collect();
    for assignment in &overrides.set {
        let key = assignment.split('=').next().unwrap_or_default().trim();
        if key.starts_with("model.") && key != "model.path" {
            what.push(format!("--set {key}"));
        }
    }
    // A recipe for a new model may be used with `--model`, and that of a run names every size.
    let is_of_run = |model: &Table| ["preset", "layers", "width", "heads"].iter().all(|key| model.contains_key(*key));
    let model = written.get("model").and_then(Value::as_table);
    let model = model.filter(|model| model.contains_key("path") && !is_of_run(model));
    what.extend(model.into_iter().flatten().filter(|(key, _)| *key != "path").map(|(key, _)| format!("model.{key}")));
    let have = if what.len() == 1 { "has" } else { "have" };
    (!what.is_empty()).then(|| format!("{} {have} no effect: the model {path} has its own shape", what.join(", ")))
}
