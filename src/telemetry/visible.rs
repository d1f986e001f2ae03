//! Which characters of a text from outside must be escaped for a terminal or a log.
//!
//! A control character moves the cursor. A bidirectional control makes `gnp.exe` read as `exe.png`,
//! and any other invisible character makes two different names look alike. So every character
//! without a shape of its own is escaped, by Unicode's own properties:
//!
//! - general category Cc (controls), Zl and Zp (line and paragraph separators);
//! - general category Cf (format): bidirectional controls, zero-width joiners, soft hyphen, tags;
//! - Default_Ignorable_Code_Point: fillers, variation selectors, and code points reserved for more.
//!
//! Letters of every script, combining accents, and spaces of every width are left as they are.
//! Characters of the second and third kind join some emoji, which fall apart here: better that than
//! a log with invisible characters.

/// Cf, Zl, Zp and Default_Ignorable_Code_Point of Unicode 16: first and last of each run, in order.
/// `char::is_control` covers Cc.
const RUNS: [(char, char); 25] = [
    ('\u{ad}', '\u{ad}'),       // soft hyphen
    ('\u{34f}', '\u{34f}'),     // combining grapheme joiner
    ('\u{600}', '\u{605}'),     // Arabic number signs
    ('\u{61c}', '\u{61c}'),     // Arabic letter mark
    ('\u{6dd}', '\u{6dd}'),     // Arabic end of ayah
    ('\u{70f}', '\u{70f}'),     // Syriac abbreviation mark
    ('\u{890}', '\u{891}'),     // Arabic pound and piastre marks
    ('\u{8e2}', '\u{8e2}'),     // Arabic disputed end of ayah
    ('\u{115f}', '\u{1160}'),   // Hangul fillers
    ('\u{17b4}', '\u{17b5}'),   // Khmer inherent vowels
    ('\u{180b}', '\u{180f}'),   // Mongolian selectors and vowel separator
    ('\u{200b}', '\u{200f}'),   // zero-width space, joiners, direction marks
    ('\u{2028}', '\u{202e}'),   // separators, embeddings and overrides
    ('\u{2060}', '\u{206f}'),   // word joiner, invisible operators, isolates
    ('\u{3164}', '\u{3164}'),   // Hangul filler
    ('\u{fe00}', '\u{fe0f}'),   // variation selectors
    ('\u{feff}', '\u{feff}'),   // zero-width no-break space, the byte order mark
    ('\u{ffa0}', '\u{ffa0}'),   // halfwidth Hangul filler
    ('\u{fff0}', '\u{fffb}'),   // set aside; interlinear annotation
    ('\u{110bd}', '\u{110bd}'), // Kaithi number sign
    ('\u{110cd}', '\u{110cd}'), // Kaithi number sign above
    ('\u{13430}', '\u{1343f}'), // hieroglyph joiners
    ('\u{1bca0}', '\u{1bca3}'), // shorthand format controls
    ('\u{1d173}', '\u{1d17a}'), // musical beams and slurs
    ('\u{e0000}', '\u{e0fff}'), // tags, more variation selectors
];

/// Whether a character has no shape of its own: it controls the terminal or shows nothing.
///
/// ```
/// use groundwire::telemetry::is_invisible;
///
/// assert!(is_invisible('\x1b') && is_invisible('\u{202e}'));
/// assert!(!is_invisible(' ') && !is_invisible('\u{e9}'));
/// ```
pub fn is_invisible(c: char) -> bool {
    // Nearly every character is ASCII.
    c.is_control()
        || (!c.is_ascii()
            && RUNS
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&c)))
}

/// Adds a text with every character escaped that [controls a terminal or shows
/// nothing](is_invisible), except the tab.
pub fn push_visible(out: &mut String, text: &str) {
    for letter in text.chars() {
        match is_invisible(letter) && letter != '\t' {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_shows_nothing_is_invisible() {
        let bidirectional = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}";
        let zero_width = "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}";
        let controls = "\0\t\n\x1b\x7f\u{80}\u{9b}\u{2028}\u{2029}";
        let others = "\u{34f}\u{3164}\u{fe0f}\u{fff9}\u{e0001}\u{e0041}\u{e01ef}";
        for c in [bidirectional, zero_width, controls, others]
            .concat()
            .chars()
        {
            assert!(is_invisible(c), "{}", c.escape_unicode());
        }
    }

    #[test]
    fn text_of_any_script_is_left_as_it_is() {
        let texts = "plain ~ \u{e9} e\u{301} \u{a0} \u{3000} \u{627}\u{5d0}\u{416}\u{4e2d}\u{ac00}";
        let neighbours =
            "\u{ac}\u{ae}\u{200a}\u{2010}\u{2027}\u{202f}\u{205f}\u{2070}\u{fffc}\u{fffd}";
        for c in [texts, neighbours, "\u{1f600}"].concat().chars() {
            assert!(!is_invisible(c), "{}", c.escape_unicode());
        }
    }

    #[test]
    fn runs_are_in_order_and_apart() {
        for pair in RUNS.windows(2) {
            assert!(pair[0].1 < pair[1].0, "{pair:?}");
        }
        assert!(RUNS.iter().all(|(first, last)| first <= last));
    }
}
