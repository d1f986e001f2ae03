//! Lists the network interfaces of this machine, as the kernel tells them over netlink.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::json::{self, Object};
use groundwire::cli::{self, Args, Failure, Opt, Out, Spec};
use groundwire::net::interface::{Counters, Interface, InterfaceAddress};
use groundwire::net::{self, classify};

const SPEC: Spec = Spec {
    name: "interfaces",
    about: "List network interfaces: flags, MTU, addresses, packets both ways.",
    usage: &["[OPTION]... [NAME]"],
    operands: &[("NAME", "the one to show [all]")],
    options: &[Opt::flag("json", "print a JSON array of objects").short('j')],
    statuses: None,
    epilogue: "An interface is UP when it is switched on, and RUNNING when packets can leave:\n\
               there is a cable, a radio link or a peer. The counters start when the\n\
               interface is created.\n\n\
               Examples:\n  interfaces\n  interfaces --json lo",
};

fn main() -> ExitCode {
    cli::run(&SPEC, list)
}

fn list(args: Args) -> Result<(), Failure> {
    args.at_most(1)?;
    let wanted = args.operand_opt(0, "NAME")?;
    let mut found = net::interfaces().map_err(Failure::of)?;
    if let Some(name) = wanted {
        found.retain(|interface| interface.name == name || shown(&interface.name) == name);
        if found.is_empty() {
            return Err(format!("{name}: no such interface").into());
        }
    }
    let out = Out::lines();
    if args.flag("json") {
        return out.line(json::array(found.iter().map(object)));
    }
    found.iter().try_for_each(|one| out.line(paragraph(one)))
}

/// A name for the terminal: the kernel allows nearly any byte, control characters included.
fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}

fn paragraph(interface: &Interface) -> String {
    let Interface {
        index,
        name,
        flags,
        mtu,
        ..
    } = interface;
    let name = shown(name);
    let mut lines = vec![format!("{index}: {name}: <{flags}> mtu {mtu}")];
    if let Some(hardware) = &interface.hardware {
        lines.push(format!("    mac {hardware}"));
    }
    lines.extend(interface.addresses.iter().map(address_line));
    lines.push(format!("    rx  {}", counters_line(&interface.received)));
    lines.push(format!("    tx  {}", counters_line(&interface.sent)));
    lines.join("\n")
}

fn address_line(address: &InterfaceAddress) -> String {
    let peer = address
        .peer
        .map_or(String::new(), |ip| format!(" peer {ip}"));
    let broadcast = address
        .broadcast
        .map_or(String::new(), |ip| format!(" broadcast {ip}"));
    format!(
        "    ip  {address}{peer}{broadcast} {}",
        classify(address.ip)
    )
}

fn counters_line(counters: &Counters) -> String {
    let Counters {
        packets,
        bytes,
        errors,
        dropped,
    } = counters;
    format!("{packets} packets, {bytes} bytes, {errors} errors, {dropped} dropped")
}

fn object(interface: &Interface) -> String {
    let flags = interface.flags.names().map(json::string);
    let addresses = interface.addresses.iter().map(address_object);
    Object::new()
        .number("index", interface.index)
        .text("name", &interface.name)
        .value("flags", json::array(flags))
        .number("mtu", interface.mtu)
        .text_opt("mac", interface.hardware.as_ref())
        .value("addresses", json::array(addresses))
        .value("rx", counters_object(&interface.received))
        .value("tx", counters_object(&interface.sent))
        .end()
}

fn address_object(address: &InterfaceAddress) -> String {
    Object::new()
        .text("address", address.ip)
        .number("prefix", address.prefix_len)
        .text_opt("peer", address.peer)
        .text_opt("broadcast", address.broadcast)
        .text("class", classify(address.ip))
        .end()
}

fn counters_object(counters: &Counters) -> String {
    Object::new()
        .number("packets", counters.packets)
        .number("bytes", counters.bytes)
        .number("errors", counters.errors)
        .number("dropped", counters.dropped)
        .end()
}
