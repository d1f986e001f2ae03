//! Many datagrams per system call: `recvmmsg(2)` and `sendmmsg(2)`.
//!
//! A [`Batch`] is a row of slots, each a buffer with a length and a peer's address. `receive`
//! blocks for the first datagram and also takes the others that have arrived; the caller rewrites
//! the slots in place; `send` sends them back. Under load one call moves up to [`SLOTS`] datagrams;
//! with one client it costs no more than `recvfrom`.
//!
//! On a wildcard address the kernel picks the source address of each reply by the route to the
//! peer. On a host with several addresses this may differ from the address that the request was
//! sent to, and RFC 1123 §2.3 wants the two to be the same. [`Batch::reply_from_where_asked`] uses
//! that address, by control messages (`cmsg(3)`):
//!
//! ```text
//! offset  0        8       12      16                  20         24
//! in      length   level   type    interface           source     destination
//! in6     length   level   type    source or destination (16)                      interface
//! ```
#![allow(unsafe_code)]

use std::ffi::{c_uint, c_void};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::abi::{self, IoVec, MMsgHdr, MsgHdr};
use super::address::{self, CAPACITY};
use super::check;
use super::message::{Control, number};

/// Slots in a batch: enough that the call is a small part of the work, few enough that the
/// headers (64 bytes a slot) fit the stack of a small thread.
pub const SLOTS: usize = 32;

/// Room for one control message: a head of 16 bytes and the 20 of an `in6_pktinfo`, in whole words.
const CONTROL: usize = 40;

/// One datagram: `buffer[..len]`, from or to `address`.
struct Slot {
    buffer: Box<[u8]>,
    len: usize,
    reply: bool,
    address: [u8; CAPACITY],
    address_len: usize,
    control: Control<CONTROL>,
    control_len: usize,
}

/// A row of datagrams received together.
pub struct Batch {
    slots: Vec<Slot>,
    filled: usize,
    /// How many slots the next `receive` offers.
    offered: usize,
    /// How many single datagrams in a row were received with one slot offered.
    alone: u32,
    /// Room that `receive` offers for control messages: [`CONTROL`] or none.
    control: usize,
}

/// After this many datagrams that came alone, `receive` checks again whether more are waiting.
const LOOK_AGAIN: u32 = 16;

impl Batch {
    /// Makes [`SLOTS`] buffers of `size` bytes each; a longer datagram is cut and marked.
    pub fn new(size: usize) -> Self {
        let slot = || Slot {
            buffer: vec![0; size].into_boxed_slice(),
            len: 0,
            reply: false,
            address: [0; CAPACITY],
            address_len: 0,
            control: Control([0; CONTROL]),
            control_len: 0,
        };
        Self {
            slots: (0..SLOTS).map(|_| slot()).collect(),
            filled: 0,
            offered: SLOTS,
            alone: 0,
            control: 0,
        }
    }

    /// From now on replies leave from the address that their request was sent to. For a socket
    /// bound to a wildcard address; [`Opt::ReceiveDestination`](super::socket::Opt) must have been
    /// set before it was bound, because the kernel records no destination for earlier datagrams.
    pub fn reply_from_where_asked(&mut self) {
        self.control = CONTROL;
    }

    /// Blocks until a datagram is there (or the socket's read time-out), then takes up to [`SLOTS`]
    /// that have arrived, without waiting for more. Returns how many; 0 when the socket was shut
    /// for reading.
    ///
    /// Checking for a second datagram costs the kernel a failed receive; while datagrams arrive one
    /// by one, only every 16th call checks.
    pub fn receive(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        self.filled = 0;
        // One header is set up faster than all of them.
        self.filled = match self.offered {
            1 => self.receive_up_to::<1>(fd)?,
            _ => self.receive_up_to::<SLOTS>(fd)?,
        };
        // A socket that is shut for reading returns an empty datagram without a sender.
        if self.filled == 1 && self.slots.first().is_some_and(|slot| slot.address_len == 0) {
            self.filled = 0;
        }
        self.plan_next();
        Ok(self.filled)
    }

    fn receive_up_to<const N: usize>(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        let mut iovs: [IoVec; N] = [EMPTY_IOV; N];
        let mut headers: [MMsgHdr; N] = [EMPTY; N];
        for ((slot, iov), header) in self.slots.iter_mut().zip(&mut iovs).zip(&mut headers) {
            iov.base = slot.buffer.as_mut_ptr().cast();
            iov.len = slot.buffer.len();
            header.header = message(iov, slot.address.as_mut_ptr().cast(), CAPACITY);
            if self.control > 0 {
                header.header.control = slot.control.0.as_mut_ptr().cast();
                header.header.controllen = self.control;
            }
        }
        // SAFETY: N is at most SLOTS, the number of slots, so each of the N headers points at one
        // iovec, one address array and one or no control array (of CONTROL bytes, as `control` says
        // when it is not 0), each iovec at one buffer, all with their true lengths;
        // `iovs`, `headers` and the slots (borrowed mutably, each buffer its own allocation)
        // outlive the call. A null time-out is allowed.
        let count = check(unsafe {
            abi::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                N as c_uint,
                abi::MSG_WAITFORONE,
                std::ptr::null_mut(),
            )
        })?;
        let count = (count as usize).min(N);
        for (slot, header) in self.slots.iter_mut().zip(&headers).take(count) {
            slot.len = (header.len as usize).min(slot.buffer.len());
            slot.reply = false;
            slot.address_len = (header.header.namelen as usize).min(CAPACITY);
            slot.control_len = match self.control {
                0 => 0,
                room => source_of_reply(&mut slot.control, header.header.controllen.min(room)),
            };
        }
        Ok(count)
    }

    /// Decides how many slots the next `receive` offers.
    fn plan_next(&mut self) {
        self.alone = if self.filled == 1 { self.alone + 1 } else { 0 };
        self.offered = if self.alone == 0 || self.alone % LOOK_AGAIN == 0 {
            SLOTS
        } else {
            1
        };
    }

    /// Sends the replies that are still to be sent, each to its slot's address; returns how many
    /// went, 0 when there are none left. An error concerns the first of them; drop it with
    /// [`skip_reply`](Self::skip_reply) and send on.
    pub fn send(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        match self.replies().take(2).count() {
            0 => Ok(0),
            1 => self.send_up_to::<1>(fd),
            _ => self.send_up_to::<SLOTS>(fd),
        }
    }

    /// The slots whose replies are still to be sent.
    fn replies(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots
            .iter_mut()
            .take(self.filled)
            .filter(|slot| slot.reply)
    }

    fn send_up_to<const N: usize>(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        let mut iovs: [IoVec; N] = [EMPTY_IOV; N];
        let mut headers: [MMsgHdr; N] = [EMPTY; N];
        let mut count: c_uint = 0;
        for ((slot, iov), header) in self.replies().zip(&mut iovs).zip(&mut headers) {
            iov.base = slot.buffer.as_mut_ptr().cast();
            iov.len = slot.len;
            header.header = message(iov, slot.address.as_mut_ptr().cast(), slot.address_len);
            if slot.control_len > 0 {
                header.header.control = slot.control.0.as_mut_ptr().cast();
                header.header.controllen = slot.control_len;
            }
            count += 1;
        }
        // SAFETY: as in `receive_up_to`, for the first `count` headers; `len` of a slot never
        // exceeds its buffer (`set_reply`, `receive_up_to`), nor `address_len` and `control_len`
        // their arrays.
        let sent = check(unsafe {
            abi::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                abi::MSG_NOSIGNAL,
            )
        })? as usize;
        for slot in self.replies().take(sent) {
            slot.reply = false;
        }
        Ok(sent)
    }

    /// Gives up the reply that `send` failed for; returns the address it was for.
    pub fn skip_reply(&mut self) -> Option<SocketAddr> {
        let slot = self
            .slots
            .iter_mut()
            .take(self.filled)
            .find(|slot| slot.reply)?;
        slot.reply = false;
        address::read_ip(slot.address.get(..slot.address_len)?)
    }

    /// The datagram in a slot, `None` beyond the filled ones.
    pub fn datagram(&self, index: usize) -> Option<&[u8]> {
        let slot = self.slots.get(..self.filled)?.get(index)?;
        slot.buffer.get(..slot.len)
    }

    /// The IP address that a slot's datagram came from, `None` for another family.
    pub fn peer(&self, index: usize) -> Option<SocketAddr> {
        let slot = self.slots.get(..self.filled)?.get(index)?;
        address::read_ip(slot.address.get(..slot.address_len)?)
    }

    /// The whole buffer of a slot, to write a reply into; then call [`set_reply`](Self::set_reply).
    pub fn buffer(&mut self, index: usize) -> Option<&mut [u8]> {
        self.slots
            .get_mut(..self.filled)?
            .get_mut(index)
            .map(|slot| &mut slot.buffer[..])
    }

    /// Says how many bytes of a slot's buffer are the reply (cut to the buffer's size), to be sent
    /// by the next [`send`](Self::send).
    pub fn set_reply(&mut self, index: usize, len: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.len = len.min(slot.buffer.len());
            slot.reply = true;
        }
    }
}

/// Turns the control message of a datagram, `control[..len]`, into the one that makes the reply
/// leave from the datagram's destination address; returns its length. The length is 0, which leaves
/// the choice to the kernel, when the destination was a group: no packet may have a group as its
/// source.
fn source_of_reply(control: &mut Control<CONTROL>, len: usize) -> usize {
    let bytes = &mut control.0;
    let (Some(level), Some(kind)) = (number(bytes, 8), number(bytes, 12)) else {
        return 0;
    };
    // Interface 0: the route decides, as for every reply.
    let (interface, keep) = match (level, kind) {
        _ if len < 28 => return 0,
        (abi::IPPROTO_IP, abi::IP_PKTINFO) => (16, false),
        (abi::IPPROTO_IPV6, abi::IPV6_PKTINFO) if len >= 36 => {
            let octets = bytes
                .get(16..32)
                .and_then(|ip| <[u8; 16]>::try_from(ip).ok());
            let asked = Ipv6Addr::from(octets.unwrap_or_default());
            let group = match asked.to_canonical() {
                IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
                IpAddr::V6(v6) => v6.is_multicast(),
            };
            if group {
                return 0;
            }
            // A link-local address is ambiguous without its link.
            (32, asked.is_unicast_link_local())
        }
        _ => return 0,
    };
    if let (Some(index), false) = (bytes.get_mut(interface..interface + 4), keep) {
        index.fill(0);
    }
    len
}

const EMPTY_IOV: IoVec = IoVec {
    base: std::ptr::null_mut(),
    len: 0,
};

const EMPTY: MMsgHdr = MMsgHdr {
    header: MsgHdr::EMPTY,
    len: 0,
};

fn message(iov: &mut IoVec, name: *mut c_void, namelen: usize) -> MsgHdr {
    MsgHdr {
        name,
        namelen: namelen as c_uint,
        iov: std::ptr::from_mut(iov),
        iovlen: 1,
        ..MsgHdr::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn a_batch_goes_back_to_each_sender_in_its_own_bytes() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let clients: Vec<UdpSocket> = (0..5)
            .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        for (number, client) in clients.iter().enumerate() {
            client.connect(server.local_addr().unwrap()).unwrap();
            client.send(&vec![number as u8; number]).unwrap();
        }
        let mut batch = Batch::new(64);
        assert_eq!(batch.receive(server.as_fd()).unwrap(), 5);
        assert_eq!(batch.peer(3), Some(clients[3].local_addr().unwrap()));
        assert_eq!(batch.datagram(3), Some(&[3, 3, 3][..]));
        assert_eq!(batch.datagram(5), None);
        for index in 0..5 {
            let len = batch.datagram(index).unwrap().len();
            batch.set_reply(index, len);
        }
        assert_eq!(batch.send(server.as_fd()).unwrap(), 5);
        assert_eq!(batch.send(server.as_fd()).unwrap(), 0);
        for (number, client) in clients.iter().enumerate() {
            let mut buffer = [9; 64];
            assert_eq!(client.recv(&mut buffer).unwrap(), number);
            assert!(buffer[..number].iter().all(|&b| b as usize == number));
        }
    }

    #[test]
    fn a_datagram_longer_than_its_slot_is_cut() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server
            .send_to(&[1; 10], server.local_addr().unwrap())
            .unwrap();
        server
            .send_to(&[2; 8], server.local_addr().unwrap())
            .unwrap();
        let mut batch = Batch::new(8);
        let mut came = Vec::new();
        while came.len() < 2 {
            for index in 0..batch.receive(server.as_fd()).unwrap() {
                came.push(batch.datagram(index).unwrap().to_vec());
            }
        }
        assert_eq!(came, [[1; 8], [2; 8]]);
    }

    #[test]
    fn slots_without_a_reply_are_passed_over_and_a_failed_one_can_be_skipped() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        for text in [b"a", b"b", b"c"] {
            client.send(text).unwrap();
        }
        let mut batch = Batch::new(8);
        assert_eq!(batch.receive(server.as_fd()).unwrap(), 3);
        batch.set_reply(1, 1);
        batch.set_reply(2, 1);
        assert_eq!(batch.skip_reply(), Some(client.local_addr().unwrap()));
        assert_eq!(batch.send(server.as_fd()).unwrap(), 1);
        let mut buffer = [0; 8];
        assert_eq!(client.recv(&mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], b'c');
        assert_eq!(batch.skip_reply(), None);
    }

    #[test]
    fn a_reply_may_be_longer_or_shorter_than_the_request_but_not_than_the_buffer() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server
            .send_to(b"abc", server.local_addr().unwrap())
            .unwrap();
        let mut batch = Batch::new(8);
        batch.receive(server.as_fd()).unwrap();
        batch.buffer(0).unwrap().copy_from_slice(b"12345678");
        batch.set_reply(0, 100);
        assert_eq!(batch.datagram(0), Some(&b"12345678"[..]));
    }
}
