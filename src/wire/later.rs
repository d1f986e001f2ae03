//! Room for later versions: what an older reader keeps of an unknown variant.

use super::{BlockRest, Decode, Encode, ErrorKind, Failed, Reader, Writer};

/// A variant of a later version, as received: the last variant of an enum that ends in `..`.
///
/// It can be passed on: it is written with the bytes that were read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unknown {
    tag: u8,
    body: Vec<u8>,
    texts: String,
}

impl Unknown {
    /// The tag that no variant of this version has.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// Takes the contents of the open block.
    #[doc(hidden)]
    pub fn read<'a>(tag: u8, rest: BlockRest<'a>, reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let (body, texts) = reader.left();
        reader.charge::<Self>(body.len() + texts.len())?;
        reader.skip_block(rest);
        Ok(Self {
            tag,
            body: body.to_vec(),
            texts: texts.to_string(),
        })
    }
}

impl Encode for Unknown {
    fn encode(&self, writer: &mut Writer) {
        writer.put_array([self.tag]);
        let block = writer.begin_block();
        writer.put(&self.body);
        writer.put_raw_text(&self.texts);
        writer.end_block(block);
    }
}

/// How many fields of later versions are written: all up to the last present one.
#[doc(hidden)]
pub fn present(fields: &[bool]) -> usize {
    let last = fields.iter().rposition(|is_some| *is_some);
    last.map_or(0, |at| at + 1)
}

/// Refuses the tag of an enum without variants, whatever it is.
#[doc(hidden)]
pub fn no_variant<T>(reader: &mut Reader<'_>) -> Result<T, Failed> {
    let tag = u8::decode(reader)?;
    Err(reader.fail::<T>(ErrorKind::UnknownTag { tag }))
}
