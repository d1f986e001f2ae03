//! Rooms import lower floors only.

use crate::paths::{from_root, paths};
use crate::rules::{ALSO, FLOORS};
use crate::rust_code::Code;
use crate::{place, room};

fn floor(room: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(name, _)| *name == room);
    found.map(|(_, floor)| *floor)
}

/// What is wrong with what a file of a room imports. The programs may import every room, and the
/// crate's root declares them.
pub fn import_faults(name: &str, text: &str) -> Vec<String> {
    let own = room(name);
    if matches!(own, "bin" | "lib") {
        return Vec::new();
    }
    let code = Code::of(text).without_tests();
    let tokens = code.tokens();
    let mut faults = Vec::new();
    if floor(own).is_none() {
        faults.push(format!(
            "{}: room {own} has no floor: give it one",
            place(name, 1)
        ));
    }
    for pair in tokens.windows(2) {
        let renames = pair[0].text == "extern" && pair[1].text == "crate";
        let moves = pair[0].text == "[" && pair[1].text == "path";
        let copies = pair[0].text == "include" && pair[1].text == "!";
        if renames || moves || copies {
            let words = format!("{} {}", pair[0].text, pair[1].text);
            let at = place(name, pair[0].line);
            faults.push(format!("{at}: {words} hides what is imported"));
        }
    }
    for path in paths(&tokens) {
        let at = place(name, path.line);
        if path.parts.first() == Some(&"groundwire") {
            faults.push(format!(
                "{at}: groundwire:: inside the library: say crate::"
            ));
        }
        if path.is_visibility || path.is_macro {
            continue;
        }
        if let Some(rooted) = from_root(name, &path) {
            let to = rooted.first().copied().unwrap_or("*");
            faults.extend(import_fault(own, to).map(|fault| format!("{at}: {fault}")));
        }
    }
    faults
}

/// What is wrong with an import, if anything.
fn import_fault(from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    if to == "*" {
        return Some(format!("{from} imports the whole crate"));
    }
    let Some(other) = floor(to) else {
        return Some(format!("{from} imports crate::{to}, which is no room"));
    };
    let own = floor(from)?;
    let allowed = other < own || ALSO.contains(&(from, to));
    (!allowed).then(|| format!("{from} (floor {own}) imports {to} (floor {other})"))
}

#[test]
fn a_room_may_import_lower_floors_and_net_its_neighbour() {
    for (from, to, allowed) in [
        ("net", "sys", true),
        ("net", "net", true),
        ("echo", "server", true),
        ("net", "server", false),
        ("cli", "net", false),
        ("telemetry", "sys", false),
        ("server", "echo", false),
        ("net", "attic", false),
    ] {
        let fault = import_fault(from, to);
        assert_eq!(fault.is_none(), allowed, "{from} {to}: {fault:?}");
    }
}
