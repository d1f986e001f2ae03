//! The types that the tests of this folder share.

use std::collections::{BTreeMap, HashMap};

groundwire::wire! {
    /// The recursive record of the command protocol.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Record {
        pub n: i64,
        pub s: String,
        pub m: BTreeMap<String, i64>,
        pub p: Vec<u8>,
        pub c: Option<Box<Record>>,
    }

    #[derive(Clone, Debug, PartialEq)]
    pub struct Pair<A, B>(pub A, pub B);

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Marker;

    #[derive(Clone, Debug, PartialEq)]
    pub struct View<'a> { pub name: &'a str, pub raw: &'a [u8] }

    #[derive(Clone, Debug, PartialEq)]
    pub struct Mixed<'a, T> { pub name: &'a str, pub values: Vec<T> }

    #[derive(Clone, Debug, PartialEq)]
    pub enum Shape {
        Empty,
        Circle(f64),
        Line(f64, f64, String),
        Named { name: String, corners: Vec<(i32, i32)> },
        Group(Vec<Shape>),
        Nested(Box<Shape>),
    }

    #[derive(Clone, Debug, PartialEq)]
    pub enum Tree<T> { Leaf, Node { value: T, left: Box<Tree<T>>, right: Box<Tree<T>> } }

    #[derive(Clone, Debug, PartialEq)]
    pub struct Hashed { pub map: HashMap<String, u32>, pub marker: Marker }

    #[derive(Clone, Debug, PartialEq)]
    pub struct OldUser { pub name: String, .. }

    #[derive(Clone, Debug, PartialEq)]
    pub struct NewUser { pub name: String, .. pub mail: Option<String>, pub age: Option<u8> }

    #[derive(Clone, Debug, PartialEq)]
    pub enum OldEvent { Login(String), .. Other }

    #[derive(Clone, Debug, PartialEq)]
    pub enum NewEvent { Login(String), Logout { seconds: u32, why: String }, Quit, .. Other }
}

/// The record that the original programs exchange: outer and inner.
pub fn record() -> Record {
    let map = |entries: [(&str, i64); 3]| entries.map(|(k, v)| (k.to_string(), v)).into();
    Record {
        n: 23,
        s: "string data".into(),
        m: map([("one", 1), ("two", 2), ("three", 3)]),
        p: b"abc".to_vec(),
        c: Some(Box::new(Record {
            n: 256,
            s: "Recursive structs? Piece of cake!".into(),
            m: map([("01", 1), ("10", 2), ("11", 3)]),
            ..Record::default()
        })),
    }
}
