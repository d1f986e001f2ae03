//! Shares, smoothness and consistency of the four algorithms, by tables and by seed.

use super::*;
use crate::net::Seeded;

fn idle(weights: &[u32]) -> Vec<Candidate> {
    let candidate = |(index, &weight): (usize, &u32)| Candidate {
        weight,
        active: 0,
        key: stable_hash(format!("backend-{index}").as_bytes()),
    };
    weights.iter().enumerate().map(candidate).collect()
}

fn letters(balancer: &mut Balancer, candidates: &[Candidate], turns: usize) -> String {
    let mut letter = || {
        let chosen = balancer.choose(candidates.len(), |index| candidates[index], 0, 0);
        chosen.map_or('-', |index| (b'a' + index as u8) as char)
    };
    (0..turns).map(|_| letter()).collect()
}

fn shares(chosen: impl Iterator<Item = usize>, count: usize) -> Vec<usize> {
    let mut shares = vec![0; count];
    chosen.for_each(|index| shares[index] += 1);
    shares
}

fn assert_near(shares: &[usize], expected: &[usize]) {
    for (share, expected) in shares.iter().zip(expected) {
        let off = share.abs_diff(*expected);
        assert!(off * 20 < *expected, "{shares:?}, not {expected:?}");
    }
}

#[test]
fn round_robin_spreads_the_turns_of_each_as_nginx_does() {
    for (weights, expected) in [
        (&[1, 1, 1][..], "abcabc"),
        (&[5, 1, 1], "aabacaa"),
        (&[5, 1, 1, 0], "aabacaaaabacaa"),
        (&[0, 2, 1], "bcbbcb"),
        (&[3], "aaa"),
        (&[0, 0], "--"),
        (&[], "-"),
    ] {
        let mut balancer = Balancer::new(Algorithm::RoundRobin);
        let seen = letters(&mut balancer, &idle(weights), expected.len());
        assert_eq!(seen, expected, "{weights:?}");
    }
}

#[test]
fn the_shares_of_a_round_are_exact_whatever_the_weights() {
    let mut random = Seeded::new(5_01);
    for _ in 0..200 {
        let weights: Vec<u32> = (0..=random.below(8))
            .map(|_| random.below(30) as u32)
            .collect();
        let candidates = idle(&weights);
        let mut balancer = Balancer::new(Algorithm::RoundRobin);
        let round = weights.iter().sum::<u32>() as usize;
        let chosen = letters(&mut balancer, &candidates, round);
        let chosen = chosen.bytes().map(|letter| usize::from(letter - b'a'));
        let seen = shares(chosen, weights.len());
        assert!(seen.iter().zip(&weights).all(|(a, b)| *a == *b as usize));
        assert!(balancer.gained.iter().all(|gained| *gained == 0));
    }
}

#[test]
fn one_that_was_away_does_not_catch_up_on_what_it_missed() {
    let mut balancer = Balancer::new(Algorithm::RoundRobin);
    letters(&mut balancer, &idle(&[1, 1, 1]), 1);
    letters(&mut balancer, &idle(&[0, 1, 1]), 100);
    let seen = letters(&mut balancer, &idle(&[1, 1, 1]), 30);
    assert!((9..=11).contains(&seen.matches('a').count()), "{seen}");
}

#[test]
fn a_set_of_another_size_begins_a_new_round() {
    let mut balancer = Balancer::new(Algorithm::RoundRobin);
    assert_eq!(letters(&mut balancer, &idle(&[1, 1]), 1), "a");
    assert_eq!(letters(&mut balancer, &idle(&[1, 1, 1]), 3), "abc");
}

#[test]
fn least_connections_weighs_what_is_under_way() {
    for (candidates, expected) in [
        (&[(1, 3), (1, 2), (1, 4)][..], "b"),
        (&[(10, 9), (1, 1)], "a"),
        (&[(10, 11), (1, 1)], "b"),
        (&[(0, 0), (1, 9)], "b"),
        (&[(1, 2), (1, 2), (1, 3)], "abab"),
        (&[(2, 0), (1, 0)], "abaaba"),
        (&[(0, 0)], "-"),
    ] {
        let candidate = |&(weight, active)| Candidate {
            weight,
            active,
            key: 0,
        };
        let all: Vec<_> = candidates.iter().map(candidate).collect();
        let mut balancer = Balancer::new(Algorithm::LeastConnections);
        let seen = letters(&mut balancer, &all, expected.len());
        assert_eq!(seen, expected, "{candidates:?}");
    }
}

#[test]
fn candidates_that_change_under_its_eyes_are_still_in_range() {
    use std::cell::RefCell;
    let random = RefCell::new(Seeded::new(5_02));
    for algorithm in Algorithm::ALL {
        let mut balancer = Balancer::new(algorithm);
        for turn in 0..5_000 {
            let restless = |_| {
                let mut random = random.borrow_mut();
                Candidate {
                    weight: random.below(3) as u32,
                    active: random.below(3) as u32,
                    key: random.next(),
                }
            };
            let chosen = balancer.choose(4, restless, turn, turn);
            assert!(chosen.is_none_or(|index| index < 4));
        }
    }
}

#[test]
fn weights_and_loads_at_their_limits_do_not_overflow() {
    let full = Candidate {
        weight: u32::MAX,
        active: u32::MAX,
        key: u64::MAX,
    };
    for algorithm in Algorithm::ALL {
        let mut balancer = Balancer::new(algorithm);
        for random in [0, 1, u64::MAX] {
            assert!(balancer.choose(100, |_| full, random, random).is_some());
        }
    }
}

#[test]
fn two_drawn_at_random_are_drawn_by_weight_and_the_less_busy_one_serves() {
    let mut random = Seeded::new(5_03);
    let mut balancer = Balancer::new(Algorithm::RandomOfTwo);
    let candidates = idle(&[5, 3, 2, 0]);
    let mut turn = |candidates: &[Candidate]| {
        let all = candidates.len();
        let chosen = balancer.choose(all, |index| candidates[index], 0, random.next());
        chosen.unwrap()
    };
    // All are idle, so the first draw serves.
    let seen = shares((0..20_000).map(|_| turn(&candidates)), 4);
    assert_near(&seen[..3], &[10_000, 6_000, 4_000]);
    assert_eq!(seen[3], 0);
    // One of three equals is busy. It would serve only if it were drawn twice, which cannot happen.
    let mut candidates = idle(&[1, 1, 1]);
    candidates[0].active = 9;
    assert_eq!(shares((0..5_000).map(|_| turn(&candidates)), 3)[0], 0);
    assert_eq!(turn(&candidates[..1]), 0, "the only one serves anyhow");
}

#[test]
fn random_of_two_keeps_the_longest_queue_short_where_one_draw_does_not() {
    let mut random = Seeded::new(5_04);
    let mut balancer = Balancer::new(Algorithm::RandomOfTwo);
    let mut two = idle(&[1; 100]);
    let mut one = [0_u32; 100];
    for _ in 0..10_000 {
        let chosen = balancer.choose(100, |index| two[index], 0, random.next());
        two[chosen.unwrap()].active += 1;
        one[random.below(100)] += 1;
    }
    let longest = two.iter().map(|backend| backend.active).max().unwrap();
    assert!(longest <= 105, "{longest}, where 100 is even");
    assert!(one.iter().max() > Some(&longest));
}

fn homes(candidates: &[Candidate], clients: u64) -> Vec<usize> {
    let mut balancer = Balancer::new(Algorithm::ClientHash);
    let mut home = |client: u64| {
        let client = stable_hash(&client.to_be_bytes());
        let chosen = balancer.choose(candidates.len(), |index| candidates[index], client, 0);
        chosen.unwrap()
    };
    (0..clients).map(&mut home).collect()
}

#[test]
fn client_hash_gives_each_backend_its_share_of_the_clients() {
    let homes = homes(&idle(&[5, 3, 2]), 20_000);
    assert_near(&shares(homes.into_iter(), 3), &[10_000, 6_000, 4_000]);
}

#[test]
fn a_backend_that_leaves_moves_its_own_clients_only_and_to_all_others() {
    let before = homes(&idle(&[1, 1, 1, 1]), 20_000);
    let after = homes(&idle(&[1, 0, 1, 1]), 20_000);
    let both = before.iter().zip(&after);
    assert!(both.clone().all(|(old, new)| *old == 1 || old == new));
    let moved = both.filter(|(old, _)| **old == 1).map(|(_, new)| *new);
    let seen = shares(moved, 4);
    assert_eq!(seen[1], 0);
    assert!(seen[0].min(seen[2]).min(seen[3]) > 1_400, "{seen:?}");
}

#[test]
fn a_weight_that_grows_draws_clients_and_drives_none_away() {
    let before = homes(&idle(&[1, 1, 1]), 10_000);
    let after = homes(&idle(&[1, 2, 1]), 10_000);
    let mut both = before.iter().zip(&after);
    assert!(both.all(|(old, new)| old == new || *new == 1));
}

#[test]
fn the_order_of_the_backends_does_not_matter_to_their_clients() {
    let forward = idle(&[1, 2, 3]);
    let backward: Vec<_> = forward.iter().rev().copied().collect();
    let there = homes(&forward, 1_000);
    let back = homes(&backward, 1_000);
    assert!(there.iter().zip(&back).all(|(a, b)| *a == 2 - *b));
}

#[test]
fn the_hash_is_the_same_for_ever() {
    assert_eq!(stable_hash(b""), 0xc381_7c01_6ba4_ff30);
    assert_eq!(stable_hash(b"192.0.2.1"), 0xd307_492f_ba64_da08);
}

#[test]
fn an_algorithm_is_read_as_it_is_written_and_others_are_refused_with_the_list() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    let error = "roundrobin".parse::<Algorithm>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected round-robin, least-connections, random-of-two or client-hash"
    );
}
