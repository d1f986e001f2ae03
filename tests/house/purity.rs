//! Pure files name no socket, clock, thread, file or randomness, and import pure files only.

use crate::paths::{Path, from_root, paths};
use crate::place;
use crate::rules::{IMPURE_NAMES, IMPURE_PATHS, PURE, PURE_ITEMS, VALUES};
use crate::rust_code::Code;

/// Stands for the file of what std defines.
const STD: &str = "std";

/// What is impure about a file. `all` are the files of `src`: an import is followed through the
/// rooms' `pub use` to the file that defines it.
pub fn purity_faults(name: &str, text: &str, all: &[(String, String)]) -> Vec<String> {
    let code = Code::of(text).without_tests();
    let mut faults = Vec::new();
    for path in paths(&code.tokens()) {
        let at = place(name, path.line);
        faults.extend(named(&path).map(|what| format!("{at}: a pure file names {what}")));
        if !path.is_visibility {
            let imported = from_root(name, &path).and_then(|rooted| imported(&rooted, all));
            faults.extend(imported.map(|what| format!("{at}: a pure file imports {what}")));
        }
    }
    faults
}

/// The impure thing that a path names, if it does.
fn named(path: &Path<'_>) -> Option<String> {
    let mut parts = path.parts.clone();
    if let Some(first @ &mut ("core" | "alloc")) = parts.first_mut() {
        *first = "std";
    }
    named_whole(&parts.join("::"))
}

fn named_whole(whole: &str) -> Option<String> {
    if matches!(whole, "std" | "std::self" | "std::*") {
        return Some("all of std".into());
    }
    let starts = |item: &&str| format!("{whole}::").starts_with(&format!("{item}::"));
    if PURE_ITEMS.iter().any(starts) {
        return None;
    }
    let within = |impure: &&&str| format!("::{whole}::").contains(&format!("::{impure}::"));
    let impure = IMPURE_NAMES.iter().chain(&IMPURE_PATHS).find(within);
    impure.map(ToString::to_string)
}

/// The impure thing that a path from the crate's root imports, if it does.
fn imported(rooted: &[&str], all: &[(String, String)]) -> Option<String> {
    let (file, item) = definition(rooted, all, 0)?;
    if file == STD {
        return named_whole(&item);
    }
    let is_value = VALUES.iter().any(|(f, i, _)| *f == file && *i == item);
    let is_pure = PURE.contains(&file.as_str()) && item != "*";
    (!is_value && !is_pure).then(|| format!("{item} of src/{file}"))
}

/// The file that defines what a path names, and its name there; or [`STD`] and the whole path, when
/// a room's file has it from there.
fn definition(rooted: &[&str], all: &[(String, String)], hops: u8) -> Option<(String, String)> {
    let text_of = |file: &str| all.iter().find(|(name, _)| name == file);
    let module = (1..=rooted.len()).rev().find_map(|len| {
        let stem = rooted[..len].join("/");
        let file = text_of(&format!("{stem}.rs")).or_else(|| text_of(&format!("{stem}/mod.rs")));
        file.map(|file| (file, rooted.get(len).copied().unwrap_or("self")))
    });
    let ((file, text), item) = module?;
    let here = (file.clone(), item.to_string());
    if !file.ends_with("/mod.rs") || hops == 4 {
        return Some(here);
    }
    let code = Code::of(text).without_tests();
    let tokens = code.tokens();
    let all_paths = paths(&tokens);
    let mut sources = all_paths.iter().filter(|path| path.parts.len() > 1);
    let Some(source) = sources.find(|path| path.parts.last() == Some(&item)) else {
        return Some(here);
    };
    if source.parts[0] == STD {
        return Some((STD.into(), source.parts.join("::")));
    }
    // `pub use child::Item` in a folder's file means its own child.
    let rooted = from_root(file, source).unwrap_or_else(|| {
        let folder = file.trim_end_matches("/mod.rs").split('/');
        folder.chain(source.parts.iter().copied()).collect()
    });
    definition(&rooted, all, hops + 1)
}
