//! Where a running stack can be asked: which path its control socket has, and how it comes into being.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::error::Failure;
use super::open::Role;
use super::privileges::Target;
use crate::control::ControlSocket;

/// The directory of root's instances.
const SYSTEM_DIRECTORY: &str = "/run/longwire";

/// The directory of an ordinary user's, below `$XDG_RUNTIME_DIR`.
const USER_DIRECTORY: &str = "longwire";

/// Everybody may look for a socket there, and only root puts one there: nobody can plant one that root then asks. A
/// process that has become another user leaves its socket behind, and the next of that name replaces it.
const SYSTEM_MODE: u32 = 0o755;

/// Opens the control socket of `interface` at `path`, or in its usual place. Not to have the usual one is no reason not
/// to run: the log says why.
///
/// # Errors
/// The one that was asked for by name cannot be had.
pub(super) fn open(
    path: Option<&Path>,
    interface: &str,
    target: &Target,
    role: Role,
) -> Result<Option<ControlSocket>, Failure> {
    if let Some(path) = path {
        let socket = bind(path, target)
            .map_err(|why| Failure::new(format!("{why}: choose another with --control")))?;
        return Ok(Some(socket));
    }
    let result = match usual_directory() {
        Some(directory) => make(&directory).and_then(|()| bind(&socket_in(&directory, interface), target)),
        None => Err("no control socket: XDG_RUNTIME_DIR is not set".to_owned()),
    };
    result.map(Some).or_else(|why| {
        // The standard error of a client belongs to its conversation.
        let level = if role == Role::Server { log::Level::Warn } else { log::Level::Debug };
        log::log!(level, "{why}: 'longwire ss' will not find this one; choose another place with --control");
        Ok(None)
    })
}

fn bind(path: &Path, target: &Target) -> Result<ControlSocket, String> {
    let socket = ControlSocket::bind(path).map_err(|error| error.to_string())?;
    if let Target::Other { user, .. } = target {
        let given = socket.give_to(user.uid.as_raw(), user.gid.as_raw());
        given.map_err(|error| format!("{}: cannot be given to {}: {error}", path.display(), user.name))?;
    }
    Ok(socket)
}

/// The directory in which we, with the rights of now, make our sockets.
fn usual_directory() -> Option<PathBuf> {
    if geteuid().is_root() { Some(SYSTEM_DIRECTORY.into()) } else { runtime_directory() }
}

fn runtime_directory() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty())?;
    Some(Path::new(&runtime).join(USER_DIRECTORY))
}

fn socket_in(directory: &Path, interface: &str) -> PathBuf {
    directory.join(format!("{interface}.sock"))
}

/// Makes the directory if it is not there; one that is keeps what it is.
fn make(directory: &Path) -> Result<(), String> {
    let system = directory == Path::new(SYSTEM_DIRECTORY);
    let made = DirBuilder::new().mode(0o700).create(directory).and_then(|()| match system {
        // Not by the mode above, which the umask narrows.
        true => fs::set_permissions(directory, fs::Permissions::from_mode(SYSTEM_MODE)),
        false => Ok(()),
    });
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("{}: cannot be made: {error}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// The directories in which the sockets are that we may ask at: our own and root's, and for root those of all users
/// that are logged in.
pub(super) fn directories() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from(SYSTEM_DIRECTORY)];
    all.extend(runtime_directory());
    if geteuid().is_root() {
        let users = fs::read_dir("/run/user").into_iter().flatten().flatten();
        all.extend(users.map(|user| user.path().join(USER_DIRECTORY)));
    }
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_asked_for_by_name_has_to_be_had() {
        let failure =
            open(Some(Path::new("/no/such/place/x.sock")), "lw0", &Target::Same, Role::Server).unwrap_err();
        let message = failure.message().unwrap();
        assert!(
            message.starts_with("/no/such/place/x.sock: ") && message.ends_with("with --control"),
            "{message}"
        );
    }

    #[test]
    fn a_socket_is_called_like_its_interface() {
        assert_eq!(socket_in(Path::new("/run/longwire"), "lw3"), Path::new("/run/longwire/lw3.sock"));
        assert!(directories().contains(&PathBuf::from("/run/longwire")));
    }
}
