//! What is shown of each packet.

use groundwire::capture::decode::Decoded;
use groundwire::capture::file::Interface;
use groundwire::cli;

/// What to show.
pub struct View {
    pub shape: Shape,
    /// The bytes as well.
    pub bytes: bool,
}

/// The form of a packet's text.
pub enum Shape {
    Nothing,
}

impl View {
    /// Whether packets have to be decoded for it.
    pub fn is_needed(&self) -> bool {
        self.bytes || !matches!(self.shape, Shape::Nothing)
    }

    pub fn packet(&mut self, decoded: &Decoded<'_>, _known: &[Interface], text: &mut String) {
        if self.bytes {
            cli::hexdump(text, "", 0, decoded.packet.bytes);
            text.push('\n');
        }
    }

    /// What stands behind the last packet.
    pub fn finish(&mut self, _text: &mut String) {}
}
