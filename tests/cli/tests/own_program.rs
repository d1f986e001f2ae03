//! The program of the introduction, docs/hello.rs: what a reader's own begins with.

use std::io::Read;

use groundwire_cli_tests::{Server, connect, hangups_are_ignored};

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
