//! max_load_percent: how much one backend takes of what would all go there.

use crate::support::{Proxy, greeter, letter};

#[test]
fn clients_of_one_address_are_spread_as_far_as_the_bound_says() {
    let names = ['a', 'b', 'c', 'd'];
    let backends = names.map(greeter);
    for policy in ["ip_hashing", "maglev"] {
        let flags = format!("--policy {policy} --max-load-percent 125");
        let proxy = Proxy::before(&backends.each_ref().map(|backend| backend.address), &flags);
        let mut first = proxy.connect();
        let home = letter(&mut first);
        let mut held = vec![(home, first)];
        for _ in 1..40 {
            let mut client = proxy.connect();
            held.push((letter(&mut client), client));
        }
        let counts = names.map(|name| held.iter().filter(|(met, _)| *met == name).count());
        // A quarter of 40, and a quarter of that more, rounded up.
        assert!(counts.iter().all(|count| (1..=13).contains(count)), "{policy}: {counts:?}");
        drop(held);
        proxy.access_lines(40);
        assert_eq!(letter(&mut proxy.connect()), home, "{policy}: when there is room, everybody is at home");
    }
}
