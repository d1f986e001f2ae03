//! A histogram that is exact for small values and keeps two digits of large ones.
//!
//! Buckets are log-linear, as in Gil Tene's HdrHistogram: values below 128 have a bucket each; from
//! there on each power of two is divided into 64 equal buckets, so the width of a bucket is at most
//! 1/64 (1.6 %) of its values.
//!
//! ```text
//! value    0 1 2 ... 127 | 128 130 132 ... 254 | 256 260 264 ... 508 | 512 ...
//! bucket   0 1 2 ... 127 | 128 129 130 ... 191 | 192 193 194 ... 255 | 256 ...
//! width    1             | 2                   | 4                   | 8
//! ```
//!
//! 3,776 buckets (30 KB), allocated at the first value, cover all of `u64`. They are atomics, so
//! threads may share a histogram; for a hot loop, one per thread and a merge at the end is faster.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a value that are kept: 64 buckets for each power of two.
const BITS: u32 = 6;
const HALF: usize = 1 << BITS;
/// Values below this have a bucket each.
const EXACT: u64 = 2 << BITS;
const BUCKETS: usize = (64 - BITS as usize) * HALF + HALF;

/// Values counted by size.
#[derive(Debug)]
pub struct Histogram {
    buckets: OnceLock<Box<[AtomicU64]>>,
    count: AtomicU64,
    sum: Sum,
    min: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: OnceLock::new(),
            count: AtomicU64::new(0),
            sum: Sum::default(),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        if let Some(bucket) = self.buckets().get(bucket_of(value)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.add(value.into());
        self.min.fetch_min(value, Ordering::Relaxed);
        self.max.fetch_max(value, Ordering::Relaxed);
        // Last, so that a thread that sees the first value counted also sees its minimum and
        // maximum.
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Counts a value and the measurements that it prevented: one is due every `interval`, so one
    /// that took longer also stands for those that fell due meanwhile (correction of coordinated
    /// omission, as in HdrHistogram).
    pub fn record_corrected(&self, value: u64, interval: u64) {
        self.record(value);
        if interval == 0 {
            return;
        }
        let mut missed = value.saturating_sub(interval);
        while missed >= interval {
            self.record(missed);
            missed -= interval;
        }
    }

    /// Adds the values of another histogram.
    pub fn merge(&self, other: &Histogram) {
        let (Some(theirs), count) = (other.buckets.get(), other.count()) else {
            return;
        };
        for (ours, theirs) in self.buckets().iter().zip(theirs) {
            let times = theirs.load(Ordering::Relaxed);
            if times > 0 {
                ours.fetch_add(times, Ordering::Relaxed);
            }
        }
        self.sum.add(other.sum());
        self.min
            .fetch_min(other.min.load(Ordering::Relaxed), Ordering::Relaxed);
        self.max.fetch_max(other.max(), Ordering::Relaxed);
        self.count.fetch_add(count, Ordering::Release);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Their sum.
    pub fn sum(&self) -> u128 {
        self.sum.get()
    }

    /// The smallest value, exactly; 0 when there is none.
    pub fn min(&self) -> u64 {
        if self.count() == 0 {
            0
        } else {
            self.min.load(Ordering::Relaxed)
        }
    }

    /// The largest value, exactly; 0 when there is none.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// The value that a fraction `quantile` (0 to 1) of all values does not exceed, at most 1/64
    /// too large; 0 when there is none.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let count = self.count();
        let Some(buckets) = self.buckets.get().filter(|_| count > 0) else {
            return 0;
        };
        let rank = ((quantile.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        for (index, bucket) in buckets.iter().enumerate() {
            seen += bucket.load(Ordering::Relaxed);
            if seen >= rank {
                return highest_of(index).clamp(self.min(), self.max());
            }
        }
        self.max()
    }

    /// For each bound, in ascending order, how many values are at most this bound, counting the
    /// whole bucket that the bound is in; and how many there are in all. Every bucket is read once,
    /// so the counts agree with each other even while threads record.
    pub fn cumulative<const N: usize>(&self, bounds: [u64; N]) -> ([u64; N], u64) {
        let mut buckets = self.buckets.get().map_or(&[][..], |buckets| buckets).iter();
        let (mut read, mut total) = (0, 0);
        let mut take = |count: usize| -> u64 {
            let counts = buckets.by_ref().take(count);
            total += counts.map(|b| b.load(Ordering::Relaxed)).sum::<u64>();
            total
        };
        let up_to = bounds.map(|bound| {
            let wanted = (bucket_of(bound) + 1).saturating_sub(read);
            read += wanted;
            take(wanted)
        });
        (up_to, take(BUCKETS))
    }

    fn buckets(&self) -> &[AtomicU64] {
        self.buckets
            .get_or_init(|| (0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

/// A sum of 128 bits in two words. One word of nanoseconds lasts 584 years, but parallel times add
/// up: 10,000 connections that are always live use it up in three weeks.
#[derive(Debug, Default)]
struct Sum {
    low: AtomicU64,
    high: AtomicU64,
}

impl Sum {
    fn add(&self, value: u128) {
        let low = value as u64;
        let before = self.low.fetch_add(low, Ordering::SeqCst);
        let carry = u64::from(before.checked_add(low).is_none());
        let high = (value >> 64) as u64 + carry;
        if high > 0 {
            self.high.fetch_add(high, Ordering::SeqCst);
        }
    }

    /// A read between the two steps of an addition with a carry, once in 2^64, misses the carry.
    fn get(&self) -> u128 {
        let mut high = self.high.load(Ordering::SeqCst);
        loop {
            let low = self.low.load(Ordering::SeqCst);
            let again = self.high.load(Ordering::SeqCst);
            if again == high {
                return u128::from(high) << 64 | u128::from(low);
            }
            high = again;
        }
    }
}

/// The bucket that a value falls into.
fn bucket_of(value: u64) -> usize {
    if value < EXACT {
        return value as usize;
    }
    let shift = value.ilog2() - BITS;
    // The leading one bit of what is left adds another HALF: that is the next row's start.
    shift as usize * HALF + (value >> shift) as usize
}

/// The highest value of a bucket.
fn highest_of(bucket: usize) -> u64 {
    if (bucket as u64) < EXACT {
        return bucket as u64;
    }
    let shift = (bucket / HALF - 1) as u32;
    let kept = (bucket % HALF + HALF) as u64;
    ((kept << shift) - 1) + (1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64: the same numbers on every machine for the same seed.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap_up_to_the_last_value() {
        assert_eq!(highest_of(BUCKETS - 1), u64::MAX);
        for bucket in 0..BUCKETS {
            let highest = highest_of(bucket);
            assert_eq!(bucket_of(highest), bucket);
            if bucket + 1 < BUCKETS {
                assert_eq!(bucket_of(highest + 1), bucket + 1);
            }
        }
    }

    #[test]
    fn quantiles_are_at_most_one_sixty_fourth_above_the_sorted_values() {
        let seed = 20_261_121;
        println!("seed {seed}");
        let mut random = Random(seed);
        for spread in [7, 12, 30, 63] {
            let histogram = Histogram::new();
            let mut values: Vec<u64> = (0..10_000)
                .map(|_| random.next() >> (63 - random.next() % spread))
                .collect();
            values.iter().for_each(|&value| histogram.record(value));
            values.sort_unstable();
            for quantile in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let rank = ((quantile * 10_000.0_f64).ceil() as usize).clamp(1, 10_000);
                let (exact, told) = (values[rank - 1], histogram.quantile(quantile));
                assert!(
                    told >= exact && told - exact <= exact / 64,
                    "{quantile}: {exact} {told}"
                );
            }
            assert_eq!(
                (histogram.min(), histogram.max()),
                (values[0], values[9_999])
            );
            let bounds = [0, 0, 100, 5_000, 1 << 40];
            let each = bounds.map(|bound| {
                let up_to = values.partition_point(|&value| bucket_of(value) <= bucket_of(bound));
                up_to as u64
            });
            assert_eq!(histogram.cumulative(bounds), (each, 10_000));
        }
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        let empty = Histogram::new();
        assert_eq!(
            (empty.count(), empty.min(), empty.max(), empty.quantile(0.5)),
            (0, 0, 0, 0)
        );
        assert_eq!(empty.cumulative([5, 7]), ([0, 0], 0));
        empty.merge(&Histogram::new());
        assert_eq!(empty.count(), 0);
    }

    #[test]
    fn a_value_that_is_counted_has_its_minimum_and_maximum() {
        let other = Histogram::new();
        other.record(1_000);
        for round in 0..100 {
            let histogram = Histogram::new();
            std::thread::scope(|scope| {
                scope.spawn(|| match round % 2 {
                    0 => histogram.record(1_000),
                    _ => histogram.merge(&other),
                });
                // No pause: the test is about the moment right after the count.
                while histogram.count() == 0 {}
                let seen = (histogram.min(), histogram.quantile(0.5), histogram.max());
                assert_eq!(seen, (1_000, 1_000, 1_000));
            });
        }
    }

    #[test]
    fn a_sum_beyond_64_bits_neither_wraps_nor_stops() {
        let (histogram, merged) = (Histogram::new(), Histogram::new());
        let largest = u128::from(u64::MAX);
        histogram.record(u64::MAX);
        histogram.record(u64::MAX);
        assert_eq!(histogram.sum(), 2 * largest);
        (0..5).for_each(|_| histogram.record(u64::MAX));
        histogram.record(7);
        assert_eq!(histogram.sum(), 7 * largest + 7);
        merged.record(u64::MAX);
        merged.merge(&histogram);
        assert_eq!(merged.sum(), 8 * largest + 7);
    }

    #[test]
    fn merged_histograms_are_the_histogram_of_all_values() {
        let (a, b, both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for value in 0..1000 {
            if value % 3 == 0 { &a } else { &b }.record(value * 17);
            both.record(value * 17);
        }
        a.merge(&b);
        for quantile in [0.1, 0.5, 0.999] {
            assert_eq!(a.quantile(quantile), both.quantile(quantile));
        }
        assert_eq!(
            (a.sum(), a.min(), a.max()),
            (both.sum(), both.min(), both.max())
        );
    }

    #[test]
    fn a_stall_counts_for_the_requests_that_fell_due_meanwhile() {
        let (corrected, naive) = (Histogram::new(), Histogram::new());
        for _ in 0..99 {
            corrected.record_corrected(1, 10);
            naive.record(1);
        }
        corrected.record_corrected(1000, 10);
        naive.record(1000);
        assert_eq!(naive.quantile(0.9), 1);
        assert_eq!(corrected.count(), 199);
        assert!(corrected.quantile(0.9) > 700);
        corrected.record_corrected(5, 0);
        assert_eq!(corrected.count(), 200);
    }
}
