//! One tiny method, `Add`, served and called by Groundwire or by tarpc.
//!
//!     rpc-peers ours|tarpc server                                  prints its address
//!     rpc-peers ours|tarpc client ADDRESS CALLERS CONNECTIONS SECONDS
//!
//! The client prints calls a second, the 50th and the 99th percentile in microseconds, and how
//! many results were wrong.

mod ours;
mod tarpc_peer;

use std::time::Duration;

/// What a run of callers has measured: nanoseconds of each call.
pub fn report(mut times: Vec<u64>, wrong: u64, elapsed: Duration) {
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0) as f64 / 1e3;
    println!("{:.0} {:.1} {:.1} {wrong}", times.len() as f64 / elapsed.as_secs_f64(), at(0.5), at(0.99));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["ours", "server"] => ours::serve(),
        ["tarpc", "server"] => tarpc_peer::serve(),
        [who, "client", address, callers, connections, seconds] => {
            let (callers, connections) = (callers.parse().unwrap(), connections.parse().unwrap());
            let time = Duration::from_secs_f64(seconds.parse().unwrap());
            match who {
                "ours" => ours::call(address, callers, connections, time),
                _ => tarpc_peer::call(address, callers, connections, time),
            }
        }
        _ => panic!("usage: rpc-peers ours|tarpc server | client ADDRESS CALLERS CONNECTIONS SECONDS"),
    }
}
