//! Which of the running stacks is asked.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::control_socket::directories;
use super::error::Failure;
use crate::control::{self, Answer, AskError, Question};
use crate::device::TunName;

/// Which one is meant; needed where several run.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Whom {
    /// The interface of the stack that is asked, such as lw0; needed only where several run
    #[arg(long, value_name = "NAME", conflicts_with = "control")]
    tun: Option<TunName>,

    /// The control socket at which it is asked
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

/// A stack that can be asked.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    path: PathBuf,
}

/// What is in the usual directories.
#[derive(Debug, Default)]
struct Found {
    /// Sockets at which somebody listens.
    alive: Vec<PathBuf>,
    /// Sockets that are not ours to ask at.
    denied: Vec<PathBuf>,
}

impl Whom {
    /// The one that is meant.
    ///
    /// # Errors
    /// None runs, or several do, or the one that does is somebody else's.
    pub(super) fn find(&self) -> Result<Instance, Failure> {
        let path = match &self.control {
            Some(path) => path.clone(),
            None => choose(look(&directories()), self.tun.as_ref().and_then(|tun| tun.interface.as_deref()))?,
        };
        Ok(Instance { path })
    }
}

impl Instance {
    /// Asks it.
    ///
    /// # Errors
    /// It does not answer, in words.
    pub(super) fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        control::ask(&self.path, question).map_err(|error| self.explain(&error))
    }

    /// The words for an answer that fails.
    pub(super) fn explain(&self, error: &AskError) -> Failure {
        let advice = match error {
            AskError::NotRunning => ": start one with --control, or leave --control out here",
            AskError::Denied => ": run with sudo, or as the user that it runs as",
            AskError::Silent => ": it may be stopped, or very busy: try again",
            AskError::Nonsense(_) => ": is it the same version of longwire?",
            AskError::CutOff | AskError::Refused(_) | AskError::Connection(_) => "",
        };
        Failure::new(format!("{}: {error}{advice}", self.path.display()))
    }
}

/// What the directories hold. Sockets at which nobody listens any more do not count.
fn look(directories: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let entries =
        directories.iter().flat_map(|directory| fs::read_dir(directory).into_iter().flatten().flatten());
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| is_socket_name(path)).collect();
    paths.sort();
    for path in paths {
        match control::connect(&path) {
            Ok(_) => found.alive.push(path),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => found.alive.push(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found.denied.push(path),
            Err(_) => {}
        }
    }
    found
}

fn is_socket_name(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("sock"))
}

/// The only one of `found`, or the only one called `name`.
fn choose(found: Found, name: Option<&str>) -> Result<PathBuf, Failure> {
    let called = |path: &PathBuf| name.is_none_or(|name| stem(path) == name);
    let Found { alive, denied } = found;
    let matching: Vec<_> = alive.iter().filter(|path| called(path)).collect();
    if let [only] = matching[..] {
        return Ok(only.clone());
    }
    if let Some(path) = denied.iter().find(|path| called(path)).filter(|_| matching.is_empty()) {
        return Err(Failure::new(format!(
            "{}: permission denied: run with sudo, or as the user that it runs as",
            path.display()
        )));
    }
    let list = |paths: &[&PathBuf]| {
        let shown: Vec<_> = paths.iter().map(|path| format!("{} ({})", stem(path), path.display())).collect();
        shown.join(", ")
    };
    let message = match (name, &matching[..], &alive[..]) {
        (Some(name), [], []) => {
            format!(
                "{name}: no longwire runs there, nor anywhere else: start one, such as: sudo longwire serve"
            )
        }
        (Some(name), [], others) => {
            let others: Vec<_> = others.iter().collect();
            format!("{name}: no longwire runs there; running are {}: choose with --tun NAME", list(&others))
        }
        (None, [], _) => "no longwire runs here: start one, such as: sudo longwire serve".to_owned(),
        (_, several, _) => {
            let option = if name.is_some() { "--control PATH" } else { "--tun NAME" };
            format!("several are running, {}: choose with {option}", list(several))
        }
    };
    Err(Failure::new(message))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(alive: &[&str], denied: &[&str]) -> Found {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        Found { alive: paths(alive), denied: paths(denied) }
    }

    #[track_caller]
    fn refusal(found: Found, name: Option<&str>) -> String {
        choose(found, name).unwrap_err().message().unwrap().to_owned()
    }

    #[test]
    fn the_only_one_needs_no_name() {
        let only = found(&["/r/lw0.sock"], &["/r/lw9.sock"]);
        assert_eq!(choose(only, None).unwrap(), Path::new("/r/lw0.sock"));
        let two = found(&["/r/lw0.sock", "/r/lw1.sock"], &[]);
        assert_eq!(choose(two, Some("lw1")).unwrap(), Path::new("/r/lw1.sock"));
    }

    #[test]
    fn several_are_listed() {
        let message = refusal(found(&["/r/lw0.sock", "/r/lw1.sock"], &[]), None);
        assert_eq!(
            message,
            "several are running, lw0 (/r/lw0.sock), lw1 (/r/lw1.sock): choose with --tun NAME"
        );
        let twice = refusal(found(&["/r/lw0.sock", "/u/lw0.sock"], &[]), Some("lw0"));
        assert!(twice.ends_with("choose with --control PATH"), "{twice}");
    }

    #[test]
    fn none_and_another_and_somebody_elses_have_their_own_words() {
        assert!(refusal(found(&[], &[]), None).starts_with("no longwire runs here"));
        assert!(refusal(found(&[], &[]), Some("lw5")).starts_with("lw5: no longwire runs there, nor"));
        let other = refusal(found(&["/r/lw0.sock"], &[]), Some("lw5"));
        assert!(other.contains("lw5: no longwire runs there; running are lw0 (/r/lw0.sock)"), "{other}");
        assert!(refusal(found(&[], &["/r/lw0.sock"]), None).contains("permission denied: run with sudo"));
    }

    #[test]
    fn a_socket_without_a_listener_does_not_count() {
        let directory = std::env::temp_dir().join(format!("longwire-instances-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        drop(std::os::unix::net::UnixListener::bind(directory.join("lw0.sock")).unwrap());
        let alive = std::os::unix::net::UnixListener::bind(directory.join("lw1.sock")).unwrap();
        fs::write(directory.join("lw2.sock"), "").unwrap();
        fs::write(directory.join("readme"), "").unwrap();
        let found = look(std::slice::from_ref(&directory));
        drop(alive);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((found.alive, found.denied), (vec![directory.join("lw1.sock")], Vec::new()));
    }
}
