//! Resolves a recipe as written: layers of TOML, of which later ones take precedence.

use std::path::Path;

use toml::{Table, Value};

use super::model_path::without_effect;
use super::overrides::Overrides;
use super::{Depth, Recipe, RecipeError, precision};
use crate::nearest::nearest;
use crate::stages::Stage;
use crate::tokenizer_kind::TokenizerKind;

/// The recipes inside the binary.
const EMBEDDED: [(&str, &str); 5] = [
    ("tiny", include_str!("../../recipes/tiny.toml")),
    ("small", include_str!("../../recipes/small.toml")),
    ("tiny-grpo", include_str!("../../recipes/tiny-grpo.toml")),
    ("shakespeare-char", include_str!("../../recipes/shakespeare-char.toml")),
    ("text", include_str!("../../recipes/text.toml")),
];

/// Names of the recipes inside the binary.
pub fn embedded() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}

/// Reads a recipe, applies the command line, fills in derived values, and checks every number.
///
/// # Errors
/// [`RecipeError`]: no such recipe, an unknown key (the nearest known one is named), a value of a
/// wrong type, an impossible number.
pub fn resolve(overrides: &Overrides) -> Result<(Recipe, Option<Depth>), RecipeError> {
    check_stages(&overrides.stages)?;
    let name = overrides.recipe_name();
    let (origin, mut layers) = read_extended(name)?;
    let written = layers.clone();
    let mut depth = None;
    if let Some(layer_count) = overrides.depth {
        let derived = derive_depth(&origin, &layers, layer_count)?;
        merge(&mut layers, derived.layer());
        depth = Some(derived);
    }
    merge(&mut layers, flags(overrides));
    if let Some(steps) = overrides.steps {
        shorten_warmup(&mut layers, steps);
    }
    for assignment in &overrides.set {
        merge(&mut layers, parse_assignment(assignment)?);
    }
    fit_warmup(&mut layers, &overrides.set);
    keep_warmup(&mut layers, &written, overrides);

    share_context(&mut layers, overrides.model_context);
    precision::choose(&mut layers, overrides.fastest_precision, overrides.recorded.as_ref());
    let mut recipe: Recipe = from_table(&origin, layers)?;
    if recipe.name.is_empty() {
        recipe.name =
            Path::new(name).file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned());
    }
    recipe.data.paths = recipe.data.paths.iter().map(|path| absolute(path)).collect();
    recipe.data.validation_paths = recipe.data.validation_paths.iter().map(|path| absolute(path)).collect();
    for (_, section) in recipe.training_mut() {
        for path in section.paths() {
            *path = absolute(path);
        }
    }
    for path in &mut recipe.battery.data {
        *path = absolute(path);
    }
    recipe.tokenizer.path = recipe.tokenizer.path.as_deref().map(absolute);
    recipe.model.path = recipe.model.path.as_deref().map(absolute);
    // A run that goes on, or begins with a model, is resolved twice.
    if let Some(warning) = without_effect(&recipe, overrides, &written)
        .filter(|_| overrides.recorded.is_none() && overrides.model_context.is_none())
    {
        tracing::warn!("{warning}");
    }
    validate(&recipe).map_err(|message| RecipeError::Invalid { name: recipe.name.clone(), message })?;
    Ok((recipe, depth))
}

/// Stages whose number format is to be chosen: neither recipe nor command line names it, and no run goes on that has
/// it.
///
/// # Errors
/// As for [`resolve`], from the recipe's files and the command line.
pub fn open_precision(overrides: &Overrides) -> Result<Vec<Stage>, RecipeError> {
    let (_, mut layers) = read_extended(overrides.recipe_name())?;
    merge(&mut layers, flags(overrides));
    for assignment in &overrides.set {
        merge(&mut layers, parse_assignment(assignment)?);
    }
    Ok(precision::open(&layers, overrides.recorded.as_ref()))
}

/// Refuses a name in `--stages` that is no stage.
fn check_stages(names: &[String]) -> Result<(), RecipeError> {
    let Some(unknown) = names.iter().find(|name| Stage::named(name).is_none()) else { return Ok(()) };
    let known: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
    let near =
        nearest(unknown, known.iter().copied()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let message = format!("there is no stage {unknown:?}{near}; the stages are {}", known.join(", "));
    Err(RecipeError::Syntax { origin: format!("--stages {}", names.join(",")), message })
}

/// A recipe's origin, and its keys merged over those of the recipes that it extends.
fn read_extended(name: &str) -> Result<(String, Table), RecipeError> {
    let (origin, text) = read(name)?;
    let mut layers = parse(&text).map_err(|error| RecipeError::in_file(&origin, &text, &error))?;
    let mut seen = vec![name.to_owned()];
    while let Some(Value::String(base)) = layers.remove("extends") {
        let base = beside(seen.last().map_or(name, String::as_str), &base);
        if seen.contains(&base) {
            let message = format!("extends = {base:?} is circular: that recipe extends this one");
            return Err(RecipeError::Syntax { origin, message });
        }
        let (base_origin, text) = read(&base)?;
        let mut under = parse(&text).map_err(|error| RecipeError::in_file(&base_origin, &text, &error))?;
        // A run of this recipe must not use the folder of the other's.
        under.remove("name");
        merge(&mut under, layers);
        layers = under;
        seen.push(base);
    }
    Ok((origin, layers))
}

/// The recipe that a recipe `name` means by `base`: an embedded one, or a file beside its own.
fn beside(name: &str, base: &str) -> String {
    if EMBEDDED.iter().any(|(embedded, _)| *embedded == base) {
        return base.to_owned();
    }
    Path::new(name).parent().map_or_else(|| base.to_owned(), |folder| folder.join(base).to_string_lossy().into_owned())
}

/// A recipe's origin and text: an embedded one by name, or a file.
fn read(name: &str) -> Result<(String, String), RecipeError> {
    if let Some((_, text)) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        return Ok((format!("recipe {name:?}"), (*text).to_owned()));
    }
    if !Path::new(name).exists() {
        let embedded = embedded().collect::<Vec<_>>().join(", ");
        return Err(RecipeError::Unknown { name: name.into(), embedded });
    }
    let text = std::fs::read_to_string(name).map_err(|source| RecipeError::Read { path: name.into(), source })?;
    Ok((format!("recipe {name}"), text))
}

/// Parses TOML and checks it as a recipe, so that a mistake is reported where it was written.
fn parse(text: &str) -> Result<Table, toml::de::Error> {
    toml::from_str::<Recipe>(text)?;
    toml::from_str(text)
}

/// `section.key=value`; a value that is not TOML is taken as a string.
fn parse_assignment(assignment: &str) -> Result<Table, RecipeError> {
    let origin = format!("--set {assignment}");
    let Some((key, value)) = assignment.split_once('=') else {
        let message = "no `=` in it; write --set section.key=value, for example --set pretrain.batch=16".into();
        return Err(RecipeError::Syntax { origin, message });
    };
    let as_written = format!("{key} = {value}");
    let text = if toml::from_str::<Table>(&as_written).is_ok() { as_written } else { format!("{key} = {value:?}") };
    parse(&text).map_err(|error| RecipeError::at(&origin, &error))
}

fn from_table(origin: &str, table: Table) -> Result<Recipe, RecipeError> {
    Value::Table(table).try_into().map_err(|error: toml::de::Error| RecipeError::at(origin, &error))
}

/// The flags that are short for keys.
fn flags(overrides: &Overrides) -> Table {
    let strings = |values: &[String]| Value::Array(values.iter().cloned().map(Value::String).collect());
    let mut table = Table::new();
    if !overrides.data.is_empty() {
        merge(&mut table, section("data", "paths", strings(&overrides.data)));
    }
    if let Some(model) = &overrides.model {
        merge(&mut table, section("model", "path", Value::String(model.clone())));
    }
    if !overrides.stages.is_empty() {
        table.insert("stages".into(), strings(&overrides.stages));
    }
    // Training flags apply to every stage.
    for stage in Stage::ALL.iter().filter(|stage| stage.trains()) {
        if let Some(steps) = overrides.steps {
            merge(&mut table, section(stage.name(), "steps", Value::Integer(steps.min(i64::MAX as u64) as i64)));
        }
        if let Some(precision) = overrides.precision {
            merge(&mut table, section(stage.name(), "precision", precision::named(precision)));
        }
        if let Some(seed) = overrides.seed {
            merge(&mut table, section(stage.name(), "seed", Value::Integer(seed.min(i64::MAX as u64) as i64)));
        }
    }
    table
}

/// A stage whose section names no context has pretraining's, or the model's if that is shorter.
fn share_context(layers: &mut Table, longest: Option<usize>) {
    let written = |layers: &Table, stage: Stage| layers.get(stage.name())?.get("context")?.as_integer();
    let shared = written(layers, Stage::Pretrain);
    for (stage, default) in Recipe::default().training() {
        if written(layers, stage).is_some() || (shared.is_none() && longest.is_none()) {
            continue;
        }
        let context = shared.unwrap_or(default.train().context as i64);
        let context = longest.map_or(context, |longest| context.min(longest as i64));
        merge(layers, section(stage.name(), "context", Value::Integer(context)));
    }
}

/// A run cut short by `--steps` warms up for a tenth of it at most.
fn shorten_warmup(layers: &mut Table, steps: u64) {
    let most = (steps / 10) as i64;
    for (stage, default) in Recipe::default().training() {
        let Some(Value::Table(section)) = layers.get_mut(stage.name()) else { continue };
        let written = section.get("warmup_steps").and_then(Value::as_integer);
        if written.unwrap_or(default.train().warmup_steps as i64) > most {
            section.insert("warmup_steps".into(), Value::Integer(most));
        }
    }
}

/// Shortens a warm-up that is longer than its stage to a tenth of the steps, if it is a default or the command line
/// changes only the steps.
fn fit_warmup(layers: &mut Table, set: &[String]) {
    for (stage, default) in Recipe::default().training() {
        let name = stage.name();
        let Some(Value::Table(section)) = layers.get_mut(name) else { continue };
        let Some(steps) = section.get("steps").and_then(Value::as_integer) else { continue };
        let written = section.get("warmup_steps").and_then(Value::as_integer);
        let chosen = is_set(set, name, "warmup_steps") || (written.is_some() && !is_set(set, name, "steps"));
        if !chosen && written.unwrap_or(default.train().warmup_steps as i64) > steps {
            section.insert("warmup_steps".into(), Value::Integer(steps / 10));
        }
    }
}

/// A lengthened stage keeps the warm-up that it began with, unless it is set explicitly: the default depends on the
/// number of steps.
fn keep_warmup(layers: &mut Table, written: &Table, overrides: &Overrides) {
    let Some(recorded) = &overrides.recorded else { return };
    let number = |table: &Table, stage: &str, key: &str| table.get(stage)?.get(key)?.as_integer();
    for (stage, _) in Recipe::default().training() {
        let name = stage.name();
        let (Some(before), Some(warmup)) = (number(recorded, name, "steps"), number(recorded, name, "warmup_steps"))
        else {
            continue;
        };
        let lengthened = number(layers, name, "steps").is_some_and(|steps| steps > before);
        let chosen = is_set(&overrides.set, name, "warmup_steps") || number(written, name, "warmup_steps").is_some();
        if lengthened && !chosen {
            merge(layers, section(name, "warmup_steps", Value::Integer(warmup)));
        }
    }
}

/// Whether the command line sets a key of a stage.
fn is_set(set: &[String], stage: &str, key: &str) -> bool {
    set.iter().any(|assignment| assignment.split('=').next().is_some_and(|k| k.trim() == format!("{stage}.{key}")))
}

fn section(section: &str, key: &str, value: Value) -> Table {
    Table::from_iter([(section.into(), Value::Table(Table::from_iter([(key.into(), value)])))])
}

/// Sizes that follow from `--depth` for this recipe's preset and vocabulary.
fn derive_depth(origin: &str, layers: &Table, layer_count: usize) -> Result<Depth, RecipeError> {
    if !(1..=64).contains(&layer_count) {
        let message = format!("--depth {layer_count} must be from 1 to 64 layers");
        return Err(RecipeError::Syntax { origin: origin.into(), message });
    }
    let recipe = from_table(origin, layers.clone())?;
    Ok(Depth::new(layer_count, |width, layers, heads| {
        let model = super::ModelSection { layers, width, heads, ..recipe.model.clone() };
        model.decoder(recipe.tokenizer.vocab_size, recipe.pretrain.context).num_params()
    }))
}

/// Merges `over` into `under`, table by table.
pub(super) fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// A local path made independent of the current folder, so that a run can be resumed from anywhere.
fn absolute(path: &str) -> String {
    if path.contains("://") {
        return path.into();
    }
    // `m/` and `m` are one folder.
    let plain = |absolute: std::path::PathBuf| absolute.components().collect::<std::path::PathBuf>();
    std::path::absolute(path).map_or_else(|_| path.into(), |absolute| plain(absolute).to_string_lossy().into_owned())
}

/// Whether a run's name is a place below the folder of runs.
fn is_below(name: &str) -> bool {
    let path = Path::new(name);
    !name.contains(char::is_control) && path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn validate(recipe: &Recipe) -> Result<(), String> {
    if !is_below(&recipe.name) {
        return Err(format!(
            "name = {:?} is not a folder name in runs/; leave out `..` and a leading `/`, and say where with --out",
            recipe.name
        ));
    }
    if recipe.stages.is_empty() {
        let names: Vec<_> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        return Err(format!("stages is empty; name at least one of {}", names.join(", ")));
    }
    let twice = |(place, stage): (usize, &Stage)| recipe.stages[..place].contains(stage).then_some(stage.name());
    if let Some(name) = recipe.stages.iter().enumerate().find_map(twice) {
        return Err(format!("stages names {name} twice, but a run has one folder for it; name it once"));
    }
    let fraction = recipe.data.validation_fraction;
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(format!("data.validation_fraction = {fraction} must lie between 0 and 1"));
    }
    let vocab_size = recipe.tokenizer.vocab_size;
    if !(260..=1_000_000).contains(&vocab_size) {
        return Err(format!(
            "tokenizer.vocab_size = {vocab_size} must be from 260 (all bytes and the special tokens) to 1000000"
        ));
    }
    if recipe.tokenizer.kind == TokenizerKind::Words && !recipe.tokenizer.split_digits {
        return Err("tokenizer.split_digits = false: with kind \"words\" a digit is always one token".into());
    }
    recipe.corpus.validate().map_err(|error| error.to_string())?;
    for (stage, section) in recipe.training() {
        let name = stage.name();
        section.train().validate().map_err(|error| format!("{name}.{error}"))?;
        section.learns_from().validate(name)?;
        section.validate(name, recipe.stages.contains(&stage))?;
    }
    recipe.battery.validate()?;
    recipe.chat.validate()?;
    let context = recipe.pretrain.context;
    if let Some(longest) = recipe.model.context.filter(|&longest| longest < context) {
        return Err(format!(
            "pretrain.context = {context} is longer than model.context = {longest}; make one of them fit"
        ));
    }
    let longest = recipe.model.context.unwrap_or(context);
    if recipe.model.path.is_none() && recipe.stages.contains(&Stage::Pretrain) {
        for (stage, context) in recipe.training().into_iter().map(|(stage, section)| (stage, section.train().context)) {
            if recipe.stages.contains(&stage) && context > longest {
                return Err(format!(
                    "{}.context = {context} is longer than the model's, {longest}; make it shorter, or set \
                     model.context",
                    stage.name()
                ));
            }
        }
    }
    let decoder = recipe.model.decoder(vocab_size, context);
    decoder.validate().map_err(|error| error.to_string())?;
    fireclay_model::huggingface::check_representable(&decoder).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
