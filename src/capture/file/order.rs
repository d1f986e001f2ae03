//! Integers in the byte order of the machine that wrote the file. Pure.

/// Which byte of an integer comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The most significant.
    Big,
    /// The least significant.
    Little,
}

impl Order {
    /// Two bytes at this offset; `None` if they are not all there.
    pub fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let (bytes, _) = bytes.get(at..)?.split_first_chunk()?;
        Some(match self {
            Order::Big => u16::from_be_bytes(*bytes),
            Order::Little => u16::from_le_bytes(*bytes),
        })
    }

    /// Four bytes at this offset.
    pub fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let (bytes, _) = bytes.get(at..)?.split_first_chunk()?;
        Some(self.word(*bytes))
    }

    /// Four bytes.
    pub fn word(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        }
    }

    /// Eight bytes at this offset.
    pub fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let (bytes, _) = bytes.get(at..)?.split_first_chunk()?;
        Some(match self {
            Order::Big => u64::from_be_bytes(*bytes),
            Order::Little => u64::from_le_bytes(*bytes),
        })
    }
}
