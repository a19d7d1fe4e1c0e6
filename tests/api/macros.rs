//! `macro_rules!`, as far as the sources make items with it: one rule, any fragments, repetitions.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What the macro `definition` makes of `input`. `None` if its first rule does not match, as it then has others.
pub(crate) fn expand(definition: TokenStream, input: TokenStream) -> Option<TokenStream> {
    let rule: Vec<TokenTree> = definition.into_iter().collect();
    let [TokenTree::Group(pattern), _, _, TokenTree::Group(body), ..] = &rule[..] else { return None };
    let mut bound = HashMap::new();
    let input: Vec<TokenTree> = input.into_iter().collect();
    let rest = match_all(&parse(pattern.stream()), &input, &mut bound)?;
    rest.is_empty().then(|| transcribe(&parse(body.stream()), &bound, &[]))
}

/// A part of a rule, of either side.
enum Part {
    Token(TokenTree),
    Group(Delimiter, Vec<Part>),
    /// `$name:fragment`, or `$name` in the body.
    Variable(String, String),
    /// `$( … ) separator`, with any of `*`, `+` and `?`.
    Repeat(Vec<Part>, Option<TokenTree>),
}

/// What a variable stands for; within a repetition one for each turn.
enum Binding {
    One(TokenStream),
    Many(Vec<Binding>),
}

fn parse(tokens: TokenStream) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Group(group)) => {
                    let operator = |token: &TokenTree| is_punct(token, "*+?");
                    let separator = tokens.next_if(|token| !operator(token));
                    tokens.next_if(operator).expect("a repetition ends with *, + or ?");
                    parts.push(Part::Repeat(parse(group.stream()), separator));
                }
                Some(TokenTree::Ident(name)) if name == "crate" => {
                    parts.push(Part::Token(TokenTree::Ident(name)));
                }
                Some(TokenTree::Ident(name)) => {
                    let mut fragment = String::new();
                    // In a body a colon behind a variable belongs to the text: no fragment's name follows there.
                    let mut ahead = tokens.clone();
                    if ahead.next().is_some_and(|token| is_punct(&token, ":"))
                        && let Some(TokenTree::Ident(kind)) = ahead.next()
                        && FRAGMENTS.contains(&kind.to_string().as_str())
                    {
                        fragment = kind.to_string();
                        tokens = ahead;
                    }
                    parts.push(Part::Variable(name.to_string(), fragment));
                }
                other => panic!("{other:?} behind a dollar"),
            },
            TokenTree::Group(group) => parts.push(Part::Group(group.delimiter(), parse(group.stream()))),
            token => parts.push(Part::Token(token)),
        }
    }
    parts
}

const FRAGMENTS: &[&str] = &["ident", "literal", "tt", "ty", "expr", "path", "vis", "lifetime"];

fn is_punct(token: &TokenTree, any_of: &str) -> bool {
    matches!(token, TokenTree::Punct(punct) if any_of.contains(punct.as_char()))
}

/// Matches as much of `input` as `parts` want; what is left of it.
fn match_all<'a>(
    parts: &[Part],
    mut input: &'a [TokenTree],
    bound: &mut HashMap<String, Binding>,
) -> Option<&'a [TokenTree]> {
    for (index, part) in parts.iter().enumerate() {
        input = match part {
            Part::Token(token) => {
                let (first, rest) = input.split_first()?;
                (first.to_string() == token.to_string()).then_some(rest)?
            }
            Part::Group(delimiter, inner) => match input.split_first()? {
                (TokenTree::Group(group), rest) if group.delimiter() == *delimiter => {
                    let tokens: Vec<_> = group.stream().into_iter().collect();
                    match_all(inner, &tokens, bound)?.is_empty().then_some(rest)?
                }
                _ => return None,
            },
            Part::Variable(name, fragment) => {
                let len = fragment_len(fragment, input, parts.get(index + 1))?;
                let (taken, rest) = input.split_at(len);
                bound.insert(name.clone(), Binding::One(taken.iter().cloned().collect()));
                rest
            }
            Part::Repeat(inner, separator) => match_repeated(inner, separator.as_ref(), input, bound),
        };
    }
    Some(input)
}

/// How many tokens a fragment takes: those that have no fixed number end where the text behind them begins.
fn fragment_len(fragment: &str, input: &[TokenTree], next: Option<&Part>) -> Option<usize> {
    match (fragment, input.first()?) {
        ("ident", TokenTree::Ident(_)) | ("literal", TokenTree::Literal(_)) | ("tt", _) => Some(1),
        ("ident" | "literal", _) => None,
        _ => {
            let Some(Part::Token(end)) = next else { return Some(input.len()) };
            Some(input.iter().position(|token| token.to_string() == end.to_string()).unwrap_or(input.len()))
        }
    }
}

fn match_repeated<'a>(
    inner: &[Part],
    separator: Option<&TokenTree>,
    mut input: &'a [TokenTree],
    bound: &mut HashMap<String, Binding>,
) -> &'a [TokenTree] {
    let mut turns: Vec<HashMap<String, Binding>> = Vec::new();
    loop {
        let mut at = input;
        if let (Some(separator), false) = (separator, turns.is_empty()) {
            match at.split_first() {
                Some((first, rest)) if first.to_string() == separator.to_string() => at = rest,
                _ => break,
            }
        }
        let mut turn = HashMap::new();
        match match_all(inner, at, &mut turn) {
            Some(rest) if rest.len() < at.len() => input = rest,
            _ => break,
        }
        turns.push(turn);
    }
    for name in variables(inner) {
        let each = turns.iter_mut().filter_map(|turn| turn.remove(&name)).collect();
        bound.insert(name, Binding::Many(each));
    }
    input
}

fn variables(parts: &[Part]) -> Vec<String> {
    let names = parts.iter().flat_map(|part| match part {
        Part::Token(_) => Vec::new(),
        Part::Variable(name, _) => vec![name.clone()],
        Part::Group(_, inner) | Part::Repeat(inner, _) => variables(inner),
    });
    names.collect()
}

/// The text of `parts`, in the turns `at` of the repetitions around them.
fn transcribe(parts: &[Part], bound: &HashMap<String, Binding>, at: &[usize]) -> TokenStream {
    let mut made = TokenStream::new();
    for part in parts {
        match part {
            Part::Token(token) => made.extend([token.clone()]),
            Part::Group(delimiter, inner) => {
                let group = Group::new(*delimiter, transcribe(inner, bound, at));
                made.extend([TokenTree::Group(group)]);
            }
            Part::Variable(name, _) => match value(bound, name, at) {
                Some(Binding::One(tokens)) => made.extend(tokens.clone()),
                _ => panic!("${name} is not bound here"),
            },
            Part::Repeat(inner, separator) => {
                let turns = |name: String| match value(bound, &name, at)? {
                    Binding::Many(each) => Some(each.len()),
                    Binding::One(_) => None,
                };
                let turns = variables(inner).into_iter().filter_map(turns).max();
                let turns = turns.expect("a repetition has a variable that repeats");
                for turn in 0..turns {
                    made.extend(separator.clone().filter(|_| turn > 0));
                    made.extend(transcribe(inner, bound, &[at, &[turn]].concat()));
                }
            }
        }
    }
    made
}

/// The value of a variable in these turns; one that repeats less often is the same in all of the inner ones.
fn value<'a>(bound: &'a HashMap<String, Binding>, name: &str, at: &[usize]) -> Option<&'a Binding> {
    let mut binding = bound.get(name)?;
    for turn in at {
        match binding {
            Binding::One(_) => break,
            Binding::Many(each) => binding = each.get(*turn)?,
        }
    }
    Some(binding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(definition: &str, input: &str) -> Option<String> {
        expand(definition.parse().unwrap(), input.parse().unwrap()).map(|made| made.to_string())
    }

    #[track_caller]
    fn check(definition: &str, input: &str, expected: &str) {
        let expected: TokenStream = expected.parse().unwrap();
        assert_eq!(expanded(definition, input), Some(expected.to_string()));
    }

    #[test]
    fn variables_are_replaced_wherever_they_stand() {
        check("($kind:ident) => { impl $kind { fn f(x: $kind) {} } };", "S", "impl S { fn f(x: S) {} }");
        check(
            "($t:ty, |$x:ident| $e:expr) => { fn f($x: $t) { $e } };",
            "A<'_>, |h| &h.0",
            "fn f(h: A<'_>) { &h.0 }",
        );
    }

    #[test]
    fn repetitions_repeat_everything_in_them() {
        check("($($k:ident),+) => { $( impl T for $k {} )+ };", "A, B", "impl T for A {} impl T for B {}");
        let group =
            "($n:ident: $(#[doc = $h:literal] $f:ident,)*) => { struct $n { $( #[doc = $h] $f: u64, )* } };";
        check(
            group,
            "N: /// a\n a, /// b\n b,",
            "struct N { #[doc = \" a\"] a: u64, #[doc = \" b\"] b: u64, }",
        );
        check(
            "($p:ident; $($k:ident),*) => { $( fn $k(x: $p) {} )* };",
            "M; a, b",
            "fn a(x: M) {} fn b(x: M) {}",
        );
    }

    #[test]
    fn what_the_rule_does_not_match_is_not_expanded() {
        assert_eq!(expanded("($kind:ident) => { $kind };", "A, B"), None);
        assert_eq!(expanded("($kind:ident, now) => { $kind };", "A, later"), None);
    }
}
