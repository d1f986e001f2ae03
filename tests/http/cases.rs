//! The cases of requests.txt and responses.txt as values. The format is explained at the head of those
//! files; what does not fit it fails the test that reads it, with file and line.

use groundwire::http::Limits;

/// One case.
#[derive(Debug, Default)]
pub struct Case {
    pub name: String,
    /// Where it stands: `requests.txt:42`.
    pub place: String,
    /// Flags of the load balancer.
    pub flags: Vec<String>,
    /// Lines of its configuration file, which then replaces the flags.
    pub file: Vec<String>,
    /// The method of the request that is answered.
    pub asked: String,
    pub bytes: Vec<u8>,
    /// Whether the backend closes after its bytes.
    pub closes: bool,
    pub outcomes: Vec<Outcome>,
}

/// What has to become of one message.
#[derive(Debug, Default)]
pub struct Outcome {
    pub verb: Verb,
    /// Whether the parsers find nothing wrong, so that the refusal is the proxy's.
    pub by_proxy: bool,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, Vec<u8>)>,
    pub has: Vec<(String, Vec<u8>)>,
    pub lacks: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Verb {
    Refused(u16),
    Cut(u16),
    Answered(u16),
    /// Method and target.
    Forwarded(String, Vec<u8>),
    #[default]
    Ended,
    Closed,
    /// Of a response: the status that the proxy makes of it.
    Told(u16),
    Interim(u16),
    Passed(u16),
    Broken,
    Dropped,
}

pub fn requests() -> Vec<Case> {
    read("requests.txt", include_str!("requests.txt"))
}

pub fn responses() -> Vec<Case> {
    read("responses.txt", include_str!("responses.txt"))
}

fn read(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            let (name, section) = line.rsplit_once(" [").unwrap_or_else(|| panic!("{place}"));
            let is_section = section.ends_with(']') && section.contains(" §");
            assert!(is_section, "{place}: no section: {section}");
            cases.push(Case {
                name: name.into(),
                asked: "GET".into(),
                place,
                ..Case::default()
            });
            continue;
        }
        let case = cases.last_mut().unwrap_or_else(|| panic!("{place}"));
        let is_known = case.read_line(line.trim_start());
        assert!(is_known.is_some(), "{place}: {line}");
    }
    for case in &cases {
        assert!(!case.outcomes.is_empty(), "{}: no outcome", case.place);
    }
    cases
}

impl Case {
    /// `None` for a line that is none of the format.
    fn read_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let last = self.outcomes.last_mut();
        match word {
            "with" => self.flags = rest.split(' ').map(String::from).collect(),
            "file" => self.file.push(rest.into()),
            "asked" => self.asked = rest.into(),
            ">" => self.bytes.extend(bytes(rest)),
            "closes" => self.closes = true,
            "body" => last?.body = bytes(rest),
            "trailer" => last?.trailers.push(field(rest)?),
            "has" => last?.has.push(field(rest)?),
            "lacks" => last?.lacks.push(rest.into()),
            _ => self.outcomes.push(outcome(word, rest)?),
        }
        Some(())
    }
}

fn field(text: &str) -> Option<(String, Vec<u8>)> {
    let (name, value) = text.split_once(": ")?;
    Some((name.into(), bytes(value)))
}

fn outcome(word: &str, rest: &str) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    let by_proxy = rest.strip_suffix("by the proxy");
    outcome.by_proxy = by_proxy.is_some();
    let rest = by_proxy.unwrap_or(rest).trim_end();
    let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
    outcome.verb = match word {
        "refused" => Verb::Refused(first.parse().ok()?),
        "cut" if rest.is_empty() => Verb::Broken,
        "cut" => Verb::Cut(first.parse().ok()?),
        "answered" => Verb::Answered(first.parse().ok()?),
        "ended" => Verb::Ended,
        "closed" => Verb::Closed,
        "dropped" => Verb::Dropped,
        "interim" => Verb::Interim(first.parse().ok()?),
        "forwarded" if first.starts_with(|c: char| c.is_ascii_digit()) => {
            outcome.body = bytes(text);
            Verb::Passed(first.parse().ok()?)
        }
        "forwarded" => Verb::Forwarded(first.into(), bytes(text)),
        status => Verb::Told(status.parse().ok()?),
    };
    Some(outcome)
}

/// The bytes that a text stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' => {
                let (byte, taken) = escape(rest);
                bytes.push(byte);
                rest = &rest[taken..];
            }
            '{' => {
                let end = closing_brace(rest);
                bytes.extend(repeated(&rest[..end]));
                rest = &rest[end + 1..];
            }
            _ => {
                assert!(first.is_ascii(), "write {first:?} as \\xHH");
                bytes.push(first as u8);
            }
        }
    }
    bytes
}

fn escape(rest: &str) -> (u8, usize) {
    match rest.as_bytes().first() {
        Some(b'r') => (b'\r', 1),
        Some(b'n') => (b'\n', 1),
        Some(b't') => (b'\t', 1),
        Some(b'0') => (0, 1),
        Some(b'\\') => (b'\\', 1),
        Some(b'x') => (u8::from_str_radix(&rest[1..3], 16).unwrap(), 3),
        other => panic!("an escape \\{other:?}"),
    }
}

fn closing_brace(text: &str) -> usize {
    let mut depth = 1;
    let end = text.char_indices().find(|(_, character)| {
        depth += i32::from(*character == '{') - i32::from(*character == '}');
        depth == 0
    });
    end.expect("a closing brace").0
}

/// `TEXT*COUNT`.
fn repeated(text: &str) -> Vec<u8> {
    let (part, count) = text.rsplit_once('*').expect("TEXT*COUNT");
    bytes(part).repeat(number(count))
}

fn number(count: &str) -> usize {
    let limits = Limits::default();
    let sign = count.find(['+', '-']).unwrap_or(count.len());
    let (name, offset) = count.split_at(sign);
    let base = match name {
        "line" => limits.start_line,
        "field" => limits.field_line,
        "fields" => limits.fields,
        "section" => limits.section,
        "chunk" => limits.chunk_line,
        "trailers" => limits.trailers,
        number => number.parse().unwrap(),
    };
    let offset: isize = offset.parse().unwrap_or(0);
    base.checked_add_signed(offset).unwrap()
}
