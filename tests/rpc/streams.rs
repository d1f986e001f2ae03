//! Streamed replies: order, back-pressure, ends.

use groundwire::rpc::{CallError, ServerConfig};
use groundwire::server::Config;

use crate::world::*;

#[test]
fn items_come_in_order_and_the_stream_ends() {
    let world = world();
    let numbers: Result<Vec<u64>, _> = world.lab().numbers(1000_u64).unwrap().collect();
    assert!(numbers.unwrap().into_iter().eq(0..1000));
    let none = world.lab().numbers(0_u64).unwrap().count();
    assert_eq!(none, 0);
}

#[test]
fn the_server_sends_no_more_than_a_window_ahead() {
    let rpc = ServerConfig {
        window: 4,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let lab = world.lab();
    let mut numbers = lab.numbers(100_u64).unwrap();
    for sent in 0..4 {
        assert_eq!(world.told(), format!("sent {sent}"));
    }
    // Other calls go on meanwhile, on the same connection and by the same thread.
    assert_eq!(lab.add(1, 2).unwrap(), 3);
    assert!(world.events.try_recv().is_err(), "a fifth item was sent");
    assert_eq!(numbers.next().unwrap().unwrap(), 0);
    assert_eq!(numbers.next().unwrap().unwrap(), 1);
    assert_eq!(world.told(), "sent 4");
    assert_eq!(world.told(), "sent 5");
}

#[test]
fn a_stream_that_is_dropped_ends_its_method() {
    let world = world();
    let lab = world.lab();
    let mut numbers = lab.numbers(u64::MAX).unwrap();
    assert_eq!(numbers.next().unwrap().unwrap(), 0);
    drop(numbers);
    while !world.told().starts_with("Cancelled") {}
    assert_eq!(lab.add(1, 2).unwrap(), 3);
}

#[test]
fn a_stream_asked_for_as_a_value_is_refused_and_the_other_way_round() {
    let world = world();
    let client = world.client();
    let error = client.call::<_, u64>("Lab.Numbers", &(5_u64,)).unwrap_err();
    assert_eq!(error.to_string(), "the method answers with a stream");
    let mut items = client
        .stream::<_, i64>("Lab.Add", &(1_i64, 2_i64), None)
        .unwrap();
    let value = items.next().unwrap().unwrap_err();
    assert!(matches!(value, CallError::BadReply(_)), "{value}");
    assert!(items.next().is_none(), "an error ends the stream");
    let mut items = client.stream::<_, i64>("Lab.None", &(), None).unwrap();
    assert!(matches!(items.next(), Some(Err(CallError::Failed(_)))));
    assert!(items.next().is_none(), "it has ended");
}

#[test]
fn a_caller_that_never_asks_for_more_does_not_hold_a_worker_for_ever() {
    let rpc = ServerConfig {
        window: 2,
        workers: 1,
        idle_timeout: Some(std::time::Duration::from_millis(500)),
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let lab = world.lab();
    let held = lab
        .0
        .stream::<_, u64>("Lab.Numbers", &(100_u64,), None)
        .unwrap();
    // The only worker comes free, though the stream is neither taken nor dropped.
    assert_eq!(lab.echo("served").unwrap(), "served");
    drop(held);
}
