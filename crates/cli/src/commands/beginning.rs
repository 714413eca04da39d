//! What `train` and `plan` check before anything is planned or written: files, the model, and how they fit.

use std::path::Path;

use anyhow::Result;
use fireclay_model::huggingface::load_config;
use fireclay_train::RunFiles;

use crate::error::user;
use crate::recipe::Recipe;
use crate::stages::Stage;

/// What is in the folder of a run before it goes on.
pub struct EarlierRun {
    files: RunFiles,
    /// Whether it is moved aside.
    fresh: bool,
}

impl EarlierRun {
    /// The run in this folder, which need not be there; with `fresh` it is moved aside.
    pub fn new(folder: &Path, fresh: bool) -> Self {
        Self { files: RunFiles::new(folder), fresh }
    }

    fn is_done(&self, stage: Stage) -> bool {
        !self.fresh && self.files.stage(stage.name()).is_done()
    }

    fn has_begun(&self, stage: Stage) -> bool {
        !self.fresh && self.files.stage(stage.name()).has_begun()
    }
}

/// Refuses data that is not there, of the stages of this recipe that still read it in the run.
///
/// # Errors
/// The first missing file or folder, with the key or flag that names it.
pub fn check_data(recipe: &Recipe, run: &EarlierRun, flag: bool) -> Result<()> {
    let data = &recipe.data;
    if reads_text(recipe, run) {
        let paths = if flag { "--data" } else { "data.paths" };
        check_files(paths, &data.paths)?;
        check_files("data.validation_paths", &data.validation_paths)?;
    }
    for &stage in recipe.stages.iter().filter(|&&stage| !run.is_done(stage)) {
        let Some(section) = recipe.training_stage(stage) else { continue };
        check_files(&format!("{}.data", stage.name()), section.learns_from().files())?;
        if stage.has_battery() && recipe.battery.is_on() {
            check_files("battery.data", &recipe.battery.data)?;
        }
    }
    Ok(())
}

/// Whether a stage still reads the text: a tokenizer that is to be trained, or pretraining that has not begun.
fn reads_text(recipe: &Recipe, run: &EarlierRun) -> bool {
    recipe.stages.iter().any(|&stage| match recipe.training_stage(stage) {
        None => !run.is_done(stage) && recipe.model.path.is_none() && recipe.tokenizer.path.is_none(),
        Some(section) => section.learns_from().is_text() && !run.has_begun(stage),
    })
}

fn check_files(key: &str, paths: &[String]) -> Result<()> {
    // The hub is asked when the data is read.
    match paths.iter().find(|path| !path.contains("://") && !Path::new(path).exists()) {
        None => Ok(()),
        Some(path) => Err(user(format!("{key}: {path}: no such file or folder; correct the path"))),
    }
}

/// Refuses stages that need a tokenizer that neither the run, nor the recipe, nor a model has.
///
/// # Errors
/// When there is none: what to give.
pub fn check_tokenizer(recipe: &Recipe, run: &EarlierRun) -> Result<()> {
    let tokenizer = Stage::Tokenizer;
    let is_there = run.is_done(tokenizer) || recipe.stages.first() == Some(&tokenizer);
    if is_there || recipe.model.path.is_some() || recipe.tokenizer.path.is_some() {
        return Ok(());
    }
    let remedy = if recipe.stages.contains(&Stage::Pretrain) {
        "run the stage `tokenizer` first (--stages tokenizer,pretrain), or set tokenizer.path"
    } else {
        "give the model to begin with, which has one, with --model DIR, or run the stages tokenizer,pretrain first"
    };
    Err(user(format!("{}: there is no tokenizer yet; {remedy}", run.files.folder().display())))
}

/// Tokens that fit the context of the model in this folder; `None` where its files do not say.
pub fn context_of(model: &Path) -> Option<usize> {
    load_config(model).ok().map(|decoder| decoder.context)
}

/// Width of the model in this folder; `None` where its files do not say.
pub fn width_of(model: &Path) -> Option<usize> {
    load_config(model).ok().map(|decoder| decoder.width)
}

/// Refuses a stage whose context is longer than the model's.
///
/// # Errors
/// The key, and the value that fits.
pub fn check_context(recipe: &Recipe, context: usize) -> Result<()> {
    for (stage, section) in recipe.training() {
        let (name, asked) = (stage.name(), section.train().context);
        if recipe.stages.contains(&stage) && asked > context {
            return Err(user(format!(
                "{name}.context = {asked} with a model of context {context}: it must be at most the model's; set \
                 {name}.context={context}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<()>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn data_that_is_not_there_is_refused_only_where_it_is_still_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = EarlierRun::new(folder.path(), false);
        let mut recipe = Recipe { stages: vec![Stage::Tokenizer, Stage::Pretrain], ..Recipe::default() };
        recipe.data.paths = vec!["/none/book.txt".into()];
        recipe.sft.data.data = vec!["hf://datasets/a/b".into(), "/none/chats.jsonl".into()];
        assert_eq!(
            message(check_data(&recipe, &run, true)),
            "--data: /none/book.txt: no such file or folder; correct the path"
        );
        assert!(message(check_data(&recipe, &run, false)).starts_with("data.paths: "));
        recipe.stages = vec![Stage::Sft];
        assert!(message(check_data(&recipe, &run, false)).starts_with("sft.data: /none/chats.jsonl: no such file"));
        std::fs::create_dir(folder.path().join("sft")).unwrap();
        std::fs::write(folder.path().join("sft/DONE"), "").unwrap();
        check_data(&recipe, &run, false).unwrap();
        check_data(&recipe, &EarlierRun::new(folder.path(), true), false).unwrap_err();
    }

    #[test]
    fn stages_that_begin_with_a_model_ask_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let run = EarlierRun::new(folder.path(), false);
        let of = |stages: Vec<Stage>| Recipe { stages, ..Recipe::default() };
        let without = message(check_tokenizer(&of(vec![Stage::Sft, Stage::Reward]), &run));
        assert!(without.contains("no tokenizer yet; give the model to begin with") && without.contains("--model DIR"));
        let without = message(check_tokenizer(&of(vec![Stage::Pretrain]), &run));
        assert!(without.contains("run the stage `tokenizer` first"), "{without}");
        check_tokenizer(&of(vec![Stage::Tokenizer, Stage::Pretrain]), &run).unwrap();
    }

    #[test]
    fn a_context_that_is_too_long_is_refused_with_the_one_that_fits() {
        let mut recipe = Recipe { stages: vec![Stage::Sft], ..Recipe::default() };
        recipe.sft.train.context = 256;
        assert!(message(check_context(&recipe, 224)).ends_with("at most the model's; set sft.context=224"));
        check_context(&recipe, 256).unwrap();
    }
}
