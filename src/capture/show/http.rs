//! HTTP/1 in words: the start line, and the kind of body. Pure. RFC 9112.

use super::digits::Text;
use crate::capture::field::http::{start_line, values};

/// The media type of the body after this header section, without parameters, as written; `None` if
/// no byte of the body is in the segment.
pub(super) fn media_type<'a>(section: &'a [u8], segment: &[u8]) -> Option<&'a [u8]> {
    // If the section ends the segment, any body comes later.
    let shared = section.len().min(segment.len());
    let tail = section.get(section.len() - shared..)?;
    if segment.ends_with(tail) {
        return None;
    }
    let value = values(section, "content-type").next()?;
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

/// The start line, followed by a space as in Wireshark.
pub(super) fn info(out: &mut Text, section: &[u8]) {
    out.wire(start_line(section));
    out.space();
}

/// The kind of body, after the start line.
pub(super) fn body(out: &mut Text, media_type: Option<&[u8]>) {
    let Some(kind) = media_type else { return };
    if kind.eq_ignore_ascii_case(b"application/json") {
        out.text(", JavaScript Object Notation");
    }
    out.text(" (");
    out.wire(kind);
    out.text(")");
}
