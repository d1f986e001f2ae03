//! Elections: which node may win, when one begins, which requests are ignored (§5.2, §5.4.1, §6;
//! dissertation §6.2, §9.6).

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::Cluster;
use super::words::{append, appended, granted, request, stopped, vote};
use crate::raft::{
    Ballot, Body, Change, Config, Event, HardState, Input, Membership, Node, NodeId, Payload,
    RoleName, Term,
};

const LONG: Duration = Duration::from_secs(2);

#[test]
fn one_vote_a_term_also_after_a_crash() {
    let mut cluster = Cluster::alone(1, &[1]);
    let ask = request(Ballot::Real, (1, 1));
    assert!(granted(&cluster.hear(1, 2, 2, ask.clone())));
    assert!(!granted(&cluster.hear(1, 3, 2, ask.clone())), "another");
    assert!(
        granted(&cluster.hear(1, 2, 2, ask.clone())),
        "a repeated request"
    );
    cluster.start(1);
    assert!(
        !granted(&cluster.hear(1, 3, 2, ask.clone())),
        "after a crash"
    );
    assert!(granted(&cluster.hear(1, 3, 3, ask)), "a later term");
    let vote = Some(3);
    assert_eq!(cluster.disks[&1].hard_state, HardState { term: 3, vote });
}

#[test]
fn the_election_timer_is_reset_on_exactly_three_events() {
    let behind = request(Ballot::Real, (0, 0));
    let level = request(Ballot::Real, (1, 1));
    let heartbeat = append((1, 1), &[], 0);
    let no_match = append((9, 2), &[], 0);
    let part = super::words::part((9, 2), 0, "x", false);
    for (what, term, body, resets) in [
        ("a vote given", 3, level.clone(), true),
        (
            "an append of the current leader",
            2,
            heartbeat.clone(),
            true,
        ),
        ("one that does not match", 2, no_match, true),
        ("a part of its snapshot", 2, part, true),
        ("a vote refused, the log being behind", 3, behind, false),
        (
            "a vote refused, the term being over",
            1,
            level.clone(),
            false,
        ),
        ("an append of an earlier leader", 1, heartbeat, false),
        ("a pre-vote", 3, request(Ballot::Pre, (1, 1)), false),
        ("a higher term", 3, appended(1, 0), false),
        ("a stranger's call to campaign", 2, Body::TimeoutNow, false),
    ] {
        let mut cluster = Cluster::alone(2, &[1]);
        let before = cluster.node(1).deadline();
        cluster.now = Duration::from_millis(149);
        cluster.hear(1, 2, term, body);
        assert_eq!(cluster.node(1).deadline() != before, resets, "{what}");
    }
    let mut cluster = Cluster::alone(2, &[1]);
    let before = cluster.node(1).deadline();
    cluster.time_out(1);
    assert!(cluster.node(1).deadline() > before, "an own election");
}

#[test]
fn the_timeout_is_drawn_anew_for_each_election() {
    let mut cluster = Cluster::alone(1, &[1]);
    let config = Config::default();
    let mut drawn = BTreeSet::new();
    for _ in 0..20 {
        let start = cluster.node(1).deadline();
        cluster.time_out(1);
        drawn.insert(cluster.node(1).deadline() - start);
    }
    assert!(drawn.len() > 15, "{drawn:?}");
    assert!(drawn.first() >= Some(&config.election_timeout_min));
    assert!(drawn.last() <= Some(&config.election_timeout_max));
}

#[test]
fn a_candidate_that_sees_a_higher_term_follows_before_it_handles_the_message() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.time_out(1);
    cluster.hear(1, 2, 2, vote(Ballot::Pre, true));
    assert_eq!(cluster.role(1), RoleName::Candidate);
    let answer = cluster.hear(1, 3, 3, append((1, 1), &[3], 0));
    let status = cluster.node(1).status();
    assert_eq!((status.role, status.term), (RoleName::Follower, 3));
    assert_eq!(
        (status.leader, status.last_term),
        (Some(3), 3),
        "and stored it"
    );
    assert_eq!(answer[0].body, appended(2, 0));
    // A request of a later term than a candidate's own gets the vote that this term still has.
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.time_out(1);
    cluster.hear(1, 2, 2, vote(Ballot::Pre, true));
    assert!(granted(&cluster.hear(
        1,
        3,
        3,
        request(Ballot::Real, (1, 1))
    )));
}

#[test]
fn a_candidate_follows_the_leader_of_its_own_term() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.time_out(1);
    cluster.hear(1, 2, 2, vote(Ballot::Pre, true));
    cluster.hear(1, 3, 2, append((1, 1), &[], 0));
    let status = cluster.node(1).status();
    assert_eq!((status.role, status.leader), (RoleName::Follower, Some(3)));
    // It keeps its vote of this term, which it gave to itself.
    assert!(!granted(&cluster.hear(
        1,
        2,
        2,
        request(Ballot::Transfer, (9, 1))
    )));
}

#[test]
fn a_vote_is_refused_to_a_log_that_is_less_up_to_date() {
    for (last, expected, why) in [
        ((3, 2), true, "the same"),
        ((4, 2), true, "longer"),
        ((1, 3), true, "shorter, of a later term"),
        ((2, 2), false, "shorter"),
        ((9, 1), false, "longer, of an earlier term"),
        ((0, 0), false, "empty"),
    ] {
        for ballot in [Ballot::Pre, Ballot::Real, Ballot::Transfer] {
            let mut cluster = Cluster::alone(4, &[1, 2, 2]);
            let answer = cluster.hear(1, 2, 5, request(ballot, last));
            assert_eq!(granted(&answer), expected, "{why}, {ballot:?}");
        }
    }
}

#[test]
fn votes_are_counted_once_a_voter_and_term() {
    let mut cluster = Cluster::from([(1, stopped(1..=5, 1, &[1]))], Config::default());
    cluster.time_out(1);
    for from in [2, 3] {
        cluster.hear(1, from, 2, vote(Ballot::Pre, true));
    }
    for (from, why) in [(2, "a vote"), (2, "again"), (9, "a stranger's")] {
        cluster.hear(1, from, 2, vote(Ballot::Real, true));
        assert_eq!(cluster.role(1), RoleName::Candidate, "{why}");
    }
    cluster.hear(1, 2, 2, vote(Ballot::Real, false));
    cluster.hear(1, 3, 2, vote(Ballot::Real, true));
    assert_eq!(
        cluster.role(1),
        RoleName::Leader,
        "what was given stays given"
    );
}

#[test]
fn votes_of_earlier_terms_and_of_other_roles_are_dropped() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.time_out(1);
    cluster.hear(1, 2, 2, vote(Ballot::Real, true));
    assert_eq!(
        cluster.role(1),
        RoleName::Follower,
        "nobody asked in term 2"
    );
    let mut cluster = Cluster::alone(2, &[1]);
    cluster.time_out(1);
    cluster.hear(1, 2, 2, vote(Ballot::Pre, true));
    assert_eq!(
        cluster.role(1),
        RoleName::PreCandidate,
        "an earlier campaign"
    );
    cluster.hear(1, 2, 3, vote(Ballot::Pre, true));
    assert_eq!((cluster.role(1), cluster.term(1)), (RoleName::Candidate, 3));
    for (term, ballot) in [(2, Ballot::Real), (3, Ballot::Pre), (4, Ballot::Pre)] {
        cluster.hear(1, 2, term, vote(ballot, true));
        assert_eq!(cluster.role(1), RoleName::Candidate, "{term} {ballot:?}");
    }
    cluster.hear(1, 2, 3, vote(Ballot::Real, true));
    assert_eq!(cluster.role(1), RoleName::Leader);
    cluster.hear(1, 3, 3, vote(Ballot::Real, false));
    assert_eq!(cluster.role(1), RoleName::Leader);
}

#[test]
fn a_majority_that_refuses_ends_a_campaign() {
    for ballot in [Ballot::Pre, Ballot::Real] {
        let mut cluster = Cluster::alone(1, &[1]);
        cluster.time_out(1);
        if ballot == Ballot::Real {
            cluster.hear(1, 2, 2, vote(Ballot::Pre, true));
        }
        let term = cluster.term(1);
        for from in [2, 3] {
            cluster.hear(1, from, term, vote(ballot, false));
        }
        assert_eq!(
            (cluster.role(1), cluster.term(1)),
            (RoleName::Follower, term)
        );
    }
}

#[test]
fn a_pre_vote_changes_nothing_at_either_side() {
    let mut cluster = Cluster::alone(1, &[1]);
    let before = cluster.node(1).hard_state();
    for from in [2, 3] {
        assert!(
            granted(&cluster.hear(1, from, 2, request(Ballot::Pre, (1, 1)))),
            "{from}"
        );
    }
    for _ in 0..10 {
        cluster.time_out(1);
    }
    assert_eq!(cluster.role(1), RoleName::PreCandidate);
    assert_eq!(cluster.node(1).hard_state(), before);
}

#[test]
fn no_vote_while_a_leader_was_heard_within_the_shortest_timeout() {
    for ballot in [Ballot::Pre, Ballot::Real] {
        let mut cluster = Cluster::alone(1, &[1]);
        cluster.hear(1, 2, 1, append((1, 1), &[], 0));
        cluster.now += Duration::from_millis(149);
        assert_eq!(cluster.hear(1, 3, 9, request(ballot, (1, 1))), []);
        assert_eq!(cluster.term(1), 1, "not even the term counts");
        cluster.now += Duration::from_millis(1);
        assert!(granted(&cluster.hear(1, 3, 9, request(ballot, (1, 1)))));
    }
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.hear(1, 2, 1, append((1, 1), &[], 0));
    let transfer = request(Ballot::Transfer, (1, 1));
    assert!(
        granted(&cluster.hear(1, 3, 2, transfer)),
        "its own leader's wish"
    );
}

#[test]
fn a_node_that_returns_from_a_partition_deposes_nobody() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.pass(LONG);
    assert_eq!(
        (cluster.role(3), cluster.term(3)),
        (RoleName::PreCandidate, 1)
    );
    cluster.isolated.clear();
    cluster.pass(LONG);
    assert_eq!((cluster.leaders(), cluster.term(1)), (vec![1], 1));
}

#[test]
fn a_node_with_a_higher_term_and_a_shorter_log_does_not_hold_the_cluster_up() {
    for (term, others) in [(10, 5), (5, 5), (6, 5)] {
        let behind = (3, stopped(1..=3, term, &[1]));
        let log = [1, 5, 5];
        let disks = [1, 2].map(|id| (id, stopped(1..=3, others, &log)));
        let mut cluster = Cluster::from(disks, Config::default());
        cluster.pass(LONG);
        let leaders = cluster.leaders();
        cluster.disks.extend([behind]);
        cluster.start(3);
        cluster.pass(LONG);
        let [leader] = cluster.leaders()[..] else {
            panic!("{leaders:?}, then {:?}", cluster.leaders());
        };
        assert_ne!(leader, 3);
        assert!(cluster.term(leader) >= term);
        assert_eq!(cluster.term(3), cluster.term(leader));
        assert_eq!(cluster.commands(3), cluster.commands(leader));
    }
    // The same without a leader when it comes back: the lower terms must ask in the higher one.
    let disks = [(1, 5, &[1, 5][..]), (2, 5, &[1, 5]), (3, 10, &[1])];
    let disks = disks.map(|(id, term, log)| (id, stopped(1..=3, term, log)));
    let mut cluster = Cluster::from(disks, Config::default());
    cluster.pass(LONG);
    assert_eq!(cluster.leaders().len(), 1);
    assert!(cluster.term(1) > 10 && cluster.leaders() != [3]);
}

#[test]
fn a_leader_that_hears_no_majority_for_an_election_timeout_steps_down() {
    let mut cluster = Cluster::of(5);
    cluster.elect(1);
    cluster.isolated.extend([2, 3]);
    cluster.pass(LONG);
    assert_eq!(cluster.leaders(), [1], "two of four others are enough");
    cluster.isolated.extend([4]);
    cluster.pass(Duration::from_millis(450));
    assert_eq!(cluster.leaders(), []);
    assert!(cluster.events.contains(&(1, Event::LostQuorum)));
    assert_eq!(cluster.term(1), 1, "and raises no term alone");
}

/// Whether node 1, leader of these members, still leads after it heard only some for a long time.
fn leads_on(members: &Membership, heard: &[NodeId]) -> bool {
    let mut start = stopped(1..=3, 1, &[1]);
    start.entries[0].payload = Payload::Membership(members.clone());
    let mut cluster = Cluster::from([(1, start)], Config::default());
    cluster.time_out(1);
    for ballot in [Ballot::Pre, Ballot::Real] {
        for from in 2..=9 {
            cluster.hear(1, from, 2, vote(ballot, true));
        }
    }
    assert_eq!(cluster.role(1), RoleName::Leader);
    for _ in 0..20 {
        cluster.pass(Duration::from_millis(50));
        for &from in heard {
            cluster.hear(1, from, 2, appended(0, 0));
        }
    }
    cluster.role(1) == RoleName::Leader
}

#[test]
fn a_joint_membership_must_hear_both_majorities_and_learners_are_no_majority() {
    let mut joint = Membership::of([1, 4, 5]);
    joint.outgoing = [1, 2, 3].into();
    assert!(leads_on(&joint, &[2, 4]));
    assert!(!leads_on(&joint, &[2, 3]), "the old ones only");
    assert!(!leads_on(&joint, &[4, 5]), "the new ones only");
    let mut learners = Membership::of([1, 2, 3]);
    learners.learners = [4, 5, 6].into();
    assert!(leads_on(&learners, &[2]));
    assert!(!leads_on(&learners, &[4, 5, 6]), "learners only");
}

#[test]
fn a_node_that_cannot_write_neither_leads_nor_campaigns_nor_wins() {
    let mut leader = Cluster::leader_alone(1, &[1]);
    leader.step(1, Input::Writable(false));
    assert_eq!(leader.role(1), RoleName::Follower);
    for ballot in [Ballot::Pre, Ballot::Real] {
        let mut candidate = Cluster::alone(1, &[1]);
        candidate.time_out(1);
        if ballot == Ballot::Real {
            candidate.hear(1, 2, 2, vote(Ballot::Pre, true));
        }
        candidate.step(1, Input::Writable(false));
        candidate.hear(1, 3, 2, vote(ballot, true));
        candidate.hear(1, 2, 2, vote(ballot, true));
        assert_eq!(candidate.role(1), RoleName::Follower, "{ballot:?}");
        candidate.time_out(1);
        assert_eq!(candidate.role(1), RoleName::Follower, "{ballot:?}");
        candidate.step(1, Input::Writable(true));
        candidate.time_out(1);
        assert_eq!(candidate.role(1), RoleName::PreCandidate, "{ballot:?}");
    }
}

#[test]
fn a_vote_goes_to_a_candidate_outside_the_membership() {
    // It may be a new member whose entry has not come here yet (§6).
    let mut cluster = Cluster::alone(1, &[1]);
    assert!(granted(&cluster.hear(
        1,
        7,
        2,
        request(Ballot::Real, (2, 1))
    )));
}

#[test]
fn a_node_without_a_membership_waits_and_still_votes() {
    let mut cluster = Cluster::from([(4, Default::default())], Config::default());
    cluster.pass(LONG);
    assert_eq!((cluster.role(4), cluster.term(4)), (RoleName::Follower, 0));
    assert!(granted(&cluster.hear(
        4,
        1,
        2,
        request(Ballot::Real, (1, 1))
    )));
}

#[test]
fn ties_end_because_timeouts_differ() {
    for seed in 0..20 {
        let disks = (1..=4).map(|id| (id + 4 * seed, stopped(4 * seed + 1..=4 * seed + 4, 0, &[])));
        let mut cluster = Cluster::from(disks, Config::default());
        cluster.pass(LONG);
        assert_eq!(cluster.leaders().len(), 1, "seeds from {}", 4 * seed + 1);
    }
}

#[test]
fn leaders_of_one_term_are_one() {
    let mut cluster = Cluster::of(5);
    let mut of_term = std::collections::BTreeMap::<Term, NodeId>::new();
    for round in 0..40 {
        cluster.isolated = [round % 5 + 1, (round / 5) % 5 + 1].into();
        cluster.pass(Duration::from_millis(400));
        for leader in cluster.leaders() {
            let term = cluster.term(leader);
            assert_eq!(
                *of_term.entry(term).or_insert(leader),
                leader,
                "term {term}"
            );
        }
    }
    assert!(of_term.len() > 5, "{of_term:?}");
}

#[test]
fn a_removed_node_that_times_out_disturbs_nobody() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.change(1, Change::Remove { node: 3 });
    cluster.pass(LONG);
    assert_eq!(cluster.node(1).status().membership.voters, [1, 2].into());
    cluster.isolated.clear();
    cluster.pass(LONG);
    assert_eq!((cluster.leaders(), cluster.term(1)), (vec![1], 1));
    assert_eq!(
        cluster.role(3),
        RoleName::PreCandidate,
        "it never heard of it"
    );
}

#[test]
fn a_leader_hears_itself_and_gives_way_to_a_later_term_only_when_it_hands_over() {
    let mut cluster = Cluster::leader_alone(1, &[1]);
    for ballot in [Ballot::Pre, Ballot::Real] {
        assert_eq!(cluster.hear(1, 3, 9, request(ballot, (9, 8))), []);
        assert_eq!((cluster.leaders(), cluster.term(1)), (vec![1], 2));
    }
    let transfer = request(Ballot::Transfer, (9, 8));
    assert!(granted(&cluster.hear(1, 3, 9, transfer)));
    assert_eq!(cluster.leaders(), []);
}

#[test]
fn a_pre_vote_is_refused_in_a_term_in_which_the_vote_is_given() {
    let mut cluster = Cluster::alone(2, &[1]);
    assert!(granted(&cluster.hear(
        1,
        2,
        3,
        request(Ballot::Real, (1, 1))
    )));
    for (from, term, expected) in [(3, 3, false), (2, 3, true), (3, 4, true)] {
        let answer = cluster.hear(1, from, term, request(Ballot::Pre, (1, 1)));
        assert_eq!(granted(&answer), expected, "{from} in term {term}");
    }
}

#[test]
fn a_second_leader_of_a_term_is_not_followed() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.hear(1, 2, 1, append((1, 1), &[], 0));
    assert_eq!(cluster.hear(1, 3, 1, append((1, 1), &[1], 0)), []);
    assert_eq!(cluster.node(1).status().leader, Some(2));
    assert_eq!(cluster.terms(1), [1]);
}

#[test]
fn time_does_not_go_back() {
    let mut cluster = Cluster::alone(1, &[1]);
    let now = Duration::from_secs(9);
    for time in [now, Duration::ZERO] {
        cluster.now = time;
        cluster.hear(1, 2, 1, append((1, 1), &[], 0));
        assert!(cluster.node(1).deadline() > now, "at {time:?}");
    }
}

#[test]
fn at_the_end_of_time_a_node_still_steps() {
    let disk = stopped(1..=3, 1, &[]);
    for born in [Duration::ZERO, Duration::MAX] {
        let mut node = Node::new(1, Config::default(), disk.clone(), 7, born);
        for _ in 0..3 {
            node.step(Duration::MAX, Input::Tick);
            node.output();
        }
        let campaigns = node.status().role != RoleName::Follower;
        assert_eq!(campaigns, born == Duration::ZERO);
        assert!(node.deadline() < Duration::MAX);
    }
}
