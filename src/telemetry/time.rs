//! A moment as text, in UTC: `2026-11-21T04:38:29.123Z` (RFC 3339 §5.6), and as in the access logs
//! of web servers, `21/Nov/2026:04:38:29 +0000`.
//!
//! The calendar is computed, not looked up. Days since 1970-01-01 are turned into year, month and
//! day in eras of 400 years (146,097 days, after which the Gregorian calendar repeats), with years
//! that begin on 1 March, so that the leap day is the last day of a year.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Shows a moment in RFC 3339 form with milliseconds. That form covers the years 0000 to 9999; a
/// moment outside is shown as the nearest one inside.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub SystemTime);

const MILLIS_A_DAY: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z, in milliseconds since 1970.
const FIRST: i64 = -719_528 * MILLIS_A_DAY;
const LAST: i64 = 2_932_897 * MILLIS_A_DAY - 1;

/// Shows a moment as the Common Log Format does. The years are those of [`Rfc3339`].
#[derive(Clone, Copy, Debug)]
pub struct CommonLogTime(pub SystemTime);

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = split_days(self.0);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = time_of_day(in_day);
        let millis = in_day % 1000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

impl fmt::Display for CommonLogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = split_days(self.0);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = time_of_day(in_day);
        let month = MONTHS.get((month - 1) as usize).copied().unwrap_or("");
        write!(
            f,
            "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000"
        )
    }
}

/// Days since 1970-01-01, and milliseconds of the day.
fn split_days(moment: SystemTime) -> (i64, i64) {
    let millis = millis_since_1970(moment).clamp(FIRST, LAST);
    (
        millis.div_euclid(MILLIS_A_DAY),
        millis.rem_euclid(MILLIS_A_DAY),
    )
}

/// Hour, minute and second.
fn time_of_day(millis: i64) -> (i64, i64, i64) {
    let seconds = millis / 1000;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn millis_since_1970(moment: SystemTime) -> i64 {
    match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            // Rounded towards the past, as after 1970.
            let nanos = before.duration().as_nanos().div_ceil(1_000_000);
            i64::try_from(nanos).map_or(i64::MIN, |millis| -millis)
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March: 153 days for every five, 31 and 30 in turn.
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: i64) -> String {
        let distance = Duration::from_millis(millis.unsigned_abs());
        let moment = if millis < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        };
        Rfc3339(moment).to_string()
    }

    #[test]
    fn known_moments_have_their_known_text() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (482_196_050_520, "1985-04-12T23:20:50.520Z"), // RFC 3339 §5.8
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), // 2000 is a leap year,
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), // 2100 is none
            (-1, "1969-12-31T23:59:59.999Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
            (LAST + 1, "9999-12-31T23:59:59.999Z"),
            (FIRST, "0000-01-01T00:00:00.000Z"),
            (FIRST - 1, "0000-01-01T00:00:00.000Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(at(millis), text);
        }
    }

    #[test]
    fn an_access_log_names_the_month() {
        let moment = UNIX_EPOCH + Duration::from_millis(482_196_050_520);
        assert_eq!(
            CommonLogTime(moment).to_string(),
            "12/Apr/1985:23:20:50 +0000"
        );
        assert_eq!(
            CommonLogTime(UNIX_EPOCH).to_string(),
            "01/Jan/1970:00:00:00 +0000"
        );
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut expected = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil_from_days(days), expected);
            let (year, month, day) = expected;
            let length = match month {
                2 => 28 + i64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (day == length, month == 12) {
                (false, _) => (year, month, day + 1),
                (true, false) => (year, month + 1, 1),
                (true, true) => (year + 1, 1, 1),
            };
        }
    }

    #[test]
    fn no_system_time_panics() {
        for seconds in [u64::MAX, u64::MAX / 2, i64::MAX as u64] {
            let distance = Duration::from_secs(seconds);
            for moment in [
                UNIX_EPOCH.checked_add(distance),
                UNIX_EPOCH.checked_sub(distance),
            ] {
                assert!(moment.is_none_or(|moment| Rfc3339(moment).to_string().len() == 24));
            }
        }
    }
}
