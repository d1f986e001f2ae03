//! What the cluster's client says of a server that does not make sense.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use groundwire::kv::service::Problem;
use groundwire::kv::{Change, Changes, Client, ClientConfig, Keys, Revision, Store, StoreError};
use groundwire::net::{self, Network};
use groundwire::raft::Command;
use groundwire::raft::sessions::{Answer, Request};
use groundwire::rpc::{Call, RpcHandler, ServerConfig, Service, Traits};
use groundwire::server::{Config, Running, Server};
use groundwire::wire;

use crate::support::PATIENCE;

/// With a try that may take longer than the call.
#[test]
fn a_server_that_does_not_greet_costs_no_more_than_the_time_of_the_call() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(ClientConfig {
        time: Duration::from_secs(1),
        try_time: PATIENCE,
        ..ClientConfig::new(vec![silent.local_addr().unwrap().to_string()])
    });
    let begun = Instant::now();
    assert!(matches!(client.get(b"k"), Err(StoreError::NotDone(_))));
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn a_change_whose_reply_cannot_be_read_is_perhaps_done() {
    let propose = |_: &Call<'_>, (request,): (Command,)| {
        // The first byte of the reply says whether it is an answer (0) or a problem (1).
        Ok(match wire::decode(request.bytes()) {
            Ok(Request::Register) => (0_u8, wire::encode(&Answer::Registered(7)).unwrap()),
            _ => (9, Vec::new()),
        })
    };
    let service = Service::new("Kv").method("Propose", Traits::default(), propose);
    let (address, running) = serve(service);
    let put = Client::new(ClientConfig::new(vec![address])).put(b"k", b"v");
    let Err(StoreError::Unknown(why)) = put else {
        panic!("{put:?}");
    };
    assert!(why.contains("the reply cannot be read"), "{why}");
    running.stop().unwrap();
}

/// Answers each wish to add a node with this problem.
fn refuses(problem: impl Fn() -> Problem + Send + Sync + 'static) -> (String, Running) {
    let add = move |_: &Call<'_>, _: (u64, String, bool)| Ok(Err::<(), _>(problem()));
    serve(Service::new("Kv").method("Add", Traits::default(), add))
}

fn serve(service: Service) -> (String, Running) {
    let handler = RpcHandler::new(ServerConfig::default(), vec![service]);
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let running = Server::new(Config::default(), handler).start(listener);
    (address, running.unwrap())
}

/// Whoever is asked at the last moment, perhaps a follower, which knows only who leads.
#[test]
fn when_a_leader_refuses_until_the_time_is_over_its_reason_is_told() {
    let why = || "a change of membership is under way".into();
    let (leader, leads) = refuses(move || Problem::NotDone(why()));
    let there = leader.clone();
    let (follower, follows) = refuses(move || Problem::Elsewhere(Some(there.clone())));
    let asking = (1..=40).map(|n| {
        let client = Client::new(ClientConfig {
            time: Duration::from_millis(50 * n),
            ..ClientConfig::new(vec![follower.clone()])
        });
        thread::spawn(move || client.add(4, "127.0.0.1:1", false).unwrap_err())
    });
    let asking: Vec<_> = asking.collect();
    let told = asking.into_iter().map(|asking| asking.join().unwrap());
    let told: Vec<String> = told.map(|error| error.to_string()).collect();
    let beside = told.iter().find(|error| error.contains("is said to be"));
    assert_eq!(beside, None);
    let reason = format!("not done, try again: {leader}: {}", why());
    assert!(told.contains(&reason), "{told:?}");
    leads.stop().unwrap();
    follows.stop().unwrap();
}

/// Tells every watch of these revisions of a key, and to go on from there.
fn tells(revisions: &'static [Revision], next: Revision) -> (String, Running) {
    let deleted = |&revision| Change::Deleted {
        key: b"k".to_vec(),
        revision,
    };
    let changes = move |_: &Call<'_>, _: (Keys, Revision, u64)| {
        let changes = revisions.iter().map(deleted).collect();
        Ok(Ok::<_, Problem>(Changes { changes, next }))
    };
    serve(Service::new("Kv").method("Changes", Traits::default(), changes))
}

/// One that took its word would tell the same changes for ever.
#[test]
fn a_watch_passes_over_a_server_that_goes_back() {
    let (good, running) = tells(&[5, 6], 7);
    for (revisions, next) in [
        (&[][..], 4),
        (&[4], 6),
        (&[5, 6], 6),
        (&[6, 5], 7),
        (&[Revision::MAX], 5),
    ] {
        let (bad, runs) = tells(revisions, next);
        let watch = |servers: &[&String], time| {
            let client = Client::new(ClientConfig {
                time,
                ..ClientConfig::new(servers.iter().map(ToString::to_string).collect())
            });
            let mut watch = client.watch(Keys::One(b"k".to_vec()), 5).unwrap();
            watch.changes(Duration::ZERO)
        };
        let told = watch(&[&bad, &good], PATIENCE).map(|told| told.next);
        assert_eq!(told, Ok(7), "{revisions:?} {next}");
        let why = format!("{bad}: its changes go back behind the revision that was asked for");
        let alone = watch(&[&bad], Duration::from_secs(1));
        assert_eq!(alone, Err(StoreError::NotDone(why)));
        runs.stop().unwrap();
    }
    running.stop().unwrap();
}
