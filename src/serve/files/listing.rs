//! The names in a directory, as a page.

use std::ffi::OsString;
use std::fmt::Write;
use std::io;

use cap_std::fs::Dir;

use super::path::{SafePath, encode};

/// Names that one page shows.
const MOST: usize = 10_000;

/// Lists what is below `path`, directories first. Names that begin with a dot are not shown.
pub(super) fn listing(root: &Dir, path: &SafePath) -> io::Result<String> {
    let directory =
        if path.path.as_os_str().is_empty() { root.try_clone()? } else { root.open_dir(&path.path)? };
    let mut names: Vec<(bool, OsString)> = Vec::new();
    for entry in directory.entries()?.take(MOST) {
        let entry = entry?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push((!entry.file_type()?.is_dir(), name));
        }
    }
    names.sort();
    let title = escaped(&path.as_directory());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body {{ font: 17px/1.6 system-ui, sans-serif; color-scheme: light dark; max-width: 42rem; \
         margin: 0 auto; padding: 2rem 1rem }}</style>\n<h1>{title}</h1>\n<ul>\n"
    );
    let mut line = |link: &str, name: &str| {
        writeln!(page, "<li><a href=\"{link}\">{}</a>", escaped(name))
            .expect("writing to a String does not fail");
    };
    if !path.path.as_os_str().is_empty() {
        line("../", "../");
    }
    for (is_file, name) in names {
        let slash = if is_file { "" } else { "/" };
        // With "./" in front a colon in the name makes no scheme of it (RFC 3986 4.2).
        line(&format!("./{}{slash}", encode(&name)), &format!("{}{slash}", name.to_string_lossy()));
    }
    page.push_str("</ul>\n");
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
