//! HTTP/1.1 from outside: hostile and ambiguous messages as data (requests.txt, responses.txt), read
//! by the parsers in every cut, sent through the load balancer, and judged by other implementations.

mod cases;
mod core;
mod feed;
mod judges;
mod plain;
mod proxied;
mod recording;
#[path = "../support/mod.rs"]
mod support;
