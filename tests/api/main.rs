//! The public API, listed in `docs/api.txt` so that a change of it is seen and meant; and shown in examples.
//!
//! The list is made from the sources, with all features: modules, items, fields, variants, functions and traits
//! under the names that a program can use, re-exports followed.

mod crate_map;
mod examples;
mod listing;
mod macros;
mod print;
#[allow(dead_code, reason = "other tests look at more of the sources")]
#[path = "../source_tree/mod.rs"]
mod source_tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate_map::CrateMap;
use examples::named_in_examples;
use listing::Listing;

const LIST: &str = "docs/api.txt";
/// Set to anything, it has the list written instead of compared.
const REGENERATE: &str = "UPDATE_API";

#[test]
fn the_public_api_is_what_the_list_says() {
    let map = CrateMap::of_this_crate();
    let now = Listing::of(&map).text();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(LIST);
    if std::env::var_os(REGENERATE).is_some() {
        fs::write(&path, now).expect("the list can be written");
        return;
    }
    let listed = fs::read_to_string(&path).unwrap_or_default();
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (listed.lines().collect(), now.lines().collect());
    let gone = before.difference(&after).map(|line| format!("- {line}"));
    let new = after.difference(&before).map(|line| format!("+ {line}"));
    let changes: Vec<_> = gone.chain(new).collect();
    assert!(
        listed == now,
        "the public API is not what {LIST} says:\n{}\nIf that is meant, tell it in CHANGELOG.md and write the list \
         anew: {REGENERATE}=1 cargo test --test api",
        changes.join("\n")
    );
}

#[test]
fn every_public_item_is_shown_in_an_example() {
    let (map, named) = (CrateMap::of_this_crate(), named_in_examples());
    let listing = Listing::of(&map);
    let missing = listing.items().filter(|(_, names)| !names.iter().any(|name| named.contains(name)));
    let missing: Vec<_> = missing.map(|(home, _)| home).collect();
    assert!(
        missing.is_empty(),
        "no example names these, neither one that is documentation nor one of those in examples:\n{}",
        missing.join("\n")
    );
}
