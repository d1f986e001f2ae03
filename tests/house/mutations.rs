//! Code that breaks a rule, which the checks must find, and code that only looks like it, which
//! they must not report.
//!
//! To add a case: a row in `violations` or `look_alikes`, with the check, the file that the code
//! would stand in, and the code.

use crate::look_alikes::INNOCENT;
use crate::violations::VIOLATIONS;
use crate::{
    crate_denies_unsafe, import_faults, panic_faults, place, purity_faults, sleep_faults, sources,
    unsafe_faults,
};

#[derive(Clone, Copy, Debug)]
pub enum Check {
    Imports,
    Unsafe,
    Pure,
    Panics,
    Sleeps,
}
use Check::{Imports, Panics, Pure, Sleeps, Unsafe};

fn faults(check: Check, name: &str, text: &str, all: &[(String, String)]) -> Vec<String> {
    match check {
        Imports => import_faults(name, text),
        Unsafe => unsafe_faults(name, text),
        Pure => purity_faults(name, text, all),
        Panics => panic_faults(name, text),
        Sleeps => sleep_faults(name, text),
    }
}

#[test]
fn each_violation_is_found_by_its_check_on_its_line() {
    let all = sources();
    for (check, name, line, text) in VIOLATIONS {
        let found = faults(*check, name, text, &all);
        let prefix = format!("{}: ", place(name, *line));
        let on_line = found.iter().any(|fault| fault.starts_with(&prefix));
        assert!(on_line, "{check:?} {name}:{line}\n{text}\nfound: {found:?}");
    }
}

#[test]
fn what_only_looks_like_a_violation_is_not_reported() {
    let all = sources();
    for (check, name, text) in INNOCENT {
        let found = faults(*check, name, text, &all);
        assert!(found.is_empty(), "{check:?}\n{text}\nfound: {found:?}");
    }
}

#[test]
fn only_an_inner_attribute_denies_unsafe_code_for_the_crate() {
    for (text, denies) in [
        ("//! a\n#![deny(unsafe_code)]\n", true),
        ("#![forbid( unsafe_code )]", true),
        ("#[deny(unsafe_code)]\nmod a;", false),
        ("// #![deny(unsafe_code)]", false),
        ("#![warn(unsafe_code)]", false),
        ("const A: &str = \"#![deny(unsafe_code)]\";", false),
    ] {
        assert_eq!(crate_denies_unsafe(text), denies, "{text}");
    }
}
