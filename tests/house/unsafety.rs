//! `unsafe` stands in `sys` only, each use with its argument; C is declared in one file.

use std::collections::BTreeSet;

use crate::rust_code::{Code, Token};
use crate::{place, room};

/// The file that declares the C library's functions.
const ABI: &str = "sys/abi.rs";

/// What is wrong with the unsafe code of a file, its tests included.
pub fn unsafe_faults(name: &str, text: &str) -> Vec<String> {
    let code = Code::of(text);
    let tokens = code.tokens();
    let mut faults = Vec::new();
    let mut add = |token: &Token<'_>, fault: &str| {
        faults.push(format!("{}: {fault}", place(name, token.line)));
    };
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text);
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "unsafe" if room(name) != "sys" => add(token, "unsafe outside of src/sys"),
            "unsafe" if matches!(word(at + 1), "{" | "impl") && !is_argued(&code, &tokens, at) => {
                add(token, "no SAFETY line above");
            }
            "extern" if name != ABI => add(token, "C declared outside of src/sys/abi.rs"),
            "unsafe_code" if room(name) != "sys" && !is_denial(&tokens, at) => {
                add(token, "unsafe_code allowed outside of src/sys");
            }
            _ => {}
        }
    }
    faults
}

/// Whether a crate's first file denies unsafe code in all of the crate.
pub fn crate_denies_unsafe(text: &str) -> bool {
    let code = Code::of(text);
    let tokens = code.tokens();
    let mut words = tokens.iter().enumerate();
    words.any(|(at, token)| {
        let inner = at >= 5 && tokens[at - 5].text == "#" && tokens[at - 4].text == "!";
        token.text == "unsafe_code" && inner && is_denial(&tokens, at)
    })
}

/// `deny(unsafe_code)` or `forbid(unsafe_code)`.
fn is_denial(tokens: &[Token<'_>], at: usize) -> bool {
    at >= 2 && tokens[at - 1].text == "(" && matches!(tokens[at - 2].text, "deny" | "forbid")
}

/// Whether `// SAFETY: why` stands directly above the word or above the statement it belongs to.
fn is_argued(code: &Code, tokens: &[Token<'_>], at: usize) -> bool {
    let borders = [";", "{", "}", ",", "]"];
    let statement = tokens[..at].iter().rposition(|t| borders.contains(&t.text));
    let first = statement.map_or(0, |border| border + 1);
    [tokens[first].line, tokens[at].line]
        .iter()
        .any(|line| is_argued_above(code, *line))
}

fn is_argued_above(code: &Code, line: usize) -> bool {
    let lines: Vec<&str> = code.text.lines().collect();
    for above in (1..line).rev() {
        let comment = code.comments.iter().find(|(number, _)| *number == above);
        let alone = lines[above - 1].trim().is_empty();
        match comment {
            Some((_, comment)) if alone => {
                let argument = comment.strip_prefix("// SAFETY:");
                if argument.is_some_and(|why| !why.trim().is_empty()) {
                    return true;
                }
            }
            _ => return false,
        }
    }
    false
}

/// What is wrong with the table at the head of `sys`: each of its files has a row, which names the C
/// functions that the file calls and no other.
pub fn table_faults(index: &str, files: &[(&str, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in files {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let called: BTreeSet<&str> = code.split("abi::").skip(1).filter_map(call).collect();
        let mut rows = index.lines().filter_map(|line| line.strip_prefix("//! | "));
        let titled = |row: &&str| {
            row.trim_start_matches('[')
                .starts_with(&format!("`{name}`"))
        };
        let row = rows.find(titled);
        let Some(calls) = row.and_then(|row| row.split(" | ").nth(1)) else {
            faults.push(format!("src/sys/mod.rs: no row for {name}"));
            continue;
        };
        let told: BTreeSet<&str> = calls.split('`').skip(1).step_by(2).collect();
        if called != told {
            faults.push(format!("src/sys/mod.rs: {name} calls {called:?}"));
        }
    }
    faults
}

/// The name at the beginning of the text if it is a function that is called.
fn call(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    let (name, rest) = text.split_at(end);
    let is_function = name.starts_with(|first: char| first.is_lowercase());
    (is_function && rest.starts_with('(')).then_some(name)
}
