//! Handlers that fail or panic.

use std::io::{self, Read, Write};
use std::panic::panic_any;

use crate::support::{Kept, connect, connect_from, in_own_process, serve};
use crate::{MODES, ask, client};
use groundwire::echo::{Asked, EchoHandler};
use groundwire::net::{self, Conn, Network};
use groundwire::server::{AccessList, Config, End, Handler, Mode, Refusal, Server, Session};
use groundwire::telemetry::{Format, Level, Log};

#[test]
fn a_panic_or_an_error_ends_its_connection_only_and_is_counted() {
    for mode in MODES {
        let handler = |mut conn: &Conn, _: &Session<'_>| {
            let mut order = [0; 1];
            conn.read_exact(&mut order)?;
            match &order {
                b"p" => panic!("asked to panic by {}", conn.peer_addr()),
                b"e" => Err(io::Error::other("asked to fail")),
                _ => conn.write_all(b"well").map(|()| End::Ours),
            }
        };
        let (server, address) = serve(
            Config {
                mode,
                ..Config::default()
            },
            handler,
        );
        for order in [b"p", b"e", b"p", b"w"] {
            let mut conn = connect(&address);
            conn.write_all(order).unwrap();
            let mut heard = String::new();
            let _ = conn.read_to_string(&mut heard);
            assert_eq!(heard, if order == b"w" { "well" } else { "" }, "{mode:?}");
        }
        let totals = server.stop().unwrap();
        assert_eq!(
            (totals.served, totals.failed, totals.panicked),
            (1, 3, 2),
            "{mode:?}"
        );
        assert_eq!(totals.active, 0, "{mode:?}");
    }
}

#[test]
fn a_panic_in_the_word_for_busy_is_counted_and_the_server_goes_on_accepting() {
    struct Clumsy(EchoHandler);
    impl Handler for Clumsy {
        fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
            self.0.serve(conn, session)
        }
        fn refused(&self, _: &Conn, why: Refusal) {
            panic!("cannot say that it is {why}");
        }
    }
    for mode in MODES {
        let kept = Kept::default();
        let config = Config {
            mode,
            log: Log::to_writer(Level::Error, Format::Text, Box::new(kept.clone())),
            access: AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]),
            ..Config::default()
        };
        let (server, address) = serve(config, Clumsy(EchoHandler::default()));
        for _ in 0..5 {
            let mut denied = connect_from("127.0.0.9:0", &address);
            assert_eq!(denied.read(&mut [0]).unwrap(), 0, "{mode:?}");
        }
        let mut served = client(&address);
        assert_eq!(ask(&mut served, b"x\n"), Asked::Reply(b"x\n".to_vec()));
        drop(served);
        let totals = server.stop().unwrap();
        assert_eq!((totals.refused, totals.panicked), (5, 5), "{mode:?}");
        assert_eq!((totals.served, totals.failed), (1, 0), "{mode:?}");
        let cause = "cause=\"cannot say that it is denied by the access list\"";
        assert_eq!(kept.text().matches(cause).count(), 5, "{}", kept.text());
    }
}

#[test]
fn a_panic_whose_value_panics_when_it_is_dropped_ends_its_connection_only() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the value of a panic panics");
        }
    }
    struct Armed;
    impl Handler for Armed {
        fn serve(&self, mut conn: &Conn, session: &Session<'_>) -> io::Result<End> {
            let mut order = [0; 1];
            conn.read_exact(&mut order)?;
            match &order {
                b"p" => panic_any(Bomb),
                b"n" => session.at_stop(|| panic_any(Bomb)),
                _ => {}
            }
            conn.write_all(b"well")?;
            while conn.read(&mut order)? > 0 {}
            Ok(End::Peer)
        }
        fn refused(&self, _: &Conn, _: Refusal) {
            panic_any(Bomb);
        }
    }
    for mode in MODES {
        let config = Config {
            mode,
            access: AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]),
            ..Config::default()
        };
        let (server, address) = serve(config, Armed);
        // More than the pool has workers.
        for _ in 0..3 {
            let mut denied = connect_from("127.0.0.9:0", &address);
            assert_eq!(denied.read(&mut [0]).unwrap(), 0, "{mode:?}");
            let mut conn = connect(&address);
            conn.write_all(b"p").unwrap();
            assert_eq!(conn.read(&mut [0]).unwrap(), 0, "{mode:?}");
        }
        let mut served = connect(&address);
        served.write_all(b"n").unwrap();
        served.read_exact(&mut [0; 4]).unwrap();
        let totals = server.stop().unwrap();
        let counted = (totals.served, totals.failed, totals.refused, totals.cut);
        assert_eq!((counted, totals.panicked), ((1, 3, 3, 0), 6), "{mode:?}");
    }
}

#[test]
fn a_panic_with_a_whole_backtrace_fits_the_small_stack() {
    // The deepest thing a connection's thread does: unwinding, symbols, formatting.
    let name = "failures::a_panic_with_a_whole_backtrace_fits_the_small_stack";
    if let Some(printed) = in_own_process(name, &[("RUST_BACKTRACE", "full")]) {
        for part in ["asked to panic by 127.0.0.1:", "stack backtrace:"] {
            assert!(printed.contains(part), "no {part:?} in: {printed}");
        }
        return;
    }
    let handler = |conn: &Conn, _: &Session<'_>| -> io::Result<End> {
        panic!("asked to panic by {}", conn.peer_addr());
    };
    let (server, address) = serve(Config::default(), handler);
    for _ in 0..3 {
        let _ = connect(&address).read(&mut [0]);
    }
    assert_eq!(server.stop().unwrap().panicked, 3);
}

#[test]
fn a_server_without_a_thread_says_that_it_could_not_start_one() {
    for mode in [Mode::Serial, Mode::Threads] {
        let config = Config {
            mode,
            stack_size: 1 << 60, // no address space holds it
            ..Config::default()
        };
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let server = Server::new(config, |_: &Conn, _: &Session<'_>| Ok(End::Ours));
        let error = server.run(listener).unwrap_err().to_string();
        assert!(error.starts_with("starting a thread: "), "{error}");
    }
}
