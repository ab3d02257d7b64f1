//! Which clients move when backends come and go.

use std::net::IpAddr;
use std::time::Instant;

use serde::Serialize;

use super::members::{self, Member};
use super::workload::{client, stream};
use crate::balance::policy::Seed;
use crate::balance::{Balancer, Tried};

/// Clients asked twice, to see whether a policy goes by the client.
const ASKED_TWICE: u32 = 1000;

/// A change of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Clients looked at.
    pub(super) keys: u32,
    /// Numbers of those who leave.
    pub(super) leave: Vec<usize>,
    /// Weights of those who join.
    pub(super) join: Vec<u32>,
}

/// What became of clients when members changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    /// Clients looked at.
    pub(super) keys: u64,
    /// Those of a backend that left, and those that went to one that joined.
    pub(super) had_to: u64,
    /// Those that went from one that stayed to another one that had been there before.
    pub(super) needlessly: u64,
}

/// Compares where a policy sends clients before and after a change. `None` for a policy that does not go by the client,
/// and has none that could move.
pub(super) fn count(
    policy: &str,
    before: &[Member],
    change: &Change,
    seed: u64,
    now: Instant,
) -> Option<Moved> {
    let balancer = |members: &[Member], worker: usize| {
        let random = stream(seed, "moved").wrapping_add(worker as u64);
        members::balancer(policy, &members::pool(members, now), Seed { worker, random })
    };
    let mut ours = Owners { members: before, balancer: balancer(before, 0), now };
    let mut others = Owners { members: before, balancer: balancer(before, 1), now };
    // In another order, and with other lots: whoever goes by anything but the client answers differently.
    let few = change.keys.min(ASKED_TWICE);
    let mut again: Vec<Option<usize>> = (0..few).rev().map(|key| others.of(client(key))).collect();
    again.reverse();
    let first: Vec<Option<usize>> = (0..few).map(|key| ours.of(client(key))).collect();
    if first != again {
        return None;
    }
    let after = changed(before, change);
    let mut then = Owners { members: &after, balancer: balancer(&after, 0), now };
    let mut moved = Moved { keys: change.keys.into(), had_to: 0, needlessly: 0 };
    for key in 0..change.keys {
        let (from, to) = (ours.of(client(key)), then.of(client(key)));
        let is_new = |owner: Option<usize>| owner.is_some_and(|number| number > before.len());
        let is_gone = |owner: Option<usize>| owner.is_some_and(|number| change.leave.contains(&number));
        if from != to {
            *(if is_gone(from) || is_new(to) { &mut moved.had_to } else { &mut moved.needlessly }) += 1;
        }
    }
    Some(moved)
}

/// Who is there afterwards. Those who join have numbers that nobody had before.
fn changed(before: &[Member], change: &Change) -> Vec<Member> {
    let stay = before.iter().filter(|member| !change.leave.contains(&member.number)).copied();
    let join = (before.len() + 1..).zip(&change.join).map(|(number, &weight)| Member { number, weight });
    stay.chain(join).collect()
}

/// Who serves a client while nobody else is there.
struct Owners<'a> {
    members: &'a [Member],
    balancer: Balancer,
    now: Instant,
}

impl Owners<'_> {
    /// The number of a backend.
    fn of(&mut self, client: IpAddr) -> Option<usize> {
        let lease = self.balancer.choose(client, None, &Tried::default(), self.now)?;
        Some(self.members[lease.backend().id.index()].number)
    }
}
