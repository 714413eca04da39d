//! Properties of the crate, against golden ids, `transformers`' own renderings, and arbitrary text.

mod chat;
mod errors;
mod golden;
mod mixed;
mod omitted;
mod special_files;
mod round_trip;
mod training;
mod turns;
mod ends;
mod whole_turns;
mod unknown;
mod files;
mod added;
mod hostile;
mod formats;

use std::path::PathBuf;

/// A file of test data that is not part of the project. Tests that need one are ignored, and run with `--ignored`.
fn shared(path: &str) -> PathBuf {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let path = std::env::var_os("FIRECLAY_SHARED").map_or_else(beside, PathBuf::from).join(path);
    assert!(path.exists(), "{} is not there", path.display());
    path
}
