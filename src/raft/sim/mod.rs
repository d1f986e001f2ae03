//! A cluster in a box: scenarios, and the worlds that play them.

pub mod scenario;
