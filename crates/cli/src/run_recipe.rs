//! The recipe of the run that a model belongs to.

use std::path::Path;

use anyhow::Result;
use fireclay_train::RunFiles;

use crate::recipe::{self, Overrides, Recipe};

/// The recipe of the run `path`, or of the run that contains `checkpoint`: `RUN/stage/checkpoints/step-N`. `None` for
/// other models.
///
/// # Errors
/// When the recipe is damaged.
pub fn near(path: &Path, checkpoint: &Path) -> Result<Option<Recipe>> {
    let places = [Some(RunFiles::new(path)), RunFiles::of_checkpoint(checkpoint)].into_iter().flatten();
    places.filter(RunFiles::is_run).map(|run| read(&run)).next().transpose()
}

fn read(run: &RunFiles) -> Result<Recipe> {
    let name = run.recipe().to_string_lossy().into_owned();
    Ok(recipe::resolve(&Overrides { recipe: Some(name), ..Overrides::default() })?.0)
}
