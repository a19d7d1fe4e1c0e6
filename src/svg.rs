//! SVG, written: elements with attributes, and text that cannot break out of them.
//!
//! Colours and fonts belong to classes, which a style sheet in the picture defines for light and for dark surroundings.

use std::fmt::{self, Display, Write};

/// A picture, or a part of one, that grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Svg {
    body: String,
}

impl Svg {
    /// An empty one.
    pub(crate) fn new() -> Svg {
        Svg::default()
    }

    /// An element without content.
    pub(crate) fn element(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.open(name, attributes);
        self.body.truncate(self.body.len() - 1);
        self.body.push_str("/>\n");
    }

    /// An element with text in it.
    pub(crate) fn with_text(&mut self, name: &str, attributes: &[(&str, &dyn Display)], text: &str) {
        self.open(name, attributes);
        self.put(format_args!("{}</{name}>\n", Escaped(text)));
    }

    /// Text at a point, in a class.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        self.with_text("text", &[("x", &Number(x)), ("y", &Number(y)), ("class", &class)], text);
    }

    /// A line between two points, in a class.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let (x1, y1, x2, y2) = (Number(from.0), Number(from.1), Number(to.0), Number(to.1));
        self.element("line", &[("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2), ("class", &class)]);
    }

    /// A rectangle with round corners.
    pub(crate) fn rectangle(&mut self, corner: (f64, f64), size: (f64, f64), round: f64, class: &str) {
        let (x, y, width, height) = (Number(corner.0), Number(corner.1), Number(size.0), Number(size.1));
        let rx = Number(round);
        self.element(
            "rect",
            &[("x", &x), ("y", &y), ("width", &width), ("height", &height), ("rx", &rx), ("class", &class)],
        );
    }

    /// Straight lines from point to point; the class says whether they are filled.
    pub(crate) fn path(&mut self, points: &[(f64, f64)], closed: bool, class: &str) {
        let mut data = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            write!(data, "{command}{} {}", Number(*x), Number(*y)).expect("a String takes everything");
        }
        if closed {
            data.push('Z');
        }
        self.element("path", &[("d", &data), ("class", &class)]);
    }

    /// This, and `later` over it.
    pub(crate) fn followed_by(mut self, later: &Svg) -> Svg {
        self.body.push_str(&later.body);
        self
    }

    /// What was drawn so far, as a file of its own.
    pub(crate) fn into_file(self, width: f64, height: f64, head: &Head<'_>) -> String {
        let picture = self.into_picture(width, height, head);
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{picture}")
    }

    /// The same as an element of a page.
    pub(crate) fn into_picture(self, width: f64, height: f64, head: &Head<'_>) -> String {
        let mut out = Svg::new();
        let view = format!("0 0 {} {}", Number(width), Number(height));
        let (width, height) = (Number(width), Number(height));
        let namespace = "http://www.w3.org/2000/svg";
        out.open(
            "svg",
            &[
                ("xmlns", &namespace),
                ("width", &width),
                ("height", &height),
                ("viewBox", &view),
                ("role", &"img"),
            ],
        );
        out.with_text("title", &[], head.title);
        out.with_text("desc", &[], head.description);
        if !head.style.is_empty() {
            out.put(format_args!("<style>\n{}</style>\n", head.style));
        }
        out.body.push_str(&self.body);
        out.body.push_str("</svg>\n");
        out.body
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.put(format_args!("<{name}"));
        for (key, value) in attributes {
            self.put(format_args!(" {key}=\"{}\"", Escaped(&value.to_string())));
        }
        self.body.push('>');
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        self.body.write_fmt(text).expect("a String takes everything");
    }
}

/// What a picture says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// What it shows.
    pub(crate) title: &'a str,
    /// The same at more length.
    pub(crate) description: &'a str,
    /// A style sheet of our own making, which is not escaped; empty where the page has one.
    pub(crate) style: &'a str,
}

/// A coordinate with one decimal, if it needs any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        // What is no number has no place; and there is no minus zero.
        let tenths = if tenths.is_finite() && tenths != 0.0 { tenths } else { 0.0 };
        if tenths % 10.0 == 0.0 {
            write!(f, "{:.0}", tenths / 10.0)
        } else {
            write!(f, "{:.1}", tenths / 10.0)
        }
    }
}

/// Text as XML has it: markup escaped, and a mark for characters that XML 1.0 does not allow at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                '\t' | '\n' | '\r' => f.write_char(' '),
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}'),
                other => f.write_char(other),
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut svg = Svg::new();
        svg.text((1.0, 2.5), "a\"b", "</text><script>&'\0\u{ffff}");
        assert_eq!(
            svg.body,
            "<text x=\"1\" y=\"2.5\" class=\"a&quot;b\">&lt;/text&gt;&lt;script&gt;&amp;&#39;\u{fffd}\u{fffd}</text>\n"
        );
    }

    #[test]
    fn numbers_are_short_and_always_numbers() {
        let shown =
            [1.0, 1.04, 1.26, -0.01, -2.5, 1e6, f64::NAN, f64::INFINITY].map(|n| Number(n).to_string());
        assert_eq!(shown, ["1", "1", "1.3", "0", "-2.5", "1000000", "0", "0"]);
    }

    #[test]
    fn a_file_has_a_title_for_those_who_do_not_see_it() {
        let mut svg = Svg::new();
        svg.path(&[(0.0, 0.0), (3.0, 4.0)], true, "head");
        let file = svg.into_file(10.0, 20.5, &Head { title: "A & B", description: "both", style: ".a{}\n" });
        assert_eq!(
            file,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"20.5\" viewBox=\"0 0 10 20.5\" \
             role=\"img\"><title>A &amp; B</title>\n<desc>both</desc>\n<style>\n.a{}\n</style>\n\
             <path d=\"M0 0L3 4Z\" class=\"head\"/>\n</svg>\n"
        );
    }
}
