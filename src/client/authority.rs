//! Where a URL points: host and port.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ::http::Uri;

use super::Error;

/// The port of `http` URLs that name none (RFC 9110 4.2.1).
const DEFAULT_PORT: u16 = 80;

/// Host and port of an `http` URL: connections to the same authority can serve each other's requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// A name in lower case, or an address without brackets.
    host: String,
    port: u16,
}

impl Authority {
    /// The authority of an absolute `http` URL.
    ///
    /// # Errors
    /// [`Error::Scheme`] for another scheme, [`Error::Url`] for a URL without host, or with a port or a user that
    /// cannot be.
    pub fn of(url: &Uri) -> Result<Authority, Error> {
        let bad = |why| Error::Url { url: url.to_string(), why };
        match url.scheme_str() {
            Some("http") => {}
            Some(scheme) => return Err(Error::Scheme { scheme: scheme.to_owned() }),
            None => return Err(bad("no scheme such as http://")),
        }
        let authority = url.authority().ok_or_else(|| bad("no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("user names in URLs are not supported"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(bad("no host"));
        }
        let port = match authority.as_str().rsplit_once(':') {
            // The last colon may belong to an IPv6 address.
            Some((_, text)) if !text.ends_with(']') && !text.is_empty() => {
                text.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad("no port from 1 to 65535"))?
            }
            _ => DEFAULT_PORT,
        };
        Ok(Authority { host, port })
    }

    /// The name, or the address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks the system's resolver for the addresses, in its order of preference, for `timeout` at most.
    pub(super) fn resolve(&self, timeout: Option<Duration>) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let (host, port) = (self.host.clone(), self.port);
        let look_up = move || Ok((host.as_str(), port).to_socket_addrs()?.collect());
        self.resolve_by(look_up, timeout)
    }

    /// The system's call cannot be given up, so that it has a thread, which ends when the resolver does.
    fn resolve_by(
        &self,
        look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
        timeout: Option<Duration>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let failed = |source| Error::NotFound { host: self.host.clone(), source };
        let (found, answer) = mpsc::channel();
        // Nobody may wait for it any more.
        let resolver = move || drop(found.send(look_up()));
        thread::Builder::new().name("resolver".into()).spawn(resolver).map_err(failed)?;
        let answer = match timeout {
            None => answer.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => answer.recv_timeout(timeout),
        };
        match answer {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(failed(io::ErrorKind::NotFound.into())),
            Ok(result) => result.map_err(failed),
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::LookUpTimeout { host: self.host.clone(), after: timeout.unwrap_or_default() })
            }
            Err(RecvTimeoutError::Disconnected) => Err(failed(io::Error::other("the resolver has panicked"))),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(url: &str) -> Result<String, String> {
        let url = url.parse::<Uri>().map_err(|error| error.to_string())?;
        Authority::of(&url).map(|authority| authority.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn host_and_port_of_a_url() {
        for (url, expected) in [
            ("http://10.9.0.2/", "10.9.0.2:80"),
            ("http://Example.ORG:8080/a?b", "example.org:8080"),
            ("http://[fd09::2]/", "[fd09::2]:80"),
            ("http://[fd09::2]:81", "[fd09::2]:81"),
            ("http://h:/", "h:80"),
        ] {
            assert_eq!(authority(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_the_reason() {
        for (url, words) in [
            ("https://10.9.0.2/", "https: not supported"),
            ("ftp://h/", "ftp: not supported"),
            ("/path", "no scheme"),
            ("http://h:0/", "no port from 1 to 65535"),
            ("http://h:65536/", "port"),
            ("http://user@h/", "user names in URLs"),
        ] {
            let error = authority(url).unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
    }

    #[test]
    fn numbers_need_no_resolver() {
        let authority = Authority::of(&"http://[fd09::2]:81/".parse().unwrap()).unwrap();
        assert_eq!(authority.resolve(Some(Duration::ZERO)).unwrap(), ["[fd09::2]:81".parse().unwrap()]);
    }

    #[test]
    fn a_resolver_that_does_not_answer_is_not_waited_for() {
        let authority = Authority::of(&"http://slow.example/".parse().unwrap()).unwrap();
        let (end, ended) = mpsc::channel::<()>();
        let never = move || {
            let _ = ended.recv();
            Ok(Vec::new())
        };
        let after = Duration::from_millis(30);
        let error = authority.resolve_by(never, Some(after)).unwrap_err();
        assert!(matches!(&error, Error::LookUpTimeout { host, .. } if host == "slow.example"), "{error}");
        drop(end);
        let found = vec!["10.9.0.1:80".parse().unwrap()];
        let answer = found.clone();
        assert_eq!(authority.resolve_by(move || Ok(answer), Some(Duration::from_secs(5))).unwrap(), found);
        assert!(matches!(authority.resolve_by(|| Ok(Vec::new()), None), Err(Error::NotFound { .. })));
        let panics = authority.resolve_by(|| panic!("as a test"), None).unwrap_err();
        assert!(matches!(panics, Error::NotFound { .. }), "{panics}");
    }
}
