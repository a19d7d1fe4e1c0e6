//! The public API as lines of text: what a program can name, by the name under which it finds it.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{Fields, ImplItem, Item, Signature, TraitItem, Type, Visibility};

use super::crate_map::{CrateMap, ModulePath, Target, leaves, name_of, segments};
use super::print::line;

/// An item by the module that defines it, and its name there.
type Key = (ModulePath, String);

pub(crate) struct Listing<'a> {
    map: &'a CrateMap,
    /// Every public name of every item that has one.
    names: BTreeMap<Key, BTreeSet<String>>,
    /// By the path that a line is about: beneath an item stands what belongs to it.
    lines: BTreeSet<(String, Rank, String)>,
}

/// Of the lines about one path the item itself comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Item,
    Implementation,
}

impl<'a> Listing<'a> {
    pub(crate) fn of(map: &'a CrateMap) -> Listing<'a> {
        let mut listing = Listing { map, names: BTreeMap::new(), lines: BTreeSet::new() };
        listing.visit_module(&Vec::new(), "longwire", &mut Vec::new());
        listing.add_items();
        listing
    }

    /// A line for each item, sorted by name.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |text, (_, _, line)| text + line + "\n")
    }

    /// Every item beside modules and re-exports: its name at home, and all of its names.
    pub(crate) fn items(&self) -> impl Iterator<Item = (String, &BTreeSet<String>)> {
        self.names.iter().map(|(key, names)| (self.home_name(key).expect("it has names"), names))
    }

    fn add(&mut self, path: &str, text: String) {
        let rank = if text.starts_with("impl") { Rank::Implementation } else { Rank::Item };
        self.lines.insert((path.to_owned(), rank, text));
    }

    /// Collects the names that can be reached through `module`, which is `path` to the public.
    fn visit_module(&mut self, module: &ModulePath, path: &str, above: &mut Vec<ModulePath>) {
        if above.contains(module) {
            return;
        }
        above.push(module.clone());
        self.add(path, format!("mod {path}"));
        for item in self.map.items(module) {
            match item {
                Item::Mod(inner) if is_public(&inner.vis) => {
                    let name = inner.ident.to_string();
                    self.visit_module(
                        &[&module[..], std::slice::from_ref(&name)].concat(),
                        &format!("{path}::{name}"),
                        above,
                    );
                }
                Item::Use(item) if is_public(&item.vis) => self.visit_use(module, path, item, above),
                item if visibility(item).is_some_and(is_public) => {
                    let name = name_of(item).expect("what is public has a name");
                    self.names
                        .entry((module.clone(), name.clone()))
                        .or_default()
                        .insert(format!("{path}::{name}"));
                }
                _ => {}
            }
        }
        above.pop();
    }

    fn visit_use(
        &mut self,
        module: &ModulePath,
        path: &str,
        item: &syn::ItemUse,
        above: &mut Vec<ModulePath>,
    ) {
        for leaf in leaves(item) {
            let name =
                leaf.name.expect("no re-export of everything: each name is to be seen where it is exported");
            let public = format!("{path}::{name}");
            match self.map.resolve(module, &leaf.path) {
                Target::Module(inner) => self.visit_module(&inner, &public, above),
                Target::Item(home, own) => {
                    self.names.entry((home, own)).or_default().insert(public);
                }
                Target::Foreign(origin) => {
                    self.add(&public, format!("use {public} = {}", origin.trim_start_matches("{{root}}::")));
                }
            }
        }
    }

    /// The name of an item under the module that it is defined in or below; its shortest one, if it has none there.
    fn home_name(&self, key: &Key) -> Option<String> {
        let names = self.names.get(key)?;
        let defined = std::iter::once("longwire")
            .chain(key.0.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("::");
        let at_home = |name: &&String| {
            let module = name.rsplit_once("::").map_or("", |(module, _)| module);
            defined == module || defined.starts_with(&format!("{module}::"))
        };
        // Of several at home the longest is the nearest.
        let nearest = names.iter().filter(at_home).max_by_key(|name| name.len());
        nearest.or_else(|| names.iter().min_by_key(|name| name.len())).cloned()
    }

    fn add_items(&mut self) {
        for (key, names) in self.names.clone() {
            let home = self.home_name(&key).expect("it has names");
            for alias in names.iter().filter(|name| **name != home) {
                self.add(alias, format!("use {alias} = {home}"));
            }
            let items: Vec<&Item> = self.map.items(&key.0).collect();
            for item in items.into_iter().filter(|item| name_of(item).as_ref() == Some(&key.1)) {
                self.add_item(&home, item);
            }
        }
        let modules: Vec<_> = self.map.modules().collect();
        for (module, items) in modules {
            for item in items {
                if let Item::Impl(item) = item {
                    self.add_impl(module, item);
                }
            }
        }
    }

    fn add_item(&mut self, path: &str, item: &Item) {
        match item {
            Item::Struct(item) => {
                let (generics, bounds) =
                    (line(item.generics.to_token_stream()), where_clause(&item.generics));
                self.add(path, format!("{}struct {path}{generics}{bounds}", marks(&item.attrs)));
                self.add_derives(path, &item.attrs);
                self.add_fields(path, &item.fields);
            }
            Item::Enum(item) => {
                self.add(
                    path,
                    format!("{}enum {path}{}", marks(&item.attrs), line(item.generics.to_token_stream())),
                );
                self.add_derives(path, &item.attrs);
                for variant in &item.variants {
                    let name = format!("{path}::{}", variant.ident);
                    let mut fields = variant.fields.clone();
                    fields.iter_mut().for_each(|field| field.attrs.clear());
                    self.add(&name, format!("variant {name}{}", spaced(&line(fields.to_token_stream()))));
                }
            }
            Item::Trait(item) => {
                let bounds = line(item.supertraits.to_token_stream());
                let bounds = if bounds.is_empty() { bounds } else { format!(": {bounds}") };
                self.add(path, format!("trait {path}{}{bounds}", line(item.generics.to_token_stream())));
                item.items.iter().for_each(|inner| self.add_trait_item(path, inner));
            }
            Item::Fn(item) => self.add(path, function(path, &item.sig)),
            Item::Const(item) => self.add(path, format!("const {path}: {}", line(item.ty.to_token_stream()))),
            Item::Static(item) => {
                self.add(path, format!("static {path}: {}", line(item.ty.to_token_stream())));
            }
            Item::Type(item) => {
                let (generics, ty) = (line(item.generics.to_token_stream()), line(item.ty.to_token_stream()));
                self.add(path, format!("type {path}{generics} = {ty}"));
            }
            _ => panic!("{path} is no item that this lists"),
        }
    }

    fn add_fields(&mut self, path: &str, fields: &Fields) {
        for (index, field) in fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis)) {
            let name = field.ident.as_ref().map_or(index.to_string(), ToString::to_string);
            let name = format!("{path}.{name}");
            self.add(&name, format!("field {name}: {}", line(field.ty.to_token_stream())));
        }
    }

    fn add_derives(&mut self, path: &str, attributes: &[syn::Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
            let parse = syn::punctuated::Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
            for derived in attribute.parse_args_with(parse).expect("a list of traits") {
                self.add(path, format!("impl {} for {path}", line(derived.to_token_stream())));
            }
        }
    }

    fn add_trait_item(&mut self, path: &str, item: &TraitItem) {
        match item {
            TraitItem::Fn(item) => {
                let name = format!("{path}::{}", item.sig.ident);
                let provided = if item.default.is_some() { " { .. }" } else { "" };
                self.add(&name, function(&name, &item.sig) + provided);
            }
            TraitItem::Type(item) => {
                let name = format!("{path}::{}", item.ident);
                let bounds = line(item.bounds.to_token_stream());
                let bounds = if bounds.is_empty() { bounds } else { format!(": {bounds}") };
                self.add(&name, format!("type {name}{bounds}"));
            }
            TraitItem::Const(item) => {
                let name = format!("{path}::{}", item.ident);
                self.add(&name, format!("const {name}: {}", line(item.ty.to_token_stream())));
            }
            _ => {}
        }
    }

    /// Public functions and constants of a type that is shown; traits that it has.
    fn add_impl(&mut self, module: &ModulePath, item: &syn::ItemImpl) {
        let generics = line(item.generics.to_token_stream());
        if let Some((_, implemented, _)) = &item.trait_ {
            self.add_trait_impl(module, item, implemented);
            return;
        }
        let Some(path) = self.public_path(module, base(&item.self_ty)) else { return };
        let of = if generics.is_empty() {
            String::new()
        } else {
            format!(
                " [impl{generics} {}{}]",
                line(item.self_ty.to_token_stream()),
                where_clause(&item.generics)
            )
        };
        for inner in &item.items {
            match inner {
                ImplItem::Fn(inner) if is_public(&inner.vis) => {
                    let name = format!("{path}::{}", inner.sig.ident);
                    self.add(&name, function(&name, &inner.sig) + &of);
                }
                ImplItem::Const(inner) if is_public(&inner.vis) => {
                    let name = format!("{path}::{}", inner.ident);
                    self.add(&name, format!("const {name}: {}{of}", line(inner.ty.to_token_stream())));
                }
                _ => {}
            }
        }
    }

    fn add_trait_impl(&mut self, module: &ModulePath, item: &syn::ItemImpl, implemented: &syn::Path) {
        let by_trait = self.public_path(module, Some(implemented));
        let by_type = self.public_path(module, base(&item.self_ty));
        let Some(path) = by_type.as_ref().or(by_trait.as_ref()) else { return };
        // A trait of ours that nobody can name, or a type.
        let is_hidden = |path| matches!(self.map.resolve(module, &segments(path)), Target::Item(..));
        if (by_trait.is_none() && is_hidden(implemented))
            || (by_type.is_none() && base(&item.self_ty).is_some_and(is_hidden))
        {
            return;
        }
        let (mut left, mut ty) = (line(implemented.to_token_stream()), line(item.self_ty.to_token_stream()));
        let (short, long) = match (&by_type, base(&item.self_ty)) {
            (Some(path), Some(base)) => (&mut ty, (segments(base).join("::"), path)),
            _ => (&mut left, (segments(implemented).join("::"), path)),
        };
        *short = short.replacen(&long.0, long.1, 1);
        let (generics, bounds) = (line(item.generics.to_token_stream()), where_clause(&item.generics));
        self.add(path, format!("impl{generics} {left} for {ty}{bounds}"));
    }

    fn public_path(&self, module: &ModulePath, path: Option<&syn::Path>) -> Option<String> {
        match self.map.resolve(module, &segments(path?)) {
            Target::Item(home, name) => self.home_name(&(home, name)),
            _ => None,
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn visibility(item: &Item) -> Option<&Visibility> {
    Some(match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        _ => return None,
    })
}

/// The type's own path, behind references.
fn base(ty: &Type) -> Option<&syn::Path> {
    match ty {
        Type::Path(path) => Some(&path.path),
        Type::Reference(reference) => base(&reference.elem),
        _ => None,
    }
}

/// A signature with the whole path as its name. How a parameter is bound inside is nobody's business.
fn function(path: &str, signature: &Signature) -> String {
    const NAME: &str = "__name__";
    let mut signature = signature.clone();
    signature.ident = syn::Ident::new(NAME, signature.ident.span());
    for input in &mut signature.inputs {
        match input {
            syn::FnArg::Receiver(receiver) if receiver.reference.is_none() => receiver.mutability = None,
            syn::FnArg::Typed(typed) => {
                if let syn::Pat::Ident(name) = &mut *typed.pat {
                    name.mutability = None;
                }
            }
            syn::FnArg::Receiver(_) => {}
        }
    }
    line(signature.to_token_stream()).replace(NAME, path)
}

fn where_clause(generics: &syn::Generics) -> String {
    spaced(&line(generics.where_clause.to_token_stream()))
}

fn spaced(text: &str) -> String {
    if text.is_empty() || text.starts_with('(') { text.to_owned() } else { format!(" {text}") }
}

/// What a user of the type has to know beside its shape.
fn marks(attributes: &[syn::Attribute]) -> &'static str {
    if attributes.iter().any(|attribute| attribute.path().is_ident("non_exhaustive")) {
        "#[non_exhaustive] "
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::super::source_tree::SourceFile;
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let files = files.iter().map(|(path, text)| SourceFile::parse(path, text));
        let map = CrateMap::of(files.collect());
        assert_eq!(Listing::of(&map).text().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn items_are_listed_where_they_are_exported_and_private_ones_nowhere() {
        check(
            &[
                ("src/lib.rs", "pub mod net; mod inner; pub use inner::Shown; use inner::Hidden;"),
                (
                    "src/inner.rs",
                    "pub struct Shown(pub u8, u8); pub struct Hidden; impl Shown { pub fn f(mut self) {} fn g() {} }",
                ),
                (
                    "src/net.rs",
                    "pub use crate::Shown as Other; pub use std::net::IpAddr; pub(crate) fn hidden() {}",
                ),
            ],
            &[
                "mod longwire",
                "struct longwire::Shown",
                "field longwire::Shown.0: u8",
                "fn longwire::Shown::f(self)",
                "mod longwire::net",
                "use longwire::net::IpAddr = std::net::IpAddr",
                "use longwire::net::Other = longwire::Shown",
            ],
        );
    }

    #[test]
    fn what_belongs_to_an_item_is_listed_beneath_it() {
        check(
            &[(
                "src/lib.rs",
                "#[derive(Clone)] #[non_exhaustive] pub enum E { A { n: u8 }, B(u8), C }\n\
                 pub trait T: Send { type Out: Copy; fn f(&self) -> u8; fn g(&self) {} }\n\
                 impl T for E { type Out = u8; fn f(&self) -> u8 { 0 } }\n\
                 trait Own {} impl Own for E {} impl T for Private {} struct Private;\n\
                 pub const N: usize = 3; pub type A<'a> = &'a [u8]; pub async fn h<X: T>(x: X) where X: Copy {}",
            )],
            &[
                "mod longwire",
                "type longwire::A<'a> = &'a [u8]",
                "#[non_exhaustive] enum longwire::E",
                "impl Clone for longwire::E",
                "impl T for longwire::E",
                "variant longwire::E::A { n: u8 }",
                "variant longwire::E::B(u8)",
                "variant longwire::E::C",
                "const longwire::N: usize",
                "trait longwire::T: Send",
                "type longwire::T::Out: Copy",
                "fn longwire::T::f(&self) -> u8",
                "fn longwire::T::g(&self) { .. }",
                "async fn longwire::h<X: T>(x: X) where X: Copy",
            ],
        );
    }

    #[test]
    fn what_macros_make_is_listed_and_what_tests_compile_is_not() {
        check(
            &[
                ("src/lib.rs", "pub mod net;"),
                ("src/net/mod.rs", "mod calls; mod stream; pub use stream::Stream;"),
                (
                    "src/net/calls.rs",
                    "macro_rules! calls { ($kind:ident) => { impl $kind { pub fn made() {} } }; } pub(super) use calls;",
                ),
                (
                    "src/net/stream.rs",
                    "use super::calls::calls; pub struct Stream<T> { t: T } calls!(Stream);\n\
                     #[cfg(test)] impl<T> Stream<T> { pub fn tested() {} } impl<T: Copy> Stream<T> { pub fn copied() {} }",
                ),
            ],
            &[
                "mod longwire",
                "mod longwire::net",
                "struct longwire::net::Stream<T>",
                "fn longwire::net::Stream::copied() [impl<T: Copy> Stream<T>]",
                "fn longwire::net::Stream::made()",
            ],
        );
    }
}
