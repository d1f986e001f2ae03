//! Line by line: each is applied to the configuration so far, or reported as a problem.

use std::sync::Arc;

use super::flags::repeats;
use super::lines::split;
use super::pool::PoolConfig;
use super::problem::{MAX_PROBLEMS, Place, Problem};
use super::service::Config;
use super::words::{POOL, Row, SERVICE, all, find};
use crate::cli::nearest;

/// How deep includes may be nested.
pub const MAX_DEPTH: usize = 8;
/// How many files a configuration may consist of. Two files that include each other twice would be
/// read without end otherwise, and a limit of eight levels still allows many.
pub const MAX_FILES: usize = 100;
/// The longest name of a pool, in bytes.
const MAX_NAME: usize = 64;
/// The name of the pool of lines before any `pool`.
const DEFAULT_POOL: &str = "default";

/// Returns the text of an included file, or why it cannot. Its name is already relative to the
/// folder of the including file.
pub type Include<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

impl Config {
    /// Reads the text of a file. `name` is its name in problems; the names of included files are
    /// relative to it. Reports all problems, up to [`MAX_PROBLEMS`].
    ///
    /// ```
    /// use groundwire::proxy::config::Config;
    ///
    /// let text = "listen :80\nbackend http://10.0.0.7:9000\nqueu 50\n";
    /// let problems = Config::parse("lb.conf", text, &mut |_| Err("no".into())).unwrap_err();
    /// assert_eq!(problems[0].to_string(), "lb.conf:3: queu 50: no such word; did you mean queue?");
    /// ```
    pub fn parse(name: &str, text: &str, include: Include<'_>) -> Result<Config, Vec<Problem>> {
        let mut reader = Reader::new(include);
        reader.file(name, text);
        let whole = Place::Line {
            name: name.into(),
            line: 0,
        };
        reader.finish(&whole)
    }
}

/// The configuration so far, and the places of its parts.
pub(super) struct Reader<'a> {
    include: Include<'a>,
    pub(super) config: Config,
    pub(super) problems: Vec<Problem>,
    /// The places of the pools and routes, in the order of the configuration.
    pub(super) pool_places: Vec<Place>,
    pub(super) route_places: Vec<Place>,
    /// The words that were given and may be given once only, each with its pool.
    given: Vec<(Option<usize>, &'static str)>,
    /// The files being read, each included by the one before.
    open: Vec<String>,
    files: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(include: Include<'a>) -> Self {
        Self {
            include,
            config: Config::default(),
            problems: Vec::new(),
            pool_places: Vec::new(),
            route_places: Vec::new(),
            given: Vec::new(),
            open: Vec::new(),
            files: 0,
        }
    }

    pub(super) fn problem(&mut self, place: &Place, what: impl std::fmt::Display) {
        if !self.is_full() {
            self.problems.push(Problem::new(place, what));
        }
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn file(&mut self, name: &str, text: &str) {
        self.open.push(name.to_string());
        self.files += 1;
        let shown: Arc<str> = name.into();
        for (line, number) in text.lines().zip(1..) {
            let place = Place::Line {
                name: shown.clone(),
                line: number,
            };
            match split(line) {
                Ok(words) => self.apply(&place, &words),
                Err(why) => self.problem(&place, why),
            }
            if self.is_full() {
                break;
            }
        }
        self.open.pop();
    }

    /// Applies one line.
    pub(super) fn apply(&mut self, place: &Place, words: &[String]) {
        let Some((word, values)) = words.split_first() else {
            return;
        };
        let applied = match word.as_str() {
            "pool" => self.begin_pool(place, values),
            "include" => self.include(place, values),
            word => self.set(place, word, values),
        };
        if let Err(why) = applied {
            let line: String = words.join(" ");
            self.problem(place, format!("{line}: {why}"));
        }
    }

    fn set(&mut self, place: &Place, word: &str, values: &[String]) -> Result<(), String> {
        if let Some(row) = find(&SERVICE, word) {
            self.once(None, row)?;
            set(row, &mut self.config, values)?;
            if word == "route" {
                self.route_places.push(place.clone());
            }
            return Ok(());
        }
        let Some(row) = find(&POOL, word) else {
            return Err(match nearest(word, all()) {
                Some(near) => format!("no such word; did you mean {near}?"),
                None => "no such word".into(),
            });
        };
        if self.config.pools.is_empty() {
            self.push_pool(place, DEFAULT_POOL);
        }
        self.once(Some(self.config.pools.len()), row)?;
        match self.config.pools.last_mut() {
            Some(pool) => set(row, pool, values),
            None => Ok(()),
        }
    }

    /// Refuses a second line with a word that takes one value: "the last one wins" hides mistakes.
    fn once<T>(&mut self, pool: Option<usize>, row: &Row<T>) -> Result<(), String> {
        let key = (pool, row.word);
        if repeats(row.word) || !self.given.contains(&key) {
            self.given.push(key);
            return Ok(());
        }
        Err("was given before".into())
    }

    fn push_pool(&mut self, place: &Place, name: &str) {
        self.config.pools.push(PoolConfig::named(name));
        self.pool_places.push(place.clone());
    }

    fn begin_pool(&mut self, place: &Place, values: &[String]) -> Result<(), String> {
        let [name] = values else {
            return Err("needs one value, its NAME".into());
        };
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_good) {
            return Err(format!(
                "a name is 1 to {MAX_NAME} letters, digits, hyphens, underscores and dots"
            ));
        }
        let is_taken = self.config.pools.iter().any(|pool| pool.name == *name);
        // The pool begins all the same, so that its lines do not go to the pool before.
        self.push_pool(place, name);
        match is_taken {
            true => Err("there is such a pool".into()),
            false => Ok(()),
        }
    }

    fn include(&mut self, place: &Place, values: &[String]) -> Result<(), String> {
        let [file] = values else {
            return Err("needs one value, a FILE".into());
        };
        let folder = match place {
            Place::Line { name, .. } => name.rfind('/').map_or("", |slash| &name[..=slash]),
            Place::Flags => "",
        };
        let path = match file.starts_with('/') {
            true => file.clone(),
            false => format!("{folder}{file}"),
        };
        if self.open.contains(&path) {
            return Err("includes itself".into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("included more than {MAX_DEPTH} deep"));
        }
        if self.files >= MAX_FILES {
            return Err(format!("more than {MAX_FILES} files"));
        }
        let text = (self.include)(&path)?;
        self.file(&path, &text);
        Ok(())
    }
}

fn set<T>(row: &Row<T>, target: &mut T, values: &[String]) -> Result<(), String> {
    let field = (row.field)(target);
    field.set(values, row.unit)?;
    match field.is_zero() && !row.may_be_zero {
        true => Err("must not be zero".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let mut include = |file: &str| match file {
            "etc/loop" => Ok("include loop".to_string()),
            "etc/bad" => Ok("\nqueue x".to_string()),
            "etc/bomb" => Ok("include deep/bomb\n".repeat(2)),
            file if file.ends_with("/bomb") => Ok("include deep/bomb\n".repeat(2)),
            _ => Err("no such file".to_string()),
        };
        let good = "listen :80\nbackend http://a:1\n";
        let read = Config::parse("etc/lb", &format!("{good}{text}"), &mut include);
        let problems = read.err().unwrap_or_default();
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn every_mistake_is_told_with_file_and_line() {
        #[rustfmt::skip]
        let table = [
            ("listn :81", "etc/lb:3: listn :81: no such word; did you mean listen?"),
            ("xyzzy", "etc/lb:3: xyzzy: no such word"),
            ("queue 1\nqueue 2", "etc/lb:4: queue 2: was given before"),
            ("drain 1s\ndrain 1s", "etc/lb:4: drain 1s: was given before"),
            ("queue", "etc/lb:3: queue: needs a value"),
            ("rise 0", "etc/lb:3: rise 0: must not be zero"),
            ("header-timeout 0", "etc/lb:3: header-timeout 0: must not be zero"),
            ("balance fastest", "etc/lb:3: balance fastest: expected round-robin, least-connections, random-of-two or client-hash"),
            ("forwarded on", "etc/lb:3: forwarded on: takes no value"),
            ("allow 10.1.2.3/8", "etc/lb:3: allow 10.1.2.3/8: prefix 10.1.2.3/8: host bits are set, did you mean 10.0.0.0/8?"),
            ("a \"b", "etc/lb:3: a quote that is not closed"),
            ("pool a b", "etc/lb:3: pool a b: needs one value, its NAME"),
            ("pool é", "etc/lb:3: pool é: a name is 1 to 64 letters, digits, hyphens, underscores and dots"),
            ("pool default\nbackend http://b:1", "etc/lb:3: pool default: there is such a pool"),
            ("include none", "etc/lb:3: include none: no such file"),
            ("include loop", "etc/loop:1: include loop: includes itself"),
            ("include bad", "etc/bad:2: queue x: expected a count such as 100, 10k or 2M"),
        ];
        for (text, first) in table {
            let told = problems(text);
            assert_eq!(told.first().map(String::as_str), Some(first), "{text}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_but_not_without_end() {
        assert_eq!(problems("a\nb\nc").len(), 3);
        assert_eq!(problems(&"a\n".repeat(1000)).len(), MAX_PROBLEMS);
    }

    #[test]
    fn files_that_include_files_come_to_an_end() {
        let told = problems("include bomb");
        assert!(
            told.iter().all(|what| what.contains("more than 8 deep")),
            "{told:?}"
        );
        assert_eq!(told.len(), MAX_PROBLEMS);
    }

    #[test]
    fn a_word_belongs_to_the_pool_named_last_and_the_service_to_none() {
        let text = "pool a\nbackend http://a:1\nqueue 1\nlisten :80\n\
                    pool b\nbackend http://b:1\nqueue 2\nroute / a\nroute /b b";
        let config = Config::parse("x", text, &mut |_| Err(String::new())).unwrap();
        let queues: Vec<(&str, usize)> = config
            .pools
            .iter()
            .map(|pool| (pool.name.as_str(), pool.queue))
            .collect();
        assert_eq!(queues, [("a", 1), ("b", 2)]);
        assert_eq!(config.router().choose(b"any", b"/b/c"), Ok(1));
    }
}
