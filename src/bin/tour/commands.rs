//! The stops about named commands.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;

use groundwire::endpoint::{
    self, Call, Client, Commands, Endpoint, EndpointConfig, Message, Next, Record, THANKS,
};
use groundwire::net::{self, Deadline, Network};
use groundwire::server::{Config, Running, Server};

use super::stops::{PATIENCE, Result, Told, ensure};
use super::wire;

pub fn message() -> Result<Told> {
    let (tell, received) = mpsc::channel();
    let commands = Commands::built_in(move |_, message| drop(tell.send(message.to_string())));
    let (server, address) = serve(commands)?;
    let tap = wire::tap(&address)?;
    let mut client = Client::new(net::dial(Network::Tcp, &tap.address)?, PATIENCE);
    let replies = [client.string("hello")?, client.record(&Record::example())?];
    drop(client);
    tap.stop()?;
    server.stop()?;
    ensure(replies == [THANKS, THANKS], "a reply is not the thanks")?;
    let received: Vec<String> = received.try_iter().collect();
    let sent = [
        Message::Text("hello").to_string(),
        Message::Record(&Record::example()).to_string(),
    ];
    ensure(received == sent, "the server received something else")?;
    let mut lines = vec![
        "client -> server  `STRING`, and a line, which ends with its line feed".into(),
        "client -> server  `STRUCT`, and a frame, which says its length first".into(),
        format!("server -> client  {THANKS}, twice; and it received:"),
    ];
    for message in received {
        lines.extend(message.lines().map(|line| format!("  {line}")));
    }
    Ok(Told {
        lines,
        read: "src/endpoint/handler.rs, inbox.rs, record.rs; docs/commands.md",
    })
}

pub fn command() -> Result<Told> {
    let commands = Commands::new();
    let (server, address) = serve(commands.clone())?;
    commands.register("UPPER", |call: &mut Call<'_>| {
        let text = call.text()?;
        call.reply(text.to_uppercase())?;
        Ok(Next::Command)
    })?;
    let mut conn = net::dial(Network::Tcp, &address)?;
    conn.set_deadline(Deadline::after(PATIENCE));
    conn.write_all(b"UPPER\none\nUPPER\ntwo\nFOO\nUPPER\nsmuggled\n")?;
    conn.shutdown(Shutdown::Write)?;
    let mut replies = String::new();
    conn.read_to_string(&mut replies)?;
    server.stop()?;
    let expected = "ONE\nTWO\nerror: unknown command FOO; known: UPPER\n";
    ensure(replies == expected, "the replies are others")?;
    let mut lines = vec![
        "`UPPER` was registered while the server was serving".to_string(),
        "client -> server  four commands in one write, the third one unknown".into(),
    ];
    lines.extend(
        replies
            .lines()
            .map(|line| format!("server -> client  {line}")),
    );
    lines.push("and the end: what stands behind FOO may be its payload, so it is not run".into());
    Ok(Told {
        lines,
        read: "src/endpoint/commands.rs, call.rs; docs/commands.md",
    })
}

fn serve(commands: Commands) -> Result<(Running, String)> {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
    let address = listener.local_addr().to_string();
    let config = Config {
        stack_size: endpoint::STACK_SIZE,
        ..Config::default()
    };
    let server = Server::new(config, Endpoint::new(EndpointConfig::default(), commands));
    Ok((server.start(listener)?, address))
}
