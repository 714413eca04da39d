//! The recipe of the run that a model belongs to.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::recipe::{self, Overrides, Recipe};

/// Whether a folder is a run directory.
#[must_use]
pub fn is_run(path: &Path) -> bool {
    path.join("recipe.toml").is_file()
}

/// The recipe of the run `path`, or of the run that contains `checkpoint`: `RUN/stage/checkpoints/step-N`. `None` for
/// other models.
///
/// # Errors
/// When the recipe is damaged.
pub fn near(path: &Path, checkpoint: &Path) -> Result<Option<Recipe>> {
    let above = checkpoint.ancestors().nth(3).map(Path::to_path_buf);
    let places = [Some(path.to_path_buf()), above].into_iter().flatten().filter(|place| is_run(place));
    places.map(|run| read(&run)).next().transpose()
}

fn read(run: &Path) -> Result<Recipe> {
    let file: PathBuf = run.join("recipe.toml");
    let name = file.to_string_lossy().into_owned();
    Ok(recipe::resolve(&Overrides { recipe: Some(name), ..Overrides::default() })?.0)
}
