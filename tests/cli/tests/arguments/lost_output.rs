//! Output that is lost is told, with status 1.

use std::fs::File;
use std::process::{Command, Stdio};

use groundwire_cli_tests::{Running, path};

use crate::programs::PROGRAMS;

#[test]
fn lost_output_is_a_failure() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let read_only = || File::open("/dev/null").unwrap();
    for one in PROGRAMS {
        for (output, why) in [
            (full(), "no space left on device"),
            (read_only(), "bad file descriptor"),
        ] {
            let mut help = Command::new(path(one.name));
            let help = help.arg("--help").stdout(output);
            let output = help.stderr(Stdio::piped()).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{}: {why}", one.name);
            assert_eq!(stderr, format!("{}: standard output: {why}\n", one.name));
        }
    }
}

#[test]
fn a_file_that_may_not_grow_is_a_failure_like_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let packets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/handshake.pcap");
    let file = folder.path().join("file");
    let name = file.to_str().unwrap();
    let cases: [(&str, &[&str], String); 3] = [
        ("capture", &["-r", packets, "-w", name], name.into()),
        (
            "raft-sim",
            &["--deterministic", "--quiet", "--html", name],
            format!("writing {name}"),
        ),
        (
            "tour",
            &["capture", "--write", name],
            format!("writing {name}"),
        ),
    ];
    for (program, args, what) in cases {
        let ended = Running::start_after("ulimit -f 0", program, args).end();
        assert_eq!(ended.code, Some(1), "{program}: {ended:?}");
        let expected = format!("{program}: {what}: file too large\n");
        assert_eq!(ended.stderr, expected);
    }
}
