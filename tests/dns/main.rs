//! Names from outside: the codec, its corner cases and hostile octets, other implementations.

mod codec;
mod codec_peers;
mod fuzz;
#[path = "../wire/generate.rs"]
mod generate;
mod hostile;
mod samples;

#[global_allocator]
static ALLOCATOR: groundwire::sys::counting::Counting = groundwire::sys::counting::Counting;
