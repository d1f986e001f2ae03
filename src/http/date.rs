//! The one date format that is written, and the three that are read (RFC 9110 §5.6.7).
//!
//! ```text
//!  Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate, the one to write
//!  Sunday, 06-Nov-94 08:49:37 GMT    rfc850-date, obsolete
//!  Sun Nov  6 08:49:37 1994          asctime-date, obsolete
//! ```
//!
//! A recipient that cannot read the obsolete ones would ignore a condition that a client has set.

const LONG_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The last second whose year has the four digits of the formats: the end of 9999.
const LAST: u64 = 253_402_300_799;

/// The date at `seconds` after the beginning of 1970, UTC; at most the last one that the format can
/// express.
pub fn imf_fixdate(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let (days, in_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let text = |list: &[&'static str], index: u64| list.get(index as usize).copied().unwrap_or("");
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        text(&DAYS, days % 7),
        text(&MONTHS, month - 1),
        in_day / 3600,
        in_day / 60 % 60,
        in_day % 60
    )
}

/// The seconds from the beginning of 1970 to a date in any of the three formats; `None` if it is
/// not such a date, or before 1970. `now`, in the same unit, determines the century of a two-digit
/// year.
pub fn parse(text: &str, now: u64) -> Option<u64> {
    parse_imf_fixdate(text)
        .or_else(|| parse_imf_fixdate(&rfc850_as_imf(text, now)?))
        .or_else(|| parse_imf_fixdate(&asctime_as_imf(text)?))
}

/// An rfc850-date as an IMF-fixdate, which is not validated yet.
fn rfc850_as_imf(text: &str, now: u64) -> Option<String> {
    let (weekday, rest) = text.split_once(", ")?;
    let (date, time) = rest.strip_suffix(" GMT")?.split_once(' ')?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if !LONG_DAYS.contains(&weekday) || parts.next().is_some() {
        return None;
    }
    let now = now.min(LAST);
    let (this_year, this_month, today) = civil(now / 86_400);
    let year = this_year - this_year % 100 + digits(year, 2)?;
    let at = days_of(year, month_of(month)?, digits(day, 2)?) * 86_400 + second_of_day(time)?;
    // A date more than 50 years ahead belongs to the century before.
    let latest = days_of(this_year + 50, this_month, today) * 86_400 + now % 86_400;
    let year = match at > latest {
        true => year - 100,
        false => year,
    };
    Some(format!(
        "{}, {day} {month} {year} {time} GMT",
        weekday.get(..3)?
    ))
}

/// An asctime-date as an IMF-fixdate, which is not validated yet. Its day has two places, the first
/// of which may be a space.
fn asctime_as_imf(text: &str) -> Option<String> {
    let (weekday, rest) = text.split_once(' ')?;
    let (month, rest) = rest.split_once(' ')?;
    let (day, rest) = rest.split_at_checked(2)?;
    let (time, year) = rest.strip_prefix(' ')?.split_once(' ')?;
    let day = day.replacen(' ', "0", 1);
    Some(format!("{weekday}, {day} {month} {year} {time} GMT"))
}

/// The seconds from the beginning of 1970; `None` if it is not such a date.
fn parse_imf_fixdate(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let mut part = || parts.next();
    let (day, month, year, time) = (part()?, part()?, part()?, part()?);
    if (part(), part()) != (Some("GMT"), None) {
        return None;
    }
    let (day, year) = (digits(day, 2)?, digits(year, 4)?);
    if year < 1970 {
        return None;
    }
    let seconds = days_of(year, month_of(month)?, day) * 86_400 + second_of_day(time)?;
    // Writing the date again validates its weekday and day of the month. A leap second is never
    // written, so for it the second before is compared.
    let is_date = match time.ends_with(":60") {
        true => imf_fixdate(seconds - 1).strip_suffix("59 GMT") == text.strip_suffix("60 GMT"),
        false => imf_fixdate(seconds) == text,
    };
    is_date.then_some(seconds)
}

fn month_of(name: &str) -> Option<u64> {
    let index = MONTHS.iter().position(|month| *month == name)?;
    Some(index as u64 + 1)
}

/// The second of the day at `08:49:37`. A leap second counts as the one after it.
fn second_of_day(time: &str) -> Option<u64> {
    let mut parts = time.split(':').map(|part| digits(part, 2));
    let [hour, minute, second] = [parts.next()??, parts.next()??, parts.next()??];
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Year, month and day, from the number of days after the beginning of 1970. The year is taken to
/// begin in March, so that the leap day is its last and every month begins at a fixed day of it.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from the 1st of March of the year 0
    let era = days / 146_097;
    let in_era = days % 146_097;
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let calendar = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(calendar <= 2), calendar, day)
}

/// The days from the beginning of 1970 to a date; the inverse of [`civil`].
fn days_of(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let in_year = (153 * from_march + 2) / 5 + day.saturating_sub(1);
    let in_era = of_era * 365 + of_era / 4 - of_era / 100 + in_year;
    (era * 146_097 + in_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_beyond_the_last_year_is_taken_for_it() {
        let text = "Sunday, 06-Nov-94 08:49:37 GMT";
        assert_eq!(parse(text, u64::MAX), parse(text, LAST));
    }

    #[test]
    fn dates_are_written_and_read_as_the_rfc_shows() {
        for (seconds, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(imf_fixdate(seconds), text);
            assert_eq!(parse_imf_fixdate(text), Some(seconds));
        }
    }

    #[test]
    fn a_clock_that_is_beyond_four_digits_says_the_last_date_that_there_is() {
        for seconds in [LAST, LAST + 1, u64::MAX] {
            assert_eq!(imf_fixdate(seconds), "Fri, 31 Dec 9999 23:59:59 GMT");
        }
    }

    #[test]
    fn the_two_obsolete_formats_are_read_as_the_same_date() {
        const NOW: u64 = 1_800_000_000; // Fri, 15 Jan 2027 08:00:00 GMT
        for (text, fixdate) in [
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (
                "Sunday, 06-Nov-94 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            ("Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("Wed Nov 16 08:49:37 1994", "Wed, 16 Nov 1994 08:49:37 GMT"),
            (
                "Thursday, 31-Dec-26 23:59:59 GMT",
                "Thu, 31 Dec 2026 23:59:59 GMT",
            ),
            // 50 years ahead, and one second more.
            (
                "Friday, 15-Jan-77 08:00:00 GMT",
                "Fri, 15 Jan 2077 08:00:00 GMT",
            ),
            (
                "Saturday, 15-Jan-77 08:00:01 GMT",
                "Sat, 15 Jan 1977 08:00:01 GMT",
            ),
            (
                "Saturday, 31-Dec-77 23:59:59 GMT",
                "Sat, 31 Dec 1977 23:59:59 GMT",
            ),
        ] {
            let seconds = parse_imf_fixdate(fixdate);
            assert_eq!(
                (parse(text, NOW), seconds.is_some()),
                (seconds, true),
                "{text}"
            );
        }
        for text in [
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sundays, 06-Nov-94 08:49:37 GMT",
            "Monday, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 6-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994 GMT",
            "Mon Nov  6 08:49:37 1994",
            "Sun Nov   08:49:37 1994",
            "Sun Nov \u{e9} 08:49:37 1994",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_next_one() {
        let read = parse_imf_fixdate("Sat, 31 Dec 2016 23:59:60 GMT");
        assert_eq!(read, parse_imf_fixdate("Sun, 01 Jan 2017 00:00:00 GMT"));
        assert_eq!(read, Some(1_483_228_800));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Mon, 06 Nov 1994 08:49:60 GMT",
            "Sun, 32 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 08:49:60:1 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
        ] {
            assert_eq!(parse_imf_fixdate(text), None, "{text}");
        }
    }
}
