//! The node that a leader hands over to: of those that answer, the one furthest in the log.

use std::time::Duration;

use super::cluster::Cluster;
use super::words::appended;
use crate::raft::Config;

#[test]
fn who_is_gone_is_nobodys_successor_though_it_is_as_far_in_the_log() {
    for gone in [2, 3] {
        let mut cluster = Cluster::of(3);
        cluster.elect(1);
        cluster.pass(Duration::from_secs(1));
        cluster.crash(gone);
        let heartbeat = Config::default().heartbeat;
        cluster.pass(heartbeat * 2);
        let status = cluster.node(1).status();
        assert_eq!(status.matched[0].1, status.matched[1].1);
        assert_eq!(status.successor, Some(5 - gone));
        assert_eq!(cluster.node(5 - gone).status().successor, None);
    }
}

#[test]
fn a_silent_voter_that_is_further_in_the_log_is_the_last_choice() {
    // Node 3 took an entry and was not heard again; node 2 answers, and has not got it.
    let mut cluster = Cluster::leader_alone(1, &[1]);
    let last = cluster.node(1).status().last_index;
    cluster.hear(1, 3, 2, appended(last, 0));
    assert_eq!(cluster.node(1).status().successor, Some(3));
    cluster.now += Config::default().election_timeout_max + Duration::from_millis(1);
    cluster.hear(1, 2, 2, appended(last - 1, 0));
    assert_eq!(cluster.node(1).status().successor, Some(2));
}
