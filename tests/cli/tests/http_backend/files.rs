//! A folder that is served: whole files, parts of them, conditions, and what lies outside.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, UNIX_EPOCH};

use super::{Folder, ask, get, parts, rest, server};
use groundwire_cli_tests::{connect, named_pipe};

#[test]
fn files_come_whole_in_parts_and_not_at_all_when_they_are_known() {
    let folder = Folder::new("parts");
    let server = server(&["--root", &folder.root()]);
    let reply = ask(&server, &get("/a.txt", ""));
    assert_eq!(parts(&reply), ("200", "0123456789"));
    assert!(reply.contains("\r\nContent-Type: text/plain"), "{reply}");
    let tag = reply
        .lines()
        .find(|line| line.starts_with("ETag: "))
        .unwrap();
    let tag = tag.strip_prefix("ETag: ").unwrap();
    for (fields, wanted) in [
        ("Range: bytes=2-4\r\n".to_string(), ("206", "234")),
        ("Range: bytes=-3\r\n".into(), ("206", "789")),
        (
            "Range: bytes=10-\r\n".into(),
            ("416", "the range begins behind the end\n"),
        ),
        (
            "Range: bytes=1-2\r\nIf-Range: \"x\"\r\n".into(),
            ("200", "0123456789"),
        ),
        (
            format!("Range: bytes=1-2\r\nIf-Range: {tag}\r\n"),
            ("206", "12"),
        ),
        (format!("If-None-Match: {tag}\r\n"), ("304", "")),
        (
            "Range: bytes=2-4\r\nIf-Match: \"x\"\r\n".into(),
            ("412", "the file is another version\n"),
        ),
        (
            format!("Range: bytes=2-4\r\nIf-Match: \"x\"\r\nIf-Match: {tag}\r\n"),
            ("206", "234"),
        ),
    ] {
        assert_eq!(
            parts(&ask(&server, &get("/a.txt", &fields))),
            wanted,
            "{fields}"
        );
    }
    assert_eq!(parts(&ask(&server, &get("/sub/", ""))), ("200", "<p>sub"));
    let head = get("/a.txt", "Range: bytes=2-4\r\n").replacen("GET", "HEAD", 1);
    let head = ask(&server, &head);
    assert_eq!(parts(&head), ("200", ""));
    assert!(head.contains("\r\nContent-Length: 10\r\n"), "{head}");
    assert!(parts(&ask(&server, &get("/", ""))).1.starts_with("I am b1"));
    fs::write(folder.0.join("www/index.html"), "<p>home").unwrap();
    assert_eq!(parts(&ask(&server, &get("/", ""))), ("200", "<p>home"));
    let moved = ask(&server, &get("//sub", ""));
    assert!(moved.contains("\r\nLocation: /sub/\r\n"), "{moved}");
    let moved = ask(&server, &get("/sub?a=/b?c", ""));
    assert!(moved.contains("\r\nLocation: /sub/?a=/b?c\r\n"), "{moved}");
    let post = get("/a.txt", "").replacen("GET", "DELETE", 1);
    assert!(ask(&server, &post).contains("\r\nAllow: GET, HEAD\r\n"));
}

#[test]
fn a_file_that_is_dated_ahead_is_not_told_to_be() {
    let folder = Folder::new("ahead");
    let file = fs::File::options()
        .write(true)
        .open(folder.0.join("www/a.txt"))
        .unwrap();
    let ahead = UNIX_EPOCH + Duration::from_secs(4_102_444_800); // Fri, 01 Jan 2100 00:00:00 GMT
    file.set_modified(ahead).unwrap();
    let server = server(&["--root", &folder.root()]);
    let reply = ask(&server, &get("/a.txt", ""));
    assert!(reply.contains("\r\nLast-Modified: "), "{reply}");
    assert!(!reply.contains(" Jan 2100 "), "{reply}");
    // What the client was told is not taken for the file's own date.
    let since = "If-Modified-Since: Thu, 31 Dec 2099 23:59:59 GMT\r\n";
    assert_eq!(parts(&ask(&server, &get("/a.txt", since))).0, "200");
}

#[test]
fn nothing_outside_of_the_folder_is_served() {
    let folder = Folder::new("outside");
    let www = folder.0.join("www");
    std::os::unix::fs::symlink(folder.0.join("secret.txt"), www.join("link.txt")).unwrap();
    std::os::unix::fs::symlink(&folder.0, www.join("up")).unwrap();
    std::os::unix::fs::symlink("a.txt", www.join("inside.txt")).unwrap();
    fs::create_dir(folder.0.join("www-beside")).unwrap();
    fs::write(folder.0.join("www-beside/b.txt"), "secret").unwrap();
    std::os::unix::fs::symlink("../www-beside/b.txt", www.join("beside.txt")).unwrap();
    named_pipe(&www.join("pipe")); // to open it would block
    let server = server(&["--root", &folder.root()]);
    for target in [
        "/pipe",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/sub/../../secret.txt",
        "/..%2fsecret.txt",
        "/link.txt",
        "/up/secret.txt",
        "/beside.txt",
        "/a.txt%00.html",
        "/a.txt/",
        "/sub/nothing",
    ] {
        let reply = ask(&server, &get(target, ""));
        let (code, _) = parts(&reply);
        assert!(
            matches!(code, "400" | "404") && !reply.contains("\r\n\r\nsecret"),
            "{target}: {reply}"
        );
    }
    assert_eq!(
        parts(&ask(&server, &get("/inside.txt", ""))),
        ("200", "0123456789")
    );
}

#[test]
fn a_file_that_changes_while_it_is_sent_never_makes_the_reply_longer_than_promised() {
    const SIZE: u64 = (32 << 20) + 1; // more than both ends' buffers hold
    let folder = Folder::new("changes");
    let server = server(&["--root", &folder.root()]);
    for (changed, failed) in [(SIZE + 10, 0), (0, 1)] {
        let file = fs::File::create(folder.0.join("www/long")).unwrap();
        file.set_len(SIZE).unwrap();
        let mut stream = connect(&server.address);
        stream.write_all(get("/long", "").as_bytes()).unwrap();
        stream.read_exact(&mut [0; 1]).unwrap(); // the reply has begun
        file.set_len(changed).unwrap();
        let reply = rest(&mut stream);
        let body = parts(&reply).1.len() as u64;
        assert!(reply.contains("\r\nContent-Length: 33554433\r\n"));
        assert_eq!((body == SIZE, body < SIZE), (failed == 0, failed == 1));
    }
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 1");
}
