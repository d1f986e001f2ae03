//! The list of interfaces, beside what the kernel says of them in `/sys`.

use std::fs;

use groundwire::net;

#[test]
fn interfaces_agree_with_sysfs() {
    let all = net::interfaces().unwrap();
    let Ok(entries) = fs::read_dir("/sys/class/net") else {
        return println!("skipped: no /sys");
    };
    let read = |name: &str, file: &str| {
        let text = fs::read_to_string(format!("/sys/class/net/{name}/{file}"));
        text.map_or(String::new(), |text| text.trim().to_string())
    };
    let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.retain(|name| !read(name, "ifindex").is_empty()); // what is no interface
    if names.len() != all.len() || all.iter().any(|one| !names.contains(&one.name)) {
        return println!("skipped: /sys is of another network namespace, with {names:?}");
    }
    for one in all {
        let name = one.name;
        assert_eq!(one.index.to_string(), read(&name, "ifindex"));
        assert_eq!(one.mtu.to_string(), read(&name, "mtu"), "{name}");
        let mac = one
            .hardware
            .as_ref()
            .map_or(String::new(), |mac| mac.to_string());
        assert_eq!(mac, read(&name, "address"), "{name}");
        let flags = read(&name, "flags"); // without LOWER_UP and its like
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap();
        assert_eq!(
            one.flags.0 & 0xb0bf & !0x40,
            flags & 0xb0bf & !0x40,
            "{name}"
        );
    }
}

#[test]
fn the_loopback_interface_has_the_loopback_address() {
    let all = net::interfaces().unwrap();
    let lo = all.iter().find(|one| one.flags.is_loopback()).unwrap();
    if !lo.flags.is_up() {
        return println!("skipped: {} is down", lo.name);
    }
    let ip = "127.0.0.1".parse().unwrap();
    assert!(
        lo.addresses
            .iter()
            .any(|address| address.prefix().contains(ip))
    );
}

#[test]
fn many_threads_may_ask_at_once() {
    let ask = || net::interfaces().unwrap().len();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        for answer in asking {
            assert!(answer.join().unwrap() > 0);
        }
    });
}
