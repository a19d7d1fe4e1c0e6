//! Numbers as people read them.

use std::time::Duration;

/// `1,234,567`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.003`, `2.05`, `11.0`, `1,234`
pub(crate) fn decimal(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ if value < 0.1 => format!("{value:.4}"),
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 1_000.0 => format!("{value:.1}"),
        _ => grouped(value.round() as u64),
    }
}

/// `87 µs`, `1.25 ms`, `2.10 s`: as exact as a comparison needs it.
pub(crate) fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        _ if micros < 10.0 => format!("{micros:.1} µs"),
        _ if micros < 1_000.0 => format!("{micros:.0} µs"),
        _ if micros < 1e6 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// `0.042 ms`, `15.002 s`: as exact as a sequence of events needs it.
pub(crate) fn exact_time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.3} ms", seconds * 1e3) } else { format!("{seconds:.3} s") }
}

/// `999 bytes`, `1.7 MB`
pub(crate) fn bytes(count: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(size, _)| count as f64 >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", count as f64 / size),
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 7, 1_234, 1_234_567].map(grouped), ["0", "7", "1,234", "1,234,567"]);
        assert_eq!(
            [0.0, 0.001, 2.046, 11.04, 1_234.4].map(decimal),
            ["0", "0.0010", "2.05", "11.0", "1,234"]
        );
        assert_eq!(
            [999, 1_500, 7_200_000, 3_000_000_000].map(bytes),
            ["999 bytes", "1.5 kB", "7.2 MB", "3.0 GB"]
        );
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let times = [900, 87_000, 1_254_000, 2_100_000_000].map(Duration::from_nanos);
        assert_eq!(times.map(time), ["0.9 µs", "87 µs", "1.25 ms", "2.10 s"]);
        assert_eq!(times.map(exact_time), ["0.001 ms", "0.087 ms", "1.254 ms", "2.100 s"]);
    }
}
