//! As much of Rust as the rules need: code without comments and strings, the paths it names, the functions it has.

/// A path as it is written, and the line it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    /// `["crate", "net", "os"]`; a group is taken apart, so each of its members is one of these.
    pub segments: Vec<String>,
}

/// A function, from the line with its `fn` to the one that closes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub line: usize,
    pub name: String,
    pub lines: usize,
}

/// Blanks comments, strings and characters; lines stay where they are.
pub fn code(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < text.len() {
        let end = match text[at..] {
            ['/', '/', ..] => line_end(&text, at),
            ['/', '*', ..] => comment_end(&text, at),
            ['"', ..] => string_end(&text, at),
            ['r', '"' | '#', ..] if !code.ends_with(is_name_except_prefix) => raw_string_end(&text, at),
            ['\'', '\\', ..] => 1 + position(&text, at + 3, '\''),
            ['\'', _, '\'', ..] => at + 3,
            _ => at,
        };
        if end == at {
            code.push(text[at]);
            at += 1;
        }
        while at < end {
            code.push(if text[at] == '\n' { '\n' } else { ' ' });
            at += 1;
        }
    }
    code
}

/// Blanks what follows each `#[cfg(test)]`, up to the end of that item.
pub fn without_tests(code: &str) -> String {
    let mut rest = code.to_owned();
    while let Some(start) = rest.find("#[cfg(test)]") {
        let body = start + rest[start..].find(['{', ';']).unwrap_or(rest.len() - start - 1);
        let end = if rest[body..].starts_with('{') { block_end(&rest, body) } else { body + 1 };
        let blank: String = rest[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        rest.replace_range(start..end, &blank);
    }
    rest
}

/// Every path that starts at one of `roots`, in imports and in expressions alike.
pub fn paths(code: &str, roots: &[&str]) -> Vec<Named> {
    let mut found = Vec::new();
    for (at, name) in names(code) {
        let inside = code[..at].ends_with("::");
        if !inside && roots.contains(&name) && code[at + name.len()..].starts_with("::") {
            let mut tails = Vec::new();
            tree(&code[at..], &[], &mut tails);
            let line = line_of(code, at);
            found.extend(tails.into_iter().map(|segments| Named { line, segments }));
        }
    }
    found
}

/// Every function with a body.
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in names(code).filter(|(_, name)| *name == "fn") {
        let Some((name_at, name)) = names(&code[at + 2..]).next() else { continue };
        // A function's type (`fn(u8) -> u8`) has no name, and a declaration no body.
        let between = &code[at + 2..at + 2 + name_at];
        let Some(body) = code[at..].find(['{', ';']).map(|offset| at + offset) else { continue };
        if between.trim().is_empty() && code[body..].starts_with('{') {
            let lines = code[at..block_end(code, body)].matches('\n').count() + 1;
            found.push(Function { line: line_of(code, at), name: name.to_owned(), lines });
        }
    }
    found
}

/// The lines on which `word` stands, as a whole.
pub fn lines_with(code: &str, word: &str) -> Vec<usize> {
    names(code).filter(|(_, name)| *name == word).map(|(at, _)| line_of(code, at)).collect()
}

/// The lines on which a module is opened in place, instead of in a file of its own.
pub fn inline_modules(code: &str) -> Vec<usize> {
    let opens = |at: usize| code[at..].find(['{', ';']).is_some_and(|end| code[at + end..].starts_with('{'));
    names(code).filter(|(at, name)| *name == "mod" && opens(*at)).map(|(at, _)| line_of(code, at)).collect()
}

/// Reads `a::b::{c, d::*}` into `found`, one entry for each leaf. Returns how much of the text that was.
fn tree(text: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if text[at..].starts_with('{') {
            let end = block_end(text, at);
            at += 1;
            while at < end - 1 {
                at += tree(&text[at..end - 1], &path, found);
                at += text[at..end - 1].find(',').map_or(end - 1 - at, |comma| comma + 1);
            }
            return end;
        }
        let name = text[at..].split(|c: char| !is_name(c)).next().unwrap_or_default();
        if name.is_empty() {
            break;
        }
        path.push(name.to_owned());
        at += name.len();
        let Some(after) = text[at..].trim_start().strip_prefix("::") else { break };
        at = text.len() - after.len();
    }
    if path.len() > before.len() || text[at..].starts_with('*') {
        found.push(path);
    }
    at
}

fn names(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    code.split_inclusive(|c: char| !is_name(c)).filter_map(move |piece| {
        let start = at;
        at += piece.len();
        let name = piece.trim_end_matches(|c: char| !is_name(c));
        (!name.is_empty()).then_some((start, name))
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `br"…"` and `cr"…"` are raw strings too; `for"` is none.
fn is_name_except_prefix(c: char) -> bool {
    is_name(c) && c != 'b' && c != 'c'
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Where the block that opens at `open` is closed: behind its last brace.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

fn position(text: &[char], from: usize, wanted: char) -> usize {
    (from..text.len()).find(|&at| text[at] == wanted).unwrap_or(text.len() - 1)
}

fn line_end(text: &[char], at: usize) -> usize {
    (at..text.len()).find(|&at| text[at] == '\n').unwrap_or(text.len())
}

fn comment_end(text: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn string_end(text: &[char], mut at: usize) -> usize {
    at += 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// `at` itself if that is no string: `r#type`, or an `r` at the start of a name.
fn raw_string_end(text: &[char], at: usize) -> usize {
    let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return at;
    }
    let closes = |end: &usize| text[*end] == '"' && text[end + 1..].iter().take(hashes).all(|c| *c == '#');
    (open + 1..text.len()).find(closes).map_or(text.len(), |end| end + 1 + hashes)
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let source =
        "a // crate::b\n/* x /* y */ z\n*/ \"crate::\\\" c\" 'd' '\\'' '\\u{1F}' 'life r#\"e\"f\"# g";
    let blanked = code(source);
    assert_eq!(blanked.split_whitespace().collect::<Vec<_>>(), ["a", "'life", "g"]);
    assert_eq!(blanked.lines().count(), 3, "lines stay where they are");
    let literals = code("br\"x\" r\"y\" for_r r#type b'\"' z");
    assert_eq!(literals.split_whitespace().collect::<Vec<_>>(), ["b", "for_r", "r#type", "b", "z"]);
}

#[test]
fn paths_are_found_in_groups_and_in_expressions() {
    let code = "use crate::a::{self, b::{C, D as E}, f::*};\nuse super::super::g;\nlet x = crate::h::i(my_crate::j);";
    let found: Vec<_> = paths(code, &["crate", "super"])
        .into_iter()
        .map(|named| format!("{} {}", named.line, named.segments.join("::")))
        .collect();
    let expected = [
        "1 crate::a::self",
        "1 crate::a::b::C",
        "1 crate::a::b::D",
        "1 crate::a::f",
        "2 super::super::g",
        "3 crate::h::i",
    ];
    assert_eq!(found, expected);
    assert_eq!(paths("use crate::*;", &["crate"])[0].segments, ["crate"]);
    assert_eq!(paths("use crate::{\n    a::B,\n    c,\n};", &["crate"]).len(), 2);
}

#[test]
fn tests_are_left_out() {
    let code =
        "use a;\n#[cfg(test)]\nmod tests {\n    use b;\n    fn c() {}\n}\n#[cfg(test)]\nuse d;\nfn e() {}";
    let rest = without_tests(code);
    assert_eq!(rest.split_whitespace().collect::<Vec<_>>(), ["use", "a;", "fn", "e()", "{}"]);
    assert_eq!(lines_with(&rest, "fn"), [9]);
    assert_eq!((inline_modules(code), inline_modules(&rest)), (vec![3], vec![]));
    assert!(inline_modules("mod a;\nfn b() {}").is_empty());
}

#[test]
fn functions_are_measured() {
    let code = "trait A {\n    fn declared(&self);\n    fn of(f: fn(u8) -> u8) -> u8 {\n        f(0)\n    }\n}\nfn b() {}";
    let expected =
        [Function { line: 3, name: "of".into(), lines: 3 }, Function { line: 7, name: "b".into(), lines: 1 }];
    assert_eq!(functions(code), expected);
}
