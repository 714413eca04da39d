//! `hf://datasets/owner/name[@revision][/path]`: files of a dataset on the Hugging Face hub.

use std::path::PathBuf;

use super::format::Known;
use crate::DataError;

#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "read by the feature alone"))]
struct Address<'a> {
    owner: &'a str,
    name: &'a str,
    revision: Option<&'a str>,
    /// A file or a folder of the dataset; empty: all of it.
    path: &'a str,
}

fn parse(address: &str) -> Result<Address<'_>, DataError> {
    let wrong = || DataError::Hub {
        address: address.into(),
        reason: "expected hf://datasets/OWNER/NAME[@REVISION][/PATH]".into(),
    };
    let rest = address.strip_prefix("hf://datasets/").ok_or_else(wrong)?;
    let (owner, rest) = rest.split_once('/').ok_or_else(wrong)?;
    let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, revision) = match name.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (name, None),
    };
    if owner.is_empty() || name.is_empty() || revision == Some("") {
        return Err(wrong());
    }
    Ok(Address { owner, name, revision, path: path.trim_matches('/') })
}

/// Downloads the files at `address` into the hub's cache and returns them, sorted by path.
#[cfg(not(feature = "hub"))]
pub(super) fn download(address: &str, _known: Known) -> Result<Vec<PathBuf>, DataError> {
    parse(address)?;
    Err(DataError::Feature { what: address.into(), feature: "hub" })
}

/// Downloads the files at `address` into the hub's cache and returns them, sorted by path.
#[cfg(feature = "hub")]
pub(super) fn download(address: &str, known: Known) -> Result<Vec<PathBuf>, DataError> {
    use std::path::Path;

    use hf_hub::HFClientSync;
    use hf_hub::repository::RepoTreeEntry;

    let Address { owner, name, revision, path } = parse(address)?;
    let failed = |error: hf_hub::HFError| DataError::Hub {
        address: address.into(),
        reason: format!(
            "{}: check the address and the network; a private dataset needs HF_TOKEN",
            error.to_string().replace('\n', " ")
        ),
    };
    let dataset = HFClientSync::new().map_err(failed)?.dataset(owner, name);
    let fetch = |file: &str| dataset.download_file().filename(file).maybe_revision(revision).send().map_err(failed);
    if known.format_of(Path::new(path)).is_some() {
        return Ok(vec![fetch(path)?]);
    }
    let listing = dataset
        .list_tree()
        .maybe_revision(revision)
        .maybe_path_in_repo((!path.is_empty()).then_some(path))
        .recursive(true)
        .send()
        .map_err(failed)?;
    let mut names: Vec<String> = listing
        .into_iter()
        .filter_map(|entry| match entry {
            RepoTreeEntry::File { path, .. } => Some(path),
            RepoTreeEntry::Directory { .. } => None,
        })
        .filter(|file| known.format_of(Path::new(file)).is_some())
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(DataError::Hub {
            address: address.into(),
            reason: format!("no files to read there: supported are {}", known.names),
        });
    }
    if known.is_one_set() {
        super::splits::refuse_several(Path::new(address), names.iter().map(Path::new))?;
    }
    names.iter().map(|file| fetch(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = |owner, name, revision, path| Address { owner, name, revision, path };
        assert_eq!(parse("hf://datasets/a/b").unwrap(), address("a", "b", None, ""));
        assert_eq!(parse("hf://datasets/a/b@v1/x/y.txt").unwrap(), address("a", "b", Some("v1"), "x/y.txt"));
        for wrong in ["hf://a/b", "hf://datasets/a", "hf://datasets//b", "hf://datasets/a/", "hf://datasets/a/b@"] {
            assert!(parse(wrong).unwrap_err().to_string().contains("hf://datasets/OWNER/NAME"), "{wrong}");
        }
    }

    #[cfg(not(feature = "hub"))]
    #[test]
    fn without_the_feature_it_says_so() {
        let message = download("hf://datasets/a/b", Known::DOCUMENTS).unwrap_err().to_string();
        assert!(message.contains("built without the `hub` feature"), "{message}");
    }
}
