//! What a link does to packets, and how it is written: `delay=20ms,jitter=2ms,loss=1%,rate=10mbit`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use fastrand::Rng;

use crate::time::Duration;

/// A probability in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Chance(u32);

impl Chance {
    /// Never.
    pub const NEVER: Chance = Chance(0);
    const MILLION: u32 = 1_000_000;

    /// `parts` in a million; anything above is always.
    pub const fn per_million(parts: u32) -> Chance {
        Chance(if parts > Self::MILLION { Self::MILLION } else { parts })
    }

    /// `percent` in a hundred; anything above is always.
    pub const fn percent(percent: u32) -> Chance {
        Chance::per_million(percent.saturating_mul(10_000))
    }

    /// Throws the dice, unless the outcome is certain.
    pub(super) fn happens(self, rng: &mut Rng) -> bool {
        self.0 > 0 && rng.u32(..Self::MILLION) < self.0
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

/// A length of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// In packets.
    Packets(usize),
    /// In bytes.
    Bytes(usize),
}

impl Limit {
    pub(super) fn is_exceeded(self, packets: usize, bytes: usize) -> bool {
        match self {
            Limit::Packets(limit) => packets > limit,
            Limit::Bytes(limit) => bytes > limit,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Packets(count) => write!(f, "{count}"),
            Limit::Bytes(count) => write!(f, "{count}B"),
        }
    }
}

/// What one direction of a link does to packets. The default does nothing.
///
/// Written as options between commas; each is also available by itself with [`set`](LinkConfig::set).
///
/// | option | example | meaning |
/// | --- | --- | --- |
/// | `delay` | `20ms` | time on the way |
/// | `jitter` | `2ms` | the delay varies by up to this much either way; the order stays as it is |
/// | `loss` | `1%` | lost |
/// | `reorder` | `0.1%` | held back by `reorder-by`, so that later packets overtake |
/// | `reorder-by` | `5ms` | default: a quarter of the delay, at least 1 ms |
/// | `duplicate` | `0.1%` | delivered twice |
/// | `corrupt` | `0.01%` | one bit flipped |
/// | `rate` | `10mbit` | speed of the transmitter |
/// | `queue` | `100`, `64KiB` | what waits for the transmitter at most, in packets or bytes; default 1000 |
/// | `ecn` | `30`, `32KiB` | packets that make the queue longer than this are marked, if they are ECN-capable |
/// | `seed` | `7` | of all chances; default 0 |
///
/// ```
/// use longwire::device::LinkConfig;
/// let config: LinkConfig = "delay=20ms,loss=1.5%,rate=10mbit,queue=64KiB".parse().unwrap();
/// assert_eq!(config.to_string(), "delay=20ms,loss=1.5%,rate=10000000bit,queue=65536B");
/// assert_eq!("loss=2".parse::<LinkConfig>().unwrap_err().to_string(), "loss=2: not a percentage such as 1% or 0.1%");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Time on the way, from the last bit sent to the packet's arrival.
    pub delay: Duration,
    /// The delay is uniformly distributed within this much of `delay`, either way, and never negative. The order of
    /// packets is kept.
    pub jitter: Duration,
    /// How often a packet is lost.
    pub loss: Chance,
    /// How often a packet is held back by [`reorder_by`](LinkConfig::reorder_by), so that later ones overtake it.
    pub reorder: Chance,
    /// For how long, if not the default.
    pub hold: Option<Duration>,
    /// How often a packet is delivered twice.
    pub duplicate: Chance,
    /// How often one bit of a packet is flipped.
    pub corrupt: Chance,
    /// Bits a second that the transmitter sends; without limit if `None`.
    pub rate: Option<NonZeroU64>,
    /// What may wait for the transmitter, the packet being sent included. Without meaning if there is no `rate`.
    pub queue: Limit,
    /// A packet that makes the queue longer than this is marked with congestion experienced, if it is ECN-capable.
    pub ecn: Option<Limit>,
    /// Seed of all chances.
    pub seed: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        LinkConfig {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Chance::NEVER,
            reorder: Chance::NEVER,
            hold: None,
            duplicate: Chance::NEVER,
            corrupt: Chance::NEVER,
            rate: None,
            queue: LinkConfig::DEFAULT_QUEUE,
            ecn: None,
            seed: 0,
        }
    }
}

impl LinkConfig {
    const DEFAULT_QUEUE: Limit = Limit::Packets(1_000);
    const OPTIONS: &str =
        "delay, jitter, loss, reorder, reorder-by, duplicate, corrupt, rate, queue, ecn and seed";

    /// How long a packet is held back when it is to be overtaken.
    pub fn reorder_by(&self) -> Duration {
        self.hold.unwrap_or((self.delay / 4).max(Duration::from_millis(1)))
    }

    /// The same for the other direction: other packets meet the faults.
    #[must_use]
    pub fn reversed(self) -> LinkConfig {
        LinkConfig { seed: !self.seed, ..self }
    }

    /// Sets one option, as it is written in a list of them.
    ///
    /// # Errors
    /// The option is unknown or its value cannot be read.
    pub fn set(&mut self, option: &str, value: &str) -> Result<(), LinkConfigError> {
        let wrong = |why| move || LinkConfigError(format!("{option}={value}: {why}"));
        let duration = || parse_duration(value).ok_or_else(wrong("not a duration such as 250ms or 2s"));
        let chance = || parse_chance(value).ok_or_else(wrong("not a percentage such as 1% or 0.1%"));
        let limit =
            || parse_limit(value).ok_or_else(wrong("neither packets, such as 100, nor a size such as 64KiB"));
        match option {
            "delay" => self.delay = duration()?,
            "jitter" => self.jitter = duration()?,
            "loss" => self.loss = chance()?,
            "reorder" => self.reorder = chance()?,
            "reorder-by" => self.hold = Some(duration()?),
            "duplicate" => self.duplicate = chance()?,
            "corrupt" => self.corrupt = chance()?,
            "rate" => self.rate = Some(parse_rate(value).ok_or_else(wrong("not a rate such as 10mbit"))?),
            "queue" => self.queue = limit()?,
            "ecn" => self.ecn = Some(limit()?),
            "seed" => self.seed = value.parse().map_err(|_| wrong("not a whole number")())?,
            _ => {
                let known = Self::OPTIONS;
                return Err(LinkConfigError(format!("no option is called '{option}': there are {known}")));
            }
        }
        Ok(())
    }

    /// Whether the options make sense together.
    ///
    /// # Errors
    /// An option needs another one that is not set.
    pub fn check(&self) -> Result<(), LinkConfigError> {
        if self.rate.is_none() && self.queue != Self::DEFAULT_QUEUE {
            return Err(LinkConfigError("queue: needs a rate, as nothing waits without one".into()));
        }
        if self.rate.is_none() && self.ecn.is_some() {
            return Err(LinkConfigError("ecn: needs a rate, as nothing waits without one".into()));
        }
        Ok(())
    }
}

impl FromStr for LinkConfig {
    type Err = LinkConfigError;

    fn from_str(text: &str) -> Result<Self, LinkConfigError> {
        let mut config = LinkConfig::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (option, value) = part
                .split_once('=')
                .ok_or_else(|| LinkConfigError(format!("'{part}' has no value: write {part}=…")))?;
            config.set(option.trim(), value.trim())?;
        }
        config.check()?;
        Ok(config)
    }
}

impl fmt::Display for LinkConfig {
    /// Only what differs from the default, in the form that is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chance = |chance: Chance| (chance != Chance::NEVER).then(|| chance.to_string());
        let duration =
            |time: Duration| (time != Duration::ZERO).then(|| format!("{time:?}").replace('µ', "u"));
        let written = [
            ("delay", duration(self.delay)),
            ("jitter", duration(self.jitter)),
            ("loss", chance(self.loss)),
            ("reorder", chance(self.reorder)),
            ("reorder-by", self.hold.map(|time| format!("{time:?}").replace('µ', "u"))),
            ("duplicate", chance(self.duplicate)),
            ("corrupt", chance(self.corrupt)),
            ("rate", self.rate.map(|rate| format!("{rate}bit"))),
            ("queue", (self.queue != Self::DEFAULT_QUEUE).then(|| self.queue.to_string())),
            ("ecn", self.ecn.map(|limit| limit.to_string())),
            ("seed", (self.seed != 0).then(|| self.seed.to_string())),
        ];
        let mut comma = "";
        for (option, value) in written {
            if let Some(value) = value {
                write!(f, "{comma}{option}={value}")?;
                comma = ",";
            }
        }
        Ok(())
    }
}

/// What is wrong with the options of a link.
///
/// ```
/// use longwire::device::{LinkConfig, LinkConfigError};
/// let error: LinkConfigError = "loss=120%".parse::<LinkConfig>().unwrap_err();
/// assert!(error.to_string().contains("120%"), "{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfigError(String);

impl fmt::Display for LinkConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LinkConfigError {}

/// A decimal number and the unit behind it.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let nanos = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        _ => return None,
    };
    // A day is more than any link takes, and far from what the arithmetic of instants can hold.
    let nanos = number * nanos;
    (nanos <= 86_400e9).then(|| Duration::from_nanos(nanos.round() as u64))
}

fn parse_chance(text: &str) -> Option<Chance> {
    let (number, unit) = number_and_unit(text)?;
    (unit == "%" && number <= 100.0).then(|| Chance((number * 10_000.0).round() as u32))
}

fn parse_rate(text: &str) -> Option<NonZeroU64> {
    let (number, unit) = number_and_unit(text)?;
    let unit = unit.to_ascii_lowercase();
    let bits = match unit.strip_suffix("/s").unwrap_or(&unit) {
        "bit" => 1.0,
        "kbit" => 1e3,
        "mbit" => 1e6,
        "gbit" => 1e9,
        _ => return None,
    };
    NonZeroU64::new((number * bits).round() as u64)
}

fn parse_limit(text: &str) -> Option<Limit> {
    let (number, unit) = number_and_unit(text)?;
    let bytes = match unit {
        "" => return text.parse().ok().filter(|count| *count > 0).map(Limit::Packets),
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = (number * bytes).round() as usize;
    (bytes > 0).then_some(Limit::Bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "delay=20ms,jitter=2.5ms,loss=1%,reorder=0.1%,reorder-by=500us,duplicate=0.25%,corrupt=0.0001%,\
                    rate=10000000bit,queue=65536B,ecn=30,seed=7";
        let config: LinkConfig = text.parse().unwrap();
        assert_eq!(config.jitter, Duration::from_micros(2_500));
        assert_eq!(config.corrupt, Chance::per_million(1));
        assert_eq!(config.hold, Some(Duration::from_micros(500)));
        assert_eq!((config.queue, config.ecn), (Limit::Bytes(65_536), Some(Limit::Packets(30))));
        assert_eq!(config.to_string(), text);
    }

    #[test]
    fn spaces_units_and_an_empty_list() {
        assert_eq!("".parse(), Ok(LinkConfig::default()));
        let config: LinkConfig = " rate = 1.5Gbit/s , delay=0.5s,, queue=2MiB".parse().unwrap();
        assert_eq!(config.rate.map(NonZeroU64::get), Some(1_500_000_000));
        assert_eq!((config.delay, config.queue), (Duration::from_millis(500), Limit::Bytes(2 << 20)));
    }

    #[test]
    fn an_error_says_which_option_and_what_was_expected() {
        for (text, words) in [
            ("delay=20", "delay=20: not a duration such as 250ms or 2s"),
            ("delay=-1ms", "delay=-1ms: not a duration such as 250ms or 2s"),
            ("delay=99999m", "delay=99999m: not a duration such as 250ms or 2s"),
            ("loss=101%", "loss=101%: not a percentage such as 1% or 0.1%"),
            ("rate=0mbit", "rate=0mbit: not a rate such as 10mbit"),
            ("queue=0,rate=1mbit", "queue=0: neither packets, such as 100, nor a size such as 64KiB"),
            ("queue=1.5,rate=1mbit", "queue=1.5: neither packets, such as 100, nor a size such as 64KiB"),
            ("seed=x", "seed=x: not a whole number"),
            ("loss", "'loss' has no value: write loss=…"),
            ("queue=10", "queue: needs a rate, as nothing waits without one"),
            ("ecn=10", "ecn: needs a rate, as nothing waits without one"),
        ] {
            assert_eq!(text.parse::<LinkConfig>().unwrap_err().to_string(), words);
        }
        let unknown = "speed=1".parse::<LinkConfig>().unwrap_err().to_string();
        assert!(unknown.starts_with("no option is called 'speed': there are delay, jitter"), "{unknown}");
    }
}
