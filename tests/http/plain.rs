//! A second reader of messages, written apart from the library's. It knows only what a proxy of this
//! kind should write; what is anything else, is a fault.

/// A message as it stands on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plain {
    /// The start line.
    pub start: String,
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content, out of its chunks.
    pub body: Vec<u8>,
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq)]
pub enum Not {
    /// More have to come.
    Whole,
    Plain(String),
}

fn fault(what: &str, bytes: &[u8]) -> Not {
    Not::Plain(format!("{what}: {}", String::from_utf8_lossy(bytes)))
}

impl Plain {
    /// The values of all field lines with this name.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let wanted = |field: &&(String, Vec<u8>)| field.0.eq_ignore_ascii_case(name);
        let values = self.fields.iter().filter(wanted);
        values.map(|(_, value)| &value[..]).collect()
    }

    /// A word of the start line: the method, the target, the version; or the version, the status.
    pub fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// The status code, or 0.
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }
}

/// The message at the begin of `bytes`, and its length. The method that a response answers says
/// whether it has a content; with `is_ended` nothing comes any more.
pub fn message(bytes: &[u8], answers: Option<&str>, is_ended: bool) -> Result<(Plain, usize), Not> {
    let end = find(bytes, b"\r\n\r\n").ok_or(Not::Whole)?;
    let (head, rest) = (&bytes[..end + 2], &bytes[end + 4..]);
    let mut plain = Plain::default();
    let mut lines = lines(head)?.into_iter();
    let start = lines.next().unwrap_or_default();
    plain.start = String::from_utf8_lossy(start).into_owned();
    plain.fields = lines.map(field).collect::<Result<_, _>>()?;
    let has_none = answers.is_some_and(|method| {
        let status = plain.status();
        status < 200 || matches!(status, 204 | 304) || method == "HEAD"
    });
    let lengths = plain.values("Content-Length");
    let codings = plain.values("Transfer-Encoding");
    if lengths.len() + codings.len() > 1 {
        return Err(fault("two lengths", head));
    }
    let length = if has_none {
        0
    } else if let Some(digits) = lengths.first() {
        let length = std::str::from_utf8(digits)
            .ok()
            .and_then(|d| d.parse().ok());
        let length = length.ok_or_else(|| fault("a length", digits))?;
        plain.body = rest.get(..length).ok_or(Not::Whole)?.to_vec();
        length
    } else if let Some(coding) = codings.first() {
        if *coding != b"chunked" {
            return Err(fault("a coding", coding));
        }
        chunks(rest, &mut plain)?
    } else if answers.is_some() {
        plain.body = rest.to_vec();
        is_ended.then_some(rest.len()).ok_or(Not::Whole)?
    } else {
        0
    };
    Ok((plain, end + 4 + length))
}

/// The requests that these bytes are.
pub fn requests(mut bytes: &[u8]) -> Result<Vec<Plain>, Not> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (plain, length) = message(bytes, None, true)?;
        found.push(plain);
        bytes = &bytes[length..];
    }
    Ok(found)
}

/// The responses to requests with these methods, as many as are whole, and how many bytes are left.
/// The bytes end with the connection.
pub fn responses(mut bytes: &[u8], methods: &[String]) -> Result<(Vec<Plain>, usize), Not> {
    let (mut found, mut methods) = (Vec::new(), methods.iter().peekable());
    while let Some(method) = methods.peek() {
        let (plain, length) = match message(bytes, Some(method), true) {
            Ok(whole) => whole,
            Err(Not::Whole) => break,
            Err(fault) => return Err(fault),
        };
        if plain.status() >= 200 {
            methods.next();
        }
        found.push(plain);
        bytes = &bytes[length..];
    }
    Ok((found, bytes.len()))
}

/// Reads a chunked content; its length on the wire.
fn chunks(bytes: &[u8], plain: &mut Plain) -> Result<usize, Not> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let end = find(rest, b"\r\n").ok_or(Not::Whole)?;
        let line = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        let size = usize::from_str_radix(line, 16)
            .ok()
            .filter(|size| *size < 1 << 32);
        let size = size.ok_or_else(|| fault("a chunk line", &rest[..end]))?;
        let data = at + end + 2;
        if size == 0 {
            let section = &bytes[data..];
            if section.starts_with(b"\r\n") {
                return Ok(data + 2);
            }
            let end = find(section, b"\r\n\r\n").ok_or(Not::Whole)?;
            let lines = lines(&section[..end + 2])?.into_iter();
            plain.trailers = lines.map(field).collect::<Result<_, _>>()?;
            return Ok(data + end + 4);
        }
        let with_end = bytes.get(data..data + size + 2).ok_or(Not::Whole)?;
        let content = with_end.strip_suffix(b"\r\n");
        plain
            .body
            .extend(content.ok_or_else(|| fault("a chunk's end", with_end))?);
        at = data + size + 2;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The lines, each of which ends in CRLF and has no CR or LF inside.
fn lines(mut bytes: &[u8]) -> Result<Vec<&[u8]>, Not> {
    let mut lines = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let line = &bytes[..end];
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(fault("a line", line));
        }
        lines.push(line);
        bytes = &bytes[end + 2..];
    }
    Ok(lines)
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), Not> {
    let colon = find(line, b":").filter(|colon| *colon > 0);
    let (name, value) = line.split_at(colon.ok_or_else(|| fault("no colon", line))?);
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(fault("a name", line));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    Ok((name, value[1..].trim_ascii().to_vec()))
}
