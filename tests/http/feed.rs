//! A connection's bytes, given to the parsers part by part: what they find, in order.
//!
//! What was found is never taken back. So when a message whose bytes come in any two parts is found
//! to be the same as the whole, no part of it was refused with another rule or accepted too early.

use groundwire::http::{ChunkReader, Framing, HeadParser, Limits, Name, Piece, Rule};

/// What the parsers found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Message(Message),
    /// A head that breaks a rule.
    Refused(Rule),
    /// A body that breaks a rule, after a good head.
    Cut(Rule),
    /// The connection ends after the last message: as the message says, or in another protocol.
    Closed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Method and target of a request; the status of a response.
    pub start: (String, String),
    pub status: u16,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// Whose bytes they are.
enum Side {
    Client,
    /// The backend's, with the method that it answers.
    Backend(String),
}

pub struct Feed {
    side: Side,
    parser: HeadParser,
    chunks: ChunkReader,
    waiting: Vec<u8>,
    /// A message whose body has not ended, with the framing of what is left and whether it is the
    /// connection's last.
    open: Option<(Message, Framing, bool)>,
    is_over: bool,
    pub found: Vec<Found>,
}

impl Feed {
    pub fn requests() -> Self {
        Self::new(Side::Client, HeadParser::requests(Limits::default()))
    }

    pub fn responses(method: &str) -> Self {
        let parser = HeadParser::responses(Limits::default());
        Self::new(Side::Backend(method.into()), parser)
    }

    fn new(side: Side, parser: HeadParser) -> Self {
        Self {
            side,
            parser,
            chunks: ChunkReader::new(&Limits::default()),
            waiting: Vec::new(),
            open: None,
            is_over: false,
            found: Vec::new(),
        }
    }

    /// How many bytes stand behind the last message. Behind what broke a rule nobody counts.
    pub fn left(&self) -> usize {
        match self.found.last() {
            Some(Found::Refused(_) | Found::Cut(_)) => 0,
            _ => self.waiting.len(),
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        while !self.is_over && self.step() {}
    }

    /// The connection's end: a body without a length is whole now.
    pub fn end(&mut self) {
        let ends_so = |open: &mut (Message, Framing, bool)| open.1 == Framing::UntilClose;
        if let Some((message, ..)) = self.open.take_if(ends_so) {
            self.found.push(Found::Message(message));
            self.over(Found::Closed);
        }
    }

    fn over(&mut self, found: Found) {
        self.found.push(found);
        self.is_over = true;
    }

    /// One step; whether there may be another.
    fn step(&mut self) -> bool {
        let stepped = match self.open {
            None => self.head().map_err(Found::Refused),
            Some(_) => self.body().map_err(Found::Cut),
        };
        stepped.unwrap_or_else(|broken| {
            self.over(broken);
            false
        })
    }

    fn head(&mut self) -> Result<bool, Rule> {
        if !self.parser.advance(&self.waiting)? {
            return Ok(false);
        }
        let bytes = &self.waiting[..];
        let mut message = Message::default();
        let (fields, framing, is_last, length) = match &self.side {
            Side::Client => {
                let head = self.parser.request(bytes)?;
                message.start = (head.method.into(), head.target_text().into());
                let leaves = head.method == "CONNECT" || head.upgrade;
                (
                    head.fields,
                    head.framing,
                    !head.keep_alive || leaves,
                    head.length,
                )
            }
            Side::Backend(method) => {
                let head = self.parser.response(bytes, method)?;
                message.status = head.status;
                (head.fields, head.framing, !head.is_interim(), head.length)
            }
        };
        for field in fields.iter() {
            assert_eq!(field.known, Name::of(field.name));
            let name = String::from_utf8(field.name.to_vec()).unwrap();
            message.fields.push((name, field.value.to_vec()));
        }
        self.waiting.drain(..length);
        self.parser.reset();
        self.chunks.reset();
        self.open = Some((message, framing, is_last));
        Ok(true)
    }

    /// Takes what is there of the open body.
    fn body(&mut self) -> Result<bool, Rule> {
        let Some((message, framing, _)) = &mut self.open else {
            return Ok(false);
        };
        match framing {
            Framing::None => return Ok(self.close_message()),
            Framing::UntilClose => message.body.append(&mut self.waiting),
            Framing::Length(left) => {
                let count = self.waiting.len().min(*left as usize);
                *left -= count as u64;
                message.body.extend(self.waiting.drain(..count));
                if *left == 0 {
                    return Ok(self.close_message());
                }
            }
            Framing::Chunked => match self.chunks.advance(&self.waiting)? {
                Piece::More(taken) => drop(self.waiting.drain(..taken)),
                Piece::Data { from, to } => {
                    message.body.extend_from_slice(&self.waiting[from..to]);
                    self.waiting.drain(..to);
                    return Ok(true);
                }
                Piece::End(length) => {
                    for field in self.chunks.trailers(&self.waiting).iter() {
                        let name = String::from_utf8(field.name.to_vec()).unwrap();
                        message.trailers.push((name, field.value.to_vec()));
                    }
                    self.waiting.drain(..length);
                    return Ok(self.close_message());
                }
            },
        }
        Ok(false)
    }

    fn close_message(&mut self) -> bool {
        if let Some((message, _, is_last)) = self.open.take() {
            self.found.push(Found::Message(message));
            if is_last {
                self.over(Found::Closed);
            }
        }
        true
    }
}
