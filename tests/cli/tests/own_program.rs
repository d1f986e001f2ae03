//! The program of the introduction, docs/hello.rs: what a reader's own begins with.

use std::io::Read;

use groundwire_cli_tests::{Server, connect};

#[test]
fn the_program_of_the_introduction_serves_and_ends_in_order_on_a_signal() {
    for name in ["TERM", "INT", "HUP"] {
        if name == "HUP" && hangups_are_ignored() {
            println!("skipped: started under nohup, which its child respects");
            continue;
        }
        let server = Server::start("examples/hello", &["127.0.0.1:0"]);
        for number in 0..2 {
            let mut text = String::new();
            connect(&server.address).read_to_string(&mut text).unwrap();
            assert_eq!(text, format!("hello, you are number {number}\n"));
        }
        let ended = server.end_by(name);
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert_eq!(ended.stdout, ["served 2, active 0, refused 0, failed 0"]);
    }
}

/// Whether this test was started with SIGHUP ignored, which its children inherit.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    set & 1 != 0 // SIGHUP is signal 1
}
