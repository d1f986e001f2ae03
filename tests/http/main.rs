//! HTTP/1.1 from outside: hostile and ambiguous messages as data (requests.txt, responses.txt), read
//! by the parsers in every cut, and judged by other implementations.

mod cases;
mod core;
mod feed;
#[path = "../support/mod.rs"]
mod support;
