//! Doing something inside a network namespace.

use std::fs::File;
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};

use super::DeviceError;

/// Runs `action` inside the namespace called `name`, or right here if there is no name.
///
/// A descriptor keeps belonging to the namespace that it was opened in, so only opening and configuring need to be
/// there. That is done on a short-lived thread, as a thread that has entered a namespace had better not do anything else.
///
/// # Errors
/// Those of `action`, and [`DeviceError::Namespace`].
pub(super) fn within<T: Send>(
    name: Option<&str>,
    action: impl FnOnce() -> Result<T, DeviceError> + Send,
) -> Result<T, DeviceError> {
    let Some(name) = name else { return action() };
    let failed = |source| DeviceError::Namespace { name: name.to_owned(), source };
    let namespace = File::open(PathBuf::from("/run/netns").join(name)).map_err(failed)?;
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| failed(errno.into()))?;
            action()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_namespace_is_an_error_with_advice() {
        let error = within(Some("longwire-no-such"), || Ok(())).unwrap_err().to_string();
        assert!(error.contains("sudo ip netns add longwire-no-such"), "{error}");
    }

    #[test]
    fn without_a_name_it_happens_here() {
        let here = std::thread::current().id();
        assert_eq!(within(None, || Ok(std::thread::current().id())).unwrap(), here);
    }
}
