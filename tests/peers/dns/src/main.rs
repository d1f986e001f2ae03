//! DNS messages beside hickory-proto, in one run: time to decode and to encode, a new buffer each.
//!
//! Every round runs all four once for each message, a few milliseconds each; a ratio is that of two
//! times of the same round, the table shows medians. What one writes the other has to read as the
//! same before anything is measured.

mod messages;

use std::hint::black_box;
use std::time::{Duration, Instant};

use groundwire::dns::Message;
use hickory_proto::op::Message as Hickory;

const SLICE: Duration = Duration::from_millis(4);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(21, |text| text.parse().expect("ROUNDS: a number"));
    println!("{rounds} rounds; the median, and ours to theirs (below 1: ours takes less time)\n");
    println!("| message (ns) | octets | decode | decode, hickory | ratio | encode | encode, hickory | ratio |");
    println!("|---|---|---|---|---|---|---|---|");
    for (what, ours) in messages::all() {
        let octets = ours.encode().unwrap();
        let theirs = Hickory::from_vec(&octets).unwrap();
        let again = theirs.to_vec().unwrap();
        assert_eq!(Message::decode(&again).as_ref(), Ok(&ours), "{what}: read by both, written by hickory");
        let mut times = [(); 4].map(|()| Vec::new());
        for round in 0..rounds + 1 {
            let all = [
                time(|| Message::decode(black_box(&octets))),
                time(|| Hickory::from_vec(black_box(&octets))),
                time(|| black_box(&ours).encode()),
                time(|| black_box(&theirs).to_vec()),
            ];
            if round > 0 {
                times.iter_mut().zip(all).for_each(|(times, time)| times.push(time));
            }
        }
        print!("| {what} | {} |", octets.len());
        for pair in times.chunks(2) {
            let ratios = pair[0].iter().zip(&pair[1]).map(|(ours, theirs)| ours / theirs);
            let ratio = median(ratios.collect());
            print!(" {:.0} | {:.0} | {ratio:.2} |", median(pair[0].clone()), median(pair[1].clone()));
        }
        println!();
    }
}

/// Nanoseconds of one run.
fn time<T>(run: impl Fn() -> T) -> f64 {
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < SLICE {
        // Reading the clock for each would be measured along with the quick ones.
        for _ in 0..8 {
            black_box(run());
        }
        count += 8;
    }
    begun.elapsed().as_nanos() as f64 / f64::from(count)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
