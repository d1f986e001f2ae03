//! Calls that panic, and words of sleeping and waiting.

use crate::place;
use crate::rules::{
    MAY_YIELD, PANICKING_MACROS, PANICKING_METHODS, PROGRAM_ENDS, SLEEPS, TEST_ONLY,
};
use crate::rust_code::Code;

/// Calls outside of tests that end the thread or the program.
pub fn panic_faults(name: &str, text: &str) -> Vec<String> {
    if TEST_ONLY.contains(&name) {
        return Vec::new();
    }
    let code = Code::of(text).without_tests();
    let tokens = code.tokens();
    let mut faults = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |count: usize| at.checked_sub(count).map_or("", |at| tokens[at].text);
        let after = tokens.get(at + 1).map_or("", |token| token.text);
        let word = token.text;
        // `a.unwrap()`, and `map(Result::unwrap)`.
        let method = matches!(before(1), "." | "::") && PANICKING_METHODS.contains(&word);
        let is_macro = after == "!" && PANICKING_MACROS.contains(&word);
        let ends = PROGRAM_ENDS.contains(&format!("{}{}{word}", before(2), before(1)).as_str());
        if method || is_macro || ends {
            let at = place(name, token.line);
            faults.push(format!("{at}: {word} that input might reach"));
        }
    }
    faults
}

/// Words of sleeping and of asynchronous functions, in tests as well.
pub fn sleep_faults(name: &str, text: &str) -> Vec<String> {
    let code = Code::of(text);
    let tokens = code.tokens();
    let found = tokens.iter().filter(|token| {
        let allowed = |(file, word, _): &(&str, &str, &str)| *file == name && *word == token.text;
        SLEEPS.contains(&token.text) && !MAY_YIELD.iter().any(allowed)
    });
    let fault = |line, word| format!("{}: {word}", place(name, line));
    found.map(|token| fault(token.line, token.text)).collect()
}
