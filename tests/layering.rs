//! Imports run downwards: every path in the sources that leaves its module must be an arrow of the table below.
//!
//! Paths are taken from the syntax tree, not from lines of text, so that `crate::driver::X` without a `use`,
//! `super::super::driver`, groups, renames and what stands in a macro's tokens count too. Test code may import what
//! it likes, and the crate's roots (`lib.rs`, `main.rs`) put everything together.

mod source_tree;

use std::collections::HashMap;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use source_tree::{SourceFile, compiled_files};
use source_tree::{
    impl_item_attributes, is_test_only, item_attributes, statement_attributes, trait_item_attributes,
};
use syn::UseTree;
use syn::visit::{self, Visit};

/// What a module may name of another.
#[derive(Clone, Copy)]
enum Arrow {
    /// Everything public.
    To(&'static str),
    /// Only types whose names end in one of these.
    Types(&'static str, &'static [&'static str]),
}
use Arrow::{To, Types};

/// Who may import whom; the table of `docs/architecture.md`. A module that needs a type from further down takes it
/// from the module in between, which exports the types that its own functions take and give.
///
/// One arrow is not in that table: from `wire` to the type `Instant`. A packet's description carries the time at which
/// the device read it, and stands below both `stack` and `device`, which have nothing else in common.
const TABLE: &[(&str, &[Arrow])] = &[
    ("time", &[]),
    ("wire", &[Types("time", &["Instant"])]),
    ("few", &[]),
    ("buffer", &[To("few")]),
    ("tcp", &[To("wire"), To("time"), To("buffer"), To("few")]),
    ("stack", &[To("tcp"), To("wire"), To("time"), To("buffer")]),
    ("device", &[To("wire"), To("time"), To("buffer")]),
    ("driver", &[To("stack"), To("device")]),
    ("control", &[To("driver"), Types("stack", &["Info", "State", "Counters"])]),
    ("net", &[To("driver"), Types("stack", &["Id", "Error"])]),
    ("http", &[To("few")]),
    ("client", &[To("net"), To("http")]),
    ("serve", &[To("driver"), To("net"), To("http"), To("control")]),
    // The simulator reads the packets on its links, to trace them and to merge them.
    ("sim", &[To("stack"), To("device"), To("wire")]),
    ("figures", &[]),
    ("svg", &[]),
    ("ladder", &[To("wire"), To("figures"), To("svg")]),
    ("bench", &[To("driver"), To("net"), To("http"), To("figures"), To("svg")]),
    (
        "cli",
        &[
            To("wire"),
            To("time"),
            To("buffer"),
            To("tcp"),
            To("stack"),
            To("device"),
            To("driver"),
            To("control"),
            To("net"),
            To("http"),
            To("client"),
            To("serve"),
            To("sim"),
            To("ladder"),
            To("bench"),
        ],
    ),
];

#[test]
fn imports_run_downwards() {
    let files = compiled_files();
    let root = RootNames::of(&files);
    let faults: Vec<String> = files.iter().flat_map(|file| faults(file, &root)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The arrows of one file that the table does not have, a line each.
fn faults(file: &SourceFile, root: &RootNames) -> Vec<String> {
    let Some(from) = file.module.first() else { return Vec::new() };
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| name == from) else {
        return vec![format!("{}: module `{from}` is not in the import table", file.path)];
    };
    let mut collector = Collector { module: file.module.clone(), found: Vec::new() };
    collector.visit_file(&file.syntax);
    let complaint = |reference: &Reference| {
        let wrong = judge(from, allowed, &root.resolve(&reference.path))?;
        let text = file.text.lines().nth(reference.line - 1).unwrap_or_default().trim();
        Some(format!("{}:{}: {wrong}\n    {text}", file.path, reference.line))
    };
    collector.found.iter().filter_map(complaint).collect()
}

/// What is wrong with a path from module `from`, given from the crate's root.
fn judge(from: &str, allowed: &[Arrow], path: &[String]) -> Option<String> {
    let shown = path.join("::");
    let Some(to) = path.first().filter(|to| *to != "*") else {
        return Some(format!("{from} → the whole crate; name the module that is meant"));
    };
    if to == from {
        return None;
    }
    if !TABLE.iter().any(|(name, _)| name == to) {
        return Some(format!("{from} → crate::{shown}; `{to}` is not in the import table"));
    }
    let arrow = allowed.iter().find(|arrow| matches!(arrow, To(name) | Types(name, _) if name == to));
    match arrow {
        Some(To(_)) => None,
        Some(Types(_, endings)) => {
            let named = path.iter().find(|segment| segment.starts_with(char::is_uppercase));
            let fits = named.is_some_and(|name| endings.iter().any(|ending| name.ends_with(ending)));
            (!fits).then(|| format!("{from} → {to} ({shown}); only types named …{} are", endings.join(", …")))
        }
        None => Some(format!("{from} → {to} ({shown}) is not in the import table")),
    }
}

/// The names that `lib.rs` re-exports, with the path that each stands for.
#[derive(Default)]
struct RootNames(HashMap<String, Vec<String>>);

impl RootNames {
    fn of(files: &[SourceFile]) -> Self {
        let mut names = RootNames::default();
        let Some(root) = files.iter().find(|file| file.path == "src/lib.rs") else { return names };
        for item in &root.syntax.items {
            let syn::Item::Use(import) = item else { continue };
            flatten(&import.tree, &[], &mut |leaf| {
                let skip = usize::from(matches!(leaf.path[0].as_str(), "crate" | "self"));
                names.0.insert(leaf.name, leaf.path[skip..].to_vec());
            });
        }
        names
    }

    /// Replaces a re-exported first name by what it stands for.
    fn resolve(&self, path: &[String]) -> Vec<String> {
        match path.split_first().and_then(|(first, rest)| Some((self.0.get(first)?, rest))) {
            Some((target, rest)) => [target, rest].concat(),
            None => path.to_vec(),
        }
    }
}

/// A path found in a file, from the crate's root, and where it stands.
struct Reference {
    path: Vec<String>,
    line: usize,
}

/// One name that a `use` brings in.
struct Leaf {
    path: Vec<String>,
    name: String,
    span: Span,
}

/// Calls `each` for every name of a `use`, groups taken apart.
fn flatten(tree: &UseTree, before: &[String], each: &mut impl FnMut(Leaf)) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(part) => flatten(&part.tree, &with(&part.ident), each),
        UseTree::Name(last) => {
            each(Leaf { path: with(&last.ident), name: last.ident.to_string(), span: last.ident.span() });
        }
        UseTree::Rename(last) => {
            each(Leaf { path: with(&last.ident), name: last.rename.to_string(), span: last.ident.span() });
        }
        UseTree::Glob(glob) => {
            let path = [before, &["*".to_owned()]].concat();
            each(Leaf { path, name: "*".to_owned(), span: glob.star_token.spans[0] });
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, each)),
    }
}

/// Walks a file and keeps every path that starts at the crate's root or climbs to it.
struct Collector {
    /// The module we are in, inline modules included.
    module: Vec<String>,
    found: Vec<Reference>,
}

impl Collector {
    /// Notes a path if it is one of ours: `crate::…`, `self::…`, `super::…`. Any other starts at a name in scope,
    /// which a `use` has brought there, or at another crate.
    fn note(&mut self, segments: &[String], span: Span) {
        let Some(first) = segments.first() else { return };
        let start = match first.as_str() {
            "crate" | "longwire" => Vec::new(),
            "self" if segments.len() > 1 => self.module.clone(),
            "super" => self.module[..self.module.len().saturating_sub(1)].to_vec(),
            _ => return,
        };
        let path = segments[1..].iter().fold(start, |mut path, segment| {
            match segment.as_str() {
                "super" => drop(path.pop()),
                "self" => {}
                name => path.push(name.to_owned()),
            }
            path
        });
        self.found.push(Reference { path, line: span.start().line });
    }

    /// Notes every path in the tokens of a macro, in its definition or in a call.
    fn tokens(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(_) => {
                    at = self.token_path(&tokens, at, Vec::new());
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Follows one path, which goes on from `before`, and gives the place behind it.
    fn token_path(&mut self, tokens: &[TokenTree], mut at: usize, before: Vec<String>) -> usize {
        let (mut path, mut span) = (before, Span::call_site());
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(name) => {
                    path.push(name.to_string());
                    span = name.span();
                }
                TokenTree::Punct(star) if star.as_char() == '*' => {
                    path.push("*".to_owned());
                    span = star.span();
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.token_group(group.stream(), &path);
                    return at + 1;
                }
                _ => break,
            }
            at += 1;
            if !is_double_colon(tokens, at) {
                break;
            }
            at += 2;
        }
        self.note(&path, span);
        at
    }

    /// The members of a group in a `use` within a macro.
    fn token_group(&mut self, stream: TokenStream, before: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
        for member in tokens.split(is_comma).filter(|member| !member.is_empty()) {
            self.token_path(member, 0, before.to_vec());
        }
    }
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ':');
    tokens.get(at..at + 2).is_some_and(|pair| pair.iter().all(is_colon))
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test_only(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !is_test_only(impl_item_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        if !is_test_only(trait_item_attributes(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        if !is_test_only(statement_attributes(statement)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        flatten(&import.tree, &[], &mut |leaf| self.note(&leaf.path, leaf.span));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.note(&segments, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
        // A file elsewhere would make its module's name, and with it every relative path, something else than its
        // place says.
        if attribute.path().is_ident("path") {
            self.found
                .push(Reference { path: Vec::new(), line: attribute.pound_token.spans[0].start().line });
        }
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        if item.ident == "self" {
            self.found.push(Reference { path: Vec::new(), line: item.ident.span().start().line });
        }
    }

    /// `pub(in crate::tcp)` says who may see, and imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

mod the_test_itself {
    use super::*;

    #[track_caller]
    fn found(path: &str, text: &str) -> Vec<String> {
        faults(&SourceFile::parse(path, text), &RootNames::default())
    }

    #[track_caller]
    fn assert_one(path: &str, text: &str, expected: &str) {
        let found = found(path, text);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{text}\nexpected {expected}, got {found:?}"
        );
    }

    #[test]
    fn an_import_the_right_way_passes_and_turned_round_fails() {
        assert!(found("src/stack/mod.rs", "use crate::tcp::Connection;").is_empty());
        assert_one(
            "src/tcp/mod.rs",
            "//! A comment.\nuse crate::stack::Stack;",
            "src/tcp/mod.rs:2: tcp → stack (stack::Stack)",
        );
    }

    #[test]
    fn every_module_may_use_what_the_table_says_and_nothing_else() {
        for (from, allowed) in TABLE {
            for (to, _) in TABLE.iter().filter(|(to, _)| to != from) {
                let whole = allowed.iter().any(|arrow| matches!(arrow, To(name) if name == to));
                let found = found(&format!("src/{from}/a.rs"), &format!("use crate::{to}::Thing;"));
                assert_eq!(found.is_empty(), whole, "{from} → {to}: {found:?}");
            }
        }
    }

    #[test]
    fn the_table_has_no_circle() {
        let position = |name: &str| TABLE.iter().position(|(other, _)| *other == name);
        for (from, allowed) in TABLE {
            for To(to) | Types(to, _) in allowed.iter() {
                assert!(position(to) < position(from), "{from} → {to} points upwards");
            }
        }
    }

    #[test]
    fn only_some_types_of_the_stack_are_for_net_and_control() {
        assert!(found("src/net/mod.rs", "use crate::stack::{SocketId, error::ConnectError};").is_empty());
        assert!(found("src/control/mod.rs", "fn a() { crate::stack::SocketInfo::new() }").is_empty());
        assert_one("src/net/mod.rs", "use crate::stack::{SocketId, Stack};", "net → stack (stack::Stack)");
        assert_one("src/net/mod.rs", "use crate::stack;", "net → stack (stack)");
        assert_one("src/net/mod.rs", "use crate::stack::*;", "net → stack (stack::*)");
        assert_one("src/control/mod.rs", "use crate::stack::SocketId;", "control → stack");
    }

    #[test]
    fn paths_without_use_count() {
        for text in [
            "fn a() { crate::driver::run() }",
            "fn a(b: &crate::driver::Loop) {}",
            "struct A { b: Vec<Option<crate::driver::Loop>> }",
            "impl crate::driver::Handler for A {}",
            "fn a() { <A as crate::driver::Handler>::go() }",
            "fn a() { let b = |c| crate::driver::Loop { c }; }",
            "fn a() { fn inner() { use crate::driver::Loop; } }",
            "type A = dyn crate::driver::Handler;",
            "fn a<T>() where T: crate::driver::Handler {}",
            "#[derive(crate::driver::Macro)] struct A;",
        ] {
            assert_one("src/tcp/a.rs", text, "tcp → driver");
        }
    }

    #[test]
    fn groups_renames_globs_and_exports_count() {
        let text = "use crate::{wire, buffer::{Chunk, Pool}, driver::{self, Loop}};";
        let both = found("src/tcp/a.rs", text);
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both[1].contains("(driver::Loop)"), "{both:?}");
        assert_one("src/tcp/a.rs", "use crate::{wire,\n buffer,\n net as n};", "src/tcp/a.rs:3: tcp → net");
        assert_one("src/tcp/a.rs", "use crate::driver::*;", "tcp → driver (driver::*)");
        assert_one("src/tcp/a.rs", "pub use crate::driver::Loop as Wheel;", "tcp → driver");
    }

    #[test]
    fn super_is_followed_through_files_and_inline_modules() {
        assert_one("src/tcp/mod.rs", "use super::driver::Loop;", "tcp → driver");
        assert_one("src/tcp/a.rs", "use super::super::driver::Loop;", "tcp → driver");
        assert_one("src/tcp/a/b.rs", "fn c() { super::super::super::net::d() }", "tcp → net");
        assert_one("src/tcp/a.rs", "mod b { use super::super::super::net; }", "tcp → net");
        assert_one("src/tcp/a.rs", "use self::super::super::net;", "tcp → net");
        assert!(
            found("src/tcp/a.rs", "mod driver { use super::super::net; } use self::driver::B;").is_empty()
        );
    }

    #[test]
    fn macros_count_where_they_are_called_and_where_they_are_defined() {
        for text in [
            "fn a() { assert!(matches!(b, crate::driver::State::Idle)); }",
            "macro_rules! a { () => { $crate::driver::run() } }",
            "macro_rules! a { () => { use crate::{wire::B, driver::{Loop}}; } }",
            "crate::driver::a!();",
        ] {
            assert_one("src/tcp/a.rs", text, "tcp → driver");
        }
        assert_one("src/tcp/mod.rs", "a! { super::driver::run(); b::c }", "tcp → driver");
    }

    #[test]
    fn the_whole_crate_under_another_name_fails() {
        let texts = [
            "use crate as us;",
            "use crate::*;",
            "use super::super::*;",
            "extern crate self as us;",
            "#[path = \"../driver/mod.rs\"] mod us;",
        ];
        for text in texts {
            assert_one("src/tcp/a.rs", text, "tcp → the whole crate");
        }
    }

    #[test]
    fn names_that_the_root_exports_stand_for_where_they_come_from() {
        let lib =
            SourceFile::parse("src/lib.rs", "pub mod net;\npub use net::{Network, TcpStream as Stream};");
        let root = RootNames::of(&[lib]);
        let user = SourceFile::parse("src/http/a.rs", "use crate::{Network, Stream};");
        let found = faults(&user, &root);
        assert!(found.len() == 2 && found[1].contains("http → net (net::TcpStream)"), "{found:?}");
        assert_one("src/http/a.rs", "use crate::Unknown;", "`Unknown` is not in the import table");
    }

    #[test]
    fn a_module_that_the_table_does_not_know_fails() {
        assert_one("src/helpers.rs", "", "`helpers` is not in the import table");
        assert_one("src/cli/mod.rs", "use crate::helpers::A;", "`helpers` is not in the import table");
    }

    #[test]
    fn tests_visibility_comments_and_other_crates_are_no_arrows() {
        for text in [
            "#[cfg(test)] mod tests { use crate::sim::World; }",
            "impl A { #[cfg(test)] fn b() { crate::sim::c() } }",
            "fn a() { #[cfg(test)] use crate::sim::World; }",
            "pub(in crate::tcp) fn a() {} pub(super) fn b() {} pub(crate) fn c() {}",
            "/// See [`crate::driver::Loop`].\nfn a() {}",
            "use std::net::TcpStream; fn a() { http::b() }",
            "impl A { fn b(&self) -> Self { self.clone() } }",
        ] {
            assert_eq!(found("src/tcp/a.rs", text), [""; 0], "{text}");
        }
        assert_one("src/tcp/a.rs", "#[cfg(not(test))] use crate::sim::World;", "tcp → sim");
    }
}
