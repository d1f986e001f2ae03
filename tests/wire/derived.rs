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
