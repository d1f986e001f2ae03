//! What is asked for on the command line.

use groundwire::capture::decode::Settings;
use groundwire::capture::file::{Format, MAX_PACKET, Precision};
use groundwire::capture::flow::Rule;
use groundwire::capture::{Filter, live};
use groundwire::cli::{Args, Failure, Size, UsageError};

/// What to do.
pub struct Plan {
    pub from: From,
    pub live: live::Options,
    pub save: Option<Save>,
    /// Stop after this many packets.
    pub count: Option<u64>,
    /// Which packets are shown and written.
    pub filter: Option<Filter>,
    /// Which packets are captured at all.
    pub capture_filter: Option<Filter>,
    pub settings: Settings,
    /// Whether each packet's text leaves at once.
    pub each: bool,
}

/// Where packets come from.
pub enum From {
    /// A path; `-` is standard input.
    File(String),
    /// A name, or a number of the list.
    Interface(String),
}

/// Where packets go.
pub struct Save {
    /// A path; `-` is standard output.
    pub path: String,
    pub format: Format,
}

impl Plan {
    pub fn from_args(args: &Args) -> Result<Self, Failure> {
        let from = match (args.value("read"), args.value("interface")) {
            (Some(_), Some(_)) => return Err(rule("-r and -i exclude each other")),
            (None, None) => return Err(rule("one of -r FILE and -i INTERFACE is needed")),
            (Some(path), None) => From::File(path.to_string()),
            (None, Some(name)) => From::Interface(name.to_string()),
        };
        if let From::File(_) = from {
            let only_live = ["snap", "no-promiscuous", "buffer"];
            if let Some(name) = only_live.into_iter().find(|name| args.given(name)) {
                return Err(rule(format!("--{name} is for -i: a file is as it is")));
            }
        }
        let save = save(args)?;
        let to_stdout = save.as_ref().is_some_and(|save| save.path == "-");
        let text = ["print", "follow", "statistics"];
        if let Some(name) = text.into_iter().find(|name| to_stdout && args.given(name)) {
            return Err(rule(format!(
                "-w - and --{name} exclude each other: one output"
            )));
        }
        Ok(Self {
            from,
            live: live_options(args)?,
            filter: filter(args, "filter")?,
            capture_filter: filter(args, "capture-filter")?,
            settings: settings(args)?,
            save,
            count: count(args)?,
            each: args.flag("line-buffered"),
        })
    }
}

fn rule(text: impl std::fmt::Display) -> Failure {
    UsageError::rule(text).into()
}

fn filter(args: &Args, name: &str) -> Result<Option<Filter>, UsageError> {
    let Some(text) = args.value(name) else {
        return Ok(None);
    };
    let filter = Filter::parse(text);
    let filter = filter.map_err(|error| {
        let hint = hint(text);
        UsageError::rule(format!("--{name}: {error}{hint}"))
    })?;
    Ok(Some(filter))
}

/// What to write instead, if the wrong filter is one of tcpdump's.
fn hint(text: &str) -> &'static str {
    let is_theirs = |word| ["port", "portrange", "host", "net", "src", "dst"].contains(&word);
    match text.split_whitespace().any(is_theirs) {
        true => "; as Wireshark: tcp.port == 80, ip.addr == 10.0.0.1",
        false => "",
    }
}

fn settings(args: &Args) -> Result<Settings, UsageError> {
    let rule = |text| {
        let why = "expected as tcp.port==7100,frames; one of dns, http, rpc, frames, data";
        Rule::parse(text).ok_or_else(|| UsageError::bad_value("--decode-as", text, why))
    };
    Ok(Settings {
        checksums: args.flag("checksums"),
        decode_as: args
            .values("decode-as")
            .map(rule)
            .collect::<Result<_, _>>()?,
    })
}

fn count(args: &Args) -> Result<Option<u64>, UsageError> {
    match args.parse_opt::<u64>("count")? {
        Some(0) => Err(UsageError::bad_value("--count", 0, "must be 1 or more")),
        count => Ok(count),
    }
}

fn live_options(args: &Args) -> Result<live::Options, UsageError> {
    let snap = args.parse::<u32>("snap")?;
    if snap > MAX_PACKET {
        let why = format!("must be 0 to {MAX_PACKET}");
        return Err(UsageError::bad_value("--snap", snap, why));
    }
    let buffer = args.parse::<Size>("buffer")?.bytes();
    // A bare number counts KiB to tcpdump and MiB to tshark: neither is guessed.
    let buffer = u32::try_from(buffer).ok().filter(|size| *size >= 4096);
    let buffer = buffer.ok_or_else(|| {
        let given = args.value("buffer").unwrap_or_default();
        UsageError::bad_value("--buffer", given, "must be 4KiB to 4095MiB, with its unit")
    })?;
    Ok(live::Options {
        snap,
        promiscuous: !args.flag("no-promiscuous"),
        buffer,
    })
}

fn save(args: &Args) -> Result<Option<Save>, UsageError> {
    let Some(path) = args.value("write") else {
        return match args.given("format") {
            true => Err(UsageError::rule("-F is for -w")),
            false => Ok(None),
        };
    };
    // The names are those of tshark.
    let format = match args.value("format") {
        None if path.ends_with(".pcap") => Format::Pcap(Precision::Micro),
        None | Some("pcapng") => Format::PcapNg,
        Some("pcap") => Format::Pcap(Precision::Micro),
        Some("nsecpcap") => Format::Pcap(Precision::Nano),
        Some(other) => {
            let why = "expected pcap, nsecpcap or pcapng";
            return Err(UsageError::bad_value("--format", other, why));
        }
    };
    let path = path.to_string();
    Ok(Some(Save { path, format }))
}
