//! Links of the project's pages lead to a file, and to a heading in it; files that pages name exist; prose is no wider
//! than code.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{crates, root};

/// The pages: at the root, in `docs`, and each crate's README.
fn pages() -> Vec<PathBuf> {
    let of_crates = crates().into_iter().map(|name| root().join("crates").join(name));
    let folders = [root().to_owned(), root().join("docs")].into_iter().chain(of_crates);
    let entries = folders.flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect()
}

fn text(page: &Path) -> String {
    fs::read_to_string(page).expect("a page")
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(page: &Path) -> Vec<String> {
    let text = text(page);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut wrong = vec![];
    for page in pages() {
        let text = text(&page);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.contains('`')) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().expect("a folder").join(path) };
            let leads = file.exists() && (anchor.is_empty() || anchors(&file).iter().any(|known| known == anchor));
            if !leads {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere: {wrong:#?}");
}

#[test]
fn files_that_pages_name_are_there() {
    let mut wrong = vec![];
    for page in pages() {
        for name in text(&page).split('`').skip(1).step_by(2) {
            let is_path = ["crates/", "docs/", "scripts/", "tests/", "xtask/"].iter().any(|top| name.starts_with(top))
                && !name.contains([' ', '*', ':', '\n']);
            let of_crate = page.parent().expect("a folder").join(name);
            if is_path && !root().join(name).exists() && !of_crate.exists() {
                wrong.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "files that are not there: {wrong:#?}");
}

#[test]
fn prose_is_no_wider_than_code() {
    let mut wide = vec![];
    for page in pages().into_iter().filter(|page| !page.ends_with("README.zh-CN.md")) {
        let mut in_code = false;
        for (number, line) in text(&page).lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            let is_prose = !in_code && !line.starts_with("    ") && !line.starts_with('|');
            let may_break = !line.contains("](") && !line.contains("://");
            if is_prose && may_break && line.chars().count() > 120 {
                wide.push(format!("{}:{}", page.display(), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "lines of more than 120 characters: {wide:#?}");
}
