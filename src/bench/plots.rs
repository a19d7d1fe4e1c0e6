//! The plots of the report.

use std::time::Duration;

use super::histogram::Histogram;
use super::load::Life;
use crate::figures::{grouped, time};
use crate::svg::{Head, Svg};

const WIDTH: f64 = 440.0;
const BAR: f64 = 18.0;
/// Where bars begin, and how long the longest is: behind it is room for its value.
const BARS_X: f64 = 60.0;
const BARS_LENGTH: f64 = 280.0;

/// The colours of the two kinds, and of everything around them, light and dark.
pub(super) const STYLE: &str = "\
svg text{font:12px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;fill:#1f2328}
svg .quiet{fill:#59636e}svg .end{text-anchor:end}svg .middle{text-anchor:middle}svg .title{font-weight:600;font-size:14px}
svg .grid{stroke:#d1d9e0;stroke-width:1}svg .curve{fill:none;stroke-width:2.2}
svg .short{fill:#bc4c00}svg .long{fill:#0969da}svg .short-line{stroke:#bc4c00}svg .long-line{stroke:#0969da}
";
/// The same in the dark.
pub(super) const DARK_STYLE: &str = "\
svg text{fill:#f0f6fc}svg .quiet{fill:#9198a1}svg .grid{stroke:#3d444d}
svg .short{fill:#db6d28}svg .long{fill:#4493f8}svg .short-line{stroke:#db6d28}svg .long-line{stroke:#4493f8}
";

/// A pair of bars for each server.
pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    /// Server, kind of connection, value.
    pub(super) bars: Vec<(&'a str, Life, f64)>,
    /// How a value is written.
    pub(super) shown: fn(f64) -> String,
}

impl Bars<'_> {
    /// The plot; `None` if there is no value.
    pub(super) fn draw(&self) -> Option<String> {
        let most = self
            .bars
            .iter()
            .map(|(.., value)| *value)
            .fold(None, |most: Option<f64>, value| Some(most.map_or(value, |most| most.max(value))))?;
        let mut svg = Svg::new();
        svg.text((0.0, 16.0), "title", self.title);
        let mut y = 30.0;
        let mut server = None;
        for (label, life, value) in &self.bars {
            if server != Some(label) {
                y += 14.0;
                svg.text((0.0, y), "quiet", label);
                y += 6.0;
                server = Some(label);
            }
            let length = if most > 0.0 { value / most * BARS_LENGTH } else { 0.0 };
            svg.text((BARS_X - 8.0, y + 13.0), "end", life.name());
            // Nothing is to be seen as well.
            svg.rectangle((BARS_X, y), (length.max(1.0), BAR), 2.0, life.name());
            svg.text((BARS_X + length + 8.0, y + 13.0), "value", &(self.shown)(*value));
            y += BAR + 4.0;
        }
        let values = self.bars.iter().map(|(label, life, value)| {
            format!("{label}, {} connections: {}", life.name(), (self.shown)(*value))
        });
        let description = values.collect::<Vec<_>>().join("; ");
        let head = Head { title: self.title, description: &description, style: "" };
        Some(svg.into_picture(WIDTH, y + 6.0, &head))
    }
}

/// Latency by percentile, both on scales that show the tail: a tenth of what is left at each step to the right, a
/// tenfold latency at each step up.
pub(super) struct Percentiles<'a> {
    pub(super) title: &'a str,
    pub(super) curves: Vec<(Life, &'a Histogram)>,
    /// The latencies that the scale has to show, so that plots of several servers can be compared.
    pub(super) range: (Duration, Duration),
}

const PLOT: (f64, f64) = (56.0, 34.0);
const PLOT_SIZE: (f64, f64) = (360.0, 220.0);
/// The percentiles with a line, and their names.
const TICKS: [(f64, &str); 5] = [(0.0, "0"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9 %")];
/// What is to the right of the last line, in steps of a tenth.
const MOST_NINES: f64 = 3.4;

impl Percentiles<'_> {
    pub(super) fn draw(&self) -> String {
        let mut svg = Svg::new();
        svg.text((0.0, 16.0), "title", self.title);
        self.axes(&mut svg);
        for (life, histogram) in &self.curves {
            let points = self.points(histogram);
            svg.path(&points, false, &format!("curve {}-line", life.name()));
        }
        // Inside the frame, where no curve is: up on the left, as latencies rise to the right.
        for (index, (life, _)) in self.curves.iter().enumerate() {
            let y = PLOT.1 + 10.0 + 18.0 * index as f64;
            svg.rectangle((PLOT.0 + 10.0, y), (12.0, 12.0), 2.0, life.name());
            svg.text((PLOT.0 + 28.0, y + 10.0), "value", life.name());
        }
        let values = self.curves.iter().map(|(life, histogram)| {
            let at = |fraction| time(histogram.quantile(fraction));
            let name = life.name();
            format!(
                "{name} connections: half within {}, 99 % within {}, all within {}",
                at(0.5),
                at(0.99),
                at(1.0)
            )
        });
        let description = values.collect::<Vec<_>>().join("; ");
        let head = Head { title: self.title, description: &description, style: "" };
        svg.into_picture(WIDTH, PLOT.1 + PLOT_SIZE.1 + 40.0, &head)
    }

    fn axes(&self, svg: &mut Svg) {
        let (left, right) = (PLOT.0, PLOT.0 + PLOT_SIZE.0);
        let (top, bottom) = (PLOT.1, PLOT.1 + PLOT_SIZE.1);
        for (fraction, name) in TICKS {
            let x = x_of(fraction);
            svg.line((x, top), (x, bottom), "grid");
            svg.text((x, bottom + 16.0), "quiet middle", name);
        }
        svg.text((f64::midpoint(left, right), bottom + 34.0), "quiet middle", "percentile of requests");
        let (least, most) = self.decades();
        for decade in least..=most {
            let y = self.y_of(Duration::from_nanos(10u64.pow(decade)));
            svg.line((left, y), (right, y), "grid");
            svg.text((left - 8.0, y + 4.0), "quiet end", &round_time(decade));
        }
    }

    /// The powers of ten, in nanoseconds, around the range.
    fn decades(&self) -> (u32, u32) {
        let exponent = |duration: Duration| (duration.as_nanos().max(1) as f64).log10();
        let least = exponent(self.range.0).floor() as u32;
        let most = (exponent(self.range.1).ceil() as u32).clamp(least + 1, 19);
        (least.min(18), most)
    }

    fn y_of(&self, duration: Duration) -> f64 {
        let (least, most) = self.decades();
        let exponent = (duration.as_nanos().max(1) as f64).log10();
        let part = (exponent - f64::from(least)) / f64::from(most - least);
        PLOT.1 + PLOT_SIZE.1 * (1.0 - part.clamp(0.0, 1.0))
    }

    /// A step at each value: so many requests were no slower.
    fn points(&self, histogram: &Histogram) -> Vec<(f64, f64)> {
        let all = histogram.count() as f64;
        let mut points = Vec::new();
        let mut x = x_of(0.0);
        for (duration, seen) in histogram.steps() {
            let y = self.y_of(duration);
            points.push((x, y));
            x = x_of(seen as f64 / all);
            points.push((x, y));
        }
        points
    }
}

/// The place of a percentile: as far as there are nines in it.
fn x_of(fraction: f64) -> f64 {
    let nines = if fraction < 1.0 { -(1.0 - fraction).log10() } else { MOST_NINES };
    PLOT.0 + nines.min(MOST_NINES) / MOST_NINES * PLOT_SIZE.0
}

/// `100 µs`: a power of ten nanoseconds.
fn round_time(exponent: u32) -> String {
    let units = ["ns", "µs", "ms", "s"];
    let unit = (exponent / 3).min(3);
    format!("{} {}", grouped(10u64.pow(exponent - unit * 3)), units[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Option<String> {
        let lives = [Life::Short, Life::Long];
        let bars = values.iter().zip(lives).map(|(value, life)| ("a & b", life, *value)).collect();
        Bars { title: "rate <1>", bars, shown: |value| format!("{value:.1}") }.draw()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let picture = bars(&[25.0, 100.0]).unwrap();
        assert!(picture.contains("width=\"70\" height=\"18\" rx=\"2\" class=\"short\""), "{picture}");
        assert!(picture.contains("width=\"280\" height=\"18\" rx=\"2\" class=\"long\""), "{picture}");
        assert!(picture.contains("a &amp; b") && picture.contains("rate &lt;1&gt;"), "{picture}");
        assert!(
            picture.contains(
                "<desc>a &amp; b, short connections: 25.0; a &amp; b, long connections: 100.0</desc>"
            )
        );
    }

    #[test]
    fn nothing_is_no_plot_and_zero_is_one() {
        assert_eq!(bars(&[]), None);
        assert!(bars(&[0.0, 0.0]).unwrap().contains("width=\"1\""));
    }

    #[test]
    fn each_nine_is_one_step_to_the_right() {
        let places: Vec<f64> = [0.0, 0.9, 0.99, 0.999].map(x_of).to_vec();
        let steps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-6 && *step > 50.0), "{steps:?}");
        assert!(x_of(1.0) <= PLOT.0 + PLOT_SIZE.0);
    }

    #[test]
    fn curves_rise_inside_the_frame() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|value| histogram.record(Duration::from_micros(value)));
        let range = (Duration::from_micros(1), Duration::from_millis(1));
        let plot = Percentiles { title: "x", curves: vec![(Life::Short, &histogram)], range };
        let points = plot.points(&histogram);
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 >= pair[1].1));
        let inside = |(x, y): &(f64, f64)| {
            (PLOT.0..=PLOT.0 + PLOT_SIZE.0).contains(x) && (PLOT.1..=PLOT.1 + PLOT_SIZE.1).contains(y)
        };
        assert!(points.iter().all(inside), "{points:?}");
        let picture = plot.draw();
        assert!(
            picture.contains("10 µs") && picture.contains("1 ms") && picture.contains("99.9 %"),
            "{picture}"
        );
        assert!(picture.contains("half within 500 µs") || picture.contains("half within 50"), "{picture}");
    }

    #[test]
    fn a_range_of_nothing_still_has_a_scale() {
        let empty = Histogram::new();
        let range = (Duration::ZERO, Duration::ZERO);
        let picture = Percentiles { title: "x", curves: vec![(Life::Long, &empty)], range }.draw();
        assert!(picture.contains("1 ns") && picture.contains("10 ns"), "{picture}");
    }
}
