//! Membership: joint consensus, learners, nodes that leave; leadership transfer (§6; dissertation
//! §3.10, chapter 4).

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::Cluster;
use super::words::{append, appended, entries, founding, stopped};
use crate::raft::{
    Body, Change, Config, Entry, Event, Flaw, Input, Membership, NodeId, Payload, Refusal,
    RoleName, Term,
};

const LONG: Duration = Duration::from_secs(1);

fn add(node: NodeId) -> Change {
    let address = node.to_string();
    Change::Add { node, address }
}

fn learn(node: NodeId) -> Change {
    let address = node.to_string();
    Change::AddLearner { node, address }
}

/// {1 2 3} led by node 1, with learners 4 and 5.
fn with_learners() -> Cluster {
    let mut members = Membership::of([1, 2, 3]);
    members.learners = [4, 5].into();
    let start = founding(&members);
    let mut cluster = Cluster::from((1..=5).map(|id| (id, start.clone())), Config::default());
    cluster.elect(1);
    cluster
}

fn voters(cluster: &Cluster, id: NodeId) -> BTreeSet<NodeId> {
    cluster.node(id).status().membership.voters
}

fn is_joint(cluster: &Cluster, id: NodeId) -> bool {
    cluster.node(id).status().membership.is_joint()
}

/// An append of one entry that says who the members are.
fn members(previous: (u64, Term), term: Term, membership: Membership) -> Body {
    Body::AppendEntries {
        previous_index: previous.0,
        previous_term: previous.1,
        entries: vec![Entry {
            term,
            index: previous.0 + 1,
            payload: Payload::Membership(membership),
        }],
        commit: 0,
        round: 0,
    }
}

#[test]
fn a_membership_takes_effect_when_appended_and_is_undone_when_truncated() {
    let mut cluster = Cluster::alone(1, &[1]);
    let mut joint = Membership::of([1, 4, 5]);
    joint.outgoing = [1, 2, 3].into();
    cluster.hear(1, 2, 1, members((1, 1), 1, joint.clone()));
    cluster.hear(1, 2, 1, members((2, 1), 1, Membership::of([1, 4, 5])));
    assert_eq!(
        cluster.node(1).status().membership,
        Membership::of([1, 4, 5])
    );
    assert_eq!(cluster.commit(1), 0);
    cluster.hear(1, 3, 2, append((2, 1), &[2], 0));
    assert_eq!(cluster.node(1).status().membership, joint);
    cluster.hear(1, 3, 2, append((1, 1), &[2], 0));
    assert_eq!(voters(&cluster, 1), [1, 2, 3].into());
    cluster.start(1);
    assert_eq!(voters(&cluster, 1), [1, 2, 3].into());
}

#[test]
fn a_joint_membership_needs_both_majorities_to_commit_and_to_elect() {
    for (agree, enough) in [(&[4, 5][..], false), (&[2, 3], false), (&[2, 4], true)] {
        let mut cluster = with_learners();
        cluster.isolated = (2..=5).filter(|id| !agree.contains(id)).collect();
        let before = cluster.commit(1);
        cluster.change(1, Change::Voters([1, 4, 5].into()));
        cluster.settle();
        assert_eq!(
            is_joint(&cluster, 1),
            !enough,
            "commit with 1 and {agree:?}"
        );
        assert_eq!(
            cluster.commit(1) > before,
            enough,
            "commit with 1 and {agree:?}"
        );
        let mut joint = Membership::of([1, 4, 5]);
        joint.outgoing = [1, 2, 3].into();
        let mut start = stopped(1..=3, 1, &[1]);
        start.entries[0].payload = Payload::Membership(joint);
        let mut cluster = Cluster::from((1..=5).map(|id| (id, start.clone())), Config::default());
        cluster.isolated = (2..=5).filter(|id| !agree.contains(id)).collect();
        cluster.time_out(1);
        cluster.settle();
        assert_eq!(cluster.leaders() == [1], enough, "votes of 1 and {agree:?}");
    }
}

#[test]
fn one_change_at_a_time() {
    let mut cluster = with_learners();
    cluster.isolated.extend([2, 3, 4, 5]);
    cluster.change(1, add(4));
    for change in [add(5), learn(6), Change::Remove { node: 2 }] {
        cluster.change(1, change.clone());
        assert_eq!(
            cluster.refused.pop(),
            Some((9, Refusal::ChangeUnderWay)),
            "{change:?}"
        );
    }
    cluster.isolated.clear();
    cluster.pass(LONG);
    assert_eq!(voters(&cluster, 5), [1, 2, 3, 4].into());
    cluster.change(1, add(5));
    cluster.pass(LONG);
    assert_eq!(voters(&cluster, 3), [1, 2, 3, 4, 5].into());
}

#[test]
fn no_change_before_the_leader_has_committed_an_entry_of_its_own_term() {
    let mut cluster = Cluster::leader_alone(1, &[1]);
    cluster.change(1, learn(4));
    assert_eq!(cluster.refused.pop(), Some((9, Refusal::ChangeUnderWay)));
    cluster.hear(1, 2, 2, appended(1, 0));
    cluster.change(1, learn(4));
    assert_eq!(cluster.refused.pop(), Some((9, Refusal::ChangeUnderWay)));
    cluster.hear(1, 2, 2, appended(2, 0));
    cluster.change(1, learn(4));
    assert_eq!(cluster.refused.pop(), None);
    cluster.change(1, learn(5));
    let refused = Some((9, Refusal::ChangeUnderWay));
    assert_eq!(cluster.refused.pop(), refused, "nor before that");
}

#[test]
fn a_change_that_makes_no_sense_is_refused() {
    let mut cluster = with_learners();
    for change in [
        add(1),
        add(0),
        learn(2),
        learn(4),
        Change::Remove { node: 9 },
        Change::Voters([].into()),
        Change::Voters([1, 2, 3].into()),
        Change::Voters([1, 2, 9].into()),
    ] {
        cluster.change(1, change.clone());
        assert_eq!(
            cluster.refused.pop(),
            Some((9, Refusal::BadChange)),
            "{change:?}"
        );
    }
    let mut single = Cluster::of(1);
    single.elect(1);
    single.change(1, Change::Remove { node: 1 });
    assert_eq!(
        single.refused.pop(),
        Some((9, Refusal::BadChange)),
        "the last voter"
    );
    cluster.change(2, add(9));
    assert_eq!(
        cluster.refused.pop(),
        Some((9, Refusal::NotLeader(Some(1))))
    );
}

#[test]
fn a_leader_outside_the_new_membership_does_not_count_itself_and_steps_down_when_it_commits() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.change(1, Change::Remove { node: 1 });
    // The joint membership is committed; the last one is appended and in flight.
    let is_last = |cluster: &Cluster| !is_joint(cluster, 1) && voters(cluster, 1) == [2, 3].into();
    while !is_last(&cluster) {
        let message = cluster.messages.pop_front().expect("a message");
        cluster.deliver(message);
    }
    cluster.messages.clear();
    let last = cluster.node(1).status().last_index;
    cluster.hear(1, 2, 1, appended(last, 0));
    assert!(
        cluster.commit(1) < last,
        "1 and 2 are two of three, but 1 does not count"
    );
    assert_eq!(cluster.role(1), RoleName::Leader);
    cluster.propose(1, "still");
    assert_eq!(
        cluster.accepted.last().map(|accepted| accepted.1),
        Some(last + 1)
    );
    cluster.hear(1, 3, 1, appended(last + 1, 0));
    assert_eq!(
        (cluster.commit(1), cluster.role(1)),
        (last, RoleName::Follower)
    );
    cluster.pass(LONG);
    assert_eq!(cluster.role(1), RoleName::Follower, "it campaigns no more");
}

#[test]
fn who_is_left_out_campaigns_until_that_is_committed() {
    // Nodes 1 to 3 have the membership {4}, node 4 does not, and their leader crashes: node 4 cannot
    // win against their longer logs, so one of them must lead once more.
    let mut cluster = with_learners();
    cluster.change(1, Change::Voters([4].into()));
    cluster.settle_until(|cluster| voters(cluster, 1) == [4].into() && !is_joint(cluster, 1));
    cluster.isolated.insert(4);
    cluster.settle();
    assert!(!is_joint(&cluster, 2) && is_joint(&cluster, 4));
    cluster.crash(1);
    cluster.isolated.clear();
    cluster.pass(LONG);
    assert_eq!(cluster.leaders(), [4]);
    assert_eq!(voters(&cluster, 4), [4].into());
    let term = cluster.term(4);
    cluster.pass(LONG);
    let after = (cluster.leaders(), cluster.term(4));
    assert_eq!(after, (vec![4], term), "and then they are left alone");
}

#[test]
fn a_removed_leader_may_resign_while_others_do_not_know_of_it() {
    // Node 3 hears nothing of the removal; the call to campaign is lost, too.
    let mut cluster = Cluster::of(4);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.change(1, Change::Remove { node: 1 });
    while let Some(message) = cluster.messages.pop_front() {
        if message.body != Body::TimeoutNow {
            cluster.deliver(message);
        }
    }
    assert_eq!(cluster.leaders(), []);
    cluster.isolated.clear();
    cluster.pass(LONG);
    let [leader] = cluster.leaders()[..] else {
        panic!("{:?}", cluster.leaders());
    };
    assert!([2, 4].contains(&leader), "node 3 is behind");
    assert_eq!(voters(&cluster, 3), [2, 3, 4].into());
    cluster.propose(leader, "on");
    cluster.pass(LONG);
    assert_eq!(cluster.commands(3), ["on"]);
}

#[test]
fn learners_are_counted_in_no_majority() {
    let mut cluster = with_learners();
    cluster.isolated.extend([2, 3]);
    let before = cluster.commit(1);
    cluster.propose(1, "x");
    cluster.read(1, 7);
    cluster.settle();
    assert_eq!((cluster.commit(1), &cluster.reads[..]), (before, &[][..]));
    assert_eq!(cluster.log(4), cluster.log(1), "though they have it");
    cluster.pass(LONG);
    assert_eq!(cluster.leaders(), [], "nor when a leader asks who hears it");
    assert_eq!(cluster.role(4), RoleName::Follower, "nor do they campaign");
}

#[test]
fn a_node_is_promoted_when_it_has_caught_up() {
    let mut cluster = Cluster::with(
        3,
        Config {
            max_batch: 1,
            max_in_flight: 1,
            ..Config::default()
        },
    );
    cluster.elect(1);
    for index in 0..200 {
        cluster.propose(1, &index.to_string());
    }
    cluster.settle();
    cluster.join(4);
    cluster.change(1, add(4));
    let mut joint_at = None;
    while let Some(message) = cluster.messages.pop_front() {
        cluster.deliver(message);
        if is_joint(&cluster, 1) && joint_at.is_none() {
            joint_at = Some(cluster.node(4).status().last_index);
        }
    }
    let joint_at = joint_at.expect("a joint membership");
    assert!(
        (50..201).contains(&joint_at),
        "{joint_at}: nearly all, not all"
    );
    assert_eq!(voters(&cluster, 4), [1, 2, 3, 4].into());
}

#[test]
fn a_learner_that_never_answers_can_be_removed_again() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.change(1, add(4));
    cluster.pass(LONG);
    assert_eq!(cluster.node(1).status().membership.learners, [4].into());
    cluster.change(1, add(5));
    assert_eq!(cluster.refused.pop(), Some((9, Refusal::ChangeUnderWay)));
    cluster.step(
        1,
        Input::Change {
            id: 10,
            change: Change::Remove { node: 4 },
        },
    );
    cluster.pass(LONG);
    assert_eq!(cluster.unknown, [9], "the change that waited");
    assert_eq!(cluster.accepted.last().map(|accepted| accepted.0), Some(10));
    assert_eq!(
        cluster.node(1).status().membership,
        Membership::of([1, 2, 3])
    );
    cluster.join(5);
    cluster.change(1, add(5));
    cluster.pass(LONG);
    assert_eq!(voters(&cluster, 1), [1, 2, 3, 5].into());
}

#[test]
fn a_learner_that_is_added_again_is_looked_for_at_its_new_address() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    let address = |cluster: &Cluster| cluster.node(2).status().membership.addresses[&4].clone();
    let add = |address: &str| Change::Add {
        node: 4,
        address: address.into(),
    };
    cluster.change(1, add("nobody"));
    cluster.pass(LONG);
    assert_eq!(address(&cluster), "nobody");
    // The change ends with its leader, the learner stays.
    cluster.elect(2);
    cluster.change(2, add("here"));
    cluster.pass(LONG);
    assert_eq!(address(&cluster), "here");
    cluster.join(4);
    cluster.pass(LONG);
    assert_eq!(voters(&cluster, 4), [1, 2, 3, 4].into());
    assert_eq!(address(&cluster), "here");
}

#[test]
fn a_learner_may_be_moved_without_a_vote_and_a_voter_may_not() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    let learn = |node, address: &str| Change::AddLearner {
        node,
        address: address.into(),
    };
    for address in ["nobody", "here"] {
        cluster.change(1, learn(4, address));
        cluster.pass(LONG);
        assert_eq!(cluster.refused.pop(), None);
        let members = cluster.node(2).status().membership;
        assert_eq!(members.learners, [4].into());
        assert_eq!(members.addresses[&4], address);
    }
    for same in [learn(4, "here"), learn(2, "there")] {
        cluster.change(1, same);
        assert_eq!(cluster.refused.pop(), Some((9, Refusal::BadChange)));
    }
}

#[test]
fn a_promotion_outlives_its_leader_once_it_is_committed_and_may_be_asked_for_again_before() {
    // The learner is known, the joint membership not yet begun: no new leader continues it, a
    // client may begin anew.
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.change(1, add(4));
    cluster.settle();
    assert!(!is_joint(&cluster, 1));
    cluster.elect(2);
    assert_eq!(cluster.unknown, [9]);
    cluster.join(4);
    cluster.pass(LONG);
    assert_eq!(cluster.node(4).status().membership.learners, [4].into());
    cluster.change(2, add(4));
    cluster.pass(LONG);
    assert_eq!(voters(&cluster, 4), [1, 2, 3, 4].into());
    // The joint membership is in the logs of both majorities: the next leader completes it.
    let mut cluster = with_learners();
    cluster.change(1, Change::Voters([2, 3, 4].into()));
    cluster.settle_until(|cluster| {
        is_joint(cluster, 2) && is_joint(cluster, 3) && is_joint(cluster, 4)
    });
    cluster.crash(1);
    cluster.messages.clear();
    cluster.forget_leaders();
    cluster.pass(LONG);
    assert_eq!(cluster.leaders().len(), 1);
    for id in 2..=4 {
        let membership = cluster.node(id).status().membership;
        assert!(
            !membership.is_joint() && membership.voters == [2, 3, 4].into(),
            "node {id}"
        );
    }
}

#[test]
fn a_joint_membership_that_is_truncated_makes_room_for_another_change() {
    let mut cluster = with_learners();
    cluster.isolated.extend([2, 3, 4, 5]);
    cluster.change(1, Change::Voters([1, 4, 5].into()));
    assert!(is_joint(&cluster, 1));
    cluster.isolated = [1].into();
    cluster.forget_leaders();
    cluster.pass(LONG);
    let [leader] = cluster.leaders()[..] else {
        panic!("{:?}", cluster.leaders());
    };
    assert_eq!(cluster.unknown, [9], "it may have been or not");
    cluster.change(leader, Change::Voters([1, 2, 3, 4].into()));
    cluster.pass(LONG);
    assert_eq!(voters(&cluster, leader), [1, 2, 3, 4].into());
    cluster.isolated.clear();
    cluster.pass(LONG);
    for id in 1..=5 {
        assert_eq!(voters(&cluster, id), [1, 2, 3, 4].into(), "node {id}");
        assert!(!is_joint(&cluster, id), "node {id}");
    }
}

/// Node 3 leads {1 2 3} with learners 4 and 5 and changes to {3 4 5}, while 1 and 2 are cut off and
/// elect a leader of their own. Whether all agree in the end.
pub fn change_in_a_partition(flaw: Option<Flaw>) -> bool {
    let mut cluster = with_learners();
    cluster.plant(flaw);
    cluster.elect(3);
    cluster.messages.clear();
    cluster.isolated = [1, 2].into();
    cluster.change(3, Change::Voters([3, 4, 5].into()));
    cluster.propose(3, "new side");
    cluster.settle();
    cluster.isolated = [3, 4, 5].into();
    cluster.elect_beside(1, &[3]);
    cluster.propose(1, "old side");
    cluster.settle();
    cluster.agree()
}

#[test]
fn two_majorities_that_do_not_meet_never_decide_side_by_side() {
    assert!(change_in_a_partition(None));
}

#[test]
fn who_leaves_hears_of_it_and_is_fed_no_more() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.change(1, Change::Remove { node: 3 });
    cluster.settle();
    assert_eq!(voters(&cluster, 3), [1, 2].into());
    assert_eq!(cluster.commit(3), cluster.commit(1));
    cluster.propose(1, "x");
    assert!(cluster.messages.iter().all(|message| message.to == 2));
}

#[test]
fn a_transfer_goes_to_voters_only() {
    let mut cluster = with_learners();
    for to in [1, 4, 9, 0] {
        cluster.step(1, Input::Transfer { id: 7, to });
        assert_eq!(cluster.refused.pop(), Some((7, Refusal::BadChange)), "{to}");
    }
    cluster.step(2, Input::Transfer { id: 7, to: 1 });
    assert_eq!(
        cluster.refused.pop(),
        Some((7, Refusal::NotLeader(Some(1))))
    );
}

#[test]
fn a_transfer_to_a_node_that_is_removed_meanwhile_ends_with_one_leader() {
    for lost in [false, true] {
        let mut cluster = Cluster::of(3);
        cluster.elect(1);
        cluster.change(1, Change::Remove { node: 3 });
        cluster.step(1, Input::Transfer { id: 1, to: 3 });
        while let Some(message) = cluster.messages.pop_front() {
            if !(lost && message.body == Body::TimeoutNow) {
                cluster.deliver(message);
            }
        }
        cluster.pass(LONG);
        let leaders = cluster.leaders();
        assert!(leaders == [1] || leaders == [2], "{leaders:?}");
        assert_eq!(voters(&cluster, leaders[0]), [1, 2].into());
        assert_eq!(cluster.node(leaders[0]).refusal(), None);
    }
}

#[test]
fn a_call_to_campaign_counts_from_the_leader_only() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.hear(1, 2, 1, append((1, 1), &[], 0));
    cluster.hear(1, 3, 1, Body::TimeoutNow);
    assert_eq!(cluster.role(1), RoleName::Follower);
    cluster.hear(1, 2, 1, Body::TimeoutNow);
    assert_eq!(cluster.role(1), RoleName::Candidate);
    let mut removed = Cluster::alone(1, &[1]);
    removed.hear(1, 2, 1, members((1, 1), 1, Membership::of([2, 3])));
    removed.hear(1, 2, 1, append((2, 1), &[], 2));
    removed.hear(1, 2, 1, Body::TimeoutNow);
    assert_eq!(removed.role(1), RoleName::Follower);
}

#[test]
fn an_empty_membership_in_the_log_ends_no_program() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.hear(1, 2, 1, members((1, 1), 1, Membership::default()));
    cluster.pass(LONG);
    assert_ne!(cluster.role(1), RoleName::Leader, "it agrees to nothing");
    assert!(
        !cluster
            .events
            .iter()
            .any(|(_, event)| matches!(event, Event::Committed(_)))
    );
    cluster.hear(1, 3, 2, append((1, 1), &[2], 2));
    assert_eq!(voters(&cluster, 1), [1, 2, 3].into());
    assert_eq!(cluster.log(1).len(), entries(&[1, 2]).len());
}
