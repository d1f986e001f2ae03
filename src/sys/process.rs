//! Limits and CPU time of the process, names and scheduling of its threads, numbers of its
//! interfaces.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_ulong};
use std::io;
use std::time::Duration;

use super::abi::{self, RLimit, SchedParam};
use super::check;

/// How the kernel schedules the calling thread (`sched(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// The default: a thread that wakes up may preempt the running one.
    Normal,
    /// A thread that wakes up waits its turn: fewer switches, more throughput, later replies.
    Batch,
}

/// The soft limit on open descriptors: the number from which calls fail with EMFILE.
pub fn descriptor_limit() -> io::Result<u64> {
    Ok(limits()?.current)
}

/// Sets the soft limit on open descriptors, at most to the hard limit; returns the new value.
pub fn set_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let old = limits()?;
    let wanted = c_ulong::try_from(wanted).unwrap_or(c_ulong::MAX);
    let limit = RLimit {
        current: wanted.min(old.maximum),
        maximum: old.maximum,
    };
    // SAFETY: `limit` is live and laid out as struct rlimit; the kernel only reads it.
    check(unsafe { abi::setrlimit(abi::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.current)
}

fn limits() -> io::Result<RLimit> {
    let mut limit = RLimit {
        current: 0,
        maximum: 0,
    };
    // SAFETY: `limit` is live, writable and laid out as struct rlimit.
    check(unsafe { abi::getrlimit(abi::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok(limit)
}

/// Names the calling thread in `ps -T`, `top -H` and the debugger; cut to 15 bytes (`prctl(2)`).
pub fn name_thread(name: &str) {
    let mut bytes = [0u8; 16];
    for (to, from) in bytes
        .iter_mut()
        .take(15)
        .zip(name.bytes().filter(|&b| b != 0))
    {
        *to = from;
    }
    if let Ok(name) = CStr::from_bytes_until_nul(&bytes) {
        // SAFETY: PR_SET_NAME reads a NUL-terminated string of at most 16 bytes, which `name` is.
        // It cannot fail for a readable pointer, and a missing name would do no harm.
        unsafe { abi::prctl(abi::PR_SET_NAME, name.as_ptr()) };
    }
}

/// Sets the scheduling of the calling thread; threads that it starts later inherit it. Switching
/// between these two policies needs no privilege. `Unsupported` where the C library does not
/// implement it: musl's function only returns that error.
pub fn set_scheduling(scheduling: Scheduling) -> io::Result<()> {
    let policy = match scheduling {
        Scheduling::Normal => abi::SCHED_OTHER,
        Scheduling::Batch => abi::SCHED_BATCH,
    };
    let param = SchedParam { priority: 0 };
    // SAFETY: pid 0 is the calling thread; `param` is live and the kernel only reads it.
    check(unsafe { abi::sched_setscheduler(0, policy, &raw const param) })?;
    Ok(())
}

/// Whether the calling thread is scheduled as threads are if nobody has chosen anything else; also
/// where the system does not tell.
pub fn is_scheduled_by_default() -> bool {
    // SAFETY: it takes a number, of which 0 is the calling thread, and touches no memory of ours.
    let policy = check(unsafe { abi::sched_getscheduler(0) });
    policy.map_or(true, |policy| policy == abi::SCHED_OTHER)
}

/// The CPU time that this process has used, user and kernel, all threads together (`clock(3)`). A
/// system call that looks at every thread. Zero where the system does not tell.
pub fn cpu_time() -> Duration {
    // SAFETY: it takes nothing and touches no memory of ours.
    let ticks = u64::try_from(unsafe { abi::clock() }).unwrap_or(0);
    Duration::from_micros(ticks * (1_000_000 / abi::CLOCKS_PER_SEC))
}

/// The number of a network interface (`eth0` may be 2): the scope id of a zoned IPv6 address.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let c_name = CString::new(name)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the name has a NUL inside"))?;
    // SAFETY: `c_name` is a live NUL-terminated string.
    match unsafe { abi::if_nametoindex(c_name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// The name of the interface with this number.
pub fn interface_name(index: u32) -> io::Result<String> {
    let mut name = [0u8; 16]; // IFNAMSIZ of `<net/if.h>`, the final NUL included
    // SAFETY: `name` is live, writable, and has the IFNAMSIZ bytes that the call may write.
    let found = unsafe { abi::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return Err(io::Error::last_os_error());
    }
    let end = name.iter().position(|&byte| byte == 0);
    let text = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_limit_is_read_and_set_back() {
        let limit = descriptor_limit().unwrap();
        assert!(limit > 3);
        assert_eq!(set_descriptor_limit(limit).unwrap(), limit);
    }

    #[test]
    fn a_thread_shows_its_new_name_cut_to_fifteen_bytes() {
        std::thread::spawn(|| {
            name_thread("127.0.0.1:54321 and more");
            let shown = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            assert_eq!(shown, "127.0.0.1:54321\n");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn scheduling_switches_both_ways_without_privilege() {
        let switched = std::thread::spawn(|| -> io::Result<()> {
            set_scheduling(Scheduling::Batch)?;
            assert!(!is_scheduled_by_default());
            set_scheduling(Scheduling::Normal)?;
            assert!(is_scheduled_by_default());
            Ok(())
        });
        match switched.join().unwrap() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                println!("skipped: no scheduling policies in this C library");
            }
            switched => switched.unwrap(),
        }
    }

    #[test]
    fn the_cpu_time_counts_the_work_of_every_thread() {
        let work = || {
            let begun = cpu_time();
            let mut sum = 0u64;
            while cpu_time() < begun + Duration::from_millis(20) {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
            }
        };
        let before = cpu_time();
        std::thread::spawn(work).join().unwrap();
        assert!(cpu_time() >= before + Duration::from_millis(20));
    }

    #[test]
    fn the_loopback_interface_has_an_index_and_an_unknown_one_is_an_error() {
        assert!(interface_index("lo").unwrap() > 0);
        assert!(interface_index("no-such-if0").is_err());
        assert!(interface_index("a\0b").is_err());
        let index = interface_index("lo").unwrap();
        assert_eq!(interface_name(index).unwrap(), "lo");
        assert!(interface_name(u32::MAX).is_err());
    }
}
