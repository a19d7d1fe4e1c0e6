//! Rights are given up once everything that needs them is open.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::fchown;
use std::path::Path;

use nix::unistd::{self, Uid, User};

use super::error::Failure;
use super::options::UserOption;

/// What root becomes when nobody else is known.
const NOBODY: &str = "nobody";

/// Who the process is to become.
#[derive(Debug)]
pub(super) enum Target {
    /// It stays what it is.
    Same,
    /// This user. Files that were made for them are theirs, unless they are everybody's nobody.
    Other { user: Box<User>, owns_files: bool },
}

impl Target {
    /// Decides, before anything is opened.
    ///
    /// # Errors
    /// The user is unknown, or becoming another one would take root.
    pub(super) fn find(option: &UserOption) -> Result<Target, Failure> {
        let sudo_user = std::env::var("SUDO_USER").ok();
        let Some(name) = wanted(option.name.as_deref(), sudo_user.as_deref(), unistd::geteuid().is_root())
        else {
            return Ok(Target::Same);
        };
        let user = match User::from_name(name) {
            Ok(Some(user)) => user,
            Ok(None) => {
                return Err(Failure::new(format!(
                    "user '{name}': unknown: choose one of 'getent passwd' with --user"
                )));
            }
            Err(errno) => return Err(Failure::new(format!("user '{name}': cannot be looked up: {errno}"))),
        };
        if user.uid == unistd::geteuid() {
            return Ok(Target::Same);
        }
        if !unistd::geteuid().is_root() {
            return Err(Failure::new(format!(
                "user '{name}': only root can become another user: run with sudo"
            )));
        }
        Ok(Target::Other { owns_files: name != NOBODY, user: Box::new(user) })
    }

    /// Creates a file with the rights of now that belongs to the user to be.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn create_file(&self, path: &Path) -> io::Result<File> {
        match (File::create_new(path), self) {
            (Ok(file), Target::Other { user, owns_files: true }) => {
                fchown(&file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
                Ok(file)
            }
            (Err(error), _) if error.kind() == io::ErrorKind::AlreadyExists => File::create(path),
            (result, _) => result,
        }
    }

    /// Becomes that user, for good, and gives up the possibility of gaining rights by starting a program.
    ///
    /// # Errors
    /// The system refuses, which would leave rights in place that were to be given up.
    pub(super) fn assume(self) -> Result<(), Failure> {
        let failed = |what: &str, error: nix::Error| {
            Failure::new(format!(
                "{what}: {error}: rights cannot be given up; keep them knowingly with --user root"
            ))
        };
        if let Target::Other { user, .. } = &self {
            let name =
                CString::new(user.name.as_str()).map_err(|_| failed("user name", nix::Error::EINVAL))?;
            unistd::initgroups(&name, user.gid).map_err(|error| failed("setting the groups", error))?;
            unistd::setgid(user.gid).map_err(|error| failed("setting the group", error))?;
            unistd::setuid(user.uid).map_err(|error| failed("setting the user", error))?;
            if unistd::setuid(Uid::from_raw(0)).is_ok() {
                return Err(failed("setting the user", nix::Error::EPERM));
            }
        }
        nix::sys::prctl::set_no_new_privs().map_err(|error| failed("setting no_new_privs", error))
    }

    /// The user that is logged.
    pub(super) fn name(&self) -> String {
        match self {
            Target::Other { user, .. } => user.name.clone(),
            Target::Same => match User::from_uid(unistd::geteuid()) {
                Ok(Some(user)) => user.name,
                _ => format!("user {}", unistd::geteuid()),
            },
        }
    }
}

/// The name of the user to become; `None`: nobody else. An ordinary user has nothing to give up, and neither has
/// a root that is told to stay; with sudo by root there is no other user behind it.
fn wanted<'a>(option: Option<&'a str>, sudo_user: Option<&'a str>, is_root: bool) -> Option<&'a str> {
    match option {
        Some(name) => Some(name),
        None if is_root => {
            Some(sudo_user.filter(|name| !name.is_empty() && *name != "root").unwrap_or(NOBODY))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_becomes_the_user_behind_sudo_or_nobody() {
        assert_eq!(wanted(None, Some("ada"), true), Some("ada"));
        assert_eq!(wanted(None, None, true), Some("nobody"));
        assert_eq!(wanted(None, Some("root"), true), Some("nobody"));
        assert_eq!(wanted(None, Some(""), true), Some("nobody"));
        assert_eq!(wanted(Some("root"), Some("ada"), true), Some("root"));
        assert_eq!(wanted(Some("bob"), Some("ada"), true), Some("bob"));
        assert_eq!(wanted(None, Some("ada"), false), None, "nothing to give up");
    }

    #[test]
    fn an_unknown_user_is_said_to_be_one() {
        let option = UserOption { name: Some("no-such-user-here".into()) };
        let failure = Target::find(&option).unwrap_err();
        assert!(failure.message().unwrap().starts_with("user 'no-such-user-here': unknown"));
    }
}
