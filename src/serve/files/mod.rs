//! Static files.
//!
//! A [`Files`] is a directory that nothing escapes: every path is opened below it by `cap-std`, which follows neither
//! `..` nor a symbolic link out of it. Opening and reading is done by a few worker threads, as either may have to wait
//! for a disk; the loop only hears when it is done.

mod encoding;
mod handler;
mod listing;
mod lookup;
mod path;
mod source;
mod workers;

use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use self::handler::FileHandler;
use self::workers::Workers;
use crate::driver::Clock;
use crate::http::Router;

/// A directory whose files are served.
///
/// Served are regular files, with ranges, entity tags and dates for the conditional fields, types by their names, and
/// `x.br` or `x.gz` in place of `x` for who accepts that. A directory is its `index.html`, or a list of its names if
/// [`listing`](Files::listing) is on, or 404.
///
/// ```
/// use std::time::Duration;
/// use longwire::net::Network;
/// use longwire::serve::{Config, Ended, Files, Server, ServerHandle, StartError, Stats};
///
/// /// Serves a directory for a minute.
/// fn serve(network: &Network, directory: &str) -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::new(Config::default()).files(Files::open(directory)?.listing(true));
///     let started: Result<ServerHandle, StartError> = server.start(network.shared(), &["10.9.0.2:80".parse()?]);
///     let handle = started?;
///     handle.wait_timeout(Duration::from_secs(60));
///     let stats: &Stats = handle.stats();
///     println!("{} connections are open", stats.connections());
///     handle.shutdown(Duration::from_secs(5));
///     let Ended { cut } = handle.wait();
///     println!("{cut} answers were cut off");
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Files {
    root: Dir,
    listing: bool,
}

impl Files {
    /// Opens the directory; what becomes of its path afterwards makes no difference.
    ///
    /// # Errors
    /// There is no such directory, or it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Files> {
        Ok(Files { root: Dir::open_ambient_dir(path, ambient_authority())?, listing: false })
    }

    /// Whether a directory without `index.html` shows the names of what is in it. Off unless asked for.
    #[must_use]
    pub fn listing(mut self, listing: bool) -> Self {
        self.listing = listing;
        self
    }

    /// Answers whatever no other route of `router` does.
    pub(super) fn add_to(self, router: Router, clock: Clock) -> Router {
        let site = Arc::new(Site { files: self, clock, workers: Arc::new(Workers::start()) });
        router.introduced(false).fallback(move |_| FileHandler::new(Arc::clone(&site)))
    }
}

/// What all handlers of one directory share.
struct Site {
    files: Files,
    clock: Clock,
    workers: Arc<Workers>,
}
