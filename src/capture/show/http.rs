//! HTTP/1 in words: the start line, and what the body is. Pure. RFC 9112.

use super::digits::Text;

/// A header section as lines, without the empty one at its end. Whether they are right is not
/// asked: what was sent is shown.
pub(super) fn lines(section: &[u8]) -> impl Iterator<Item = &[u8]> {
    section
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

/// The value of the first field line with this name.
pub(super) fn field<'a>(section: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(section).skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (found, value) = line.split_at_checked(colon)?;
        let value = value.get(1..)?.trim_ascii();
        found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
    })
}

/// The media type of the body that begins behind this header section, in lower case as it should
/// be, without parameters; `None` where no byte of it is in the segment.
pub(super) fn media_type<'a>(section: &'a [u8], segment: &[u8]) -> Option<&'a [u8]> {
    // The section ends with the segment: whatever body there is comes later.
    let shared = section.len().min(segment.len());
    let tail = section.get(section.len() - shared..)?;
    if segment.ends_with(tail) {
        return None;
    }
    let value = field(section, "content-type")?;
    let kind = value.split(|byte| *byte == b';').next()?.trim_ascii();
    (!kind.is_empty()).then_some(kind)
}

/// The protocol column, by the body's media type.
pub(super) fn protocol(media_type: Option<&[u8]>) -> &'static str {
    match media_type {
        Some(kind) if kind.eq_ignore_ascii_case(b"application/json") => "HTTP/JSON",
        Some(kind) if is_xml(kind) => "HTTP/XML",
        _ => "HTTP",
    }
}

fn is_xml(kind: &[u8]) -> bool {
    kind.eq_ignore_ascii_case(b"application/xml") || kind.eq_ignore_ascii_case(b"text/xml")
}

/// The start line, and a space as Wireshark has it.
pub(super) fn info(out: &mut Text, section: &[u8]) {
    out.wire(lines(section).next().unwrap_or_default());
    out.space();
}

/// What the body is, behind the start line.
pub(super) fn body(out: &mut Text, media_type: Option<&[u8]>) {
    let Some(kind) = media_type else { return };
    if kind.eq_ignore_ascii_case(b"application/json") {
        out.text(", JavaScript Object Notation");
    }
    out.text(" (");
    out.wire(kind);
    out.text(")");
}
