//! Each codec's four operations on a value: encode into a new buffer and into a kept one, decode
//! into owned values and into borrowed ones, where it has them.

use std::hint::black_box;
use std::rc::Rc;

use groundwire::wire;
use nanoserde::{DeBin, SerBin};
use speedy::{Readable, Writable};

use crate::data::{self, Log, LogCow, LogView, Record};

/// How an operation is measured.
pub enum Operation {
    /// The codec does not have it.
    None,
    /// Run it here, again and again.
    Here(Box<dyn FnMut() -> usize>),
    /// Another process measures it; gives nanoseconds.
    There(Box<dyn FnMut() -> f64>),
}

pub struct Codec {
    pub name: &'static str,
    pub bytes: usize,
    pub operations: [Operation; 4],
}

fn codec(name: &'static str, bytes: usize, new: Operation, kept: Operation, owned: Operation, borrowed: Operation) -> Codec {
    Codec { name, bytes, operations: [new, kept, owned, borrowed] }
}

fn op(run: impl FnMut() -> usize + 'static) -> Operation {
    Operation::Here(Box::new(run))
}

/// The codecs for one type: `$borrowed` is how each decodes it into borrowed values.
macro_rules! codecs {
    ($type:ty, $value:expr, $plain:ty, $to_plain:expr, $wire:expr, $bincode1:expr, $bincode2:expr, $postcard:expr, $speedy:expr) => {{
        let value: Rc<$type> = Rc::new($value);
        let mut all = Vec::new();

        let limits = wire::Limits { message: 64 << 20, ..wire::Limits::default() };
        let bytes = wire::encode_within(&*value, limits).unwrap();
        assert_eq!(wire::decode_within::<$type>(&bytes, limits).unwrap(), *value);
        let (v, w, mut encoder) = (value.clone(), value.clone(), wire::Encoder::new(limits));
        let (len, b, c) = (bytes.len(), bytes.clone(), bytes);
        all.push(codec("groundwire", len,
            op(move || wire::encode_within(black_box(&*v), limits).unwrap().len()),
            op(move || encoder.encode(black_box(&*w)).unwrap().len()),
            op(move || { black_box(wire::decode_within::<$type>(black_box(&b), limits).unwrap()); 0 }),
            $wire(c)));

        let bytes = bincode1::serialize(&*value).unwrap();
        assert_eq!(bincode1::deserialize::<$type>(&bytes).unwrap(), *value);
        let (v, w, mut kept) = (value.clone(), value.clone(), Vec::new());
        let (len, b, c) = (bytes.len(), bytes.clone(), bytes);
        all.push(codec("bincode 1", len,
            op(move || bincode1::serialize(black_box(&*v)).unwrap().len()),
            op(move || { kept.clear(); bincode1::serialize_into(&mut kept, black_box(&*w)).unwrap(); kept.len() }),
            op(move || { black_box(bincode1::deserialize::<$type>(black_box(&b)).unwrap()); 0 }),
            $bincode1(c)));

        macro_rules! bincode2 {
            ($name:literal, $config:expr, $borrowed:expr) => {
                let bytes = bincode::encode_to_vec(&*value, $config).unwrap();
                assert_eq!(bincode::decode_from_slice::<$type, _>(&bytes, $config).unwrap().0, *value);
                let (v, w, mut kept) = (value.clone(), value.clone(), vec![0; bytes.len() * 2]);
                let (len, b, c) = (bytes.len(), bytes.clone(), bytes);
                all.push(codec($name, len,
                    op(move || bincode::encode_to_vec(black_box(&*v), $config).unwrap().len()),
                    op(move || bincode::encode_into_slice(black_box(&*w), &mut kept, $config).unwrap()),
                    op(move || { black_box(bincode::decode_from_slice::<$type, _>(black_box(&b), $config).unwrap()); 0 }),
                    $borrowed(c)));
            };
        }
        bincode2!("bincode 2, varint", bincode::config::standard(), $bincode2);
        bincode2!("bincode 2, fixed", bincode::config::legacy(), |_: Vec<u8>| Operation::None);

        let bytes = postcard::to_allocvec(&*value).unwrap();
        assert_eq!(postcard::from_bytes::<$type>(&bytes).unwrap(), *value);
        let (v, w, mut kept) = (value.clone(), value.clone(), vec![0; bytes.len() * 2]);
        let (len, b, c) = (bytes.len(), bytes.clone(), bytes);
        all.push(codec("postcard", len,
            op(move || postcard::to_allocvec(black_box(&*v)).unwrap().len()),
            op(move || postcard::to_slice(black_box(&*w), &mut kept).unwrap().len()),
            op(move || { black_box(postcard::from_bytes::<$type>(black_box(&b)).unwrap()); 0 }),
            $postcard(c)));

        let bytes = borsh::to_vec(&*value).unwrap();
        assert_eq!(borsh::from_slice::<$type>(&bytes).unwrap(), *value);
        let (v, w, mut kept) = (value.clone(), value.clone(), Vec::new());
        let (len, b) = (bytes.len(), bytes);
        all.push(codec("borsh", len,
            op(move || borsh::to_vec(black_box(&*v)).unwrap().len()),
            op(move || { kept.clear(); borsh::to_writer(&mut kept, black_box(&*w)).unwrap(); kept.len() }),
            op(move || { black_box(borsh::from_slice::<$type>(black_box(&b)).unwrap()); 0 }),
            Operation::None));

        let bytes = value.write_to_vec().unwrap();
        assert_eq!(<$type>::read_from_buffer(&bytes).unwrap(), *value);
        let (v, w, mut kept) = (value.clone(), value.clone(), vec![0; bytes.len()]);
        let (len, b, c) = (bytes.len(), bytes.clone(), bytes);
        all.push(codec("speedy (unsafe)", len,
            op(move || black_box(&*v).write_to_vec().unwrap().len()),
            op(move || { black_box(&*w).write_to_buffer(&mut kept).unwrap(); kept.len() }),
            op(move || { black_box(<$type>::read_from_buffer_copying_data(black_box(&b)).unwrap()); 0 }),
            $speedy(c)));

        let plain: Rc<$plain> = Rc::new($to_plain(&*value));
        let bytes = plain.serialize_bin();
        assert_eq!(<$plain>::deserialize_bin(&bytes).unwrap(), *plain);
        let (v, w, mut kept) = (plain.clone(), plain, Vec::new());
        let (len, b) = (bytes.len(), bytes);
        all.push(codec("nanoserde", len,
            op(move || black_box(&*v).serialize_bin().len()),
            op(move || { kept.clear(); black_box(&*w).ser_bin(&mut kept); kept.len() }),
            op(move || { black_box(<$plain>::deserialize_bin(black_box(&b)).unwrap()); 0 }),
            Operation::None));

        let v = value.clone();
        all.push(codec("(clone and drop)", 0, Operation::None, Operation::None,
            op(move || { black_box(black_box(&*v).clone()); 0 }), Operation::None));
        all
    }};
}

pub fn for_record() -> Vec<Codec> {
    let none = |_: Vec<u8>| Operation::None;
    codecs!(Record, data::record(), data::plain::Record, |r: &Record| r.into(), none, none, none, none, none)
}

pub fn for_logs() -> Vec<Codec> {
    type Views<'a> = Vec<LogView<'a>>;
    let limits = wire::Limits { message: 64 << 20, ..wire::Limits::default() };
    let mut all = codecs!(
        Vec<Log>,
        data::logs(),
        Vec<data::plain::Log>,
        |logs: &Vec<Log>| logs.iter().map(data::plain::Log::from).collect(),
        |b: Vec<u8>| op(move || wire::decode_within::<Views>(black_box(&b), limits).unwrap().len()),
        |b: Vec<u8>| op(move || bincode1::deserialize::<Views>(black_box(&b)).unwrap().len()),
        |b: Vec<u8>| op(move || {
            let config = bincode::config::standard();
            bincode::borrow_decode_from_slice::<Views, _>(black_box(&b), config).unwrap().0.len()
        }),
        |b: Vec<u8>| op(move || postcard::from_bytes::<Views>(black_box(&b)).unwrap().len()),
        |b: Vec<u8>| op(move || Vec::<LogCow>::read_from_buffer(black_box(&b)).unwrap().len())
    );

    // No recursive types, so it is here only.
    let value = Rc::new(data::logs());
    let bytes = bitcode::encode(&*value);
    assert_eq!(bitcode::decode::<Vec<Log>>(&bytes).unwrap(), *value);
    let (mut buffer, mut other) = (bitcode::Buffer::new(), bitcode::Buffer::new());
    let (v, len, b, c) = (value.clone(), bytes.len(), bytes.clone(), bytes);
    all.push(codec("bitcode (unsafe)", len,
        op(move || bitcode::encode(black_box(&*v)).len()),
        op(move || buffer.encode(black_box(&*value)).len()),
        op(move || { black_box(other.decode::<Vec<Log>>(black_box(&b)).unwrap()); 0 }),
        op(move || bitcode::decode::<Views>(black_box(&c)).unwrap().len())));
    all
}
