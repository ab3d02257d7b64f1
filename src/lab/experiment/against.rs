//! Who else takes part: other proxies, and another load generator.

use super::tests::{Addresses, Test, Work};
use crate::lab::peers::PEERS;
use crate::lab::wrk2;

/// Those that can be set up to do the same as lbproxy.
const COMPARABLE: [&str; 2] = ["haproxy", "nginx"];

/// What makes the load of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generator {
    Loadgen,
    Wrk2,
}

impl Generator {
    pub(super) fn name(self) -> &'static str {
        match self {
            Generator::Loadgen => "loadgen",
            Generator::Wrk2 => "wrk2",
        }
    }

    /// Whether it can do what this test asks for. wrk2 does nothing but HTTP, and comes from one address: where many are
    /// asked for, there is nothing to be learned from it about policies that go by the address.
    pub(super) fn can(self, test: &Test, policy: &str) -> bool {
        match (self, test.work) {
            (Generator::Loadgen, _) => true,
            (Generator::Wrk2, Work::Load { addresses, .. }) => {
                addresses == Addresses::One || !["ip_hashing", "maglev"].contains(&policy)
            }
            (Generator::Wrk2, _) => false,
        }
    }
}

/// Those of `--against` that are there.
#[derive(Debug, Default)]
pub(super) struct Against {
    pub(super) proxies: Vec<&'static str>,
    pub(super) wrk2: bool,
    /// How to get the others.
    pub(super) missing: Vec<String>,
}

impl Against {
    /// # Errors
    /// A name that says nothing.
    pub(super) fn find(wanted: &[String]) -> Result<Against, String> {
        let mut against = Against::default();
        for name in wanted {
            let hint = if name == "wrk2" {
                against.wrk2 = wrk2::find().is_some();
                (!against.wrk2).then_some(wrk2::HINT)
            } else {
                let is_it =
                    |peer: &&crate::lab::peers::Peer| peer.name == name && COMPARABLE.contains(&peer.name);
                let peer = PEERS.iter().find(is_it);
                let peer = peer.ok_or_else(|| {
                    format!("--against {name}: there is {} and wrk2", COMPARABLE.join(", "))
                })?;
                against.proxies.extend(peer.find().map(|_| peer.name));
                (!against.proxies.contains(&peer.name)).then_some(peer.hint)
            };
            against.missing.extend(hint.map(|hint| format!("{name} is not on PATH: {hint}")));
        }
        Ok(against)
    }
}
