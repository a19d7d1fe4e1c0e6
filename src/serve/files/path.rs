//! From the path of a target to one below the root.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A path below the root, made of names only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SafePath {
    pub(super) path: PathBuf,
    /// It ended in a slash: a directory is meant.
    pub(super) is_directory: bool,
}

impl SafePath {
    /// Decodes and takes apart what a target has as its path. `None` for what can name no file here: `..`, encoded
    /// slashes and NULs, bad encoding.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut below = PathBuf::new();
        for segment in path.split('/') {
            let name = decode(segment)?;
            match &name[..] {
                b"" | b"." => {}
                b".." => return None,
                name if name.contains(&b'/') || name.contains(&0) => return None,
                name => below.push(OsStr::from_bytes(name)),
            }
        }
        let is_directory = path.ends_with('/') || path.ends_with("/.") || below.as_os_str().is_empty();
        Some(SafePath { path: below, is_directory })
    }

    /// The target that means this as a directory. It begins with exactly one slash, so that no name in it can be
    /// taken for a host.
    pub(super) fn as_directory(&self) -> String {
        let mut target = String::from("/");
        for name in &self.path {
            target.push_str(&encode(name));
            target.push('/');
        }
        target
    }
}

/// Undoes the percent-encoding of one segment.
fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    Some(decoded)
}

/// A name as it stands in a target (RFC 3986 2.3).
pub(super) fn encode(name: &OsStr) -> String {
    let mut encoded = String::new();
    for &byte in name.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> Option<(String, bool)> {
        let safe = SafePath::parse(path)?;
        Some((safe.path.to_string_lossy().into_owned(), safe.is_directory))
    }

    #[test]
    fn names_are_decoded_once() {
        assert_eq!(parsed("/a/b%20c.txt"), Some(("a/b c.txt".into(), false)));
        assert_eq!(parsed("/%2561"), Some(("%61".into(), false)));
        assert_eq!(parsed("//a/./b//"), Some(("a/b".into(), true)));
        assert_eq!(parsed("/"), Some((String::new(), true)));
        assert_eq!(parsed("/..."), Some(("...".into(), false)));
    }

    #[test]
    fn what_would_leave_the_root_is_no_path() {
        for path in ["/..", "/a/../b", "/%2e%2e/x", "/.%2E", "/a%2fb", "/a%00b", "/%", "/%2", "/%zz", "/%+1"]
        {
            assert_eq!(parsed(path), None, "{path}");
        }
    }

    #[test]
    fn a_directory_is_named_without_a_host() {
        let named = |path| SafePath::parse(path).map(|safe| safe.as_directory());
        assert_eq!(named("//evil.example/x y"), Some("/evil.example/x%20y/".into()));
        assert_eq!(named("/%5c%5cevil"), Some("/%5C%5Cevil/".into()));
        assert_eq!(named("/"), Some("/".into()));
    }
}
