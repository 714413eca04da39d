//! `docs/architecture.md` held against the code: the crate graph, the table of traits, the places of `unsafe`; that
//! files import one another in no circle; that each begins with its purpose; that names have one meaning;
//! that links of pages lead somewhere.

mod circles;
mod names;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../../docs/architecture.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// The rows of the table under a heading, without its head: cells without white space around them.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().expect("a first part");
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "no table in section {heading}");
    rows
}

fn cells(row: &'static str) -> Vec<&'static str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// What stands between backquotes.
fn quoted(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The crates' folders in `crates`.
fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).expect("crates");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// Every Rust file below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect()
}

/// Every Rust file of a crate's library or binary, relative to the workspace.
fn sources(name: &str) -> Vec<PathBuf> {
    let files = below(&root().join("crates").join(name).join("src")).into_iter();
    files.map(|path| path.strip_prefix(root()).expect("in the workspace").to_owned()).collect()
}

/// A file's code: without comments, and without its test module at the end.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(root().join(file)).expect("a source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().expect("a first part");
    code.lines().map(|line| line.split("//").next().expect("a first part").to_owned() + "\n").collect()
}

/// Whether a file is part of the library: not a test module, nor the documented toy stage.
fn is_library(file: &Path) -> bool {
    !["tests.rs", "motto.rs", "toy.rs"].iter().any(|name| file.ends_with(name))
}

/// The crates that each crate depends on directly.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let dependencies = |name: &String| -> BTreeSet<String> {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).expect("a manifest");
        let manifest: toml::Table = manifest.parse().expect("TOML");
        let dependencies = manifest["dependencies"].as_table().expect("a table").keys();
        dependencies.filter_map(|dependency| dependency.strip_prefix("fireclay-")).map(str::to_owned).collect()
    };
    crates().into_iter().map(|name| (name.clone(), dependencies(&name))).collect()
}

#[test]
fn the_crate_graph_is_that_of_the_manifests() {
    let told: BTreeMap<String, BTreeSet<String>> = table("Crate graph")
        .iter()
        .map(|row| {
            let names = quoted(row[0]);
            let name = names.first().expect("a crate");
            ((*name).to_owned(), quoted(row[1]).into_iter().map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(told, graph(), "docs/architecture.md, `Crate graph`, on the left; the manifests on the right");
}

#[test]
fn the_tables_of_the_readmes_name_every_crate_after_what_it_depends_on() {
    let graph = graph();
    for (page, text) in [
        ("README.md", include_str!("../../../README.md")),
        ("README.zh-CN.md", include_str!("../../../README.zh-CN.md")),
    ] {
        let mut named = BTreeSet::new();
        for row in text.lines().filter(|line| line.starts_with("| [`fireclay") && line.contains("](crates/")).map(cells)
        {
            let (_, name) = row[0].trim_end_matches(')').split_once("](crates/").expect("a link to a crate");
            let dependencies = graph.get(name).unwrap_or_else(|| panic!("{page}: there is no crate {name}"));
            assert!(dependencies.is_subset(&named), "{page}: {name} stands before one of its dependencies");
            let words = row[2].split([',', '、']).map(str::trim).filter(|word| graph.contains_key(*word));
            let other = words.map(str::to_owned).find(|word| !dependencies.contains(word));
            assert_eq!(other, None, "{page}: {name} does not depend on it");
            named.insert(name.to_owned());
        }
        assert!(named.iter().eq(graph.keys()), "{page}: the table names {named:?}");
    }
}

#[test]
fn crates_are_listed_after_what_they_depend_on() {
    let mut before = BTreeSet::new();
    for row in table("Crate graph") {
        let dependencies = quoted(row[1]);
        assert!(dependencies.is_subset(&before), "{row:?} stands before one of its dependencies");
        before.extend(quoted(row[0]));
    }
}

/// Type parameters and lifetimes do not count, nor where a type is from: `fmt::Ppo<'_>` is `Ppo`.
fn bare(name: &str) -> &str {
    let name = name.trim().split(['<', ' ', '{']).next().expect("a first part");
    name.rsplit("::").next().expect("a last part")
}

#[test]
fn the_trait_table_names_every_trait_and_its_implementers() {
    let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut private = BTreeSet::new();
    let mut implementations = vec![];
    for name in crates() {
        for file in sources(&name).into_iter().filter(|file| is_library(file)) {
            for line in code(&file).lines().map(str::trim) {
                let visible = ["pub trait ", "pub(crate) trait ", "pub(super) trait "];
                if let Some(rest) = visible.iter().find_map(|start| line.strip_prefix(start)) {
                    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                    found.insert((rest[..end].to_owned(), name.clone()), BTreeSet::new());
                }
                if let Some(rest) = line.strip_prefix("trait ") {
                    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                    private.insert((rest[..end].to_owned(), name.clone()));
                }
                if let Some((of, who)) = line.split_once(" for ").filter(|(of, _)| of.starts_with("impl")) {
                    let of = of.trim_start_matches("impl").trim();
                    // Type parameters stand before the trait.
                    let of = if of.starts_with('<') { of.split_once("> ").map_or("", |(_, of)| of) } else { of };
                    implementations.push(((bare(of).to_owned(), name.clone()), bare(who).to_owned()));
                }
            }
        }
    }
    // A private trait hides a public one of the same name in another crate.
    implementations.retain(|(of, _)| !private.contains(of));
    for ((name, _), implementers) in &mut found {
        let mine = implementations.iter().filter(|((of, _), _)| of == name).map(|(_, who)| who.clone());
        // One letter is a type parameter: an implementation for every type that fits.
        implementers.extend(mine.filter(|who| who.len() > 1));
    }
    let told: BTreeMap<(String, String), BTreeSet<String>> = table("Traits")
        .iter()
        .map(|row| {
            let (name, of_crate) = row[0].split_once(" (").expect("`Trait` (crate)");
            let name = bare(name.trim_matches('`')).to_owned();
            let implementers = quoted(row[2]).into_iter().map(|who| bare(who).to_owned()).collect();
            ((name, of_crate.trim_end_matches(')').to_owned()), implementers)
        })
        .collect();
    for (key, implementers) in &found {
        let listed = told.get(key).unwrap_or_else(|| panic!("docs/architecture.md, `Traits`, lacks {key:?}"));
        assert_eq!(
            listed, implementers,
            "docs/architecture.md, `Traits`, {key:?}: told on the left, code on the right"
        );
    }
    for key in told.keys() {
        assert!(found.contains_key(key), "docs/architecture.md, `Traits`: there is no public trait {key:?}");
    }
}

#[test]
fn unsafe_code_stands_where_the_page_says() {
    let places: Vec<&str> = table("Places of `unsafe`").iter().flat_map(|row| quoted(row[0])).collect();
    let mut used = BTreeSet::new();
    for name in crates() {
        for file in sources(&name) {
            let code = code(&file);
            if !["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|form| code.contains(form)) {
                continue;
            }
            let file = file.to_string_lossy().replace('\\', "/");
            let place = places.iter().find(|place| file.starts_with(**place));
            used.insert(*place.unwrap_or_else(|| panic!("docs/architecture.md, `Places of unsafe`, lacks {file}")));
        }
    }
    let unused: Vec<_> = places.iter().filter(|place| !used.contains(*place)).collect();
    assert!(unused.is_empty(), "no `unsafe` in {unused:?}: docs/architecture.md, `Places of unsafe`");
}

#[test]
fn no_test_passes_by_saying_that_it_was_skipped() {
    let of_crates = crates().into_iter().map(|name| root().join("crates").join(name).join("tests"));
    for folder in of_crates.chain([root().join("tests")]).filter(|folder| folder.is_dir()) {
        for file in below(&folder) {
            let code = code(&file);
            let says = code.lines().find(|line| line.contains("println!(\"skip"));
            assert_eq!(says, None, "{}: let the test be ignored, with what it needs, or fail", file.display());
        }
    }
}

#[test]
fn every_file_begins_with_its_purpose() {
    let files = crates().into_iter().flat_map(|name| sources(&name)).filter(|file| is_library(file));
    let text = |file: &PathBuf| fs::read_to_string(root().join(file)).expect("a source");
    let bare: Vec<_> =
        files.filter(|file| !text(file).starts_with("//!") && !text(file).starts_with("#![doc")).collect();
    assert!(bare.is_empty(), "no `//!` line at the top of {bare:#?}");
}
