//! The paths that a file names, in `use` declarations of any shape and in the code.

use crate::rust_code::Token;

/// A path such as `crate::net::Conn` or `super::*`, or a single name. What stands in the braces of
/// a `use` is a path each.
#[derive(Debug)]
pub struct Path<'a> {
    pub line: usize,
    pub parts: Vec<&'a str>,
    /// The modules of the file around it, outermost first.
    pub inside: Vec<&'a str>,
    /// It says how far an item is visible, as in `pub(crate)`, and imports nothing.
    pub is_visibility: bool,
    /// It names a macro: a `!` follows.
    pub is_macro: bool,
}

/// Words that are no part of a path. (`crate`, `self`, `super` and `Self` are.)
const KEYWORDS: [&str; 34] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref",
    "return", "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while",
];

pub fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut walk = Walk {
        tokens,
        at: 0,
        depth: 0,
        modules: Vec::new(),
        found: Vec::new(),
    };
    while walk.at < tokens.len() {
        walk.step();
    }
    walk.found
}

/// The path from the crate's root: `net::conn::Conn` for `super::conn::Conn` in `net/pool.rs`.
/// `None` for what begins elsewhere: in std, or with a name that an import explains.
pub fn from_root<'a>(file: &'a str, path: &Path<'a>) -> Option<Vec<&'a str>> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Vec<&str> = stem.split('/').collect();
    module.retain(|name| !matches!(*name, "mod" | "lib" | "main"));
    module.extend(&path.inside);
    let mut rest = path.parts.as_slice();
    match rest {
        ["crate", tail @ ..] => (module, rest) = (Vec::new(), tail),
        ["self", tail @ ..] if !tail.is_empty() => rest = tail,
        ["super", ..] => {}
        _ => return None,
    }
    while let ["super", tail @ ..] = rest {
        module.pop();
        rest = tail;
    }
    module.extend(rest.iter().filter(|part| **part != "self"));
    Some(module)
}

struct Walk<'a, 'b> {
    tokens: &'b [Token<'a>],
    at: usize,
    depth: usize,
    /// Open inline modules, each with the depth of its braces.
    modules: Vec<(usize, &'a str)>,
    found: Vec<Path<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn starts_path(&self, at: usize) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| token.is_word() && !KEYWORDS.contains(&token.text))
    }

    fn step(&mut self) {
        match self.text(self.at) {
            "mod" if self.text(self.at + 2) == "{" => {
                self.modules.push((self.depth, self.text(self.at + 1)));
                self.at += 2;
            }
            "{" if self.at > 0 && self.text(self.at - 1) == "use" => self.tree(Vec::new()),
            "{" => (self.depth, self.at) = (self.depth + 1, self.at + 1),
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.modules.retain(|(depth, _)| *depth < self.depth);
                self.at += 1;
            }
            _ if self.starts_path(self.at) => self.tree(Vec::new()),
            _ => self.at += 1,
        }
    }

    /// One path, or the paths of a group; always goes on by a token at least.
    fn tree(&mut self, mut parts: Vec<&'a str>) {
        let first = self.at;
        loop {
            match self.text(self.at) {
                "{" => return self.group(&parts),
                "*" => {
                    parts.push("*");
                    self.at += 1;
                    return self.emit(first, parts);
                }
                _ if self.starts_path(self.at) => {
                    parts.push(self.text(self.at));
                    self.at += 1;
                }
                _ => {
                    self.at += usize::from(self.at == first);
                    return self.emit(first, parts);
                }
            }
            let goes_on = matches!(self.text(self.at + 1), "{" | "*");
            if self.text(self.at) != "::" || !(goes_on || self.starts_path(self.at + 1)) {
                return self.emit(first, parts);
            }
            self.at += 1;
        }
    }

    fn group(&mut self, parts: &[&'a str]) {
        self.at += 1;
        while !matches!(self.text(self.at), "}" | "") {
            match self.text(self.at) {
                "," | "::" => self.at += 1,
                "as" => self.at += 2,
                _ => self.tree(parts.to_vec()),
            }
        }
        self.at += 1;
    }

    fn emit(&mut self, first: usize, parts: Vec<&'a str>) {
        let before = |count: usize| first.checked_sub(count).map_or("", |at| self.text(at));
        let is_visibility = before(1) == "(" && before(2) == "pub"
            || before(1) == "in" && before(2) == "(" && before(3) == "pub";
        let is_macro = self.text(self.at) == "!" && self.text(self.at + 1) != "=";
        self.found.push(Path {
            line: self.tokens[self.at.min(self.tokens.len()) - 1].line,
            parts,
            inside: self.modules.iter().map(|(_, name)| *name).collect(),
            is_visibility,
            is_macro,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_code::Code;

    fn listed(text: &str) -> String {
        let code = Code::of(text);
        let found = paths(&code.tokens());
        let found = found.iter().map(|path| path.parts.join("::"));
        found.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_use_tree_of_any_shape_is_a_path_for_each_leaf() {
        for (text, expected) in [
            ("use a::b;", "a::b"),
            (
                "pub use a::{b, c::{self, D as E}, f::*};",
                "a::b a::c::self a::c::D a::f::*",
            ),
            ("use {a::b, ::c};\nuse ::d::e;", "a::b c d::e"),
            ("use a::{\n    b::{C},\n    d::E,\n};", "a::b::C a::d::E"),
            ("use a :: { b } ;", "a::b"),
            ("let a = b::c(d::<e::F>::g);", "a b::c d e::F g"),
            ("a.b == c * d", "a b c d"),
            ("use a::{b", "a::b"),
        ] {
            assert_eq!(listed(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_is_followed_to_the_root_from_where_it_stands() {
        for (file, text, expected) in [
            ("net/ip.rs", "use super::conn::Conn;", "net::conn::Conn"),
            ("net/ip.rs", "use super::super::server;", "server"),
            ("net/mod.rs", "use super::server::X;", "server::X"),
            ("net/mod.rs", "use self::ip::X;", "net::ip::X"),
            ("net/ip.rs", "use crate::{server::{self}};", "server"),
            (
                "net/ip.rs",
                "mod a { mod b {} use super::super::c; }",
                "net::c",
            ),
            ("net/ip.rs", "mod a {}\nuse super::c;", "net::c"),
        ] {
            let code = Code::of(text);
            let tokens = code.tokens();
            let all = paths(&tokens);
            let mut rooted = all.iter().filter_map(|path| from_root(file, path));
            assert_eq!(rooted.next().unwrap().join("::"), expected, "{text}");
        }
    }
}
