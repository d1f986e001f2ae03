//! What the C library's headers declare, for Linux: functions, constants, layouts.
//!
//! std already links the C library, so a declaration is enough to call a function. The numbers are
//! from the kernel's `include/uapi` headers, for the 64-bit architectures that share them (x86-64,
//! arm64, riscv, s390x, loongarch); others are refused below.
//!
//! To port to another Unix: 1. give this file a sibling with that system's numbers; 2. replace
//! `batch` by a loop over `recv_from`; 3. run the tests.

// The width is checked, too: Rust counts x32 as x86-64 and arm64's ILP32 as aarch64, but their
// `long` has 32 bits and their `rlim_t` 64.
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "s390x",
        target_arch = "loongarch64"
    )
)))]
compile_error!(
    "groundwire has no system-call numbers for this target yet: add them to src/sys/abi.rs"
);

use std::ffi::{c_char, c_int, c_long, c_short, c_uint, c_ulong, c_void};
use std::ptr;

/// Address families (`bits/socket.h`).
pub const AF_UNIX: c_int = 1;
pub const AF_INET: c_int = 2;
pub const AF_INET6: c_int = 10;
pub const AF_NETLINK: c_int = 16;
pub const AF_PACKET: c_int = 17;

/// Socket types (`bits/socket_type.h`).
pub const SOCK_STREAM: c_int = 1;
pub const SOCK_DGRAM: c_int = 2;
pub const SOCK_RAW: c_int = 3;
pub const SOCK_SEQPACKET: c_int = 5;
pub const SOCK_CLOEXEC: c_int = 0o2_000_000;

/// Levels and options of `setsockopt` (`asm-generic/socket.h`, `linux/tcp.h`, `linux/in6.h`).
pub const SOL_SOCKET: c_int = 1;
pub const SO_REUSEADDR: c_int = 2;
pub const SO_ERROR: c_int = 4;
pub const SO_KEEPALIVE: c_int = 9;
pub const SO_LINGER: c_int = 13;
pub const SO_RCVBUF: c_int = 8;
pub const SO_REUSEPORT: c_int = 15;
pub const SO_PEERCRED: c_int = 17;
pub const SO_RCVBUFFORCE: c_int = 33;
pub const SO_TIMESTAMPNS: c_int = 35;
pub const IPPROTO_TCP: c_int = 6;
pub const TCP_NODELAY: c_int = 1;
pub const TCP_KEEPIDLE: c_int = 4;
pub const TCP_KEEPINTVL: c_int = 5;
pub const TCP_USER_TIMEOUT: c_int = 18;
pub const IPPROTO_IPV6: c_int = 41;
pub const IPV6_V6ONLY: c_int = 26;
pub const IPV6_RECVPKTINFO: c_int = 49;
pub const IPV6_PKTINFO: c_int = 50;
pub const IPV6_UNICAST_HOPS: c_int = 16;
pub const IPV6_MULTICAST_HOPS: c_int = 18;
pub const IPV6_RECVERR: c_int = 25;
pub const IPV6_RECVHOPLIMIT: c_int = 51;
pub const IPV6_HOPLIMIT: c_int = 52;
pub const IPPROTO_IP: c_int = 0;
pub const IP_TTL: c_int = 2;
pub const IP_PKTINFO: c_int = 8;
pub const IP_BIND_ADDRESS_NO_PORT: c_int = 24;
pub const IP_RECVERR: c_int = 11;
pub const IP_RECVTTL: c_int = 12;
pub const IP_MULTICAST_TTL: c_int = 33;
pub const IPPROTO_ICMP: c_int = 1;
pub const IPPROTO_ICMPV6: c_int = 58;
/// Filters of raw ICMP sockets (`linux/icmp.h`, `linux/icmpv6.h`), and the level of the first.
pub const SOL_RAW: c_int = 255;
pub const ICMP_FILTER: c_int = 1;
pub const ICMPV6_FILTER: c_int = 1;
/// Options of packet sockets and their level (`linux/if_packet.h`, `bits/socket.h`).
pub const SOL_PACKET: c_int = 263;
pub const PACKET_ADD_MEMBERSHIP: c_int = 1;
pub const PACKET_STATISTICS: c_int = 6;
pub const PACKET_AUXDATA: c_int = 8;
pub const PACKET_IGNORE_OUTGOING: c_int = 23;
pub const PACKET_MR_PROMISC: u16 = 1;
/// `status` of a packet's auxiliary data: the VLAN tag is valid; its EtherType is valid.
pub const TP_STATUS_VLAN_VALID: c_int = 1 << 4;
pub const TP_STATUS_VLAN_TPID_VALID: c_int = 1 << 6;
/// EtherTypes: all protocols; a VLAN tag (`linux/if_ether.h`).
pub const ETH_P_ALL: u16 = 3;
pub const ETH_P_8021Q: u16 = 0x8100;
/// `protocol` of a netlink socket: links, addresses, routes (`linux/netlink.h`).
pub const NETLINK_ROUTE: c_int = 0;
/// The origin of an error in the error queue (`linux/errqueue.h`).
pub const SO_EE_ORIGIN_ICMP: u8 = 2;
pub const SO_EE_ORIGIN_ICMP6: u8 = 3;

/// Flags of `send` and `recv` (`linux/socket.h`).
pub const MSG_PEEK: c_int = 0x2;
pub const MSG_TRUNC: c_int = 0x20;
pub const MSG_DONTWAIT: c_int = 0x40;
pub const MSG_ERRQUEUE: c_int = 0x2000;
pub const MSG_NOSIGNAL: c_int = 0x4000;
pub const MSG_WAITFORONE: c_int = 0x10000;

/// Events of `poll` (`asm-generic/poll.h`).
pub const POLLIN: c_short = 1;
pub const POLLOUT: c_short = 4;
pub const POLLRDHUP: c_short = 0x2000;

/// Error numbers (`asm-generic/errno.h`).
pub const EAGAIN: c_int = 11;
pub const EAFNOSUPPORT: c_int = 97;
pub const EINPROGRESS: c_int = 115;

/// `request` of `ioctl`: unacknowledged bytes (`asm-generic/ioctls.h` TIOCOUTQ, `linux/sockios.h`).
pub const SIOCOUTQ: c_ulong = 0x5411;

/// `how` of `shutdown`.
pub const SHUT_RD: c_int = 0;
pub const SHUT_RDWR: c_int = 2;

/// `how` of `pthread_sigmask`.
pub const SIG_BLOCK: c_int = 0;

/// `resource` of `getrlimit`: open descriptors.
pub const RLIMIT_NOFILE: c_int = 7;
/// What `clock` counts in a second (`time.h`, POSIX).
pub const CLOCKS_PER_SEC: u64 = 1_000_000;
/// `option` of `prctl`: the calling thread's name.
pub const PR_SET_NAME: c_int = 15;
/// `operation` of `flock`: exclusive, and without waiting (`asm-generic/fcntl.h`).
pub const LOCK_EX: c_int = 2;
pub const LOCK_NB: c_int = 4;
/// Flag of `open`: fail at a symbolic link (`asm-generic/fcntl.h`; arm64 has its own number).
pub const O_NOFOLLOW: c_int = if cfg!(target_arch = "aarch64") {
    0o100_000
} else {
    0o400_000
};
/// Scheduling policies (`sched(7)`).
pub const SCHED_OTHER: c_int = 0;
pub const SCHED_BATCH: c_int = 3;

/// `sigset_t`: 1,024 bits in both glibc and musl.
#[repr(C)]
pub struct SigSet {
    pub bits: [c_ulong; SigSet::WORDS],
}

impl SigSet {
    pub const WORDS: usize = 1024 / c_ulong::BITS as usize;
}

/// `struct rlimit` as glibc and musl lay it out.
#[repr(C)]
pub struct RLimit {
    pub current: c_ulong,
    pub maximum: c_ulong,
}

/// `struct pollfd`.
#[repr(C)]
pub struct PollFd {
    pub fd: c_int,
    pub events: c_short,
    pub returned: c_short,
}

/// `struct sched_param`.
#[repr(C)]
pub struct SchedParam {
    pub priority: c_int,
}

/// `struct iovec`.
#[repr(C)]
pub struct IoVec {
    pub base: *mut c_void,
    pub len: usize,
}

/// `struct msghdr`, in glibc's and the kernel's 64-bit layout. musl declares `iovlen` and
/// `controllen` as halves of the same words, with padding, so little-endian musl reads the same
/// values.
#[repr(C)]
pub struct MsgHdr {
    pub name: *mut c_void,
    pub namelen: c_uint,
    pub iov: *mut IoVec,
    pub iovlen: usize,
    pub control: *mut c_void,
    pub controllen: usize,
    pub flags: c_int,
}

impl MsgHdr {
    /// No address, no bytes, no control messages.
    pub const EMPTY: Self = Self {
        name: ptr::null_mut(),
        namelen: 0,
        iov: ptr::null_mut(),
        iovlen: 0,
        control: ptr::null_mut(),
        controllen: 0,
        flags: 0,
    };
}

/// `struct mmsghdr`.
#[repr(C)]
pub struct MMsgHdr {
    pub header: MsgHdr,
    pub len: c_uint,
}

#[allow(unsafe_code)] // declarations only; each call site makes its own argument
unsafe extern "C" {
    pub fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    pub fn bind(fd: c_int, address: *const c_void, len: c_uint) -> c_int;
    pub fn getsockname(fd: c_int, address: *mut c_void, len: *mut c_uint) -> c_int;
    pub fn listen(fd: c_int, backlog: c_int) -> c_int;
    pub fn connect(fd: c_int, address: *const c_void, len: c_uint) -> c_int;
    pub fn poll(fds: *mut PollFd, count: c_ulong, milliseconds: c_int) -> c_int;
    pub fn shutdown(fd: c_int, how: c_int) -> c_int;
    pub fn setsockopt(
        fd: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        len: c_uint,
    ) -> c_int;
    pub fn getsockopt(
        fd: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        len: *mut c_uint,
    ) -> c_int;
    pub fn recv(fd: c_int, buffer: *mut c_void, len: usize, flags: c_int) -> isize;
    pub fn recvfrom(
        fd: c_int,
        buffer: *mut c_void,
        len: usize,
        flags: c_int,
        address: *mut c_void,
        address_len: *mut c_uint,
    ) -> isize;
    pub fn recvmsg(fd: c_int, message: *mut MsgHdr, flags: c_int) -> isize;
    pub fn sendto(
        fd: c_int,
        buffer: *const c_void,
        len: usize,
        flags: c_int,
        address: *const c_void,
        address_len: c_uint,
    ) -> isize;
    pub fn send(fd: c_int, buffer: *const c_void, len: usize, flags: c_int) -> isize;
    pub fn sendmsg(fd: c_int, message: *const MsgHdr, flags: c_int) -> isize;
    pub fn recvmmsg(
        fd: c_int,
        messages: *mut MMsgHdr,
        count: c_uint,
        flags: c_int,
        timeout: *mut c_void,
    ) -> c_int;
    pub fn sendmmsg(fd: c_int, messages: *mut MMsgHdr, count: c_uint, flags: c_int) -> c_int;

    pub fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;

    pub fn sigemptyset(set: *mut SigSet) -> c_int;
    pub fn sigaddset(set: *mut SigSet, signal: c_int) -> c_int;
    pub fn pthread_sigmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    pub fn sigwait(set: *const SigSet, signal: *mut c_int) -> c_int;

    pub fn getrlimit(resource: c_int, limit: *mut RLimit) -> c_int;
    pub fn setrlimit(resource: c_int, limit: *const RLimit) -> c_int;
    pub fn prctl(option: c_int, ...) -> c_int;
    pub fn sched_getscheduler(pid: c_int) -> c_int;
    pub fn sched_setscheduler(pid: c_int, policy: c_int, param: *const SchedParam) -> c_int;
    pub fn clock() -> c_long;
    pub fn flock(fd: c_int, operation: c_int) -> c_int;
    pub fn if_nametoindex(name: *const c_char) -> c_uint;
    pub fn if_indextoname(index: c_uint, name: *mut c_char) -> *mut c_char;
}
