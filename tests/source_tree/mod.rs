//! The sources as syntax trees, without what only tests compile. Shared by the tests that look at the code itself.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Stmt, Token, TraitItem};

/// One file of `src`.
pub(crate) struct SourceFile {
    /// Relative to the package, for messages: `src/tcp/mod.rs`.
    pub(crate) path: String,
    /// The module that the file is, from the crate's root: `["tcp"]`; empty for `lib.rs` and `main.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

impl SourceFile {
    /// Parses `text` as the file `path`, which starts with `src/`.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        SourceFile { path: path.to_owned(), module: module_of(path), text: text.to_owned(), syntax }
    }
}

/// Every file below `src` that is compiled outside tests, in the order of their names.
pub(crate) fn compiled_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect_rust_files(&root.join("src"), &mut paths);
    paths.sort();
    let files = paths.iter().map(|path| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let relative = path.strip_prefix(root).expect("collected below the root");
        SourceFile::parse(relative.to_str().expect("file names are UTF-8"), &text)
    });
    let files = without_test_files(files.collect());
    assert!(files.len() > 10, "only {} files found: is this the right directory?", files.len());
    files
}

/// Leaves out the files that a `#[cfg(test)] mod name;` declares, and all below them. The declaration decides, not
/// the name: a `tests.rs` that is compiled into the library counts as code.
pub(crate) fn without_test_files(files: Vec<SourceFile>) -> Vec<SourceFile> {
    let mut declared = TestModules::default();
    for file in &files {
        declared.module.clone_from(&file.module);
        declared.visit_file(&file.syntax);
    }
    let only_tests = |file: &SourceFile| {
        (1..=file.module.len()).any(|depth| declared.found.contains(&file.module[..depth]))
    };
    files.into_iter().filter(|file| !only_tests(file)).collect()
}

/// Whether an item with these attributes exists in test builds only.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args::<Meta>().is_ok_and(|condition| implies_test(&condition))
        }
        _ => false,
    })
}

/// Whether a `cfg` condition can hold in test builds only.
fn implies_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("doctest"),
        Meta::List(list) => {
            let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
            let Ok(conditions) = list.parse_args_with(parse) else { return false };
            match list.path.get_ident().map(ToString::to_string).as_deref() {
                Some("all") => conditions.iter().any(implies_test),
                Some("any") => !conditions.is_empty() && conditions.iter().all(implies_test),
                _ => false,
            }
        }
        Meta::NameValue(_) => false,
    }
}

/// The attributes of any item, so that callers can ask [`is_test_only`] once for all kinds.
pub(crate) fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// As [`item_attributes`], for what stands in an `impl`.
pub(crate) fn impl_item_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}

/// As [`item_attributes`], for what stands in a trait.
pub(crate) fn trait_item_attributes(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(item) => &item.attrs,
        TraitItem::Fn(item) => &item.attrs,
        TraitItem::Type(item) => &item.attrs,
        TraitItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}

/// As [`item_attributes`], for statements; items among them are visited as items.
pub(crate) fn statement_attributes(statement: &Stmt) -> &[Attribute] {
    match statement {
        Stmt::Local(local) => &local.attrs,
        Stmt::Macro(call) => &call.attrs,
        _ => &[],
    }
}

fn collect_rust_files(directory: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("a readable directory entry").path();
        if path.is_dir() {
            collect_rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`; `src/lib.rs` and `src/main.rs` are the root.
fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs"));
    let stem = stem.unwrap_or_else(|| panic!("{path} is no Rust file below src"));
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    let is_root = module.len() == 1 && (module[0] == "lib" || module[0] == "main");
    if is_root || module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

/// Collects the modules that exist in test builds only and have files of their own.
#[derive(Default)]
struct TestModules {
    module: Vec<String>,
    found: HashSet<Vec<String>>,
}

impl<'ast> Visit<'ast> for TestModules {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        if is_test_only(&item.attrs) {
            self.found.insert(self.module.clone());
        } else {
            visit::visit_item_mod(self, item);
        }
        self.module.pop();
    }
}
