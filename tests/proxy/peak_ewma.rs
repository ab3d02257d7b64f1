//! peak_ewma: connections go where answers come soon.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::{Proxy, Served, letter, say, serve};

/// Far above what a healthy backend takes, however busy the machine.
const LONG: Duration = Duration::from_millis(300);

/// A backend that answers each byte with its name, a letter: at once, but for an `s`, where it takes its time.
fn answering(name: char, always_slow: bool) -> Served {
    serve(move |mut stream| {
        let mut asked = [0];
        while stream.read_exact(&mut asked).is_ok() {
            if always_slow || asked == *b"s" {
                std::thread::park_timeout(LONG);
            }
            if stream.write_all(&[name as u8]).is_err() {
                return;
            }
        }
    })
}

/// Whom so many clients met, one after the other.
fn met(proxy: &Proxy, clients: usize) -> String {
    let visit = |_| {
        let mut client = proxy.connect();
        say(&mut client, b"q");
        letter(&mut client)
    };
    (0..clients).map(visit).collect()
}

fn count(met: &str, name: char) -> usize {
    met.matches(name).count()
}

#[test]
fn a_slow_backend_is_found_out_with_its_first_answer() {
    let (quick, slow) = (answering('q', false), answering('s', true));
    let proxy = Proxy::before(&[quick.address, slow.address], "--policy peak_ewma");
    let met = met(&proxy, 60);
    let slow = count(&met, 's');
    assert!((1..=10).contains(&slow), "one by lot, and few more if the other had a bad moment: {met}");
    proxy.access_lines(60).iter().for_each(|line| assert_eq!(line.policy, "peak_ewma"));
}

/// Every turn of a conversation counts, not only the first.
#[test]
fn a_backend_that_becomes_slow_on_an_open_connection_is_left_alone() {
    let [a, b] = ['a', 'b'].map(|name| answering(name, false));
    let proxy = Proxy::before(&[a.address, b.address], "--policy peak_ewma");
    let before = met(&proxy, 40);
    let mut client = proxy.connect();
    say(&mut client, b"q");
    let slow = letter(&mut client);
    say(&mut client, b"s");
    assert_eq!(letter(&mut client), slow);
    drop(client);
    proxy.access_lines(41);
    let after = met(&proxy, 40);
    assert!(count(&after, slow) <= 10, "{slow} took its time once: {before}, then {after}");
}
