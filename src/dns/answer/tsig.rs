//! Signed queries (TSIG, RFC 8945): the server knows no key, and its reply says so.
//!
//! A query with a TSIG record gets NOTAUTH, and an unsigned TSIG record that names the same key
//! with the error BADKEY (§5.2.1, §5.3.2). So a secondary that was given a key sees why it gets
//! nothing, and does not take an unsigned reply for a signed one. A TSIG record that cannot be read,
//! or is not the last record of the query, gets FORMERR (§5.2).

use crate::dns::code::{Class, Rcode, RecordType};
use crate::dns::data::Data;
use crate::dns::error::DecodeError;
use crate::dns::message::Message;
use crate::dns::reader::Reader;
use crate::dns::record::Record;

/// The error field of a TSIG record: no such key (RFC 8945 §3).
const BADKEY: u16 = 17;
/// The offset of ARCOUNT in a header.
const ADDITIONALS: usize = 10;

/// A TSIG record that is not the last record of a query, or one of several.
pub(super) struct Misplaced;

/// The TSIG record of a query whose records have these types, in order. The types come from the
/// octets: the message does not say whether OPT was before the TSIG record or after it.
pub(super) fn of(
    query: &Message,
    types: impl Iterator<Item = RecordType>,
) -> Result<Option<&Record>, Misplaced> {
    let (mut count, mut last) = (0, RecordType::OPT);
    for kind in types {
        count += usize::from(kind == RecordType::TSIG);
        last = kind;
    }
    let record = query.additionals.last();
    match (count, record) {
        (0, _) => Ok(None),
        (1, Some(record)) if [record.data.kind(), last] == [RecordType::TSIG; 2] => {
            Ok(Some(record))
        }
        _ => Err(Misplaced),
    }
}

/// Appends the reply to a signed query to `out`. If the TSIG record does not fit, the reply goes
/// without it. Fails if the query's record is malformed.
pub(super) fn refuse(
    query: &Message,
    signature: &Record,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let record = without_key(signature, query.header.id)?;
    let mut reply = query.reply();
    reply.header.rcode = Rcode::NOTAUTH;
    let start = out.len();
    *out = reply.encode_within(limit, std::mem::take(out));
    if out.len() - start + record.len() <= limit {
        out.extend_from_slice(&record);
        if let Some(count) = out.get_mut(start + ADDITIONALS + 1) {
            *count += 1; // from 0, or from 1 with OPT
        }
    }
    Ok(())
}

/// The octets of a TSIG record with the key, algorithm and times of this one, and BADKEY.
fn without_key(signature: &Record, id: u16) -> Result<Vec<u8>, DecodeError> {
    let rdata = match &signature.data {
        Data::Opaque(data) => data.bytes(),
        _ => &[],
    };
    let r = &mut Reader::alone(rdata);
    let algorithm = r.name_in_full()?;
    let times = r.array::<8>()?;
    // The rest has to be there, but says nothing without the key: MAC, original ID and error, other
    // data.
    for fixed in [0, 4] {
        r.bytes(fixed)?;
        let length = r.u16()?;
        r.bytes(length.into())?;
    }
    r.finish()?;
    let [kind, class] = [RecordType::TSIG.0, Class::ANY.0].map(u16::to_be_bytes);
    // At most 255 octets for the name, and 16.
    let length = (algorithm.wire().len() + 16) as u16;
    Ok([
        signature.name.wire(),
        &kind,
        &class,
        &[0; 4],
        &length.to_be_bytes(),
        algorithm.wire(),
        &times,
        &[0; 2],
        &id.to_be_bytes(),
        &BADKEY.to_be_bytes(),
        &[0; 2],
    ]
    .concat())
}
