//! loadgen where ports are few: a namespace whose kernel has four to give.

use groundwire_cli_tests::namespace;

/// Two servers. Four connections to the first take all four ports of 127.0.0.1; then one more to
/// the first, four to the second, and one to the first from another address.
const SCRIPT: &str = r"
sysctl -qw net.ipv4.ip_local_port_range='40000 40003'
mkfifo /run/first /run/second /run/held
tcp-echo-server 127.0.0.1:7001 > /run/first & first=$!; read line < /run/first
tcp-echo-server 127.0.0.1:7002 > /run/second & second=$!; read line < /run/second
loadgen -c 4 -t 1 --hold 60s --source 127.0.0.1 tcp 127.0.0.1:7001 > /run/held & held=$!
read line < /run/held; echo $line
load() { loadgen -n 4 -w 0 $@ | grep errors | tr -s ' '; }
load -c 1 --source 127.0.0.1 tcp 127.0.0.1:7001
load -c 4 --source 127.0.0.1 tcp 127.0.0.1:7002
load -c 1 --source 127.0.0.2 tcp 127.0.0.1:7001
load -c 2 --source 127.0.0.2 --source 127.0.0.3 tcp 127.0.0.1:7001
kill $held $first $second; wait $held; echo $?
";

#[test]
fn each_source_has_ports_of_its_own_for_each_server() {
    let Some(printed) = namespace::run(SCRIPT) else {
        return;
    };
    let expected = "\
holding 4 connections
loadgen: connect tcp 127.0.0.1:7001: cannot assign requested address
errors 1 (connect 1)
errors 0
errors 0
errors 0
0
";
    assert_eq!(printed, expected);
}
