//! As much of Rust's lexer as a test needs that reads source: what is code, and what is a comment,
//! a string, a character or a test module.
//!
//! [`Code`] keeps every line where it was, so a token's line is the line in the file.

/// A file's code: comments, strings and characters are blanked, lifetimes are kept.
#[derive(Clone, Debug)]
pub struct Code {
    pub text: String,
    /// The line comments, each with its line, from 1.
    pub comments: Vec<(usize, String)>,
}

/// A word (or number, or lifetime), `::`, or one other letter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    pub line: usize,
    pub start: usize,
    pub text: &'a str,
}

impl Token<'_> {
    /// Whether it is a name or keyword: no number, no lifetime, no sign.
    pub fn is_word(&self) -> bool {
        let first = self.text.chars().next();
        first.is_some_and(|letter| letter.is_alphabetic() || letter == '_')
    }
}

impl Code {
    pub fn of(text: &str) -> Self {
        Lexer {
            letters: text.chars().collect(),
            at: 0,
            line: 1,
            code: String::new(),
            comments: Vec::new(),
        }
        .run()
    }

    /// The same with every `#[cfg(test)] mod name { ... }` blanked, wherever it stands.
    pub fn without_tests(&self) -> Self {
        let tokens = self.tokens();
        let mut text = self.text.clone();
        let mut at = 0;
        while at < tokens.len() {
            let end = test_module(&tokens, at);
            if let Some(end) = end {
                let range = tokens[at].start..tokens[end].start + tokens[end].text.len();
                let blank = |letter| if letter == '\n' { '\n' } else { ' ' };
                // A letter of several bytes becomes as many spaces, so that all else stays put.
                let blanked = text[range.clone()].bytes().map(char::from).map(blank);
                let blanked: String = blanked.collect();
                text.replace_range(range, &blanked);
            }
            at = end.unwrap_or(at) + 1;
        }
        let comments = self.comments.clone();
        Self { text, comments }
    }

    pub fn tokens(&self) -> Vec<Token<'_>> {
        let (mut tokens, mut line, mut start) = (Vec::new(), 1, 0);
        while let Some(first) = self.text[start..].chars().next() {
            let len = token_len(&self.text[start..]);
            let text = &self.text[start..start + len];
            if first == '\n' {
                line += 1;
            } else if !first.is_whitespace() {
                tokens.push(Token { line, start, text });
            }
            start += len;
        }
        tokens
    }
}

fn is_word_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// How many bytes the first token of a text has; the text is not empty.
fn token_len(text: &str) -> usize {
    let word = |text: &str| -> usize {
        let letters = text.chars().take_while(|letter| is_word_letter(*letter));
        letters.map(char::len_utf8).sum()
    };
    if text.starts_with("::") {
        return 2;
    }
    // `'a` is one token, and so is `r#type`.
    for prefix in ["'", "r#"] {
        let len = text.strip_prefix(prefix).map_or(0, word);
        if len > 0 {
            return prefix.len() + len;
        }
    }
    let one = text.chars().next().map_or(0, char::len_utf8);
    word(text).max(one)
}

/// The last token of the test module that begins at a token, if one does.
fn test_module(tokens: &[Token<'_>], from: usize) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let begins = ["#", "[", "cfg", "(", "test", ")", "]"];
    if !begins.iter().enumerate().all(|(i, t)| text(from + i) == *t) {
        return None;
    }
    let mut at = from + begins.len();
    while text(at) == "#" {
        at = closing(tokens, at + 1)? + 1;
    }
    if text(at) == "pub" {
        at += 1;
        if text(at) == "(" {
            at = closing(tokens, at)? + 1;
        }
    }
    let is_module = text(at) == "mod" && text(at + 2) == "{";
    is_module.then(|| closing(tokens, at + 2)).flatten()
}

/// The bracket that closes the one at a place.
fn closing(tokens: &[Token<'_>], from: usize) -> Option<usize> {
    let mut open = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.text {
            "{" | "(" | "[" => open += 1,
            "}" | ")" | "]" => open = open.checked_sub(1)?,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

struct Lexer {
    letters: Vec<char>,
    at: usize,
    line: usize,
    code: String,
    comments: Vec<(usize, String)>,
}

impl Lexer {
    fn run(mut self) -> Code {
        while self.at < self.letters.len() {
            match (self.letter(0), self.letter(1)) {
                ('/', '/') => self.line_comment(),
                ('/', '*') => self.block_comment(),
                ('"', _) => self.string(),
                ('\'', _) => self.quote(),
                (letter, _) if is_word_letter(letter) => self.word(),
                _ => self.keep(1),
            }
        }
        let (text, comments) = (self.code, self.comments);
        Code { text, comments }
    }

    /// The letter so many places on; NUL past the end.
    fn letter(&self, ahead: usize) -> char {
        self.letters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step(&mut self, count: usize, keep: bool) {
        for _ in 0..count.min(self.letters.len() - self.at) {
            let letter = self.letter(0);
            self.line += usize::from(letter == '\n');
            let kept = keep || letter == '\n';
            self.code.push(if kept { letter } else { ' ' });
            self.at += 1;
        }
    }

    fn keep(&mut self, count: usize) {
        self.step(count, true);
    }

    fn blank(&mut self, count: usize) {
        self.step(count, false);
    }

    fn ended(&self) -> bool {
        self.at == self.letters.len()
    }

    fn line_comment(&mut self) {
        let rest = &self.letters[self.at..];
        let comment: String = rest.iter().take_while(|letter| **letter != '\n').collect();
        let count = comment.chars().count();
        self.comments.push((self.line, comment));
        self.blank(count);
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while !self.ended() {
            match (self.letter(0), self.letter(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.blank(1);
                    continue;
                }
            }
            self.blank(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.blank(1);
        while !self.ended() && self.letter(0) != '"' {
            self.blank(if self.letter(0) == '\\' { 2 } else { 1 });
        }
        self.blank(1);
    }

    fn raw_string(&mut self, hashes: usize) {
        self.blank(1);
        let ends = |lexer: &Self| {
            lexer.letter(0) == '"' && (1..=hashes).all(|ahead| lexer.letter(ahead) == '#')
        };
        while !self.ended() && !ends(self) {
            self.blank(1);
        }
        self.blank(1 + hashes);
    }

    /// A character, `'x'` or `'\x'`, or else a lifetime.
    fn quote(&mut self) {
        if self.letter(1) == '\\' {
            self.blank(3);
            while !self.ended() && self.letter(0) != '\'' {
                self.blank(1);
            }
            self.blank(1);
        } else if self.letter(2) == '\'' {
            self.blank(3);
        } else {
            self.keep(1);
        }
    }

    /// A word, or a literal that a word introduces: `b"x"`, `c"x"`, `b'x'`, `r#"x"#`, `br"x"`.
    fn word(&mut self) {
        let rest = &self.letters[self.at..];
        let len = rest.iter().take_while(|l| is_word_letter(**l)).count();
        let word: String = rest[..len].iter().collect();
        let hashes = rest[len..].iter().take_while(|l| **l == '#').count();
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        match (word.as_str(), self.letter(len)) {
            ("b" | "c", '"') | ("b", '\'') => self.blank(len),
            _ if raw && self.letter(len + hashes) == '"' => {
                self.blank(len + hashes);
                self.raw_string(hashes);
            }
            _ => self.keep(len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let code = Code::of(text);
        let tokens = code.tokens();
        let words: Vec<&str> = tokens.iter().map(|token| token.text).collect();
        words.join(" ")
    }

    #[test]
    fn comments_strings_and_characters_are_blanked_and_lifetimes_are_kept() {
        for (text, kept) in [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            ("/// a \"quote\nb", "b"),
            ("a(\"b // c\", d)", "a ( , d )"),
            (r#"a("\"b\\", c)"#, "a ( , c )"),
            ("a(\"b \\\n  c\nd\") e", "a ( ) e"),
            ("a(b\"b\", c\"c\", d)", "a ( , , d )"),
            (r##"a(r"b\", c)"##, "a ( , c )"),
            (r###"a(r#"b"c"#, br##"d"#e"##) f"###, "a ( , ) f"),
            (r#"a('"', b'"', '\'', '\\', '\u{22}') b"#, "a ( , , , , ) b"),
            ("fn a<'b>(c: &'b d)", "fn a < 'b > ( c : & 'b d )"),
            ("'a: loop { break 'a }", "'a : loop { break 'a }"),
            ("a::<'b', 'c'>", "a :: < , >"),
            ("r#type br b r", "r#type br b r"),
            ("1..2 a.0.b 'é'", "1 . . 2 a . 0 . b"),
            ("a \"never closed", "a"),
            ("a /* never closed", "a"),
        ] {
            assert_eq!(words(text), kept, "{text}");
        }
    }

    #[test]
    fn every_token_keeps_its_line() {
        let text = "a /* \n */ \"\n\\\n\" b // \u{e9}\nr#\"\n\"# c\n";
        let code = Code::of(text);
        let tokens = code.tokens();
        let lines: Vec<_> = tokens
            .iter()
            .map(|token| (token.text, token.line))
            .collect();
        assert_eq!(lines, [("a", 1), ("b", 4), ("c", 6)]);
        assert_eq!(code.text.lines().count(), text.lines().count());
        assert_eq!(code.comments, [(4, "// \u{e9}".to_string())]);
    }

    #[test]
    fn a_test_module_is_left_out_wherever_it_stands_and_nothing_else_is() {
        for (text, kept) in [
            ("#[cfg(test)] mod a { b { } } c", "c"),
            (
                "a #[cfg(test)]\n#[rustfmt::skip]\npub(crate) mod b { '}' }\nc",
                "a c",
            ),
            (
                "#[cfg(test)] mod a { \"}\" /* } */ }\n#[cfg(test)] mod b {} c",
                "c",
            ),
            ("#[cfg(unix)] mod a { b }", "# [ cfg ( unix ) ] mod a { b }"),
            ("#[cfg(test)] mod a; b", "# [ cfg ( test ) ] mod a ; b"),
            ("mod tests { a }", "mod tests { a }"),
        ] {
            let code = Code::of(text).without_tests();
            let tokens = code.tokens();
            let words: Vec<&str> = tokens.iter().map(|token| token.text).collect();
            assert_eq!(words.join(" "), kept, "{text}");
            assert_eq!(code.text.matches('\n').count(), text.matches('\n').count());
        }
    }
}
