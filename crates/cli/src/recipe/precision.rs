//! The number format of matrix products, where the layers of a recipe name none.

use fireclay_model::Precision;
use toml::{Table, Value};

use super::Recipe;
use crate::stages::Stage;

/// Stages that learn from given text and have no format, neither in these layers nor in the recipe of the run that goes
/// on. Preferences and policy gradients compare log-probabilities that differ by less than bf16 rounds, so they keep to
/// f32.
pub(super) fn open(layers: &Table, recorded: Option<&Table>) -> Vec<Stage> {
    let given_text = Recipe::default();
    let given_text = given_text.training().into_iter().filter(|(_, section)| section.learns_from().is_given_text());
    let is_open = |stage: &Stage| written(layers, *stage).or_else(|| written(recorded?, *stage)).is_none();
    given_text.map(|(stage, _)| stage).filter(is_open).collect()
}

/// Writes the format of stages that learn from given text: that which the run began with, else the fastest.
pub(super) fn choose(layers: &mut Table, fastest: Precision, recorded: Option<&Table>) {
    for stage in open(layers, None) {
        let chosen = recorded.and_then(|table| written(table, stage)).cloned().unwrap_or_else(|| named(fastest));
        let section = layers.entry(stage.name()).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert("precision".into(), chosen);
        }
    }
}

/// A number format as recipes write it.
pub(super) fn named(precision: Precision) -> Value {
    Value::try_from(precision).expect("a format has a name")
}

fn written(table: &Table, stage: Stage) -> Option<&Value> {
    table.get(stage.name())?.get("precision")
}
