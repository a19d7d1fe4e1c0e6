//! The figures for programs: JSON, written.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::measure::Measurement;
use super::report::{Comparison, Report};

/// The whole report.
pub(crate) fn json(report: &Report) -> String {
    let Report { machine, client, amount, comparisons, interrupted } = report;
    let measurements = comparisons.iter().flat_map(|comparison| {
        comparison.measurements.iter().map(move |measurement| one(comparison, measurement))
    });
    let whole = Object::default()
        .field("machine", Text(machine))
        .field("client", Text(client.name()))
        .field("requests", amount.requests)
        .field("concurrency", amount.concurrency)
        .field("duration_limit_s", amount.duration.as_secs_f64())
        .field("interrupted", interrupted)
        .field("measurements", format_args!("[{}]", measurements.collect::<Vec<_>>().join(",")));
    format!("{whole}\n")
}

fn one(comparison: &Comparison, measurement: &Measurement) -> String {
    let Measurement { life, tally, wire, time_wait, server, client_cpu } = measurement;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let quantile = |fraction| micros(tally.latency.quantile(fraction));
    let latency = Object::default()
        .field("mean", micros(tally.latency.mean()))
        .field("p50", quantile(0.5))
        .field("p90", quantile(0.9))
        .field("p99", quantile(0.99))
        .field("p99_9", quantile(0.999))
        .field("max", micros(tally.latency.most()));
    let failures =
        tally.failures.iter().fold(Object::default(), |object, (words, count)| object.field(words, count));
    let per_request = |count: Option<u64>| Maybe(count.and_then(|count| measurement.per_request(count)));
    Object::default()
        .field("server", Text(&comparison.target.label))
        .field("url", Text(&comparison.target.url.to_string()))
        .field("connections", Text(life.name()))
        .field("answered", tally.answered())
        .field("refused", tally.refused)
        .field("failures", failures)
        .field("connections_opened", tally.connections)
        .field("body_bytes", tally.body_bytes)
        .field("seconds", tally.elapsed.as_secs_f64())
        .field("requests_per_second", measurement.rate())
        .field("latency_us", latency)
        .field("packets_per_request", per_request(wire.map(|wire| wire.segments)))
        .field("syns_per_request", per_request(wire.map(|wire| wire.syns)))
        .field("bytes_per_request", per_request(wire.map(|wire| wire.bytes)))
        .field("retransmissions", Maybe(wire.map(|wire| wire.retransmissions)))
        .field("wire_source", Text(comparison.source.words()))
        .field("time_wait_client", Maybe(time_wait.client))
        .field("time_wait_server", Maybe(time_wait.server))
        .field("server_cpu_s", Maybe(server.map(|cost| cost.cpu.as_secs_f64())))
        .field("server_memory_before", Maybe(server.map(|cost| cost.memory_before)))
        .field("server_memory_most", Maybe(server.map(|cost| cost.memory_most)))
        .field("client_cpu_s", Maybe(client_cpu.map(|cpu| cpu.as_secs_f64())))
        .to_string()
}

/// An object that grows by a field at a time.
#[derive(Default)]
struct Object(String);

impl Object {
    fn field(mut self, name: &str, value: impl Display) -> Object {
        let comma = if self.0.is_empty() { "" } else { "," };
        write!(self.0, "{comma}{}:{value}", Text(name)).expect("a String takes everything");
        self
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// A value, or `null`.
struct Maybe<T>(Option<T>);

impl<T: Display> Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A string with its quotation marks.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\0'..='\u{1f}' => write!(f, "\\u{:04x}", u32::from(character))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(Text("a\"b\\c\n").to_string(), r#""a\"b\\c\u000a""#);
    }

    #[test]
    fn every_measurement_is_an_object() {
        let text = json(&report());
        assert_eq!(text.matches("\"connections\":\"short\"").count(), 2);
        for words in [
            "\"packets_per_request\":11,",
            "\"syns_per_request\":1,",
            "\"time_wait_server\":null",
            "\"failures\":{\"no answer in time\":2}",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        for (open, close) in [('{', '}'), ('[', ']')] {
            assert_eq!(text.matches(open).count(), text.matches(close).count());
        }
    }
}
