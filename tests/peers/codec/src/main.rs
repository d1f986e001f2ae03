//! The wire format beside other codecs of Rust, in one run: time to encode and decode, and bytes.
//!
//! Every round runs every codec once, a few milliseconds each; a ratio is that of two times of
//! the same round, the tables show medians. Every codec's result is compared with its value
//! before anything is measured.
//!
//! ```text
//! codec-bench [ROUNDS [RPC-GO]]                            the tables
//! codec-bench only record|logs CODEC OPERATION COUNT       one of them, so often, for a profiler
//! ```
//!
//! The operations are the tables' columns: 0 and 1 encode, into a new buffer and a kept one, 2 and 3
//! decode, owned and borrowed.

mod codecs;
mod data;
mod gob;

use std::hint::black_box;
use std::time::{Duration, Instant};

use codecs::{Codec, Operation};
use gob::Gob;

const SLICE: Duration = Duration::from_millis(4);

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == "only").is_some() {
        return only(arguments);
    }
    let rounds: usize = arguments.next().map_or(21, |text| text.parse().expect("ROUNDS: a number"));
    let gob = arguments.next().map(|program| Gob::start(&program));
    println!("{rounds} rounds; the median, and ours to theirs (below 1: ours takes less time)\n");
    table("recursive record", "ns", 1.0, rounds, with_gob(codecs::for_record(), &gob, "record"));
    table("10,000 log records", "us", 1000.0, rounds, with_gob(codecs::for_logs(), &gob, "logs"));
}

/// Runs one operation of one codec.
fn only(mut arguments: impl Iterator<Item = String>) {
    let mut next = |what: &str| arguments.next().unwrap_or_else(|| panic!("{what} is missing"));
    let codecs = match next("record or logs").as_str() {
        "record" => codecs::for_record(),
        _ => codecs::for_logs(),
    };
    let name = next("CODEC");
    let mut codec = codecs.into_iter().find(|codec| codec.name == name).expect("a codec of this name");
    let operation: usize = next("OPERATION").parse().expect("OPERATION: a number");
    let count: u64 = next("COUNT").parse().expect("COUNT: a number");
    let Operation::Here(run) = &mut codec.operations[operation] else {
        panic!("{name} does not have it");
    };
    for _ in 0..count {
        black_box(run());
    }
}

/// The Go program's row, if there is one.
fn with_gob(mut codecs: Vec<Codec>, gob: &Option<Gob>, what: &'static str) -> Vec<Codec> {
    codecs.extend(gob.as_ref().map(|gob| gob.codec(what)));
    codecs
}

/// One operation of all codecs in all rounds, in nanoseconds: `times[codec][round]`.
fn measure(codecs: &mut [Codec], rounds: usize, operation: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::new(); codecs.len()];
    for round in 0..rounds + 1 {
        for (codec, times) in codecs.iter_mut().zip(&mut times) {
            let run = match &mut codec.operations[operation] {
                Operation::None => continue,
                Operation::There(measure) => {
                    let time = measure();
                    times.extend((round > 0).then_some(time));
                    continue;
                }
                Operation::Here(run) => run,
            };
            let (begun, mut count) = (Instant::now(), 0_u32);
            while begun.elapsed() < SLICE {
                // Reading the clock for each would be measured along with the quick ones.
                for _ in 0..8 {
                    black_box(run());
                }
                count += 8;
            }
            if round > 0 {
                times.push(begun.elapsed().as_nanos() as f64 / f64::from(count));
            }
        }
    }
    times
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(title: &str, unit: &str, scale: f64, rounds: usize, mut codecs: Vec<Codec>) {
    let measured: Vec<_> = (0..4).map(|operation| measure(&mut codecs, rounds, operation)).collect();
    println!("| {title} ({unit}) | bytes | encode, new buffer | encode, kept buffer | decode, owned | decode, borrowed |");
    println!("|---|---|---|---|---|---|");
    for (index, codec) in codecs.iter().enumerate() {
        print!("| {} | {} |", codec.name, codec.bytes);
        for times in &measured {
            if times[index].is_empty() {
                print!(" |");
                continue;
            }
            print!(" {:.1}", median(times[index].clone()) / scale);
            if index > 0 && !times[0].is_empty() {
                let ratios = times[0].iter().zip(&times[index]).map(|(ours, theirs)| ours / theirs);
                print!(" ({:.2})", median(ratios.collect()));
            }
            print!(" |");
        }
        println!();
    }
    println!();
}
