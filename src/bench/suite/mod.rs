//! What `scripts/bench.sh` has measured, as a table in Markdown and as a plot.
//!
//! A line is a figure: repetition, peer, work, name and value, with tabs between them. Lines that begin with `#` say on
//! which machine, and how.

mod plot;
mod table;

pub(crate) use plot::plot;
pub(crate) use table::markdown;

/// The figures of one run of the suite.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// What is known of the machine and the run, a line each.
    remarks: Vec<String>,
    /// In the order in which they came.
    peers: Vec<String>,
    figures: Vec<Figure>,
}

/// All repetitions of one figure.
#[derive(Clone, Debug, PartialEq)]
struct Figure {
    peer: String,
    work: String,
    name: String,
    /// Each with the number of its repetition.
    values: Vec<(u32, f64)>,
}

/// What is shown of several values.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Results {
    /// Reads what the script has written.
    ///
    /// # Errors
    /// The number of the first line that is none of a figure, in words.
    pub(crate) fn parse(text: &str) -> Result<Results, String> {
        let mut results = Results::default();
        for (index, line) in text.lines().enumerate() {
            if let Some(remark) = line.strip_prefix('#') {
                results.remarks.push(remark.trim().to_owned());
                continue;
            }
            let fields: Vec<&str> = line.split('\t').collect();
            let figure = match fields.as_slice() {
                [run, peer, work, name, value] => {
                    run.parse().ok().zip(value.parse().ok()).map(|value| ([*peer, *work, *name], value))
                }
                _ => None,
            };
            let (key, value) = figure.ok_or_else(|| {
                format!("line {}: not a repetition, a peer, a work, a name and a number", index + 1)
            })?;
            results.add(key, value);
        }
        Ok(results)
    }

    fn add(&mut self, [peer, work, name]: [&str; 3], value: (u32, f64)) {
        if !self.peers.iter().any(|known| known == peer) {
            self.peers.push(peer.to_owned());
        }
        let known = self.figures.iter_mut().find(|f| f.peer == peer && f.work == work && f.name == name);
        match known {
            Some(figure) => figure.values.push(value),
            None => self.figures.push(Figure {
                peer: peer.to_owned(),
                work: work.to_owned(),
                name: name.to_owned(),
                values: vec![value],
            }),
        }
    }

    /// Every repetition of a figure; none if it was not measured.
    fn values(&self, peer: &str, work: &str, name: &str) -> &[(u32, f64)] {
        let figure = self.figures.iter().find(|f| f.peer == peer && f.work == work && f.name == name);
        figure.map_or(&[], |figure| &figure.values)
    }

    fn spread(&self, peer: &str, work: &str, name: &str) -> Option<Spread> {
        Spread::of(self.values(peer, work, name).iter().map(|(_, value)| *value))
    }

    /// One peer's figure by another's: of the same repetition, as the machine was then the same to both.
    fn ratio(&self, (peer, other): (&str, &str), work: &str, name: &str) -> Option<Spread> {
        let (ours, theirs) = (self.values(peer, work, name), self.values(other, work, name));
        Spread::of(ours.iter().filter_map(|(run, ours)| {
            let (_, theirs) = theirs.iter().find(|(other, _)| other == run)?;
            Some(ours / theirs)
        }))
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Spread { least, median, most })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two peers with three repetitions, and a work that only one has done.
    pub(super) fn results() -> Results {
        let mut text = "# processor: test\n".to_owned();
        for (run, ours, theirs) in [(1, 30, 40), (2, 10, 20), (3, 36, 40)] {
            text += &format!("{run}\tlongwire\tdown\tgbit_per_s\t{ours}\n");
            text += &format!("{run}\tfloor\tdown\tgbit_per_s\t{theirs}\n");
            text += &format!("{run}\tlongwire\tlong\trequests_per_s\t{ours}000\n");
        }
        Results::parse(&text).unwrap()
    }

    #[test]
    fn the_median_has_as_many_above_as_below() {
        let spread = |values: &[f64]| {
            Spread::of(values.iter().copied()).map(|Spread { least, median, most }| (least, median, most))
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0]), Some((1.0, 2.5, 4.0)));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn ratios_are_of_repetitions_and_not_of_medians() {
        let ratio = results().ratio(("longwire", "floor"), "down", "gbit_per_s").unwrap();
        assert_eq!((ratio.least, ratio.median, ratio.most), (0.5, 0.75, 0.9));
        assert_eq!(results().ratio(("longwire", "floor"), "long", "requests_per_s"), None);
    }

    #[test]
    fn ratios_are_of_the_same_repetition_whatever_the_order() {
        let line = |run, peer, value| format!("{run}\t{peer}\tdown\tgbit_per_s\t{value}\n");
        let text =
            [line(1, "a", 1), line(1, "b", 2), line(2, "b", 8), line(2, "a", 2), line(3, "a", 9)].concat();
        let ratio = Results::parse(&text).unwrap().ratio(("a", "b"), "down", "gbit_per_s").unwrap();
        assert_eq!((ratio.least, ratio.most), (0.25, 0.5), "and b has no third");
    }

    #[test]
    fn a_line_that_is_no_figure_is_named() {
        for wrong in ["1\ta\tb\tc\n", "1\ta\tb\tc\tx\n", "x\ta\tb\tc\t1\n", "\n"] {
            let error = Results::parse(&format!("# remark\n{wrong}")).unwrap_err();
            assert!(error.starts_with("line 2"), "{error}");
        }
    }
}
