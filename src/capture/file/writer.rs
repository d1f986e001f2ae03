//! Writes packets to a capture file, over any `Write`. Pure.
//!
//! Bytes collect in a buffer: call [`CaptureWriter::flush`] when they must be visible, or must not
//! be lost. (A writer that is dropped flushes, too, but cannot report a failure.)

use std::io::{BufWriter, Write};

use super::pcap::{self, Precision};
use super::pcapng::{self, Interface};
use super::{FileError, MAX_PACKET, snap_or_most};
use crate::capture::{LinkType, Packet};

const BUFFER: usize = 256 << 10;

/// Writes packets to a stream.
#[derive(Debug)]
pub struct CaptureWriter<W: Write> {
    stream: BufWriter<W>,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Pcap {
        link: LinkType,
        snap: u32,
        precision: Precision,
    },
    PcapNg {
        interfaces: Vec<Written>,
    },
}

/// An interface that has been written.
#[derive(Debug)]
struct Written {
    /// The number in [`Packet::interface`].
    number: u32,
    link: LinkType,
    snap: u32,
}

impl<W: Write> CaptureWriter<W> {
    /// A pcap file: all of its packets have one link type, and at most `snap` bytes of each are
    /// written (0 means [`MAX_PACKET`]).
    pub fn pcap(
        stream: W,
        link: LinkType,
        snap: u32,
        precision: Precision,
    ) -> Result<Self, FileError> {
        let snap = snap_or_most(snap);
        let mut stream = BufWriter::with_capacity(BUFFER, stream);
        stream.write_all(&pcap::file_header(link, snap, precision))?;
        Ok(Self {
            stream,
            layout: Layout::Pcap {
                link,
                snap,
                precision,
            },
        })
    }

    /// A pcapng file, with times in nanoseconds. Each interface is described when its first packet
    /// is written, or earlier and in more detail by [`add_interface`](Self::add_interface).
    pub fn pcapng(stream: W) -> Result<Self, FileError> {
        let mut stream = BufWriter::with_capacity(BUFFER, stream);
        let mut section = Vec::new();
        pcapng::put_section(&mut section);
        stream.write_all(&section)?;
        let interfaces = Vec::new();
        Ok(Self {
            stream,
            layout: Layout::PcapNg { interfaces },
        })
    }

    /// Describes the interface of packets whose [`Packet::interface`] is this number. In a pcap
    /// file this does nothing, because it has no place for it.
    pub fn add_interface(&mut self, number: u32, interface: &Interface) -> Result<(), FileError> {
        let Layout::PcapNg { interfaces } = &mut self.layout else {
            return Ok(());
        };
        let snap = snap_or_most(interface.snap);
        interfaces.push(Written {
            number,
            link: interface.link,
            snap,
        });
        let mut block = Vec::new();
        let interface = Interface::new(interface.link, snap, interface.name.as_deref());
        interface.encode(&mut block);
        Ok(self.stream.write_all(&block)?)
    }

    /// Writes one packet. If it does not fit the file's format, nothing is written.
    pub fn write(&mut self, packet: &Packet<'_>) -> Result<(), FileError> {
        match self.layout {
            Layout::Pcap {
                link,
                snap,
                precision,
            } => self.write_record(packet, link, snap, precision),
            Layout::PcapNg { .. } => self.write_block(packet),
        }
    }

    /// Passes everything written to the stream, and flushes the stream.
    pub fn flush(&mut self) -> Result<(), FileError> {
        Ok(self.stream.flush()?)
    }

    fn write_record(
        &mut self,
        packet: &Packet<'_>,
        link: LinkType,
        snap: u32,
        precision: Precision,
    ) -> Result<(), FileError> {
        if packet.link != link {
            return Err(FileError::Link {
                file: link,
                packet: packet.link,
            });
        }
        let (bytes, kept) = kept(packet, snap);
        let header = pcap::record_header(packet.time, precision, kept, packet.length);
        let seconds = packet.time.as_secs();
        let header = header.ok_or(FileError::Time { seconds })?;
        self.stream.write_all(&header)?;
        Ok(self.stream.write_all(bytes)?)
    }

    fn write_block(&mut self, packet: &Packet<'_>) -> Result<(), FileError> {
        let (index, snap) = self.place(packet)?;
        let (bytes, kept) = kept(packet, snap);
        let (head, tail, length) = pcapng::around(index, packet, kept);
        self.stream.write_all(&head)?;
        self.stream.write_all(bytes)?;
        Ok(self.stream.write_all(tail.get(..length).unwrap_or(&tail))?)
    }

    /// The number of the packet's interface in this file, and its snap length.
    fn place(&mut self, packet: &Packet<'_>) -> Result<(u32, u32), FileError> {
        if let Some(found) = self.find(packet) {
            return Ok(found);
        }
        let interface = Interface::new(packet.link, MAX_PACKET, None);
        self.add_interface(packet.interface, &interface)?;
        Ok(self.find(packet).unwrap_or((0, MAX_PACKET)))
    }

    fn find(&self, packet: &Packet<'_>) -> Option<(u32, u32)> {
        let Layout::PcapNg { interfaces } = &self.layout else {
            return None;
        };
        let same = |one: &&Written| one.number == packet.interface && one.link == packet.link;
        // Usually the number is also the position.
        let guess = interfaces.get(packet.interface as usize).filter(same);
        if let Some(found) = guess {
            return Some((packet.interface, found.snap));
        }
        let index = interfaces.iter().position(|one| same(&one))?;
        Some((index as u32, interfaces.get(index)?.snap))
    }
}

/// The part of a packet's bytes that is written, and its length.
fn kept<'a>(packet: &Packet<'a>, snap: u32) -> (&'a [u8], u32) {
    let bytes = packet.bytes.get(..snap as usize).unwrap_or(packet.bytes);
    (bytes, bytes.len() as u32)
}
