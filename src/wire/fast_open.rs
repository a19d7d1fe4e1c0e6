//! The cookie of TCP Fast Open (RFC 7413 4.1.1).

/// What a server gives a client to show that it has been heard at its address before; none yet, in a SYN that asks for
/// one.
///
/// ```
/// use longwire::wire::FastOpenCookie;
/// let cookie = FastOpenCookie::new(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
/// assert_eq!(cookie.as_slice(), [1, 2, 3, 4, 5, 6, 7, 8]);
/// assert!(FastOpenCookie::REQUEST.is_request() && !cookie.is_request());
/// assert_eq!(FastOpenCookie::new(&[1, 2, 3]), None, "not a length that a cookie can have");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FastOpenCookie {
    bytes: [u8; FastOpenCookie::MAX_LEN],
    len: u8,
}

impl FastOpenCookie {
    /// The longest cookie, in bytes.
    pub const MAX_LEN: usize = 16;
    /// The option without a cookie: asks for one.
    pub const REQUEST: FastOpenCookie = FastOpenCookie { bytes: [0; FastOpenCookie::MAX_LEN], len: 0 };

    /// A cookie of 4 to 16 bytes, an even number of them, or the request for one; `None` for any other length.
    pub fn new(cookie: &[u8]) -> Option<FastOpenCookie> {
        let len = cookie.len();
        if !matches!(len, 0 | 4..=FastOpenCookie::MAX_LEN) || !len.is_multiple_of(2) {
            return None;
        }
        let mut bytes = [0; FastOpenCookie::MAX_LEN];
        bytes[..len].copy_from_slice(cookie);
        Some(FastOpenCookie { bytes, len: len as u8 })
    }

    /// The bytes of the cookie.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether this is no cookie, but the request for one.
    pub const fn is_request(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7413_4_1_1_a_cookie_has_4_to_16_bytes_an_even_number() {
        let lengths: Vec<usize> =
            (0..=18).filter(|&len| FastOpenCookie::new(&[7; 18][..len]).is_some()).collect();
        assert_eq!(lengths, [0, 4, 6, 8, 10, 12, 14, 16]);
    }
}
