//! Reads a few fields of a finished reply in its octets, and makes a few changes there: cheaper
//! than decoding and encoding the message.

use crate::dns::reader::HEADER;

/// The third octet of a message: QR, opcode, AA, TC, RD.
const TC: u8 = 2;

/// Whether TC is set.
pub(super) fn is_truncated(reply: &[u8]) -> bool {
    reply.get(2).is_some_and(|flags| flags & TC != 0)
}

/// How many records the answer section has.
pub(super) fn answers(reply: &[u8]) -> u16 {
    count(reply, 6)
}

/// The name of the first question, in wire form; empty when there is none that ends.
pub(super) fn question_name(message: &[u8]) -> &[u8] {
    let mut end = HEADER;
    while let Some(&length) = message.get(end).filter(|_| count(message, 4) > 0) {
        end += 1 + usize::from(length);
        if length == 0 {
            return message.get(HEADER..end).unwrap_or_default();
        }
    }
    &[]
}

/// Removes all records but OPT from a reply and sets TC: an honest client asks again, over TCP.
pub(super) fn cut_to_question(reply: &mut Vec<u8>) {
    let name = question_name(reply).len();
    let question = if name > 0 { name + 4 } else { 0 };
    // OPT is the last record; without options it has 11 octets: root, type 41, and length 0 at its
    // end.
    let opt = reply.last_chunk::<11>().copied();
    let opt = opt.filter(|opt| opt.starts_with(&[0, 0, 41]) && opt.ends_with(&[0, 0]));
    let opt = opt.filter(|_| count(reply, 10) > 0);
    reply.truncate(HEADER + question);
    reply.extend(opt.into_iter().flatten());
    if let Some(flags) = reply.get_mut(2) {
        *flags |= TC;
    }
    let counts = [0, 0, 0, 0, 0, u8::from(opt.is_some())];
    if let Some(place) = reply.get_mut(6..HEADER) {
        place.copy_from_slice(&counts);
    }
}

/// Writes the length of the message after `start` into the two octets there.
pub(super) fn set_length(out: &mut [u8], start: usize) {
    let length = out.len().saturating_sub(start + 2) as u16; // a message has at most 65,535
    if let Some(place) = out.get_mut(start..start + 2) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn count(message: &[u8], at: usize) -> u16 {
    let octets = message.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u16::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::record::{Question, Record};
    use crate::dns::{Data, Edns, Message, Name, RecordType};

    fn reply(edns: Option<Edns>) -> Message {
        let name = Name::parse("www.lab.example.").unwrap();
        let question = Question::new(name.clone(), RecordType::A);
        let mut message = Message::query(7, question);
        let data = Data::A("192.0.2.1".parse().unwrap());
        message.header.response = true;
        message.answers = vec![Record::new(name, 60, data)];
        message.edns = edns;
        message
    }

    #[test]
    fn a_reply_cut_to_its_question_is_one_that_says_so_and_keeps_its_opt() {
        for edns in [None, Some(Edns::default())] {
            let mut octets = reply(edns.clone()).encode().unwrap();
            assert_eq!((answers(&octets), is_truncated(&octets)), (1, false));
            cut_to_question(&mut octets);
            let mut expected = reply(edns);
            expected.answers.clear();
            expected.header.truncated = true;
            assert_eq!(Message::decode(&octets), Ok(expected));
            assert!(is_truncated(&octets));
        }
    }

    #[test]
    fn the_name_of_the_question_is_found_and_what_has_none_has_none() {
        let octets = reply(None).encode().unwrap();
        assert_eq!(question_name(&octets), b"\x03www\x03lab\x07example\x00");
        for length in 0..=octets.len() {
            let name = question_name(&octets[..length]);
            assert!(name.is_empty() || name.len() == 17, "{length}");
        }
        assert!(question_name(&[0; 20]).is_empty());
    }

    #[test]
    fn a_length_stands_before_its_message() {
        let mut out = b"xx\0\0abc".to_vec();
        set_length(&mut out, 2);
        assert_eq!(out, b"xx\0\x03abc");
    }
}
