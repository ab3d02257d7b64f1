//! How much one client may have: connections at once, and so many requests (connections, in TCP mode) a second.
//!
//! A table of fixed size remembers those who have something now: a client without connections whose burst is whole again
//! has nothing to remember, and its place goes to the next one. A client that finds all eight places of its bucket taken
//! by others that have something is let through uncounted: the table errs to letting through, never to refusing an
//! innocent. (With the default 65,536 places and 20,000 clients at a time, a bucket overflows for about one client in 400.)
//! Two clients are taken for one only if 64 bits of a keyed hash collide, and nobody can aim at that: the key is drawn when
//! the process starts.
//!
//! A client is an IPv4 address, or the 64-bit prefix of an IPv6 address, which is what one subscriber has at least.
//!
//! The rate is a token bucket, kept as one number (GCRA, ITU-T I.371): the time at which the burst would be whole again.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use twox_hash::XxHash3_64;

use crate::config::ClientLimits;

const PLACES: usize = 8;
const BUCKETS: usize = 8192;
/// From one word in the log about refusals to the next.
const QUIET: Duration = Duration::from_secs(10);

/// What the clients of one frontend have, over all workers.
pub struct Clients {
    max_connections: AtomicU32,
    rate_per_s: AtomicU32,
    burst: AtomicU32,
    seed: u64,
    base: Instant,
    buckets: Box<[Mutex<[Place; PLACES]>]>,
    /// When the log has heard of a refusal last, in microseconds from the base; and how many it has not heard of.
    said_us: AtomicU64,
    unsaid: AtomicU64,
}

/// One client that has something.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Its keyed hash; 0 for nobody.
    key: u64,
    connections: u32,
    /// When its burst is whole again, in microseconds from the base.
    whole_us: u64,
}

impl Place {
    fn is_free(&self, now_us: u64) -> bool {
        self.connections == 0 && self.whole_us <= now_us
    }
}

/// One connection counted against its client, until it is dropped.
pub struct Admission {
    clients: Arc<Clients>,
    key: u64,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut bucket = self.clients.bucket(self.key);
        if let Some(place) = bucket.iter_mut().find(|place| place.key == self.key) {
            place.connections = place.connections.saturating_sub(1);
        }
    }
}

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It has as many connections as it may.
    Connections,
    /// It comes too often.
    Rate,
}

impl Clients {
    /// A table with nobody in it. `base` is any instant not after the first one that it gets to see.
    pub fn new(limits: ClientLimits, seed: u64, base: Instant) -> Clients {
        let buckets = (0..BUCKETS).map(|_| Mutex::default()).collect();
        let (said_us, unsaid) = (AtomicU64::new(0), AtomicU64::new(0));
        let [max_connections, rate_per_s, burst] = Default::default();
        let clients = Clients { max_connections, rate_per_s, burst, seed, base, buckets, said_us, unsaid };
        clients.set_limits(limits);
        clients
    }

    /// Goes on with other limits; what clients have, they keep.
    pub fn set_limits(&self, limits: ClientLimits) {
        let ClientLimits { max_connections, rate_per_s, burst } = limits;
        self.max_connections.store(max_connections, Relaxed);
        self.rate_per_s.store(rate_per_s, Relaxed);
        self.burst.store(burst, Relaxed);
    }

    /// Counts a connection of this client, unless it has as many as it may. `Ok(None)`: nothing is to be counted, because
    /// there is no such limit, or no place.
    pub fn admit(
        self: &Arc<Clients>,
        client: IpAddr,
        now: Instant,
    ) -> Result<Option<Box<Admission>>, Excess> {
        let most = self.max_connections.load(Relaxed);
        if most == 0 {
            return Ok(None);
        }
        let key = self.key(client);
        let mut bucket = self.bucket(key);
        let Some(place) = place_of(&mut bucket, key, self.micros(now)) else { return Ok(None) };
        if place.connections >= most {
            return Err(Excess::Connections);
        }
        place.connections += 1;
        Ok(Some(Box::new(Admission { clients: Arc::clone(self), key })))
    }

    /// Takes one out of the client's burst, if there is one left.
    pub fn may_come(&self, client: IpAddr, now: Instant) -> Result<(), Excess> {
        let (rate_per_s, burst) = (self.rate_per_s.load(Relaxed), self.burst.load(Relaxed));
        if rate_per_s == 0 {
            return Ok(());
        }
        let (key, now_us) = (self.key(client), self.micros(now));
        let mut bucket = self.bucket(key);
        let Some(place) = place_of(&mut bucket, key, now_us) else { return Ok(()) };
        let each_us = 1_000_000 / u64::from(rate_per_s);
        let whole_us = place.whole_us.max(now_us) + each_us;
        if whole_us > now_us + each_us * u64::from(burst) {
            return Err(Excess::Rate);
        }
        place.whole_us = whole_us;
        Ok(())
    }

    /// Says that a client was turned away: once in a while, with how many there were meanwhile, or a flood of clients would
    /// be one of lines.
    pub fn note_refusal(&self, client: IpAddr, excess: Excess, frontend: &str, now: Instant) {
        let (now_us, said_us) = (self.micros(now), self.said_us.load(Relaxed));
        let is_time = said_us == 0 || now_us.saturating_sub(said_us) >= QUIET.as_micros() as u64;
        if !is_time || self.said_us.compare_exchange(said_us, now_us.max(1), Relaxed, Relaxed).is_err() {
            self.unsaid.fetch_add(1, Relaxed);
            return;
        }
        let what = match excess {
            Excess::Connections => "has as many connections as it may",
            Excess::Rate => "comes more often than it may",
        };
        let before = self.unsaid.swap(0, Relaxed);
        log::warn!(
            "client {client} of {frontend} {what}: refused ({before} more before, since the last such line)"
        );
    }

    /// Connections that are counted now.
    pub fn connections(&self) -> u64 {
        let of_bucket = |bucket: &Mutex<[Place; PLACES]>| {
            let bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.iter().map(|place| u64::from(place.connections)).sum::<u64>()
        };
        self.buckets.iter().map(of_bucket).sum()
    }

    fn key(&self, client: IpAddr) -> u64 {
        let hash = match client.to_canonical() {
            IpAddr::V4(address) => XxHash3_64::oneshot_with_seed(self.seed, &address.octets()),
            IpAddr::V6(address) => XxHash3_64::oneshot_with_seed(self.seed, &address.octets()[..8]),
        };
        hash.max(1)
    }

    fn bucket(&self, key: u64) -> std::sync::MutexGuard<'_, [Place; PLACES]> {
        // Held for a few instructions, by one who waits for nothing.
        self.buckets[(key % BUCKETS as u64) as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.base).as_micros()).unwrap_or(u64::MAX)
    }
}

/// The client's place: its own, or one of those that nobody needs.
fn place_of(bucket: &mut [Place; PLACES], key: u64, now_us: u64) -> Option<&mut Place> {
    let own = bucket.iter().position(|place| place.key == key);
    let index = own.or_else(|| bucket.iter().position(|place| place.is_free(now_us)))?;
    let place = &mut bucket[index];
    if place.key != key {
        *place = Place { key, ..Place::default() };
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Instant {
        crate::net::os::now()
    }

    fn clients(max_connections: u32, rate_per_s: u32, burst: u32, base: Instant) -> Arc<Clients> {
        Arc::new(Clients::new(ClientLimits { max_connections, rate_per_s, burst }, 7, base))
    }

    fn client(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_client_has_as_many_connections_as_it_may_and_others_theirs() {
        let now = base();
        let clients = clients(2, 0, 0, now);
        let admit = |n| clients.admit(client(n), now);
        let held = [admit(1), admit(1), admit(2)].map(|admission| admission.unwrap().expect("counted"));
        assert_eq!(admit(1).err(), Some(Excess::Connections));
        assert!(admit(2).is_ok());
        assert_eq!(clients.connections(), 3, "the last one has left already");
        drop(held);
        assert_eq!(clients.connections(), 0);
        assert!(admit(1).is_ok());
    }

    #[test]
    fn ipv4_is_ipv4_however_it_is_written_and_ipv6_counts_by_its_prefix() {
        let now = base();
        let clients = clients(1, 0, 0, now);
        let admit = |text: &str| clients.admit(text.parse().unwrap(), now);
        let _held = [admit("10.0.0.1").unwrap(), admit("2001:db8:0:1::1").unwrap()];
        assert!(admit("::ffff:10.0.0.1").is_err());
        assert!(admit("2001:db8:0:1:ffff::2").is_err());
        assert!(admit("2001:db8:0:2::1").is_ok());
        assert!(admit("10.0.0.2").is_ok());
    }

    /// In any stretch of time: the burst, and what the rate gives meanwhile.
    #[test]
    fn nobody_comes_more_often_than_burst_and_rate_allow_and_nobody_is_kept_from_that() {
        let start = base();
        let clients = clients(0, 10, 5, start);
        let came = |from_ms: u64, to_ms: u64| {
            let at = |ms| start + Duration::from_millis(ms);
            (from_ms..to_ms).filter(|ms| clients.may_come(client(1), at(*ms)).is_ok()).count()
        };
        assert_eq!(came(0, 1), 1);
        assert_eq!(came(1, 1000), 5 - 1 + 9, "the burst, and one each 100 ms");
        assert_eq!(came(1000, 2000), 10);
        assert_eq!(came(60_000, 60_001) + came(60_001, 60_050), 5, "a whole burst, after a while");
        assert!(clients.may_come(client(2), start).is_ok());
    }

    #[test]
    fn a_million_clients_need_no_more_room_and_leave_nothing_behind() {
        let start = base();
        let clients = clients(1, 1, 1, start);
        let mut refused = 0;
        for n in 0..1_000_000 {
            // A second passes now and then, as it does where so many come.
            let now = start + Duration::from_micros(u64::from(n) * 100);
            let admission = clients.admit(client(n), now);
            refused += u32::from(admission.is_err()) + u32::from(clients.may_come(client(n), now).is_err());
        }
        assert_eq!(refused, 0, "nobody came twice");
        assert_eq!(clients.connections(), 0);
        let table = BUCKETS * size_of::<Mutex<[Place; PLACES]>>();
        assert!(table < 2 * 1024 * 1024, "{table} bytes");
    }

    #[test]
    fn who_finds_no_place_is_let_through() {
        let now = base();
        let clients = clients(1, 0, 0, now);
        let admissions: Vec<_> = (0..200_000).map(|n| clients.admit(client(n), now)).collect();
        assert!(admissions.iter().all(Result::is_ok));
        let counted = admissions.iter().flatten().flatten().count();
        assert!((60_000..=BUCKETS * PLACES).contains(&counted), "{counted}");
        drop(admissions);
        assert_eq!(clients.connections(), 0);
    }

    #[test]
    fn limits_change_and_what_is_counted_stays() {
        let now = base();
        let clients = clients(3, 0, 0, now);
        let held = [1, 1].map(|n| clients.admit(client(n), now).unwrap());
        clients.set_limits(ClientLimits { max_connections: 2, rate_per_s: 0, burst: 0 });
        assert!(clients.admit(client(1), now).is_err());
        clients.set_limits(ClientLimits { max_connections: 0, rate_per_s: 0, burst: 0 });
        assert!(matches!(clients.admit(client(1), now), Ok(None)));
        drop(held);
        assert_eq!(clients.connections(), 0);
    }
}
