//! Field values that this layer itself has to understand.

use ::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING};
use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use crate::http::BadMessage;

/// Which of those fields a head has. One walk over it notes all of them: most heads have none, and then nothing is looked
/// up in the map.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) content_length: bool,
    pub(crate) transfer_encoding: bool,
    pub(crate) connection: bool,
    pub(crate) expect: bool,
}

impl Marks {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut marks = Self::default();
        headers.keys().for_each(|name| marks.note(name));
        marks
    }

    pub(super) fn note(&mut self, name: &HeaderName) {
        self.content_length |= name == CONTENT_LENGTH;
        self.transfer_encoding |= name == TRANSFER_ENCODING;
        self.connection |= name == CONNECTION;
        self.expect |= name == EXPECT;
    }
}

/// The elements of a comma-separated field, over all its lines, trimmed; empty ones are skipped (RFC 9110 5.6.1.2).
/// A value that is not ASCII gives no elements.
pub fn list_items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|item| item.trim_matches([' ', '\t']))
        .filter(|item| !item.is_empty())
}

/// What `Connection` says about the connection's life (RFC 9112 9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// `close` was there: this exchange is the last.
    pub close: bool,
    /// `keep-alive` was there by name.
    pub keep_alive: bool,
}

impl ConnectionOptions {
    /// Reads the `Connection` fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut options = Self::default();
        for item in list_items(headers, &CONNECTION) {
            options.close |= item.eq_ignore_ascii_case("close");
            options.keep_alive |= item.eq_ignore_ascii_case("keep-alive");
        }
        options
    }
}

/// Copies parsed field lines into a map, and shows each on the way. `value` makes what is kept of a field's value.
pub(super) fn header_map<'a>(
    fields: &[httparse::Header<'a>],
    value: impl Fn(&'a [u8]) -> Bytes,
    mut see: impl FnMut(&HeaderName, &'a [u8]),
) -> Result<HeaderMap, BadMessage> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BadMessage::Syntax)?;
        see(&name, field.value);
        let value = HeaderValue::from_maybe_shared(value(field.value)).map_err(|_| BadMessage::Syntax)?;
        headers.try_append(name, value).map_err(|_| BadMessage::TooManyFields)?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(values: &[&str]) -> ConnectionOptions {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONNECTION, value.parse().unwrap());
        }
        ConnectionOptions::of(&headers)
    }

    #[test]
    fn connection_options_are_a_list_without_case() {
        let both = ConnectionOptions { close: true, keep_alive: true };
        let keep_alive = ConnectionOptions { close: false, keep_alive: true };
        assert_eq!(options(&[]), ConnectionOptions::default());
        assert_eq!(options(&["Keep-Alive"]), keep_alive);
        assert_eq!(options(&["upgrade,, keep-alive\t", "te"]), keep_alive);
        assert_eq!(options(&["keep-alive", "x, CLOSE"]), both);
        assert_eq!(options(&["closed, keep-alives"]), ConnectionOptions::default());
    }
}
