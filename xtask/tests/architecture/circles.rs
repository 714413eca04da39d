//! Files of a crate import one another in no circle, so that they can be read in an order in which each stands on those
//! before it. A folder's `mod.rs` and the files in the folder are one thing, and may name one another.

use std::collections::{BTreeMap, BTreeSet};

use crate::{code, crates, is_library, sources};

/// A module's path in its crate; the root's is empty.
type Name = Vec<String>;

#[test]
fn files_import_one_another_in_no_circle() {
    for name in crates() {
        let imports = imports(&modules(&name));
        let reached: BTreeMap<_, _> = imports.keys().map(|module| (module, reached(module, &imports))).collect();
        for (module, others) in &reached {
            let circle = others.iter().find(|other| *other != *module && reached[*other].contains(*module));
            assert!(
                circle.is_none(),
                "crates/{name}: {} and {} import one another, perhaps through others; move what they share",
                module.join("::"),
                circle.map(|other| other.join("::")).unwrap_or_default()
            );
        }
    }
}

/// The code of a crate's modules.
fn modules(name: &str) -> BTreeMap<Name, String> {
    let files = sources(name).into_iter().filter(|file| is_library(file));
    let module = |file: std::path::PathBuf| {
        let path: Name = file.iter().skip(3).map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
        let (last, folders) = path.split_last().expect("a file");
        let mut path = folders.to_vec();
        path.extend(
            Some(last.trim_end_matches(".rs").to_owned()).filter(|own| !["lib", "main", "mod"].contains(&&**own)),
        );
        (path, code(&file))
    };
    files.map(module).collect()
}

/// Which modules each module takes something from.
fn imports(modules: &BTreeMap<Name, String>) -> BTreeMap<Name, BTreeSet<Name>> {
    let parsed: BTreeMap<&Name, Paths> = modules.iter().map(|(module, code)| (module, Paths::of(code))).collect();
    let one = |(module, paths): (&&Name, &Paths)| {
        let named = paths.imported.iter().chain(&paths.written).filter_map(|path| resolve(module, path, &parsed, 0));
        let others = named.filter(|other| !other.starts_with(module) && !module.starts_with(other));
        ((*module).clone(), others.collect())
    };
    parsed.iter().map(one).collect()
}

/// The module that defines what a path of `module` names: re-exports are followed. `None` for other crates' and for
/// modules themselves.
fn resolve(module: &[String], path: &[String], parsed: &BTreeMap<&Name, Paths>, depth: usize) -> Option<Name> {
    let (first, mut rest) = path.split_first()?;
    let mut place = match first.as_str() {
        "crate" => vec![],
        "self" => module.to_vec(),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            rest = &path[up..];
            module[..module.len().checked_sub(up)?].to_vec()
        }
        _ => {
            let child = [module, std::slice::from_ref(first)].concat();
            match parsed[&module.to_vec()]
                .imported
                .iter()
                .find(|import| import.len() > 1 && import.last() == Some(first))
            {
                _ if parsed.contains_key(&child) => child,
                Some(import) if depth < 8 => {
                    return resolve(module, &[import, rest].concat(), parsed, depth + 1);
                }
                _ => return None,
            }
        }
    };
    while let Some((part, behind)) = rest.split_first() {
        let inner = [&*place, std::slice::from_ref(part)].concat();
        if parsed.contains_key(&inner) {
            (place, rest) = (inner, behind);
            continue;
        }
        let exported = parsed.get(&place)?.exported.iter().find(|export| export.last() == Some(part));
        return match exported {
            Some(export) if depth < 8 => resolve(&place, &[export, behind].concat(), parsed, depth + 1),
            _ => Some(place),
        };
    }
    None
}

/// All that a module stands on, directly or not.
fn reached(module: &Name, imports: &BTreeMap<Name, BTreeSet<Name>>) -> BTreeSet<Name> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![module]);
    while let Some(module) = open.pop() {
        for next in imports.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

/// The paths in a module's code.
#[derive(Default)]
struct Paths {
    /// By `use`.
    imported: Vec<Name>,
    /// By `pub use`.
    exported: Vec<Name>,
    /// Everywhere else.
    written: Vec<Name>,
}

impl Paths {
    fn of(code: &str) -> Self {
        let (mut paths, mut rest) = (Self::default(), String::new());
        for statement in code.split_inclusive(';') {
            // What stands before the statement belongs to others: attributes, items that end with a brace.
            let start = statement.rfind("use ").filter(|&at| statement[..at].ends_with(['\n', ' ', '}']) || at == 0);
            let is_tree = |tree: &str| tree.chars().all(|c| c.is_alphanumeric() || "_:{},* \n;".contains(c));
            match start.map(|at| (&statement[..at], &statement[at + 4..])) {
                Some((before, tree)) if is_tree(tree) => {
                    let before_line = before.rsplit('\n').next().unwrap_or_default();
                    let all = expanded(&tree.replace(';', "").split_whitespace().collect::<Vec<_>>().join(" "));
                    let is_public = before_line.trim_start().starts_with("pub");
                    if is_public {
                        paths.exported.extend(all.clone());
                    } else {
                        paths.imported.extend(all);
                    }
                    rest += before;
                }
                _ => rest += statement,
            }
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let words = rest.split(|c| !is_part(c)).filter(|word| word.contains("::"));
        let names = words.map(|word| word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect());
        paths.written = names.filter(|name: &Name| name.len() > 1).collect();
        paths
    }
}

/// The paths of a tree: `a::{b, c::{d, e as f}}`.
fn expanded(tree: &str) -> Vec<Name> {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().expect("a first part");
        return vec![path.split("::").filter(|part| !part.is_empty()).map(|part| part.trim().to_owned()).collect()];
    };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match (c, depth) {
            (',', 0) => parts.push(String::new()),
            _ => parts.last_mut().expect("a part").push(c),
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expanded(&format!("{before}{}", part.trim()))).collect()
}

#[test]
fn paths_are_found_and_followed() {
    let names = |paths: &[Name]| paths.iter().map(|path| path.join("::")).collect::<Vec<_>>();
    let paths = Paths::of("use crate::a::{B, c::{D, E}};\npub use f::G;\nfn f() { super::h::i(); x::y(); }\n");
    assert_eq!(names(&paths.imported), ["crate::a::B", "crate::a::c::D", "crate::a::c::E"]);
    assert_eq!(
        (names(&paths.exported), names(&paths.written)),
        (vec!["f::G".into()], vec!["super::h::i".into(), "x::y".into()])
    );
    let of = |name: &str, code: &str| {
        (name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(), code.to_owned())
    };
    let circle = [of("", "pub use a::A;"), of("a", "use crate::b::B;"), of("b", "use crate::A;\n")];
    let imports = imports(&circle.into_iter().collect());
    let a = vec!["a".to_owned()];
    assert!(reached(&a, &imports).contains(&a), "a re-export hides no circle");
}
