//! What the crate promises, against golden ids, `transformers`' own renderings, and arbitrary text.

mod chat;
mod errors;
mod golden;
mod round_trip;
mod training;
mod turns;
mod files;
mod hostile;

use std::path::PathBuf;

/// The folder of test data that is not part of the project; tests that need it are skipped without it.
fn shared(path: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let folder = std::env::var_os("FIRECLAY_SHARED").map_or_else(beside, PathBuf::from);
    let path = folder.join(path);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}
