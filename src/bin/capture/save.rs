//! `-w`: packets into a file or to standard output.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use groundwire::capture::file::{CaptureWriter, FileError, Format, Interface};
use groundwire::capture::{LinkType, Packet};
use groundwire::cli::{Failure, What, explain, standard_output};

use super::plan;

/// A file being written. A pcap file's header has the link type, so it waits until one is known.
pub struct Save {
    path: String,
    format: Format,
    stream: Option<Box<dyn Write>>,
    writer: Option<CaptureWriter<Box<dyn Write>>>,
    /// How many interfaces have been described.
    described: usize,
}

impl Save {
    /// Makes the file, or empties an existing one; refuses the file that is being read.
    pub fn open(plan: &plan::Save, from: &plan::From) -> Result<Self, Failure> {
        if let plan::From::File(read) = from {
            if is_same(read, &plan.path) {
                return Err(format!("{}: -r and -w name the same file", plan.path).into());
            }
        }
        let stream: Box<dyn Write> = match plan.path.as_str() {
            "-" => Box::new(standard_output()),
            path => Box::new(File::create(path).what(path)?),
        };
        Ok(Self {
            path: plan.path.clone(),
            format: plan.format,
            stream: Some(stream),
            writer: None,
            described: 0,
        })
    }

    /// Writes what is known before the first packet.
    pub fn begin(&mut self, interfaces: &[Interface]) -> Result<(), Failure> {
        let first = interfaces.first().map(|first| (first.link, first.snap));
        let begun = self.try_begin(interfaces, first);
        begun.map_err(|error| self.failure(error))
    }

    pub fn write(&mut self, packet: &Packet<'_>, known: &[Interface]) -> Result<(), Failure> {
        let written = self.try_write(packet, known);
        written.map_err(|error| self.failure(error))
    }

    /// Hands all that was written to the system.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let flushed = writer.flush();
        flushed.map_err(|error| self.failure(error))
    }

    /// Ends the file; one without packets and interfaces is of Ethernet.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let begun = self.try_begin(&[], Some((LinkType::ETHERNET, 0)));
        begun.map_err(|error| self.failure(error))?;
        self.flush()
    }

    fn try_write(&mut self, packet: &Packet<'_>, known: &[Interface]) -> Result<(), FileError> {
        // Snapshot length 0, no limit: a pcap header has only one, and packets of a later interface
        // may be longer than the limit of this one.
        self.try_begin(known, Some((packet.link, 0)))?;
        match &mut self.writer {
            Some(writer) => writer.write(packet),
            None => Ok(()),
        }
    }

    /// Writes the header, unless it is written, with this link type and snapshot length; then
    /// describes the interfaces that are new.
    fn try_begin(
        &mut self,
        interfaces: &[Interface],
        first: Option<(LinkType, u32)>,
    ) -> Result<(), FileError> {
        if self.writer.is_none() {
            let Some((link, snap)) = first else {
                return Ok(());
            };
            let Some(stream) = self.stream.take() else {
                return Ok(());
            };
            self.writer = Some(match self.format {
                Format::Pcap(precision) => CaptureWriter::pcap(stream, link, snap, precision)?,
                Format::PcapNg => CaptureWriter::pcapng(stream)?,
            });
        }
        if let Some(writer) = &mut self.writer {
            for interface in interfaces.iter().skip(self.described) {
                writer.add_interface(self.described as u32, interface)?;
                self.described += 1;
            }
        }
        Ok(())
    }

    /// Its name in errors.
    fn name(&self) -> &str {
        match self.path.as_str() {
            "-" => "standard output",
            path => path,
        }
    }

    fn failure(&self, error: FileError) -> Failure {
        match &error {
            FileError::Io(io) if io.kind() == io::ErrorKind::BrokenPipe && self.path == "-" => {
                Failure::ClosedPipe
            }
            _ => Failure::Failed(format!("{}: {}", self.name(), explain(&error))),
        }
    }
}

/// Whether both are the same file, even under another name or redirected by the shell. A device may
/// be both: a terminal, /dev/null.
fn is_same(read: &str, write: &str) -> bool {
    let read = place(read, io::stdin().as_fd());
    read.is_some() && read == place(write, io::stdout().as_fd())
}

/// The device and inode of a regular file; `-` is the one behind `standard`.
fn place(path: &str, standard: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let file = if path == "-" {
        File::from(standard.try_clone_to_owned().ok()?).metadata()
    } else {
        std::fs::metadata(path)
    };
    let file = file.ok().filter(Metadata::is_file)?;
    Some((file.dev(), file.ino()))
}
