//! Line ends of the Internet's text protocols: CR LF for each LF without a CR before it. Pure.

/// The effect of `-C` on the input, in whatever parts it is read.
#[derive(Clone, Debug, Default)]
pub struct CrLf {
    /// Whether the last byte of the previous read was a CR.
    after_cr: bool,
}

impl CrLf {
    /// Adds `bytes` to `out`, with the missing CRs.
    pub fn translate(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            if byte == b'\n' && !self.after_cr {
                out.push(b'\r');
            }
            out.push(byte);
            self.after_cr = byte == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cr_is_added_only_where_it_is_missing_however_the_input_is_cut() {
        let input = b"a\nb\r\n\n\r\r\nc\r";
        let mut whole = Vec::new();
        CrLf::default().translate(input, &mut whole);
        assert_eq!(whole, b"a\r\nb\r\n\r\n\r\r\nc\r");
        let (mut crlf, mut cut) = (CrLf::default(), Vec::new());
        for byte in input {
            crlf.translate(&[*byte], &mut cut);
        }
        assert_eq!(cut, whole);
    }
}
