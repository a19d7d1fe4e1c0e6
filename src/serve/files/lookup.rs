//! From a path to what is there. Everything here may wait for a disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ::http::{HeaderValue, StatusCode};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use nix::fcntl::OFlag;

use super::encoding::{CODINGS, Coding};
use super::listing::listing;
use super::path::SafePath;
use crate::serve::content::Validators;

/// The file that stands for its directory.
const INDEX: &str = "index.html";

/// What a path leads to.
pub(super) enum Found {
    /// A regular file.
    File(Opened),
    /// A directory that was asked for as a file: where it is.
    Moved(String),
    /// The names in a directory, as a page.
    Listing(String),
    /// Nothing that can be served.
    Nothing(StatusCode),
}

/// A file, ready to be read.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) length: u64,
    pub(super) validators: Validators,
    pub(super) kind: HeaderValue,
    /// The file is a neighbour in this coding.
    pub(super) coding: Option<Coding>,
    /// Another client could get another coding.
    pub(super) varies: bool,
}

/// What is to be looked up.
pub(super) struct Lookup {
    pub(super) path: SafePath,
    /// The codings that will do, best first.
    pub(super) codings: Vec<Coding>,
    /// Whether a directory may be listed.
    pub(super) listing: bool,
    /// The wall clock.
    pub(super) now: Duration,
}

impl Lookup {
    /// Looks below `root`.
    pub(super) fn run(&self, root: &Dir) -> Found {
        self.find(root).unwrap_or_else(|error| Found::Nothing(self.status_of(&error)))
    }

    fn find(&self, root: &Dir) -> io::Result<Found> {
        let SafePath { path, is_directory } = &self.path;
        if !is_directory {
            return match open(root, path)? {
                Entry::Regular(file, facts) => Ok(Found::File(self.choose(root, path, file, &facts))),
                Entry::Directory => Ok(Found::Moved(self.path.as_directory())),
                Entry::Other => Ok(Found::Nothing(StatusCode::NOT_FOUND)),
            };
        }
        let index = path.join(INDEX);
        match open(root, &index) {
            Ok(Entry::Regular(file, facts)) => Ok(Found::File(self.choose(root, &index, file, &facts))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ if self.listing => listing(root, &self.path).map(Found::Listing),
            _ => Ok(Found::Nothing(StatusCode::NOT_FOUND)),
        }
    }

    /// The file, or a neighbour that is the same in fewer bytes.
    fn choose(&self, root: &Dir, path: &Path, file: File, facts: &Facts) -> Opened {
        let kind = kind(path);
        for &coding in &self.codings {
            if let Ok(Entry::Regular(file, facts)) = open(root, &neighbour(path, coding)) {
                let validators = facts.validators(self.now, &format!("-{}", coding.extension));
                let (length, coding) = (facts.length, Some(coding));
                return Opened { file, length, validators, kind, coding, varies: true };
            }
        }
        let varies = CODINGS.iter().any(|&coding| root.exists(neighbour(path, coding)));
        let validators = facts.validators(self.now, "");
        Opened { file, length: facts.length, validators, kind, coding: None, varies }
    }

    /// A file that we may not see, or that lies outside the root, is not there.
    fn status_of(&self, error: &io::Error) -> StatusCode {
        let path = self.path.path.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {}
            io::ErrorKind::PermissionDenied => log::debug!("{path}: {error}"),
            _ => {
                log::warn!("{path}: {error}");
                let exhausted = [nix::errno::Errno::EMFILE as i32, nix::errno::Errno::ENFILE as i32];
                return if error.raw_os_error().is_some_and(|code| exhausted.contains(&code)) {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::NOT_FOUND
                };
            }
        }
        StatusCode::NOT_FOUND
    }
}

/// What is at a path.
enum Entry {
    Regular(File, Facts),
    Directory,
    /// A device, a pipe, a socket.
    Other,
}

/// What a file's metadata says.
struct Facts {
    length: u64,
    /// Since 1970; zero if the system does not know or it was before.
    modified: Duration,
}

impl Facts {
    fn validators(&self, now: Duration, mark: &str) -> Validators {
        Validators::of_file(self.length, self.modified, now, mark)
    }
}

fn open(root: &Dir, path: &Path) -> io::Result<Entry> {
    let mut options = OpenOptions::new();
    // Without this flag opening a pipe would wait for somebody to write into it.
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = root.open_with(path, &options)?.into_std();
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(Entry::Directory);
    }
    if !metadata.is_file() {
        return Ok(Entry::Other);
    }
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    Ok(Entry::Regular(file, Facts { length: metadata.len(), modified: modified.unwrap_or_default() }))
}

/// `x.css` has `x.css.br` beside it.
fn neighbour(path: &Path, coding: Coding) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(coding.extension);
    name.into()
}

/// The type by the name; text is taken to be UTF-8.
fn kind(path: &Path) -> HeaderValue {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = kind.type_() == "text" || kind.subtype() == "javascript" || kind.subtype() == "json";
    let kind = if is_text { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
