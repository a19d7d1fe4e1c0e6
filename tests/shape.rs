//! Sizes and the place of `unsafe`: files that one can read, functions that fit a screen, one directory to audit.

mod source_tree;

use proc_macro2::{LineColumn, Span, TokenStream, TokenTree};
use source_tree::{SourceFile, compiled_files};
use source_tree::{
    impl_item_attributes, is_test_only, item_attributes, statement_attributes, trait_item_attributes,
};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines a file may have beside its `#[cfg(test)]` items.
const MAX_FILE_LINES: usize = 500;

/// Lines from a function's signature to its closing brace.
const MAX_FUNCTION_LINES: usize = 80;

/// The only directory in which the word `unsafe` may stand: the system calls of the devices.
const UNSAFE_DIRECTORY: &str = "src/device/";

#[test]
fn files_and_functions_are_short_and_unsafe_stays_in_the_device() {
    let faults: Vec<String> = compiled_files().iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// What is wrong with a file, a line each.
fn faults(file: &SourceFile) -> Vec<String> {
    let mut measured = Measured::default();
    measured.visit_file(&file.syntax);
    let mut faults = Vec::new();
    let lines = file.text.lines().count() - measured.test_lines;
    if lines > MAX_FILE_LINES {
        faults.push(format!("{}: {lines} lines outside tests, at most {MAX_FILE_LINES}", file.path));
    }
    for (name, start, lines) in measured.functions.iter().filter(|(_, _, lines)| *lines > MAX_FUNCTION_LINES)
    {
        faults
            .push(format!("{}:{start}: `{name}` has {lines} lines, at most {MAX_FUNCTION_LINES}", file.path));
    }
    if !file.path.starts_with(UNSAFE_DIRECTORY) {
        let tokens: TokenStream = file.text.parse().expect("the file has been parsed before");
        let places = unsafe_places(tokens).into_iter();
        faults
            .extend(places.map(|at| format!("{}:{}: unsafe outside {UNSAFE_DIRECTORY}", file.path, at.line)));
    }
    faults
}

/// Where the keyword stands, in macros and tests too. Comments and lint names are other tokens.
fn unsafe_places(tokens: TokenStream) -> Vec<LineColumn> {
    let places = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(word) if word == "unsafe" => vec![word.span().start()],
        TokenTree::Group(group) => unsafe_places(group.stream()),
        _ => Vec::new(),
    });
    places.collect()
}

#[derive(Default)]
struct Measured {
    /// Lines that belong to items of test builds only.
    test_lines: usize,
    /// Name, first line and number of lines.
    functions: Vec<(String, usize, usize)>,
}

impl Measured {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        self.functions.push((signature.ident.to_string(), first, block.span().end().line - first + 1));
    }

    /// Counts `span` as test lines if the attributes say so; otherwise the caller has to look inside.
    fn is_test(&mut self, attributes: &[syn::Attribute], span: Span) -> bool {
        let test_only = is_test_only(attributes);
        if test_only {
            self.test_lines += span.end().line - span.start().line + 1;
        }
        test_only
    }
}

impl<'ast> Visit<'ast> for Measured {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !self.is_test(item_attributes(item), item.span()) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !self.is_test(impl_item_attributes(item), item.span()) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        if !self.is_test(trait_item_attributes(item), item.span()) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        if !self.is_test(statement_attributes(statement), statement.span()) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

mod the_test_itself {
    use super::*;

    fn faults_of(path: &str, text: &str) -> Vec<String> {
        faults(&SourceFile::parse(path, text))
    }

    /// A function of exactly `lines` lines.
    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    work();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_may_have_80_lines_and_no_more() {
        assert_eq!(faults_of("src/tcp/a.rs", &function("fits", 80)), [""; 0]);
        let text = format!("// A line before it.\n{}", function("long", 81));
        assert_eq!(faults_of("src/tcp/a.rs", &text), ["src/tcp/a.rs:2: `long` has 81 lines, at most 80"]);
    }

    #[test]
    fn methods_provided_methods_and_nested_functions_count() {
        for around in ["impl A", "trait A", "mod a", "fn a()"] {
            let text = format!("{around} {{\n{}}}\n", function("long", 81));
            let found = faults_of("src/tcp/a.rs", &text);
            assert!(found.iter().any(|fault| fault.contains("`long` has 81")), "{around}: {found:?}");
        }
    }

    #[test]
    fn a_file_may_have_500_lines_beside_its_tests() {
        let full = "const A: u8 = 1;\n".repeat(500);
        assert_eq!(faults_of("src/tcp/a.rs", &full), [""; 0]);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function("any_length", 90));
        assert_eq!(faults_of("src/tcp/a.rs", &format!("{full}{tests}")), [""; 0]);
        let over = format!("{full}{tests}const B: u8 = 1;\n");
        assert_eq!(faults_of("src/tcp/a.rs", &over), ["src/tcp/a.rs: 501 lines outside tests, at most 500"]);
    }

    #[test]
    fn code_that_is_not_only_for_tests_counts_whatever_its_cfg() {
        for attribute in ["#[cfg(not(test))]", "#[cfg(any(test, unix))]", "#[cfg(feature = \"test\")]"] {
            let text = format!("{attribute}\n{}", function("long", 81));
            assert_eq!(faults_of("src/tcp/a.rs", &text).len(), 1, "{attribute}");
        }
        for attribute in ["#[test]", "#[cfg(test)]", "#[cfg(all(unix, test))]"] {
            let text = format!("{attribute}\n{}", function("long", 81));
            assert_eq!(faults_of("src/tcp/a.rs", &text), [""; 0], "{attribute}");
        }
    }

    #[test]
    fn unsafe_is_found_outside_the_device_only() {
        let text = "// unsafe in a comment\n#![allow(unsafe_code)]\nfn a() {\n    call!(unsafe { b() })\n}\n";
        assert_eq!(faults_of("src/tcp/a.rs", text), ["src/tcp/a.rs:4: unsafe outside src/device/"]);
        assert_eq!(faults_of("src/device/system.rs", text), [""; 0]);
    }

    #[test]
    fn files_of_tests_are_left_out_by_their_declaration() {
        let parse = |(path, text): (&str, &str)| SourceFile::parse(path, text);
        let files = [
            ("src/tcp/mod.rs", "#[cfg(test)]\nmod tests;\nmod input;\n"),
            ("src/tcp/tests.rs", "mod closing;\n"),
            ("src/tcp/tests/closing.rs", ""),
            ("src/tcp/input.rs", "mod tests;\n"),
            ("src/tcp/input/tests.rs", ""),
        ];
        let kept = source_tree::without_test_files(files.map(parse).into());
        let kept: Vec<&str> = kept.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(kept, ["src/tcp/mod.rs", "src/tcp/input.rs", "src/tcp/input/tests.rs"]);
    }
}
