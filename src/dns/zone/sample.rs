//! The sample zones: used by the book, by the tour, and by a server without zones of its own.
//!
//! `lab.test.` has one of everything that a zone can have; two more zones map its addresses back to
//! names. They are compiled in, so the lessons need neither network nor files.

use super::parser::{Limits, Parsed, parse};
use super::problem::Problem;

/// The text of each sample zone, and the name of its file.
pub const SAMPLES: [(&str, &str); 3] = [
    ("lab.test.zone", include_str!("sample/lab.test.zone")),
    ("192.0.2.zone", include_str!("sample/192.0.2.zone")),
    ("2001-db8.zone", include_str!("sample/2001-db8.zone")),
];

/// The sample zones, parsed. They have no errors, as a test checks.
pub fn samples() -> Result<Vec<Parsed>, Vec<Problem>> {
    let mut no_file = |_: &str| Err("a sample zone includes no file".into());
    SAMPLES
        .iter()
        .map(|(file, text)| parse(file, text, None, Limits::default(), &mut no_file))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_zones_have_neither_errors_nor_warnings() {
        let read = samples().unwrap();
        let apexes: Vec<String> = read.iter().map(|p| p.zone.apex().to_string()).collect();
        let expected = [
            "lab.test.",
            "2.0.192.in-addr.arpa.",
            "8.b.d.0.1.0.0.2.ip6.arpa.",
        ];
        assert_eq!(apexes, expected);
        for parsed in &read {
            assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        }
    }
}
