//! What is encoded: the recursive record of the command protocol, and log lines.

use std::borrow::Cow;
use std::collections::BTreeMap;

use speedy::{Readable, Writable};

groundwire::wire! {
    #[derive(Clone, Debug, Default, PartialEq)]
    #[derive(serde::Serialize, serde::Deserialize, bincode::Encode, bincode::Decode)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[derive(Readable, Writable)]
    pub struct Record {
        pub n: i64,
        pub s: String,
        pub m: BTreeMap<String, i64>,
        pub p: Vec<u8>,
        pub c: Option<Box<Record>>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    #[derive(serde::Serialize, serde::Deserialize, bincode::Encode, bincode::Decode)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize, bitcode::Encode, bitcode::Decode)]
    #[derive(Readable, Writable)]
    pub struct Address { pub x0: u8, pub x1: u8, pub x2: u8, pub x3: u8 }

    #[derive(Clone, Debug, PartialEq)]
    #[derive(serde::Serialize, serde::Deserialize, bincode::Encode, bincode::Decode)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize, bitcode::Encode, bitcode::Decode)]
    #[derive(Readable, Writable)]
    pub struct Log {
        pub address: Address,
        pub code: u16,
        pub identity: String,
        pub user: String,
        pub date: String,
        pub request: String,
        pub size: u64,
    }

    #[derive(Clone, Debug, PartialEq)]
    #[derive(serde::Serialize, serde::Deserialize, bincode::BorrowDecode, bitcode::Decode)]
    pub struct LogView<'a> {
        pub address: Address,
        pub code: u16,
        pub identity: &'a str,
        pub user: &'a str,
        pub date: &'a str,
        pub request: &'a str,
        pub size: u64,
    }
}

/// The same types for nanoserde, whose derive wants plain items.
pub mod plain {
    use std::collections::BTreeMap;

    use nanoserde::{DeBin, SerBin};

    #[derive(Clone, Debug, PartialEq, SerBin, DeBin)]
    pub struct Record {
        pub n: i64,
        pub s: String,
        pub m: BTreeMap<String, i64>,
        pub p: Vec<u8>,
        pub c: Option<Box<Record>>,
    }

    #[derive(Clone, Debug, PartialEq, SerBin, DeBin)]
    pub struct Address { pub x0: u8, pub x1: u8, pub x2: u8, pub x3: u8 }

    #[derive(Clone, Debug, PartialEq, SerBin, DeBin)]
    pub struct Log {
        pub address: Address,
        pub code: u16,
        pub identity: String,
        pub user: String,
        pub date: String,
        pub request: String,
        pub size: u64,
    }

    impl From<&super::Record> for Record {
        fn from(record: &super::Record) -> Self {
            let super::Record { n, s, m, p, c } = record.clone();
            Record { n, s, m, p, c: c.map(|c| Box::new(Record::from(&*c))) }
        }
    }

    impl From<&super::Log> for Log {
        fn from(log: &super::Log) -> Self {
            let super::Log { address: a, code, identity, user, date, request, size } = log.clone();
            let address = Address { x0: a.x0, x1: a.x1, x2: a.x2, x3: a.x3 };
            Log { address, code, identity, user, date, request, size }
        }
    }
}

/// speedy borrows by `Cow` only.
#[derive(Readable)]
#[allow(dead_code)] // made, counted and dropped
pub struct LogCow<'a> {
    pub address: Address,
    pub code: u16,
    pub identity: Cow<'a, str>,
    pub user: Cow<'a, str>,
    pub date: Cow<'a, str>,
    pub request: Cow<'a, str>,
    pub size: u64,
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

/// 10,000 lines of a web server's log, the same in every run.
pub fn logs() -> Vec<Log> {
    let mut state = 7_u64;
    let mut below = move |limit: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % limit
    };
    const USERS: [&str; 9] = ["-", "alice", "bob", "carmen", "david", "eric", "frank", "george", "harry"];
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "UPDATE", "DELETE"];
    const PATHS: [&str; 7] = [
        "/favicon.ico", "/css/index.css", "/css/font-awsome.min.css", "/img/logo-full.svg",
        "/img/splash.jpg", "/api/login", "/api/logout",
    ];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut pick = move || below(u64::MAX >> 40) as usize;
    (0..10_000)
        .map(|_| Log {
            address: Address { x0: pick() as u8, x1: pick() as u8, x2: pick() as u8, x3: pick() as u8 },
            code: [200, 201, 304, 400, 401, 403, 404, 500, 503][pick() % 9],
            identity: "-".into(),
            user: USERS[pick() % 9].into(),
            date: format!(
                "{}/{}/{}:{}:{}:{}",
                pick() % 28 + 1, MONTHS[pick() % 12], 1970 + pick() % 55, pick() % 24, pick() % 60, pick() % 60
            ),
            request: format!("{} {} HTTP/1.1", METHODS[pick() % 5], PATHS[pick() % 7]),
            size: pick() as u64 % 100_000_000,
        })
        .collect()
}
