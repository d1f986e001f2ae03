//! The stop about calls by name.

use groundwire::net::{self, Network};
use groundwire::rpc::{
    self, Calculate, Calculator, CalculatorClient, Client, ClientConfig, RpcHandler, ServerConfig,
    Signed,
};
use groundwire::server::{Config, Server};

use super::stops::{PATIENCE, Result, Told, ensure};
use super::wire;

pub fn rpc() -> Result<Told> {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
    let address = listener.local_addr().to_string();
    let handler = RpcHandler::new(ServerConfig::default(), vec![Calculator.into_service()]);
    let config = Config {
        stack_size: rpc::STACK_SIZE,
        ..Config::default()
    };
    let server = Server::new(config, handler).start(listener)?;
    let config = ClientConfig {
        time: Some(PATIENCE),
        ..ClientConfig::default()
    };
    let tap = wire::tap(&address)?;
    let client = Client::over(net::dial(Network::Tcp, &tap.address)?, config)?;
    let calculator = CalculatorClient(&client);
    let (a, b) = (Signed::from(-17), Signed::from(18));

    // The slow one is sent first, and answered last.
    let slow = client.start("Calculator.Sleep", &(50_u64,), Some(PATIENCE))?;
    let (sum, difference) = (calculator.add(a, b)?, calculator.subtract(a, b)?);
    let items = calculator.count(1, 3)?;
    let items: std::result::Result<Vec<u64>, _> = items.collect();
    slow.wait::<()>()?;
    ensure(
        (sum, difference) == (Signed::from(1), Signed::from(-35)),
        "the calculator errs",
    )?;
    ensure(items? == [1, 2, 3], "the stream has other items")?;
    let unknown = match client.call::<_, ()>("Calculator.Divide", &(a, b)) {
        Ok(()) => return Err("an unknown method was run".into()),
        Err(error) => error.to_string(),
    };
    drop(client);
    tap.stop()?;
    server.stop()?;
    let lines = vec![
        "client -> server  Sleep 50 ms, and on the same connection, without waiting:".into(),
        format!("Add {a} {b} is {sum}, Subtract {a} {b} is {difference}: no thread was changed"),
        "Count 1 3 is a stream of three items; then the reply to Sleep".into(),
        format!("Divide: {unknown}, and the connection lives"),
    ];
    Ok(Told {
        lines,
        read: "src/rpc/calculator.rs, server.rs, client.rs; docs/rpc.md",
    })
}
