//! `docs/rfc-map.md` says where each requirement is implemented and which test shows it. Whatever it names has to
//! exist, and no test that names an RFC may be missing from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What tables with requirements have.
const HEADER: [&str; 5] = ["", "requirement", "level", "code", "test"];
const LEVELS: [&str; 6] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "—"];
/// Where tests with `rfc_` in front of their names have to be in the map.
const MAPPED: [&str; 3] = ["tcp/", "stack/", "wire/"];

#[test]
fn every_name_in_the_map_exists_and_every_rfc_test_is_in_it() {
    let map = fs::read_to_string(root().join("docs/rfc-map.md")).expect("docs/rfc-map.md");
    let sources = sources();
    let faults = faults(&map, &sources);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    assert!(map.lines().filter(|line| is_row(line)).count() > 100, "is this the whole map?");
}

/// What a source file defines.
#[derive(Default)]
struct Names {
    /// Functions, methods and constants.
    items: BTreeSet<String>,
    tests: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `src`, by its path from there.
fn sources() -> BTreeMap<String, Names> {
    let (source, mut paths) = (root().join("src"), Vec::new());
    collect(&source, &mut paths);
    let of = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let relative = path.strip_prefix(&source).expect("collected below it").to_str().expect("UTF-8");
        (relative.to_owned(), names(text.parse().unwrap_or_else(|error| panic!("{relative}: {error}"))))
    };
    paths.iter().map(of).collect()
}

fn collect(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Finds definitions in tokens rather than in a syntax tree, so that those inside macros count too.
fn names(tokens: TokenStream) -> Names {
    let mut found = Names::default();
    find_names(tokens, &mut found);
    found
}

fn find_names(tokens: TokenStream, found: &mut Names) {
    let (mut keyword, mut is_test) = (String::new(), false);
    for token in tokens {
        match token {
            // In `const fn` the name is still to come.
            TokenTree::Ident(word) if (keyword == "fn" || keyword == "const") && word != "fn" => {
                let name = word.to_string();
                if keyword == "fn" && std::mem::take(&mut is_test) {
                    found.tests.insert(name.clone());
                }
                found.items.insert(name);
                keyword.clear();
            }
            TokenTree::Ident(word) => keyword = word.to_string(),
            TokenTree::Group(group) => {
                is_test |= group.delimiter() == Delimiter::Bracket && group.stream().to_string() == "test";
                find_names(group.stream(), found);
                keyword.clear();
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// What is wrong with the map, a line each.
fn faults(map: &str, sources: &BTreeMap<String, Names>) -> Vec<String> {
    let (mut faults, mut mapped) = (Vec::new(), BTreeSet::new());
    let mut of_requirements = false;
    for (number, line) in (1..).zip(map.lines()) {
        let cells = cells(line);
        if !line.starts_with('|') {
            of_requirements = false;
        } else if cells.get(1..) == Some(&HEADER[1..]) {
            of_requirements = true;
        } else if of_requirements && is_row(line) {
            let mut fault = |what: String| faults.push(format!("line {number}: {what}"));
            let &[_, _, level, code, tests] = &cells[..] else {
                fault(format!("{} cells", cells.len()));
                continue;
            };
            if !LEVELS.contains(&level) {
                fault(format!("level `{level}`"));
            }
            for (cell, is_test) in [(code, false), (tests, true)] {
                let references = references(cell);
                if references.is_empty() {
                    fault("a cell names nothing".to_owned());
                }
                for reference in references {
                    if !exists(reference, is_test, sources) {
                        fault(format!("there is no `{reference}`"));
                    }
                    mapped.insert(reference.to_owned());
                }
            }
        }
    }
    let of_rfcs = sources.iter().filter(|(path, _)| MAPPED.iter().any(|module| path.starts_with(module)));
    for (path, names) in of_rfcs {
        for test in names.tests.iter().filter(|test| test.starts_with("rfc_")) {
            let reference = format!("{path}::{test}");
            if !mapped.contains(&reference) {
                faults.push(format!("`{reference}` is not in the map"));
            }
        }
    }
    faults
}

fn is_row(line: &str) -> bool {
    line.starts_with('|') && !line.starts_with("| ---")
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// What stands between backticks, with or without `::`.
fn references(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn exists(reference: &str, is_test: bool, sources: &BTreeMap<String, Names>) -> bool {
    let Some((path, name)) = reference.split_once("::") else { return false };
    sources
        .get(path)
        .is_some_and(|names| if is_test { names.tests.contains(name) } else { names.items.contains(name) })
}

mod the_test_itself {
    use super::*;

    const HEAD: &str = "| section | requirement | level | code | test |\n| --- | --- | --- | --- | --- |\n";

    fn faults_of(row: &str) -> Vec<String> {
        let text = "pub(crate) const fn code() {} const LIMIT: u8 = 1; impl A { fn method(&self) {} }
            mod tests { #[test] fn rfc_1_shown() {} #[test] #[should_panic] fn shown_too() { } fn helper() {} }
            macro! { #[test] fn in_a_macro(a in b) {} }";
        let sources = BTreeMap::from([("tcp/a.rs".to_owned(), names(text.parse().unwrap()))]);
        faults(
            &format!("{HEAD}| 1 | all | MUST | `tcp/a.rs::code` | `tcp/a.rs::rfc_1_shown` |\n{row}\n"),
            &sources,
        )
    }

    #[test]
    fn what_exists_is_found() {
        for (code, test) in [("code", "rfc_1_shown"), ("LIMIT", "shown_too"), ("method", "in_a_macro")] {
            let row = format!("| 1 | x | — | `tcp/a.rs::{code}` | `tcp/a.rs::{test}` |");
            assert_eq!(faults_of(&row), [""; 0]);
        }
    }

    #[test]
    fn what_does_not_is_a_fault() {
        for row in [
            "| 1 | x | MUST | `tcp/a.rs::code` | `tcp/a.rs::helper` |", // no test
            "| 1 | x | MUST | `tcp/a.rs::gone` | `tcp/a.rs::shown_too` |",
            "| 1 | x | MUST | `tcp/b.rs::code` | `tcp/a.rs::shown_too` |",
            "| 1 | x | MUST | code | `tcp/a.rs::shown_too` |",
            "| 1 | x | MUST | `tcp/a.rs::code` | |",
            "| 1 | x | OUGHT | `tcp/a.rs::code` | `tcp/a.rs::shown_too` |",
            "| 1 | x | MUST | `tcp/a.rs::code` |",
        ] {
            assert_eq!(faults_of(row).len(), 1, "{row}");
        }
    }

    #[test]
    fn a_test_of_an_rfc_that_the_map_leaves_out_is_a_fault() {
        let sources =
            BTreeMap::from([("tcp/a.rs".to_owned(), names("#[test] fn rfc_1_x() {}".parse().unwrap()))]);
        assert_eq!(faults(HEAD, &sources), ["`tcp/a.rs::rfc_1_x` is not in the map"]);
    }
}
