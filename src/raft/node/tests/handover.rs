//! What a new leader does with a change that its predecessor began, and how leadership goes over when
//! messages are lost (§6; dissertation §3.10).

use std::time::Duration;

use super::cluster::Cluster;
use super::words::{appended, stopped};
use crate::raft::{Body, Change, Command, Config, Input, Membership, Message, Payload, Refusal};

#[test]
fn a_new_leader_takes_no_change_between_the_commitment_of_a_joint_membership_and_its_end() {
    let mut joint = Membership::of([1, 2]);
    joint.outgoing = [1, 2, 3].into();
    let mut start = stopped(1..=3, 1, &[1]);
    start.entries[0].payload = Payload::Membership(joint);
    let mut cluster = Cluster::from([(1, start)], Config::default());
    cluster.win(1);
    // The answer that commits it and the change come together.
    let answer = Input::Message(Message {
        from: 2,
        to: 1,
        term: 2,
        body: appended(2, 0),
    });
    let change = Change::Voters([1].into());
    cluster.batch(1, [answer, Input::Change { id: 9, change }]);
    assert_eq!(cluster.commit(1), 2);
    assert_eq!(cluster.refused, [(9, Refusal::ChangeUnderWay)]);
    assert_eq!(cluster.accepted, [], "that is the end of another change");
    let members = cluster.node(1).status().membership;
    assert_eq!(members, Membership::of([1, 2]));
}

#[test]
fn a_call_to_campaign_that_is_lost_is_sent_again() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.settle();
    cluster.step(1, Input::Transfer { id: 1, to: 3 });
    let sent = cluster.messages.len();
    cluster
        .messages
        .retain(|message| message.body != Body::TimeoutNow);
    assert_eq!(cluster.messages.len() + 1, sent);
    cluster.pass(Duration::from_millis(60));
    assert_eq!(cluster.leaders(), [3]);
}

#[test]
fn a_transfer_takes_no_commands_until_the_target_leads() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.step(1, Input::Transfer { id: 1, to: 2 });
    let sent: Vec<_> = cluster.messages.drain(..).collect();
    for refused in [
        Input::Propose {
            id: 7,
            command: Command::from("x"),
        },
        Input::Transfer { id: 7, to: 3 },
        Input::Change {
            id: 7,
            change: Change::Remove { node: 3 },
        },
    ] {
        cluster.step(1, refused.clone());
        assert_eq!(
            cluster.refused.pop(),
            Some((7, Refusal::Transferring(2))),
            "{refused:?}"
        );
    }
    sent.into_iter()
        .for_each(|message| cluster.deliver(message));
    cluster.settle();
    assert_eq!(cluster.leaders(), [2]);
}

#[test]
fn a_transfer_catches_its_target_up_first() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.propose(1, "x");
    cluster.settle();
    cluster.step(1, Input::Transfer { id: 1, to: 3 });
    cluster.isolated.clear();
    assert!(
        cluster
            .messages
            .iter()
            .all(|message| message.body != Body::TimeoutNow)
    );
    cluster.pass(Duration::from_millis(200));
    assert_eq!(
        (cluster.leaders(), cluster.commands(3)),
        (vec![3], vec!["x".to_string()])
    );
}

#[test]
fn a_transfer_is_given_up_after_an_election_timeout_and_commands_are_taken_again() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.step(1, Input::Transfer { id: 1, to: 3 });
    cluster.pass(Duration::from_millis(299));
    assert_eq!(cluster.node(1).refusal(), Some(Refusal::Transferring(3)));
    cluster.pass(Duration::from_millis(1));
    assert_eq!(cluster.node(1).refusal(), None);
    cluster.propose(1, "again");
    cluster.pass(Duration::from_secs(1));
    assert_eq!(cluster.commands(2), ["again"]);
}
