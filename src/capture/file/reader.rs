//! Reads packets from a capture file, over any stream: a file, a pipe, bytes in memory. Pure.
//!
//! Large reads fill one large buffer, and packets are borrowed from it. Only a packet that crosses
//! the buffer's end is copied, and nothing is allocated per packet. Every length is first compared
//! with its limit, and the buffer grows (for a block longer than it) only as bytes arrive. If a
//! file ends within a packet, the reader returns all whole packets, then [`FileError::Cut`].

use std::io::{ErrorKind, Read};
use std::time::Duration;

use super::order::Order;
use super::pcap::FileHeader;
use super::pcapng::{self, Head, Interface};
use super::{BlockFault, FileError, MAX_BLOCK, MAX_INTERFACES, MAX_PACKET, Precision};
use crate::capture::{LinkType, Packet};

/// Room for the longest packet of a pcap file and its header. A larger buffer is slower, because it
/// does not fit into the processor's cache.
const BUFFER: usize = 512 << 10;

/// A kind of capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic format, with the precision of its times.
    Pcap(Precision),
    /// The newer format, of blocks.
    PcapNg,
}

/// Reads packets from a stream.
///
/// The packets of each TCP connection in a file, by the number that
/// [`Decoder`](crate::capture::decode::Decoder) gives it:
///
/// ```
/// use std::collections::BTreeMap;
/// use groundwire::capture::decode::{Decoder, Settings};
/// use groundwire::capture::file::CaptureReader;
///
/// let mut reader = CaptureReader::open(std::fs::File::open("docs/handshake.pcap")?)?;
/// let mut decoder = Decoder::new(Settings::default());
/// let mut packets = BTreeMap::new();
/// while let Some(packet) = reader.next_packet()? {
///     let decoded = decoder.decode(&packet);
///     if let Some(segment) = &decoded.segment {
///         *packets.entry(segment.stream).or_insert(0) += 1;
///     }
/// }
/// assert_eq!(packets, BTreeMap::from([(0, 10)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CaptureReader<R> {
    input: Input<R>,
    layout: Layout,
    /// The interfaces of all sections so far.
    interfaces: Vec<Interface>,
    /// Set after an error: there is no next packet.
    over: bool,
}

#[derive(Debug)]
enum Layout {
    Pcap(FileHeader),
    PcapNg {
        /// The byte order of this section.
        order: Order,
        /// How many interfaces earlier sections have described.
        before: usize,
    },
}

/// A packet whose bytes are in the buffer.
struct Found {
    time: Duration,
    link: LinkType,
    length: u32,
    interface: u32,
    /// The offset of its bytes, and how many there are.
    bytes: (usize, usize),
}

impl<R: Read> CaptureReader<R> {
    /// Reads the file's header. Blocks as the stream does.
    pub fn open(stream: R) -> Result<Self, FileError> {
        let mut input = Input::new(stream);
        let magic = input.whole(4)?.unwrap_or_default();
        let Some((&magic, _)) = magic.split_first_chunk::<4>() else {
            return Err(FileError::Cut { at: 0 });
        };
        let mut reader = Self {
            input,
            layout: Layout::PcapNg {
                order: Order::Big,
                before: 0,
            },
            interfaces: Vec::new(),
            over: false,
        };
        if FileHeader::magic(magic).is_some() {
            reader.pcap_header()?;
        } else if u32::from_be_bytes(magic) == pcapng::SECTION {
            reader.block()?;
        } else {
            return Err(FileError::Magic(magic));
        }
        Ok(reader)
    }

    /// What kind of file it is.
    pub fn format(&self) -> Format {
        match &self.layout {
            Layout::Pcap(header) => Format::Pcap(header.precision),
            Layout::PcapNg { .. } => Format::PcapNg,
        }
    }

    /// The interfaces that the file has described so far; [`Packet::interface`] counts them over
    /// all sections. (In pcapng an interface may be described anywhere before its first packet.)
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The next packet; `None` at the regular end of the file, and after an error. Blocks as the
    /// stream does, but only until the packet is complete.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, FileError> {
        let next = self.next_with_interfaces()?;
        Ok(next.map(|(packet, _)| packet))
    }

    /// The same, with the interfaces described so far, including the packet's.
    pub fn next_with_interfaces(
        &mut self,
    ) -> Result<Option<(Packet<'_>, &[Interface])>, FileError> {
        if self.over {
            return Ok(None);
        }
        let found = self.find();
        self.over = !matches!(found, Ok(Some(_)));
        let Some(found) = found? else {
            return Ok(None);
        };
        let packet = Packet {
            time: found.time,
            link: found.link,
            length: found.length,
            interface: found.interface,
            bytes: self.input.slice(found.bytes),
        };
        Ok(Some((packet, &self.interfaces)))
    }

    fn find(&mut self) -> Result<Option<Found>, FileError> {
        if let Layout::Pcap(header) = &self.layout {
            let header = *header;
            return self.record(&header);
        }
        while self.input.whole(8)?.is_some() {
            if let Some(found) = self.block()? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn pcap_header(&mut self) -> Result<(), FileError> {
        let bytes = self.input.whole(FileHeader::LENGTH)?.unwrap_or_default();
        let Some((bytes, _)) = bytes.split_first_chunk() else {
            return Err(FileError::Cut { at: 0 });
        };
        let header = FileHeader::parse(bytes)?;
        self.input.consume(FileHeader::LENGTH);
        let units = match header.precision {
            Precision::Micro => 1_000_000,
            Precision::Nano => 1_000_000_000,
        };
        let interface = Interface::with_units(header.link, header.snap, units);
        self.interfaces = vec![interface];
        self.layout = Layout::Pcap(header);
        Ok(())
    }

    fn record(&mut self, header: &FileHeader) -> Result<Option<Found>, FileError> {
        let at = self.input.offset;
        let Some(bytes) = self.input.whole(header.record)? else {
            return Ok(None);
        };
        let Some(record) = header.record(bytes) else {
            return Err(FileError::Cut { at });
        };
        if record.captured > MAX_PACKET {
            return Err(FileError::LongPacket {
                at,
                length: record.captured,
            });
        }
        let captured = record.captured as usize;
        self.input.whole(header.record + captured)?;
        let begins = self.input.consume(header.record + captured) + header.record;
        Ok(Some(Found {
            time: record.time,
            link: header.link,
            length: record.length,
            interface: 0,
            bytes: (begins, captured),
        }))
    }

    /// Takes one block, of which the first 8 bytes are there: a packet, or information about later
    /// packets.
    fn block(&mut self) -> Result<Option<Found>, FileError> {
        let at = self.input.offset;
        let fault = |why| FileError::Block { at, why };
        let order = self.order_of_block()?;
        let head = self.input.whole(8)?.unwrap_or_default();
        let fields = order.u32(head, 0).zip(order.u32(head, 4));
        let (kind, length) = fields.ok_or(FileError::Cut { at })?;
        if length < pcapng::SHORTEST || length % 4 != 0 {
            return Err(fault(BlockFault::Length(length)));
        }
        if length > MAX_BLOCK {
            return Err(fault(BlockFault::TooLong(length)));
        }
        let block = self.input.whole(length as usize)?.unwrap_or_default();
        let last = order.u32(block, length as usize - 4);
        let last = last.ok_or(FileError::Cut { at })?;
        if last != length {
            let first = length;
            return Err(fault(BlockFault::Lengths { first, last }));
        }
        let found = self.whole_block(kind, length, order, at)?;
        self.input.consume(length as usize);
        Ok(found)
    }

    /// The section's byte order; a new section gives its own in its first 12 bytes.
    fn order_of_block(&mut self) -> Result<Order, FileError> {
        let at = self.input.offset;
        let head = self.input.whole(8)?.unwrap_or_default();
        if Order::Big.u32(head, 0) == Some(pcapng::SECTION) {
            let head = self.input.whole(12)?.unwrap_or_default();
            let (head, _) = head.split_first_chunk().ok_or(FileError::Cut { at })?;
            return pcapng::byte_order(head).map_err(|why| FileError::Block { at, why });
        }
        Ok(match self.layout {
            Layout::PcapNg { order, .. } => order,
            Layout::Pcap(_) => Order::Big,
        })
    }

    fn whole_block(
        &mut self,
        kind: u32,
        length: u32,
        order: Order,
        at: u64,
    ) -> Result<Option<Found>, FileError> {
        let fault = |why| FileError::Block { at, why };
        let block = self.input.slice((self.input.start, length as usize));
        let short = fault(BlockFault::Length(length));
        let head = match kind {
            pcapng::ENHANCED | pcapng::PACKET => pcapng::packet(block, order, kind).ok_or(short)?,
            pcapng::SIMPLE => {
                let snap = self.interface(0).map_or(0, |interface| interface.snap);
                pcapng::simple(block, order, snap).ok_or(short)?
            }
            pcapng::SECTION => {
                pcapng::section(block, order, at)?;
                let before = self.interfaces.len();
                self.layout = Layout::PcapNg { order, before };
                return Ok(None);
            }
            pcapng::INTERFACE => {
                if self.interfaces.len() >= MAX_INTERFACES {
                    return Err(fault(BlockFault::Interfaces));
                }
                let interface = Interface::parse(block, order).map_err(fault)?;
                self.interfaces.push(interface);
                return Ok(None);
            }
            // Statistics, names, secrets, and blocks of other programs.
            _ => return Ok(None),
        };
        self.packet(&head, length, at).map(Some)
    }

    /// The interface of this number in the section.
    fn interface(&self, number: u32) -> Option<&Interface> {
        self.interfaces.get(self.before() + number as usize)
    }

    fn before(&self) -> usize {
        match self.layout {
            Layout::PcapNg { before, .. } => before,
            Layout::Pcap(_) => 0,
        }
    }

    /// Checks the packet's lengths against the block.
    fn packet(&self, head: &Head, block: u32, at: u64) -> Result<Found, FileError> {
        let fault = |why| FileError::Block { at, why };
        let interface = self.interface(head.interface);
        let interface = interface.ok_or(fault(BlockFault::Interface(head.interface)))?;
        if head.captured > MAX_PACKET {
            let length = head.captured;
            return Err(FileError::LongPacket { at, length });
        }
        if head.begins + head.captured as usize + 4 > block as usize {
            return Err(fault(BlockFault::Captured(head.captured)));
        }
        Ok(Found {
            time: head
                .units
                .map_or(Duration::ZERO, |units| interface.time(units)),
            link: interface.link,
            length: head.length,
            interface: self.before() as u32 + head.interface,
            bytes: (self.input.start + head.begins, head.captured as usize),
        })
    }
}

/// A stream and its bytes that were read but not yet taken.
#[derive(Debug)]
struct Input<R> {
    stream: R,
    buffer: Vec<u8>,
    /// The bytes not yet taken are between these two.
    start: usize,
    end: usize,
    /// How many bytes were taken before.
    offset: u64,
}

impl<R: Read> Input<R> {
    fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// At least `length` bytes, without taking them; `None` if the stream has ended before the
    /// first, and an error if it ends before the last.
    fn whole(&mut self, length: usize) -> Result<Option<&[u8]>, FileError> {
        if self.end - self.start < length {
            self.fill(length)?;
            if self.start == self.end {
                return Ok(None);
            }
            if self.end - self.start < length {
                return Err(FileError::Cut { at: self.offset });
            }
        }
        Ok(Some(self.slice((self.start, length))))
    }

    /// Reads until there are `length` bytes or the stream ends.
    #[cold]
    fn fill(&mut self, length: usize) -> Result<(), FileError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < length {
            if self.end == self.buffer.len() {
                // Only a block can be longer than the buffer, and MAX_BLOCK is its limit.
                self.buffer.resize(2 * self.end, 0);
            }
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.stream.read(free) {
                Ok(0) => break,
                Ok(count) => self.end += count.min(free.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes `length` bytes, which [`whole`](Self::whole) has returned, and returns their offset.
    /// They stay in the buffer until it is filled again.
    fn consume(&mut self, length: usize) -> usize {
        let begins = self.start;
        self.start = (begins + length).min(self.end);
        self.offset += length as u64;
        begins
    }

    fn slice(&self, (begins, length): (usize, usize)) -> &[u8] {
        self.buffer.get(begins..begins + length).unwrap_or_default()
    }
}
