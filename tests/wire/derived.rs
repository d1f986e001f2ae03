//! What the macro makes: every kind of item comes back as it went.

use std::fmt::Debug;

use groundwire::wire::{DecodeOwned, Encode, ErrorKind, decode, encode};

use crate::types::*;

fn comes_back<T: Encode + DecodeOwned + PartialEq + Debug>(value: T) {
    let bytes = encode(&value).unwrap();
    assert_eq!(decode::<T>(&bytes).unwrap(), value, "{bytes:02x?}");
    for len in 0..bytes.len() {
        assert!(decode::<T>(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
}

#[test]
fn every_kind_of_item_comes_back_as_it_went_and_no_prefix_of_it_is_a_value() {
    comes_back(record());
    comes_back(Pair(7_u8, "x".to_string()));
    comes_back(Marker);
    comes_back(Shape::Empty);
    comes_back(Shape::Group(vec![
        Shape::Circle(1.5),
        Shape::Line(-0.0, f64::MAX, "l".into()),
        Shape::Named {
            name: "n".into(),
            corners: vec![(1, -2), (3, 4)],
        },
        Shape::Nested(Box::new(Shape::Empty)),
    ]));
    let leaf = || Box::new(Tree::Leaf);
    comes_back(Tree::Node {
        value: 1_u16,
        left: leaf(),
        right: leaf(),
    });
    comes_back(Hashed {
        map: [("a".to_string(), 1)].into(),
        marker: Marker,
    });
}

#[test]
fn borrowed_fields_point_into_the_message() {
    let bytes = encode(&View {
        name: "näme",
        raw: &[1, 2],
    })
    .unwrap();
    let view: View = decode(&bytes).unwrap();
    assert_eq!(
        view,
        View {
            name: "näme",
            raw: &[1, 2]
        }
    );
    assert!(bytes.as_ptr_range().contains(&view.name.as_ptr()));
    assert!(bytes.as_ptr_range().contains(&view.raw.as_ptr()));
    let bytes = encode(&Mixed {
        name: "m",
        values: vec![1_u32, 2],
    })
    .unwrap();
    let mixed: Mixed<u32> = decode(&bytes).unwrap();
    assert_eq!(
        mixed,
        Mixed {
            name: "m",
            values: vec![1, 2]
        }
    );
}

#[test]
fn an_old_reader_skips_later_fields_and_a_new_one_finds_them_absent() {
    let new = NewUser {
        name: "ann".into(),
        mail: Some("a@b".into()),
        age: None,
    };
    let old: OldUser = decode(&encode(&new).unwrap()).unwrap();
    assert_eq!(old, OldUser { name: "ann".into() });
    let back: NewUser = decode(&encode(&old).unwrap()).unwrap();
    assert_eq!(
        back,
        NewUser {
            name: "ann".into(),
            mail: None,
            age: None
        }
    );
    // Within a list the next element begins where it should.
    let list = vec![
        new.clone(),
        NewUser {
            age: Some(3),
            ..new
        },
    ];
    let old: Vec<OldUser> = decode(&encode(&list).unwrap()).unwrap();
    assert_eq!(old.len(), 2);
    assert_eq!(
        decode::<Vec<NewUser>>(&encode(&list).unwrap()).unwrap(),
        list
    );
}

#[test]
fn an_old_reader_keeps_a_later_variant_as_it_came_and_passes_it_on() {
    let new = vec![
        NewEvent::Login("ann".into()),
        NewEvent::Logout {
            seconds: 9,
            why: "tired".into(),
        },
        NewEvent::Quit,
    ];
    let bytes = encode(&new).unwrap();
    let old: Vec<OldEvent> = decode(&bytes).unwrap();
    assert_eq!(old[0], OldEvent::Login("ann".into()));
    assert!(matches!(&old[1], OldEvent::Other(unknown) if unknown.tag() == 1));
    assert_eq!(encode(&old).unwrap(), bytes);
    assert_eq!(
        decode::<Vec<NewEvent>>(&encode(&old).unwrap()).unwrap(),
        new
    );
}

#[test]
fn an_absent_last_field_that_is_written_out_is_refused() {
    let new = NewUser {
        name: String::new(),
        mail: None,
        age: None,
    };
    let mut bytes = encode(&new).unwrap();
    assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes[8] = 1; // one byte in the block: the tag of an absent mail
    bytes.push(0);
    let error = decode::<NewUser>(&bytes).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotShortest);
    assert!(
        decode::<OldUser>(&bytes).is_ok(),
        "an old reader cannot tell"
    );
}

/// Items whose every name is one that the macro, or Rust's prelude, uses itself.
mod names {
    groundwire::wire! {
        #[derive(Clone, Debug, PartialEq)]
        pub struct Fields {
            /// A doc.
            #[doc(alias = "w")]
            pub writer: u8, pub reader: u8, pub row: u8, pub value: u8, pub(crate) block: u8,
            pub rest: u8, pub tag: u8, pub self_: u8, pub r#type: u8, pub present: u8,
            pub kind: String, pub a: u8, pub b: u8,
        }

        #[derive(Clone, Debug, PartialEq)]
        pub struct Late {
            pub writer: u8, pub rest: u8,
            ..
            /// A doc.
            pub block: Option<u8>, pub present: Option<u8>, pub r#fn: Option<u8>,
        }

        /// Used by the enums below: their own names must not hide it.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Tag(pub u8,);

        #[derive(Clone, Debug, Default, PartialEq)]
        pub enum Variants {
            #[default]
            None,
            Some(Tag),
            Ok(Vec<Tag>), Err(String,),
            Option { tag: Tag, writer: String, reader: u8, value: u8, },
            Vec { row: u8 },
            Tag, String(), Empty {}, Result(Box<Self>), r#Self_,
        }

        #[derive(Clone, Debug, PartialEq)]
        pub enum Open {
            Tag(Tag),
            Option { tag: Tag, block: u8, rest: String, },
            Some, None(),
            ..
            /// What is not known.
            Unknown,
        }

        #[derive(Clone, Debug, PartialEq)]
        pub enum OnlyLater { .. Unknown }
        #[derive(Clone, Debug, PartialEq)]
        pub enum Never {}
        #[derive(Clone, Debug, PartialEq)]
        pub struct Braces {}
        #[derive(Clone, Debug, PartialEq)]
        pub struct Parens();

        #[derive(Clone, Debug, PartialEq)]
        pub struct Two<A, B> { pub a: A, pub b: Option<B> }
        #[derive(Clone, Debug, PartialEq)]
        pub struct Borrowed<'wire, T>(pub &'wire str, pub T);
        #[derive(Clone, Debug, PartialEq)]
        pub enum Either<'a, T> { Text(&'a str), Nested { one: Box<Either<'a, T>>, two: T } }
    }
}

/// Nothing is imported here, not even the prelude.
mod bare {
    #![no_implicit_prelude]
    ::groundwire::wire! {
        #[derive(::std::fmt::Debug, ::std::cmp::PartialEq)]
        pub struct Fields { pub a: u8, .. pub b: ::std::option::Option<u8> }
        #[derive(::std::fmt::Debug, ::std::cmp::PartialEq)]
        pub enum Closed { A, B(u8, u16), C { x: u8 } }
        #[derive(::std::fmt::Debug, ::std::cmp::PartialEq)]
        pub enum Open { A, B(u8), .. Other }
    }
}

#[test]
fn names_that_the_macro_uses_itself_are_free_to_be_used() {
    comes_back(names::Fields {
        writer: 1,
        reader: 2,
        row: 3,
        value: 4,
        block: 5,
        rest: 6,
        tag: 7,
        self_: 8,
        r#type: 9,
        present: 10,
        kind: "k".into(),
        a: 11,
        b: 12,
    });
    let late = names::Late {
        writer: 1,
        rest: 2,
        block: None,
        present: Some(3),
        r#fn: None,
    };
    assert_eq!(
        decode::<names::Late>(&encode(&late).unwrap()).unwrap(),
        late
    );
    let tag = || names::Tag(9);
    for variant in [
        names::Variants::default(),
        names::Variants::Some(tag()),
        names::Variants::Ok(vec![tag(), tag()]),
        names::Variants::Err("e".into()),
        names::Variants::Option {
            tag: tag(),
            writer: "w".into(),
            reader: 1,
            value: 2,
        },
        names::Variants::Vec { row: 1 },
        names::Variants::Tag,
        names::Variants::String(),
        names::Variants::Empty {},
        names::Variants::Result(Box::new(names::Variants::Tag)),
        names::Variants::r#Self_,
    ] {
        comes_back(variant);
    }
    comes_back(names::Open::Tag(tag()));
    comes_back(names::Open::Option {
        tag: tag(),
        block: 1,
        rest: "r".into(),
    });
    comes_back(names::Open::Some);
    comes_back(names::Open::None());
    comes_back(names::Braces {});
    comes_back(names::Parens());
    comes_back(names::Two {
        a: 1_u8,
        b: Some("b".to_string()),
    });
    comes_back(bare::Fields { a: 1, b: Some(2) });
    comes_back(bare::Closed::B(1, 2));
    comes_back(bare::Open::B(1));
    let either = names::Either::Nested {
        one: Box::new(names::Either::Text("t")),
        two: 5_u16,
    };
    let bytes = encode(&either).unwrap();
    assert_eq!(decode::<names::Either<u16>>(&bytes).unwrap(), either);
    let borrowed = names::Borrowed("b", 7_u8);
    let bytes = encode(&borrowed).unwrap();
    assert_eq!(decode::<names::Borrowed<u8>>(&bytes).unwrap(), borrowed);
}

#[test]
fn an_enum_without_variants_has_no_message() {
    let error = decode::<names::Never>(&[0, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownTag { tag: 0 });
    let event = encode(&names::Open::Some).unwrap();
    let kept: names::OnlyLater = decode(&event).unwrap();
    assert_eq!(encode(&kept).unwrap(), event);
}

#[test]
fn a_list_of_rows_has_the_same_bytes_alone_and_within_another_value() {
    groundwire::wire! {
        #[derive(Clone, Debug, PartialEq)]
        struct Point { x: i16, name: String }
        #[derive(Clone, Debug, PartialEq)]
        struct Row { n: u8, name: String, at: Point, more: [(u32, String); 2] }
        #[derive(Clone, Debug, PartialEq)]
        struct Wide { rows: [Row; 4] }
    }
    fn same<T: Encode + DecodeOwned + Clone + PartialEq + Debug>(items: &[T]) {
        let mut kept = groundwire::wire::Encoder::default();
        for count in [0, 1, 2, items.len(), 1, 0] {
            let items = &items[..count];
            let alone = encode(items).unwrap();
            assert_eq!(encode(&(items,)).unwrap(), alone);
            assert_eq!(encode(&items.to_vec()).unwrap(), alone);
            assert_eq!(kept.encode(items).unwrap(), alone);
            assert_eq!(decode::<Vec<T>>(&alone).unwrap(), items);
        }
    }
    let text = |n: u32| "\u{e9}".repeat(n as usize % 7);
    let rows: Vec<Row> = (0..300)
        .map(|n| Row {
            n: n as u8,
            name: text(n),
            at: Point {
                x: -(n as i16),
                name: text(n + 3),
            },
            more: [(n, text(n + 1)), (n + 1, text(n + 2))],
        })
        .collect();
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    let wide = Wide {
        rows: [&rows[1], &rows[2], &rows[3], &rows[4]].map(Row::clone),
    };
    same(&rows);
    same(&names);
    same(&vec![wide; 5]);
    same(&(0..300_u64).collect::<Vec<_>>());
    same(&(0..300_u128).collect::<Vec<_>>());
    same(&[7_u8; 300]);
}

#[test]
fn a_list_of_rows_beyond_the_limit_is_refused_and_the_next_message_is_whole() {
    let limits = groundwire::wire::Limits {
        message: 100,
        ..Default::default()
    };
    let mut encoder = groundwire::wire::Encoder::new(limits);
    let names = vec!["0123456789".to_string(); 10];
    let error = encoder.encode(&names).unwrap_err();
    let (len, limit) = (4 + 4 + 10 * 14, 100);
    assert_eq!(error.kind, ErrorKind::MessageTooLong { len, limit });
    assert_eq!((error.offset, error.of), (4 + 4 + 10 * 4, "message"));
    let few = names[..3].to_vec();
    assert_eq!(encoder.encode(&few).unwrap(), encode(&few).unwrap());
}
