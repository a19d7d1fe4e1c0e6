//! Which items the examples use: those in doc comments that are compiled, the README's, and the programs in `examples`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Meta, Token};

use super::crate_map::leaves;
use super::source_tree::compiled_files;

/// The full paths of all that examples name: `longwire::net::Network`.
pub(crate) fn named_in_examples() -> BTreeSet<String> {
    let mut codes: Vec<String> = Vec::new();
    for file in compiled_files() {
        let mut docs = Docs::default();
        docs.visit_file(&file.syntax);
        codes.extend(code_blocks(&docs.text));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    codes.extend(code_blocks(&fs::read_to_string(root.join("README.md")).expect("the README is there")));
    add_programs(&root.join("examples"), &mut codes);
    codes.iter().flat_map(|code| named_in(code)).collect()
}

fn add_programs(directory: &Path, codes: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("the directory of examples is there") {
        let path = entry.expect("a readable directory entry").path();
        if path.is_dir() && !path.ends_with("target") {
            add_programs(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            codes.push(fs::read_to_string(path).expect("a readable program"));
        }
    }
}

/// The text of all doc comments.
#[derive(Default)]
struct Docs {
    text: String,
}

impl Docs {
    fn read(&mut self, meta: &Meta) {
        match meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => {
                if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value {
                    self.text.push_str(&text.value());
                    self.text.push('\n');
                }
            }
            // With all features, what stands there when a feature is missing does not.
            Meta::List(list) if list.path.is_ident("cfg_attr") => {
                let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
                let mut parts = parts.expect("a condition and attributes").into_iter();
                if parts.next().is_some_and(|condition| !condition.path().is_ident("not")) {
                    parts.for_each(|meta| self.read(&meta));
                }
            }
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Docs {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.read(&attribute.meta);
        visit::visit_attribute(self, attribute);
    }
}

/// The code in `text` that rustdoc compiles.
fn code_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut current: Option<String> = None;
    let mut fenced = false;
    for text in text.lines() {
        let text = text.trim_start();
        if let Some(info) = text.strip_prefix("```") {
            if fenced {
                blocks.extend(current.take());
            } else {
                let compiled = info.split([',', ' ']).all(|word| ["", "rust", "no_run"].contains(&word));
                current = compiled.then(String::new);
            }
            fenced = !fenced;
        } else if let Some(code) = &mut current {
            // A hidden line is code, too.
            let hidden = (text == "#").then_some("").or(text.strip_prefix("# "));
            code.push_str(hidden.unwrap_or(text));
            code.push('\n');
        }
    }
    blocks
}

/// What a piece of code names of this crate, by full paths.
fn named_in(code: &str) -> BTreeSet<String> {
    // A program, or statements as well as items, as rustdoc takes them.
    let program = syn::parse_file(code).or_else(|_| syn::parse_file(&format!("fn example() {{ {code} \n}}")));
    let file = program.unwrap_or_else(|error| panic!("no Rust: {error}\n{code}"));
    let mut imports = Imports::default();
    imports.visit_file(&file);
    let mut named = Named { found: imports.names.values().cloned().collect(), imports };
    named.visit_file(&file);
    named.found
}

/// What `use` brings in from this crate: full paths by the names that they have here.
#[derive(Default)]
struct Imports {
    names: BTreeMap<String, String>,
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(item).into_iter().filter(|leaf| leaf.path[0] == "longwire") {
            if let Some(name) = leaf.name {
                self.names.insert(name, leaf.path.join("::"));
            }
        }
    }
}

struct Named {
    found: BTreeSet<String>,
    imports: Imports,
}

impl<'ast> Visit<'ast> for Named {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = super::crate_map::segments(path);
        let base = match segments[0].as_str() {
            "longwire" => Some("longwire"),
            first => self.imports.names.get(first).map(String::as_str),
        };
        if let Some(base) = base {
            let mut whole = base.to_owned();
            for segment in &segments[1..] {
                whole = format!("{whole}::{segment}");
                self.found.insert(whole.clone());
            }
        }
        visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_is_compiled_counts() {
        let text = "About `Quoted`.\n ```\n # use a::Hidden;\n Shown::new();\n ```\n ```text\n Drawn\n ```\n\
                    ```no_run\n Built\n ```\n";
        assert_eq!(code_blocks(text), ["use a::Hidden;\nShown::new();\n", "Built\n"]);
    }

    #[test]
    fn what_is_named_is_known_by_its_full_path() {
        let code = "use longwire::{device, net::{Network, Token as T}};\nuse std::io::Error;\n\
                    let (a, b) = device::pair(1_500); longwire::time::Instant::from_secs(1); Error::last_os_error();";
        let named: Vec<_> = named_in(code).into_iter().collect();
        assert_eq!(
            named,
            [
                "longwire::device",
                "longwire::device::pair",
                "longwire::net::Network",
                "longwire::net::Token",
                "longwire::time",
                "longwire::time::Instant",
                "longwire::time::Instant::from_secs"
            ]
        );
    }
}
