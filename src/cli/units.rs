//! Durations and the like, as they are typed.

use std::fmt;
use std::time::Duration;

use super::options::KeepAliveOption;
use crate::net::KeepAlive;

/// A value, or the word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrOff<T> {
    /// The value.
    On(T),
    /// `off`.
    Off,
}

impl<T> OrOff<T> {
    /// The value, if it is not off.
    pub(super) fn on(self) -> Option<T> {
        match self {
            OrOff::On(value) => Some(value),
            OrOff::Off => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for OrOff<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrOff::On(value) => value.fmt(f),
            OrOff::Off => f.write_str("off"),
        }
    }
}

/// The longest duration: sums and multiples of it still have room in every clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration above zero, up to 365 days: `250ms`, `10s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    duration_or(text, "not a duration such as 250ms, 10s or 2m")
}

/// A duration; `wrong` is what is said about anything else.
fn duration_or(text: &str, wrong: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err(wrong.to_owned()),
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err("longer than 365d".to_owned()),
        Err(_) => Err(wrong.to_owned()),
    }
}

/// A duration above zero, or `off`.
pub(super) fn duration_or_off(text: &str) -> Result<OrOff<Duration>, String> {
    match text {
        "off" => Ok(OrOff::Off),
        _ => duration_or(text, "not a duration such as 10s, nor off").map(OrOff::On),
    }
}

/// `IDLE,INTERVAL,COUNT`, or `off`.
pub(super) fn keep_alive(text: &str) -> Result<KeepAliveOption, String> {
    const WRONG: &str = "not IDLE,INTERVAL,COUNT such as 15s,5s,3, nor off";
    let wrong = || WRONG.to_owned();
    if text == "off" {
        return Ok(OrOff::Off);
    }
    let [idle, interval, count] = text.split(',').collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let keep_alive = KeepAlive {
        idle: duration_or(idle, WRONG)?,
        interval: duration_or(interval, WRONG)?,
        count: count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?,
    };
    Ok(OrOff::On(keep_alive))
}

/// A count above zero.
pub(super) fn count(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "not a number from 1".to_owned())
}

/// A count above zero, or `off`.
pub(super) fn count_or_off(text: &str) -> Result<OrOff<u32>, String> {
    match text {
        "off" => Ok(OrOff::Off),
        _ => count(text).map(OrOff::On).map_err(|_| "not a number from 1, nor off".to_owned()),
    }
}

/// Less than this is no room for a stack: its device reads into some of it.
pub(super) const LEAST_MEMORY: u64 = 16 << 20;

/// A number of bytes up to 4 GiB: `512`, `64KiB`, `1MiB`.
pub(super) fn size(text: &str) -> Result<u32, String> {
    let wrong = || "not a size such as 512, 64KiB or 1MiB, below 4GiB".to_owned();
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let with_unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = with_unit.unwrap_or((text, 1));
    number.parse::<u32>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

/// An amount of memory: `512MiB`, `4GiB`.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let wrong = || "not a size from 16MiB, such as 512MiB or 4GiB".to_owned();
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)];
    let with_unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = with_unit.unwrap_or((text, 1));
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes >= LEAST_MEMORY).ok_or_else(wrong)
}

/// A number of bytes as people read it: `1.5 MiB`.
pub(super) fn bytes_for_people(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// Bytes a second as people read a rate: `10.0Mbit/s`.
pub(super) fn bits_for_people(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
    let mut value = bytes as f64 * 8.0;
    let mut unit = "bit/s";
    for larger in UNITS {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if unit == "bit/s" { format!("{value:.0}{unit}") } else { format!("{value:.1}{unit}") }
}

/// Microseconds in the unit that suits them: `900us`, `20.5ms`, `1.2s`.
pub(super) fn micros_for_people(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros}us"),
        1_000..1_000_000 => format!("{:.1}ms", micros as f64 / 1e3),
        _ => millis_for_people(micros / 1_000),
    }
}

/// Milliseconds in the unit that suits them: `200ms`, `1.2s`, `2min`.
pub(super) fn millis_for_people(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..100_000 => format!("{:.1}s", millis as f64 / 1e3),
        _ => format!("{}min", millis / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "10", "0s", "0", "-1s", "ten", "off"] {
            assert!(duration(wrong).unwrap_err().contains("such as 250ms"), "{wrong}");
        }
        assert_eq!(duration_or_off("off"), Ok(OrOff::Off));
        assert_eq!(duration_or_off("1s"), Ok(OrOff::On(Duration::from_secs(1))));
        assert!(duration_or_off("0s").is_err() && duration_or_off("Off").is_err());
    }

    #[test]
    fn durations_end_with_a_year() {
        assert_eq!(duration("365d"), Ok(LONGEST));
        for long in ["366d", "365d 1ns", "584542046090y", "99999999999999999999s"] {
            let refusals = [
                duration(long).unwrap_err(),
                duration_or_off(long).unwrap_err(),
                keep_alive(&format!("{long},1s,1")).unwrap_err(),
                keep_alive(&format!("1s,{long},1")).unwrap_err(),
            ];
            assert_eq!(refusals, ["longer than 365d"; 4], "{long}");
        }
    }

    #[test]
    fn keep_alive_is_three_values_or_off() {
        let OrOff::On(option) = keep_alive("15s,500ms,3").unwrap() else { panic!("not off") };
        assert_eq!((option.idle, option.interval), (Duration::from_secs(15), Duration::from_millis(500)));
        assert_eq!(option.count, 3);
        assert_eq!(keep_alive("off"), Ok(OrOff::Off));
        for wrong in ["15s", "15s,5s", "15s,5s,0", "15s,5s,3,4", "15,5,3", "15s,5s,300"] {
            assert!(keep_alive(wrong).unwrap_err().contains("15s,5s,3"), "{wrong}");
        }
    }

    #[test]
    fn counts_begin_with_one() {
        assert_eq!(count("1"), Ok(1));
        assert!(count("0").is_err() && count("-1").is_err() && count("x").is_err());
        assert_eq!(count_or_off("off"), Ok(OrOff::Off));
        assert!(count_or_off("0").is_err());
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("7B", 7), ("64KiB", 65_536), ("1MiB", 1 << 20), ("3GiB", 3 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "KiB", "1KB", "1.5MiB", "4GiB", "-1", "1 MiB"] {
            assert!(size(wrong).unwrap_err().contains("64KiB"), "{wrong}");
        }
    }

    #[test]
    fn memory_may_be_more_than_sizes_are() {
        for (text, bytes) in
            [("16MiB", 16 << 20), ("64GiB", 64 << 30), ("2TiB", 2 << 40), ("99999999", 99_999_999)]
        {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "15MiB", "1GB", "-1GiB", "99999999999TiB"] {
            assert!(memory(wrong).unwrap_err().contains("16MiB"), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_shown_in_units() {
        for (bytes, shown) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (100 << 20, "100.0 MiB"), (3 << 40, "3.0 TiB")]
        {
            assert_eq!(bytes_for_people(bytes), shown);
        }
    }

    #[test]
    fn rates_and_times_are_shown_in_units() {
        for (bytes, shown) in
            [(0, "0bit/s"), (100, "800bit/s"), (1_250_000, "10.0Mbit/s"), (5 << 30, "42.9Gbit/s")]
        {
            assert_eq!(bits_for_people(bytes), shown);
        }
        for (micros, shown) in
            [(0, "0us"), (999, "999us"), (20_500, "20.5ms"), (1_200_000, "1.2s"), (130_000_000, "2min")]
        {
            assert_eq!(micros_for_people(micros), shown);
        }
        assert_eq!(millis_for_people(200), "200ms");
    }
}
