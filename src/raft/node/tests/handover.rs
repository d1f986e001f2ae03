//! What a new leader does with a change that its predecessor began, and how leadership goes over when
//! messages are lost (§6; dissertation §3.10).

use std::time::Duration;

use super::cluster::Cluster;
use super::words::{appended, stopped};
use crate::raft::{Body, Change, Config, Input, Membership, Message, Payload, Refusal};

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
