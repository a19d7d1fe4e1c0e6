//! The cookies that our listeners give out for TCP Fast Open (RFC 7413 4.1.2).

use std::hash::Hasher;
use std::net::IpAddr;

use super::isn::IsnGenerator;
use crate::time::{Duration, Instant};
use crate::wire::FastOpenCookie;

/// How long a secret makes cookies. They are good until the next one has ended.
const PERIOD: Duration = Duration::from_secs(4 * 3600);

impl IsnGenerator {
    /// The cookie of a client at this address: a keyed hash of it under this period's secret.
    ///
    /// ```
    /// use longwire::{tcp::IsnGenerator, time::{Duration, Instant}};
    /// let (generator, client) = (IsnGenerator::new([7; 16]), "10.9.0.1".parse().unwrap());
    /// let early = generator.fast_open_cookie(Instant::ZERO, client);
    /// let hours = |hours: u64| Instant::ZERO + Duration::from_secs(hours * 3600);
    /// assert!(generator.knows_fast_open_cookie(hours(5), client, &early), "made with the secret before this one");
    /// assert_ne!(generator.fast_open_cookie(hours(5), client), early, "a newer one is due");
    /// assert!(!generator.knows_fast_open_cookie(hours(9), client, &early));
    /// ```
    pub fn fast_open_cookie(&self, now: Instant, client: IpAddr) -> FastOpenCookie {
        self.cookie_of_period(period(now), client)
    }

    /// Whether this is the cookie of a client at this address, made with this period's secret or the one before.
    pub fn knows_fast_open_cookie(&self, now: Instant, client: IpAddr, cookie: &FastOpenCookie) -> bool {
        let this = period(now);
        let last = this.checked_sub(1);
        [Some(this), last]
            .into_iter()
            .flatten()
            .any(|period| self.cookie_of_period(period, client) == *cookie)
    }

    fn cookie_of_period(&self, period: u64, client: IpAddr) -> FastOpenCookie {
        let mut hasher = self.hasher(b"fast open");
        hasher.write_u64(period);
        match client {
            IpAddr::V4(v4) => hasher.write(&v4.octets()),
            IpAddr::V6(v6) => hasher.write(&v6.octets()),
        }
        FastOpenCookie::new(&hasher.finish().to_be_bytes()).unwrap_or(FastOpenCookie::REQUEST)
    }
}

fn period(now: Instant) -> u64 {
    now.as_micros() / PERIOD.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn rfc_7413_4_1_2_a_cookie_is_one_clients_and_one_servers() {
        let (generator, now) = (IsnGenerator::new([1; 16]), Instant::from_secs(5));
        let cookie = generator.fast_open_cookie(now, client(1));
        assert_eq!(cookie.as_slice().len(), 8);
        assert!(generator.knows_fast_open_cookie(now, client(1), &cookie));
        assert!(!generator.knows_fast_open_cookie(now, client(2), &cookie));
        assert!(!generator.knows_fast_open_cookie(now, "fd00::1".parse().unwrap(), &cookie));
        assert!(!IsnGenerator::new([2; 16]).knows_fast_open_cookie(now, client(1), &cookie));
        assert!(!generator.knows_fast_open_cookie(now, client(1), &FastOpenCookie::REQUEST));
    }

    #[test]
    fn rfc_7413_4_1_2_cookies_expire_with_the_secret_after_theirs() {
        let generator = IsnGenerator::new([1; 16]);
        let (last, end) = (PERIOD - Duration::from_micros(1), Instant::ZERO + PERIOD);
        let cookie = generator.fast_open_cookie(Instant::ZERO + last, client(1));
        assert!(generator.knows_fast_open_cookie(end + last, client(1), &cookie));
        assert!(!generator.knows_fast_open_cookie(end + PERIOD, client(1), &cookie));
    }
}
