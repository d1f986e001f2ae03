//! A configuration as lines of words.
//!
//! ```text
//! backend http://10.0.0.7:9000 weight=3   # a comment, from a # that begins a word
//! access-log "/var/log/with a space.log"  # quoted: \" and \\ stand for themselves
//! ```
//!
//! A line is a word and its values, separated by spaces or tabs; an empty line means nothing. A
//! value with a space, a leading `#` or a `"` must be quoted as a whole. There are no continuation
//! lines and no variables: a line means what it says.

/// The words of a line, without comment and quotes; none for an empty line. The error says what is
/// wrong with the form.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(is_space);
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => bare(rest)?,
        };
        if let Some(control) = word.chars().find(|letter| letter.is_control()) {
            return Err(format!("a control character, {}", control.escape_default()));
        }
        words.push(word);
        rest = after.trim_start_matches(is_space);
    }
    Ok(words)
}

/// Writes a value so that [`split`] reads it back.
pub(super) fn quote(value: &str) -> String {
    if !value.is_empty() && !value.starts_with('#') && !value.contains([' ', '\t', '"']) {
        return value.to_string();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t')
}

fn bare(text: &str) -> Result<(String, &str), String> {
    let (word, rest) = text.split_at(text.find(is_space).unwrap_or(text.len()));
    if word.contains('"') {
        return Err(format!("{word}: a quote in a word, quote the whole of it"));
    }
    Ok((word.to_string(), rest))
}

/// The text between the quotes, and what follows them.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                let rest = letters.as_str();
                return match rest.is_empty() || rest.starts_with(is_space) {
                    true => Ok((word, rest)),
                    false => Err(format!("no space behind the quoted {word:?}")),
                };
            }
            '\\' => match letters.next() {
                Some(escaped @ ('"' | '\\')) => word.push(escaped),
                _ => return Err("a \\ in quotes that is neither \\\" nor \\\\".into()),
            },
            _ => word.push(letter),
        }
    }
    Err("a quote that is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_words_without_quotes_and_comment() {
        let table: [(&str, &[&str]); 9] = [
            ("", &[]),
            (" \t ", &[]),
            ("# all of it", &[]),
            ("listen :80", &["listen", ":80"]),
            ("\tlisten  :80 # why", &["listen", ":80"]),
            ("route /a#b x", &["route", "/a#b", "x"]),
            (r##"a "#b" """##, &["a", "#b", ""]),
            (r#"a "b \"c\" \\ d"#, &[]),
            (r#"a "b \"c\" \\ d""#, &["a", "b \"c\" \\ d"]),
        ];
        for (line, words) in table {
            assert_eq!(split(line).unwrap_or_default(), words, "{line}");
        }
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        let table = [
            (r#"a "b"#, "a quote that is not closed"),
            (r#"a "b"c"#, "no space behind the quoted \"b\""),
            (
                r#"a b"c""#,
                "b\"c\": a quote in a word, quote the whole of it",
            ),
            (r#"a "\n""#, "a \\ in quotes that is neither \\\" nor \\\\"),
            ("a b\u{0}", "a control character, \\u{0}"),
            ("a\rb", "a control character, \\r"),
        ];
        for (line, why) in table {
            assert_eq!(split(line), Err(why.to_string()), "{line}");
        }
    }

    #[test]
    fn what_is_quoted_is_read_as_it_was() {
        for value in ["", "a", "a b", "#a", "a#", "\"", "\\", "\\ \"", "é"] {
            assert_eq!(split(&quote(value)), Ok(vec![value.to_string()]), "{value}");
        }
    }
}
