//! fewest_connections: connections that last are spread by how many there are, whoever accepted them.

use std::net::TcpStream;

use crate::support::{Proxy, greeter, letter};

/// Clients that stay, each with the backend it met.
struct Held(Vec<(char, TcpStream)>);

impl Held {
    /// One client after the other, each served before the next one comes.
    fn open(proxy: &Proxy, count: usize) -> Held {
        let open = || {
            let mut client = proxy.connect();
            (letter(&mut client), client)
        };
        Held((0..count).map(|_| open()).collect())
    }

    fn count(&self, name: char) -> usize {
        self.0.iter().filter(|(met, _)| *met == name).count()
    }

    fn counts<const N: usize>(&self, names: [char; N]) -> [usize; N] {
        names.map(|name| self.count(name))
    }
}

#[test]
fn long_lived_connections_stay_within_one_of_each_other() {
    let names = ['a', 'b', 'c'];
    let backends = names.map(greeter);
    for workers in [1, 2, 4] {
        let flags = format!("--policy fewest_connections --workers {workers}");
        let proxy = Proxy::before(&backends.each_ref().map(|backend| backend.address), &flags);
        let held = Held::open(&proxy, 60);
        assert_eq!(held.counts(names), [20, 20, 20], "{workers} workers");
        let counts = Held::open(&proxy, 10).counts(names);
        assert!(counts.iter().all(|count| [3, 4].contains(count)), "{counts:?} more with {workers} workers");
    }
}

#[test]
fn weights_are_shares_of_connections_too() {
    let [a, b] = ['a', 'b'].map(greeter);
    let flags = format!("--backend {},weight=3 --backend {}", a.address, b.address);
    let proxy = Proxy::start(&format!("--policy fewest_connections {flags}"));
    assert_eq!(Held::open(&proxy, 40).counts(['a', 'b']), [30, 10]);
}

#[test]
fn the_next_clients_go_where_others_left() {
    let names = ['a', 'b', 'c'];
    let backends = names.map(greeter);
    let proxy =
        Proxy::before(&backends.each_ref().map(|backend| backend.address), "--policy fewest_connections");
    let mut held = Held::open(&proxy, 60);
    let mut leaving = 10;
    held.0.retain(|(met, _)| {
        let leaves = *met == 'b' && leaving > 0;
        leaving -= usize::from(leaves);
        !leaves
    });
    assert_eq!(held.counts(names), [20, 10, 20]);
    proxy.access_lines(10);
    assert_eq!(Held::open(&proxy, 10).counts(names), [0, 10, 0]);
}
