//! Fields of UDP and of payload that no protocol claims: `udp.*`, `data.*`. Pure.

use super::super::decode::{Layer, Layers, Udp, quotation};
use super::{Field, Get, Kind, Out, Value, number, status};

const fn udp(name: &'static str, kind: Kind, get: fn(&Udp<'_>, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Udp(get))
}

const fn data(name: &'static str, kind: Kind, get: fn(&[u8], Out<'_>)) -> Field {
    Field::new(name, kind, Get::Data(get))
}

pub(super) const FIELDS: &[Field] = &[
    udp("udp", Kind::Protocol, |udp, out| {
        out(Value::Protocol("udp", udp.payload));
    }),
    udp("udp.srcport", Kind::Unsigned(2), |udp, out| {
        number(out, udp.source);
    }),
    udp("udp.dstport", Kind::Unsigned(2), |udp, out| {
        number(out, udp.destination);
    }),
    udp("udp.port", Kind::Unsigned(2), |udp, out| {
        number(out, udp.source);
        number(out, udp.destination);
    }),
    Field::new(
        "udp.stream",
        Kind::Unsigned(4),
        Get::Packet(|decoded, out| {
            let layers = decoded.layers.as_slice();
            let is_udp = layers.iter().any(|layer| matches!(layer, Layer::Udp(_)));
            if let (true, Some(stream)) = (is_udp, decoded.udp_stream) {
                number(out, stream);
            }
            if let (true, Some(stream)) = (quotes_udp(layers), decoded.quoted_stream) {
                number(out, stream);
            }
        }),
    ),
    udp("udp.length", Kind::Unsigned(2), |udp, out| {
        number(out, udp.length);
    }),
    udp("udp.checksum", Kind::Hex(2), |udp, out| {
        number(out, udp.checksum);
    }),
    udp("udp.checksum.status", Kind::Unsigned(1), |udp, out| {
        // Without a checksum nothing can be right or wrong.
        if udp.checksum == 0 {
            number(out, 3u8);
        } else {
            status(out, udp.check);
        }
    }),
    udp("udp.payload", Kind::Bytes, |udp, out| {
        if !udp.payload.is_empty() {
            out(Value::Bytes(udp.payload));
        }
    }),
    data("data", Kind::Protocol, |data, out| {
        out(Value::Protocol("data", data));
    }),
    data("data.data", Kind::Bytes, |data, out| {
        out(Value::Bytes(data));
    }),
    data("data.len", Kind::Signed, |data, out| {
        out(Value::Signed(data.len() as i64));
    }),
];

/// Whether these layers have a datagram that an ICMP error quotes.
fn quotes_udp(layers: &[Layer<'_>]) -> bool {
    let Some(Layer::Icmp(icmp)) = layers.last() else {
        return false;
    };
    let quoted = quotation(icmp);
    let last = quoted.as_ref().and_then(Layers::last);
    matches!(last, Some(Layer::Udp(_)))
}
