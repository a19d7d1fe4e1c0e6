//! Tokens as text that a person would write.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One line, spaced as rustfmt does it in signatures.
pub(crate) fn line(tokens: TokenStream) -> String {
    let mut words = Vec::new();
    collect(tokens, &mut words);
    let mut text = String::new();
    let mut before = "";
    for (index, word) in words.iter().enumerate() {
        // On one line rustfmt leaves no comma in front of a closing bracket.
        let next = words.get(index + 1).map_or("", String::as_str);
        if word == "," && [")", ">", "]", "}"].contains(&next) {
            continue;
        }
        if wants_space(before, word) {
            text.push(' ');
        }
        text.push_str(word);
        before = word;
    }
    text
}

/// Identifiers, literals and brackets, and of punctuation what belongs together.
fn collect(tokens: TokenStream, words: &mut Vec<String>) {
    let mut joint = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                joint.push(punct.as_char());
                if [":", "-", "=", ".", "'"].contains(&joint.as_str())
                    && punct.spacing() == proc_macro2::Spacing::Joint
                {
                    continue;
                }
                words.push(std::mem::take(&mut joint));
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.to_owned());
                collect(group.stream(), words);
                words.push(close.to_owned());
            }
            // A lifetime is a quotation mark and a word.
            other => words.push(std::mem::take(&mut joint) + &other.to_string()),
        }
    }
}

fn wants_space(before: &str, word: &str) -> bool {
    let is_word = |text: &str| text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
    match (before, word) {
        ("+", _) => true,
        ("" | "(" | "[" | "<" | "&" | "::" | "#" | "*" | "!" | "?" | ".", _) => false,
        (_, ")" | "]" | ">" | "," | ";" | ":" | "::" | "?" | "<" | "" | ".") => false,
        (_, "(" | "[") => {
            before.starts_with('\'')
                || matches!(before, "," | "->" | ":" | "=" | "+" | "for" | "mut" | "dyn" | ";")
        }
        (">", next) => is_word(next) || matches!(next, "+" | "=" | "->" | "{" | "}"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_look_as_they_do_in_the_sources() {
        for signature in [
            "fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<TcpStream>",
            "fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()>",
            "fn with<R>(&self, f: impl FnOnce(&mut Stack) -> R) -> R",
            "fn pair(mtu: usize) -> (PairEnd, PairEnd)",
            "fn keys<'a>() -> &'a [u8; 16]",
            "fn each<'a, T: 'a + ?Sized>(from: &'a T) -> Box<dyn Fn(u8) + Send + 'a> where T: Iterator<Item = u8>",
            "type Visitor<'a> = dyn FnMut(&'static str, u64) + 'a",
        ] {
            assert_eq!(line(signature.parse().unwrap()), signature);
        }
    }
}
