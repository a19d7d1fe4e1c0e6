//! The Unix socket at which a running stack can be asked.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::{Mode, fchmod};

/// A bound control socket: mode 0600, and gone from the file system once it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: BoundFile,
}

/// The file of a socket that we have bound.
#[derive(Debug)]
struct BoundFile {
    path: PathBuf,
    /// Device and inode: another process may have put its own in this place.
    identity: Option<(u64, u64)>,
}

/// Why a control socket cannot be had.
///
/// ```
/// use std::path::Path;
/// use longwire::control::{BindError, ControlSocket};
/// let refused = ControlSocket::bind(Path::new("/nonexistent/directory/example.sock"));
/// assert!(matches!(refused, Err(BindError::System { .. })));
/// ```
#[derive(Debug)]
pub enum BindError {
    /// Somebody answers there.
    Alive {
        /// The socket.
        path: PathBuf,
    },
    /// There is something that is no socket.
    NoSocket {
        /// What is in the way.
        path: PathBuf,
    },
    /// The system refuses.
    System {
        /// The socket that was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ControlSocket {
    /// Binds a socket at `path`, whose directory has to exist. One that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// Another process answers there, something else is in the way, or what the system says.
    pub fn bind(path: &Path) -> Result<ControlSocket, BindError> {
        let at = || path.to_owned();
        let failed = |source| BindError::System { path: at(), source };
        let listener = match bind_privately(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let kind = fs::symlink_metadata(path).map_err(failed)?.file_type();
                if !kind.is_socket() {
                    return Err(BindError::NoSocket { path: at() });
                }
                match connect(path) {
                    Ok(_) => return Err(BindError::Alive { path: at() }),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Err(BindError::Alive { path: at() });
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(failed(error)),
                }
                fs::remove_file(path).map_err(failed)?;
                bind_privately(path).map_err(failed)?
            }
            result => result.map_err(failed)?,
        };
        let identity = fs::symlink_metadata(path).ok().map(|metadata| identity(&metadata));
        let socket = ControlSocket { listener, file: BoundFile { path: at(), identity } };
        socket.listener.set_nonblocking(true).map_err(failed)?;
        Ok(socket)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Makes the file another user's, who alone (beside root) may ask from then on.
    ///
    /// # Errors
    /// What the system says: only root may do so.
    pub fn give_to(&self, user: u32, group: u32) -> io::Result<()> {
        std::os::unix::fs::lchown(&self.file.path, Some(user), Some(group))
    }

    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

fn bind_privately(path: &Path) -> io::Result<UnixListener> {
    let (socket, address) = (stream_socket(SockFlag::SOCK_CLOEXEC)?, UnixAddr::new(path)?);
    // The file takes the mode that the socket has when it is bound, so that there is no moment at which others may ask.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket::bind(socket.as_raw_fd(), &address)?;
    socket::listen(&socket, Backlog::MAXALLOWABLE)?;
    Ok(UnixListener::from(socket))
}

/// Connects to the control socket at `path` without waiting until it is accepted: whoever put it there may never do so.
///
/// # Errors
/// `WouldBlock`: somebody has it, and too many wait there already. Otherwise what the system says.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = stream_socket(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
    match socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::EAGAIN) => {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "too many are waiting there: try again"));
        }
        result => result?,
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn stream_socket(flags: SockFlag) -> nix::Result<OwnedFd> {
    socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Drop for BoundFile {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path).ok().map(|metadata| identity(&metadata));
        if there.is_none() || there != self.identity {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            // Harmless: whoever comes next finds nobody listening there, and replaces it.
            log::debug!("{}: the control socket stays behind: {error}", self.path.display());
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Alive { path } => {
                write!(f, "{}: another process answers at this control socket", path.display())
            }
            BindError::NoSocket { path } => {
                write!(f, "{}: there is something else in the control socket's place", path.display())
            }
            BindError::System { path, source } => {
                write!(f, "{}: the control socket cannot be opened: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BindError::System { source, .. } => Some(source),
            BindError::Alive { .. } | BindError::NoSocket { .. } => None,
        }
    }
}
