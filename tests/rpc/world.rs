//! The service that these tests call, its server and a client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use groundwire::net::{self, Conn, Network};
use groundwire::rpc::{Call, Client, ClientConfig, Failure, RpcHandler, ServerConfig, Sink};
use groundwire::server::{Config, Running, Server};

groundwire::rpc_service! {
    /// What the tests need.
    pub trait Lab, client LabClient, as "Lab" {
        /// The sum.
        [repeatable] fn add(a: i64, b: i64) -> i64, as "Add";
        /// The argument, on a worker.
        [slow] fn echo(text: String) -> String, as "Echo";
        /// Counts how often it was run.
        fn count() -> u64, as "Count";
        /// As `count`, but may be tried again.
        [repeatable] fn count_again() -> u64, as "CountAgain";
        /// Waits until the test lets it go; says when it has begun.
        [slow] fn gate(name: String) -> String, as "Gate";
        /// Waits until it is cancelled, and tells the test.
        [slow] fn until_cancelled() -> (), as "UntilCancelled";
        /// Panics, as text or as a worker.
        fn panics() -> (), as "Panics";
        /// The same on a worker.
        [slow] fn panics_slowly() -> (), as "PanicsSlowly";
        /// Refuses.
        fn refuses(why: String) -> (), as "Refuses";
        /// So many bytes.
        fn bytes(len: u32) -> Vec<u8>, as "Bytes";
        /// The numbers below `until`; tells the test each number that was sent.
        [stream] fn numbers(until: u64) -> u64, as "Numbers";
    }
}

/// The service, and the test's ends of its channels.
pub struct TestLab {
    pub runs: Arc<AtomicU64>,
    events: Mutex<Sender<String>>,
    gates: Mutex<Receiver<()>>,
}

impl TestLab {
    pub fn new(told: Sender<String>, gates: Receiver<()>) -> Self {
        Self {
            runs: Arc::new(AtomicU64::new(0)),
            events: Mutex::new(told),
            gates: Mutex::new(gates),
        }
    }

    fn tell(&self, what: String) {
        let _ = self.events.lock().unwrap().send(what);
    }
}

impl Lab for TestLab {
    fn add(&self, _: &Call<'_>, a: i64, b: i64) -> Result<i64, Failure> {
        a.checked_add(b)
            .ok_or_else(|| Failure::Refused("the sum is beyond 64 bits".into()))
    }

    fn echo(&self, _: &Call<'_>, text: String) -> Result<String, Failure> {
        Ok(text)
    }

    fn count(&self, _: &Call<'_>) -> Result<u64, Failure> {
        Ok(self.runs.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn count_again(&self, call: &Call<'_>) -> Result<u64, Failure> {
        self.count(call)
    }

    fn gate(&self, _: &Call<'_>, name: String) -> Result<String, Failure> {
        self.tell(format!("began {name}"));
        let _ = self.gates.lock().unwrap().recv();
        Ok(name)
    }

    fn until_cancelled(&self, call: &Call<'_>) -> Result<(), Failure> {
        self.tell("waits".into());
        let waited = call.wait(Duration::from_secs(60));
        self.tell(format!("{waited:?}"));
        waited
    }

    fn panics(&self, _: &Call<'_>) -> Result<(), Failure> {
        panic!("as asked")
    }

    fn panics_slowly(&self, call: &Call<'_>) -> Result<(), Failure> {
        self.panics(call)
    }

    fn refuses(&self, _: &Call<'_>, why: String) -> Result<(), Failure> {
        Err(Failure::Refused(why))
    }

    fn bytes(&self, _: &Call<'_>, len: u32) -> Result<Vec<u8>, Failure> {
        Ok(vec![7; len as usize])
    }

    fn numbers(&self, _: &Call<'_>, until: u64, sink: &mut Sink<'_, u64>) -> Result<(), Failure> {
        for number in 0..until {
            if let Err(failure) = sink.send(&number) {
                self.tell(format!("{failure:?} at {number}"));
                return Err(failure);
            }
            self.tell(format!("sent {number}"));
        }
        Ok(())
    }
}

/// A running server and what its methods tell.
pub struct World {
    network: Network,
    pub address: String,
    pub running: Running,
    pub events: Receiver<String>,
    /// Lets one `gate` go for each message.
    pub open: Sender<()>,
    pub runs: Arc<AtomicU64>,
}

/// A server with the default limits.
pub fn world() -> World {
    world_with(ServerConfig::default(), Config::default())
}

pub fn world_with(rpc: ServerConfig, config: Config) -> World {
    world_at("127.0.0.1:0", rpc, config)
}

pub fn world_at(address: &str, rpc: ServerConfig, config: Config) -> World {
    world_on(Network::Tcp, address, rpc, config)
}

pub fn world_on(network: Network, address: &str, rpc: ServerConfig, config: Config) -> World {
    let (told, events) = channel();
    let (open, gates) = channel();
    let lab = TestLab::new(told, gates);
    let runs = lab.runs.clone();
    let listener = net::listen(network, address).unwrap();
    let address = listener.local_addr().to_string();
    let config = Config {
        stack_size: groundwire::rpc::STACK_SIZE,
        ..config
    };
    let server = Server::new(config, RpcHandler::new(rpc, vec![lab.into_service()]));
    World {
        network,
        address,
        running: server.start(listener).unwrap(),
        events,
        open,
        runs,
    }
}

impl World {
    pub fn dial(&self) -> Conn {
        net::dial(self.network, &self.address).unwrap()
    }

    pub fn client(&self) -> Client {
        self.client_with(ClientConfig::default())
    }

    pub fn client_with(&self, config: ClientConfig) -> Client {
        Client::over(self.dial(), config).unwrap()
    }

    pub fn lab(&self) -> LabClient<Client> {
        LabClient(self.client())
    }

    /// The next thing that a method tells.
    pub fn told(&self) -> String {
        self.events
            .recv_timeout(Duration::from_secs(20))
            .expect("nothing told in 20 s")
    }
}
