//! What one client may have: connections at once, and so many a second.

use std::net::{IpAddr, Ipv4Addr};

use crate::support::{Proxy, expect_reset, greeter, letter, wait_until};

fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 7, n).into()
}

#[test]
fn a_client_has_as_many_connections_as_it_may_over_all_workers_and_others_have_theirs() {
    let server = greeter('a');
    let proxy = Proxy::before(&[server.address], "--workers 2 --max-connections-per-client 3");
    let connect = |n| proxy.connect_from(address(n));
    let mut held: Vec<_> = (0..3).map(|_| connect(1)).collect();
    held.iter_mut().for_each(|client| assert_eq!(letter(client), 'a'));
    for _ in 0..5 {
        expect_reset(&mut connect(1));
    }
    assert_eq!(letter(&mut connect(2)), 'a');
    proxy.stderr.wait_for_text("client 127.0.7.1 of default has as many connections as it may: refused");
    assert_eq!(server.accepted(), 4, "who is refused costs no backend anything");
    drop(held);
    proxy.wait_until_at_rest();
    assert_eq!(letter(&mut connect(1)), 'a');
}

#[test]
fn a_client_that_comes_too_often_is_refused_until_time_has_passed() {
    let server = greeter('a');
    let proxy = Proxy::before(&[server.address], "--rate-per-client-per-s 1 --burst-per-client 3");
    let served = |n: u8| {
        let mut client = proxy.connect_from(address(n));
        let mut first = [0];
        std::io::Read::read(&mut client, &mut first).is_ok_and(|count| count == 1)
    };
    // However slow this machine is, ten connections take less than seven seconds.
    let outcomes: Vec<bool> = (0..10).map(|_| served(1)).collect();
    assert_eq!(outcomes[..3], [true; 3], "the burst");
    assert!(outcomes.contains(&false), "{outcomes:?}");
    assert!(served(2), "another one");
    wait_until("the rate to give one more", || served(1));
}
