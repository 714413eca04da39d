//! One meaning a name: a type has a name of its own in its crate, and a public one in the workspace. Comments are no
//! wider than code.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{code, crates, is_library, root, sources};

/// A definition of a type.
struct Definition {
    of_crate: String,
    place: String,
    is_public: bool,
}

/// The name that a line defines, and whether it is public; `None` if it defines none. Types inside of traits and
/// implementations are indented.
fn defined(line: &str) -> Option<(&str, bool)> {
    let (is_public, rest) = match line.trim_start().strip_prefix("pub") {
        Some(rest) if rest.starts_with(' ') => (true, rest),
        Some(rest) if rest.starts_with('(') => (false, rest.split_once(')')?.1),
        _ => (false, line.trim_start()),
    };
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    let (keyword, rest) = rest.split_once(' ')?;
    let defines = match keyword {
        "struct" | "enum" | "trait" | "union" => true,
        "type" => !line.starts_with(' '),
        _ => false,
    };
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (defines && !name.is_empty()).then_some((name, is_public))
}

fn definitions() -> BTreeMap<String, Vec<Definition>> {
    let mut all: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
    for of_crate in crates() {
        for file in sources(&of_crate).into_iter().filter(|file| is_library(file)) {
            for (number, line) in code(&file).lines().enumerate() {
                // Each crate has the example of its README.
                let Some((name, is_public)) = defined(line).filter(|(name, _)| *name != "Readme") else { continue };
                let place = format!("{}:{}", file.display(), number + 1);
                all.entry(name.into()).or_default().push(Definition { of_crate: of_crate.clone(), place, is_public });
            }
        }
    }
    all
}

#[test]
fn a_type_has_a_name_of_its_own() {
    let mut shared = vec![];
    for (name, all) in definitions() {
        let twice = |these: &[&Definition], same_crate: bool| {
            these.iter().enumerate().any(|(index, one)| {
                these[index + 1..].iter().any(|other| (one.of_crate == other.of_crate) == same_crate)
            })
        };
        let each: Vec<_> = all.iter().collect();
        let public: Vec<_> = all.iter().filter(|definition| definition.is_public).collect();
        if twice(&each, true) || twice(&public, false) {
            let places: Vec<_> = all.iter().map(|definition| definition.place.as_str()).collect();
            shared.push(format!("{name}: {}", places.join(", ")));
        }
    }
    assert!(shared.is_empty(), "names with several meanings: {shared:#?}");
}

#[test]
fn comments_are_no_wider_than_code() {
    let files = crates().into_iter().flat_map(|name| sources(&name));
    let wide: Vec<String> = files.flat_map(|file| wide_comments(&file)).collect();
    assert!(wide.is_empty(), "comments of more than 120 characters: {wide:#?}");
}

/// The places of comments that are too wide; a link, or a row of a table, may be.
fn wide_comments(file: &PathBuf) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(file)).expect("a source");
    let is_wide = |line: &str| {
        let comment = line.trim_start();
        let may_be_wide = comment.contains("://") || comment.contains("](") || comment.contains(" | ");
        comment.starts_with("//") && !may_be_wide && line.chars().count() > 120
    };
    let wide = text.lines().enumerate().filter(|(_, line)| is_wide(line));
    wide.map(|(number, _)| format!("{}:{}", file.display(), number + 1)).collect()
}
