//! The requests of a run: when each comes, from whom, and how long it takes. They are drawn from the seed alone, so every
//! policy meets the same ones.

use std::net::{IpAddr, Ipv4Addr};

use twox_hash::XxHash3_64;

use super::distribution::Distribution;
use super::trace::Row;

/// How long a request takes that never ends.
pub(super) const FOREVER_NS: u64 = u64::MAX;
/// Drawn clients have the addresses from here on.
const FIRST_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A request on its way to a balancer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Request {
    /// When it comes, in virtual time.
    pub(super) at_ns: u64,
    /// How long a backend that is not slow works on it.
    pub(super) service_ns: u64,
    pub(super) client: IpAddr,
    /// The balancer it meets, by number.
    pub(super) balancer: usize,
    /// From 0 to 1: whether it fails where a share of requests does.
    pub(super) lot: f64,
}

/// What requests are like.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) requests: u64,
    pub(super) source: Source,
    pub(super) clients: u32,
    pub(super) balancers: usize,
    pub(super) seed: u64,
}

/// Where times come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// From distributions.
    Drawn {
        gaps: Distribution,
        gap_ns: f64,
        service: Distribution,
        /// [`f64::INFINITY`] for requests that never end.
        service_ns: f64,
    },
    /// From a file, over and over. Never empty.
    Recorded(Vec<Row>),
}

/// The requests, one after the other.
pub(super) struct Workload<'a> {
    kind: &'a Kind,
    done: u64,
    /// When the last one came; as a fraction, so that rounding does not add up.
    clock_ns: f64,
    gaps: fastrand::Rng,
    services: fastrand::Rng,
    clients: fastrand::Rng,
    lots: fastrand::Rng,
}

impl Kind {
    /// All requests, from the first.
    pub(super) fn workload(&self) -> Workload<'_> {
        let rng = |of: &str| fastrand::Rng::with_seed(stream(self.seed, of));
        Workload {
            kind: self,
            done: 0,
            clock_ns: 0.0,
            gaps: rng("gaps"),
            services: rng("services"),
            clients: rng("clients"),
            lots: rng("lots"),
        }
    }
}

/// A seed for one purpose: lots for one do not depend on how many are drawn for another.
pub(super) fn stream(seed: u64, purpose: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, purpose.as_bytes())
}

/// The address of a drawn client.
pub(super) fn client(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(FIRST_CLIENT.to_bits().wrapping_add(number)))
}

impl Workload<'_> {
    fn drawn_client(&mut self) -> IpAddr {
        client(self.clients.u32(..self.kind.clients))
    }

    /// When the next one comes, and how long it takes.
    fn times(&mut self) -> (u64, u64, Option<IpAddr>) {
        match &self.kind.source {
            Source::Drawn { gaps, gap_ns, service, service_ns } => {
                self.clock_ns += gap_ns * gaps.draw(&mut self.gaps);
                // A float that is too large becomes the largest integer: for ever.
                let takes_ns = (service_ns * service.draw(&mut self.services)) as u64;
                (self.clock_ns as u64, takes_ns, None)
            }
            Source::Recorded(rows) => {
                let (round, position) = (self.done / rows.len() as u64, self.done % rows.len() as u64);
                let row = &rows[position as usize];
                (round * period_ns(rows) + row.at_ns, row.service_ns, row.client)
            }
        }
    }
}

/// How long a trace is, with a gap of average length before it begins again.
fn period_ns(rows: &[Row]) -> u64 {
    let last_ns = rows.last().map_or(0, |row| row.at_ns);
    last_ns + last_ns / (rows.len() as u64 - 1).max(1)
}

impl Iterator for Workload<'_> {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        if self.done == self.kind.requests {
            return None;
        }
        let (at_ns, service_ns, recorded) = self.times();
        let client = recorded.unwrap_or_else(|| self.drawn_client());
        self.done += 1;
        // With a single one there is nothing to draw.
        let balancer = if self.kind.balancers == 1 { 0 } else { self.lots.usize(..self.kind.balancers) };
        Some(Request { at_ns, service_ns, client, balancer, lot: self.lots.f64() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, service: Distribution) -> Kind {
        let source =
            Source::Drawn { gaps: Distribution::Exponential, gap_ns: 100.0, service, service_ns: 50.0 };
        Kind { requests: 10_000, source, clients: 1000, balancers: 3, seed }
    }

    #[test]
    fn the_seed_is_the_workload_and_each_lot_has_a_stream_of_its_own() {
        let all = |kind: &Kind| kind.workload().collect::<Vec<_>>();
        let once = all(&drawn(1, Distribution::Exponential));
        assert_eq!(once, all(&drawn(1, Distribution::Exponential)));
        assert_ne!(once, all(&drawn(2, Distribution::Exponential)));
        // More lots for service times: the same arrivals, from the same clients.
        let other = all(&drawn(1, Distribution::Lognormal { sigma: 1.0 }));
        let told = |requests: &[Request]| requests.iter().map(|r| (r.at_ns, r.client)).collect::<Vec<_>>();
        assert_eq!(told(&once), told(&other));
        let rate = once.len() as f64 / once[once.len() - 1].at_ns as f64;
        assert!((rate * 100.0 - 1.0).abs() < 0.05, "{rate}");
        assert!((0..3).all(|balancer| once.iter().filter(|r| r.balancer == balancer).count() > 3000));
    }

    #[test]
    fn a_trace_is_repeated_until_there_are_enough() {
        let row = |at_ns, service_ns| Row { at_ns, service_ns, client: Some([1, 1, 1, 1].into()) };
        let source = Source::Recorded(vec![row(0, 5), row(10, 6), row(40, 7)]);
        let kind = Kind { requests: 7, source, clients: 1, balancers: 1, seed: 1 };
        let times: Vec<_> = kind.workload().map(|request| (request.at_ns, request.service_ns)).collect();
        assert_eq!(times, [(0, 5), (10, 6), (40, 7), (60, 5), (70, 6), (100, 7), (120, 5)]);
    }
}
