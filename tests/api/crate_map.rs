//! The crate's modules, and what a name in one of them means.

use std::collections::BTreeMap;

use syn::{Item, UseTree};

use super::macros;
use super::source_tree::{SourceFile, compiled_files, is_test_only, item_attributes};

/// Names from the crate's root on: `["net", "stream"]`.
pub(crate) type ModulePath = Vec<String>;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Module(ModulePath),
    /// An item by the module that defines it and its name there.
    Item(ModulePath, String),
    /// Of another crate.
    Foreign(String),
}

/// Every module with its items; what macros make of them is there, what only tests compile is not.
pub(crate) struct CrateMap {
    modules: BTreeMap<ModulePath, Vec<Item>>,
}

/// More steps than any re-export takes: a name that leads in circles is a foreign one.
const MOST_STEPS: usize = 16;

impl CrateMap {
    pub(crate) fn of_this_crate() -> CrateMap {
        CrateMap::of(compiled_files())
    }

    pub(crate) fn of(files: Vec<SourceFile>) -> CrateMap {
        let mut map = CrateMap { modules: BTreeMap::new() };
        for file in files {
            if file.path != "src/main.rs" {
                map.add(file.module.clone(), file.syntax.items);
            }
        }
        map.expand_macros();
        map
    }

    fn add(&mut self, module: ModulePath, items: Vec<Item>) {
        for item in &items {
            if let Item::Mod(inner) = item
                && let Some((_, content)) = &inner.content
                && !is_test_only(&inner.attrs)
            {
                self.add([&module[..], &[inner.ident.to_string()]].concat(), content.clone());
            }
        }
        let compiled = items.into_iter().filter(|item| !is_test_only(item_attributes(item)));
        self.modules.entry(module).or_default().extend(compiled);
    }

    fn expand_macros(&mut self) {
        let mut made: Vec<(ModulePath, Vec<Item>)> = Vec::new();
        for (module, items) in &self.modules {
            for call in items {
                let Item::Macro(call) = call else { continue };
                let path = segments(&call.mac.path);
                let Target::Item(home, name) = self.resolve(module, &path) else { continue };
                let Some(definition) = self.macro_named(&home, &name) else { continue };
                let expanded = macros::expand(definition, call.mac.tokens.clone());
                let expanded =
                    expanded.unwrap_or_else(|| panic!("{module:?}: {name}! matches no first rule"));
                let file: syn::File = syn::parse2(expanded).expect("a macro of items makes items");
                made.push((module.clone(), file.items));
            }
        }
        for (module, items) in made {
            self.add(module, items);
        }
    }

    fn macro_named(&self, module: &ModulePath, name: &str) -> Option<proc_macro2::TokenStream> {
        self.items(module).find_map(|item| match item {
            Item::Macro(definition) if definition.ident.as_ref().is_some_and(|ident| ident == name) => {
                Some(definition.mac.tokens.clone())
            }
            _ => None,
        })
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = (&ModulePath, &Vec<Item>)> {
        self.modules.iter()
    }

    pub(crate) fn items(&self, module: &ModulePath) -> impl Iterator<Item = &Item> {
        self.modules.get(module).into_iter().flatten()
    }

    /// What `path`, written in `module`, leads to.
    pub(crate) fn resolve(&self, module: &ModulePath, path: &[String]) -> Target {
        self.resolve_within(module, path, MOST_STEPS)
    }

    fn resolve_within(&self, module: &ModulePath, path: &[String], steps: usize) -> Target {
        let foreign = || Target::Foreign(path.join("::"));
        let Some(steps) = steps.checked_sub(1) else { return foreign() };
        let (first, rest) = path.split_first().expect("a path has a name");
        let mut target = match first.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(module.clone()),
            "super" => Target::Module(module[..module.len().saturating_sub(1)].to_vec()),
            name => self.lookup(module, name, steps).unwrap_or_else(foreign),
        };
        for name in rest {
            target = match target {
                Target::Module(inner) if name == "super" => Target::Module(inner[..inner.len() - 1].to_vec()),
                Target::Module(inner) => self.lookup(&inner, name, steps).unwrap_or_else(foreign),
                // A variant, or a constant of a type.
                Target::Item(..) => return target,
                Target::Foreign(_) => return foreign(),
            };
        }
        target
    }

    fn lookup(&self, module: &ModulePath, name: &str, steps: usize) -> Option<Target> {
        for item in self.items(module) {
            if let Item::Mod(inner) = item
                && inner.ident == name
            {
                return Some(Target::Module([&module[..], &[name.to_owned()]].concat()));
            }
            if name_of(item).is_some_and(|own| own == name) {
                return Some(Target::Item(module.clone(), name.to_owned()));
            }
        }
        let uses = self.items(module).filter_map(|item| match item {
            Item::Use(item) => Some(leaves(item)),
            _ => None,
        });
        for leaf in uses.flatten() {
            match leaf.name {
                Some(own) if own == name && leaf.path[..] != [name.to_owned()] => {
                    return Some(self.resolve_within(module, &leaf.path, steps));
                }
                None => {
                    if let Target::Module(from) = self.resolve_within(module, &leaf.path, steps)
                        && from != *module
                        && let Some(found) = self.lookup(&from, name, steps.checked_sub(1)?)
                    {
                        return Some(found);
                    }
                }
                Some(_) => {}
            }
        }
        None
    }
}

/// The name that an item gives itself, if it can be named at all.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}

pub(crate) fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// One name that a `use` brings in; `None` is all of them.
pub(crate) struct Leaf {
    pub(crate) path: Vec<String>,
    pub(crate) name: Option<String>,
}

pub(crate) fn leaves(item: &syn::ItemUse) -> Vec<Leaf> {
    let mut found = Vec::new();
    // `::tokio` is the crate, whatever is called so here.
    let start = item.leading_colon.map(|_| "{{root}}".to_owned());
    collect(&item.tree, &start.into_iter().collect::<Vec<_>>(), &mut found);
    found
}

fn collect(tree: &UseTree, before: &[String], found: &mut Vec<Leaf>) {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => collect(&path.tree, &with(path.ident.to_string()), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, before, found)),
        UseTree::Glob(_) => found.push(Leaf { path: before.to_vec(), name: None }),
        UseTree::Name(name) if name.ident == "self" => {
            found.push(Leaf { path: before.to_vec(), name: before.last().cloned() });
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push(Leaf { path: with(name.clone()), name: Some(name) });
        }
        UseTree::Rename(rename) => {
            found.push(Leaf { path: with(rename.ident.to_string()), name: Some(rename.rename.to_string()) });
        }
    }
}
