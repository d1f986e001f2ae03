//! What is shown of each packet.

use groundwire::capture::decode::Decoded;
use groundwire::capture::field::Line;
use groundwire::capture::file::Interface;
use groundwire::capture::flow::{Conversations, Explain, Follow, Kind, Target};
use groundwire::capture::show::{self, Options, Summary, TimeFormat};
use groundwire::cli::{self, Args, Failure, UsageError};

/// What to show: any of these, in this order.
pub struct View {
    line: bool,
    fields: Option<Line>,
    explain: Option<Explain>,
    tree: bool,
    bytes: bool,
    follow: Option<Follow>,
    tables: Vec<Conversations>,
    summary: Summary,
    /// The interface whose time resolution the lines have now.
    exact_as: Option<u32>,
}

impl View {
    pub fn from_args(args: &Args) -> Result<Self, Failure> {
        let fields = fields(args)?;
        let (follow, tables) = statistics(args)?;
        // A user who asks for a file or a stream does not also ask for the packets.
        let other = args.given("write") || follow.is_some();
        let shown = !args.flag("quiet") && (args.flag("print") || !other);
        let (tree, bytes) = (args.flag("tree"), args.flag("hex"));
        if fields.is_some() && (tree || bytes || args.flag("print")) {
            return Err(UsageError::rule("-T fields excludes -V, -x and -P").into());
        }
        Ok(Self {
            // As in tshark: the tree or the bytes replace the line, unless -P asks for it.
            line: shown && fields.is_none() && (args.flag("print") || !tree && !bytes),
            fields: fields.filter(|_| shown),
            explain: (shown && args.flag("explain")).then(Explain::new),
            tree: shown && tree,
            bytes: shown && bytes,
            follow,
            tables,
            summary: Summary::new(Options {
                time: time(args)?,
                ..Options::default()
            }),
            exact_as: None,
        })
    }

    /// Whether packets have to be decoded for it.
    pub fn is_needed(&self) -> bool {
        let packets = self.line || self.fields.is_some() || self.tree || self.bytes;
        packets || self.explain.is_some() || self.follow.is_some() || !self.tables.is_empty()
    }

    /// What is printed before the first packet.
    pub fn head(&self, text: &mut String) {
        if let Some(fields) = &self.fields {
            fields.header(text);
        }
    }

    pub fn packet(&mut self, decoded: &Decoded<'_>, known: &[Interface], text: &mut String) {
        if self.line {
            self.be_exact(decoded.packet.interface, known);
            self.summary.line(decoded, text);
            text.push_str(if self.bytes && !self.tree {
                "\n\n"
            } else {
                "\n"
            });
        }
        if let Some(fields) = &self.fields {
            fields.packet(decoded, text);
        }
        if let Some(explain) = &mut self.explain {
            explain.packet(decoded, text);
        }
        if self.tree {
            show::tree(decoded, text);
            text.push('\n');
        }
        if self.bytes {
            cli::hexdump(text, "", 0, decoded.packet.bytes);
            text.push('\n');
        }
        if let Some(follow) = &mut self.follow {
            follow.packet(decoded, text);
        }
        for table in &mut self.tables {
            table.packet(decoded);
        }
    }

    /// Interfaces of one file may differ in their time resolution.
    fn be_exact(&mut self, number: u32, known: &[Interface]) {
        if self.exact_as != Some(number) {
            self.exact_as = Some(number);
            let interface = known.get(number as usize);
            self.summary
                .set_digits(interface.map_or(9, Interface::digits));
        }
    }

    /// What is printed after the last packet.
    pub fn end(&mut self, text: &mut String) {
        if let Some(follow) = &mut self.follow {
            follow.end(text);
        }
        for table in &self.tables {
            table.table(text);
        }
    }
}

/// The stream to follow, and the tables for the end.
fn statistics(args: &Args) -> Result<(Option<Follow>, Vec<Conversations>), UsageError> {
    let target = args.value("follow").map(|text| {
        let why = "expected as tcp,0 or udp,0, with ,hex or ,raw behind it";
        Target::parse(text).ok_or_else(|| UsageError::bad_value("--follow", text, why))
    });
    let tables = args.values("statistics").map(|text| {
        let kind = text.strip_prefix("conv,").and_then(Kind::parse);
        let why = "expected conv,tcp, conv,udp, conv,ip, conv,ipv6 or conv,eth";
        kind.ok_or_else(|| UsageError::bad_value("--statistics", text, why))
    });
    let tables = tables.map(|kind| kind.map(Conversations::new));
    Ok((
        target.transpose()?.map(Follow::new),
        tables.collect::<Result<_, _>>()?,
    ))
}

fn fields(args: &Args) -> Result<Option<Line>, Failure> {
    let names = args.values("field");
    match args.value("type") {
        Some("fields") => {}
        Some("text") | None if args.given("field") || args.given("field-option") => {
            return Err(UsageError::rule("-e and -E are for -T fields").into());
        }
        Some("text") | None => return Ok(None),
        Some(other) => {
            return Err(UsageError::bad_value("--type", other, "expected text or fields").into());
        }
    }
    if !args.given("field") {
        return Err(UsageError::rule("-T fields needs a field, -e FIELD").into());
    }
    let mut line = Line::new(names).map_err(|error| UsageError::rule(format!("-e: {error}")))?;
    for option in args.values("field-option") {
        let set = line.set(option);
        set.map_err(|error| UsageError::rule(format!("-E: {error}")))?;
    }
    Ok(Some(line))
}

fn time(args: &Args) -> Result<TimeFormat, UsageError> {
    let letters = args.value("time").unwrap_or_default();
    TimeFormat::from_letters(letters).ok_or_else(|| {
        let why = "expected r, a, ad, d, e, u or ud";
        UsageError::bad_value("--time", letters, why)
    })
}
