//! SIGUSR2: who looks in sees the process that serves now.

use rustix::process::{Pid, Signal, kill_process};

use crate::endpoint::Admin;
use crate::support::{LBPROXY, Proxy, Scripted, assert_connected, greeter, letter, run, wait_until};

/// A process that the test did not start itself, and ends.
struct Heir(Pid);

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn upgrade(proxy: &Proxy) -> Heir {
    proxy.signal(Signal::USR2);
    let id = proxy.stderr.wait_for("a process that takes over", |line| {
        line.split_once("upgraded: process ")?.1.split(' ').next()?.parse().ok()
    });
    Heir(Pid::from_raw(id).unwrap())
}

#[test]
fn the_new_process_is_looked_into_and_the_old_one_drains() {
    let server = Scripted::new();
    // Of an address of its own, since both processes are to have the same port.
    let port = std::net::TcpListener::bind("127.77.1.1:0").unwrap().local_addr().unwrap().port();
    let proxy = Proxy::before(&[server.address], &format!("--admin 127.77.1.1:{port}"));
    let admin = Admin::of(&proxy);
    let (mut client, mut its_server) = proxy.connect_through(&server);
    let old = admin.stats();
    assert_eq!((old.pid, old.workers[0].sessions), (proxy.pid(), 1));
    let heir = upgrade(&proxy);
    // The old one lets go of it once it is told to drain.
    wait_until("the new process alone", || {
        (0..8).all(|_| admin.stats().pid == heir.0.as_raw_nonzero().get() as u32)
    });
    assert_eq!(admin.stats().workers[0].sessions, 0);
    assert_connected(&mut client, &mut its_server);
}

#[test]
fn a_unix_socket_is_taken_over_too() {
    let folder = tempfile::tempdir().unwrap();
    let there = format!("unix:{}", folder.path().join("admin.sock").display());
    let server = greeter('a');
    let proxy = Proxy::start(&format!("--admin {there} --backend {},name=a", server.address));
    proxy.stderr.wait_for_text("admin endpoint on unix:");
    let explains = || {
        let ended = run(LBPROXY, &format!("explain --client 10.0.0.1 --admin {there}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    let first = upgrade(&proxy);
    assert_eq!(letter(&mut proxy.connect()), 'a');
    explains();
    // Once more, by the one that has taken over.
    kill_process(first.0, Signal::USR2).unwrap();
    let ids = proxy.stderr.wait_for_many("another one", 2, |line| {
        line.split_once("upgraded: process ")?.1.split(' ').next()?.parse().ok()
    });
    let _second = Heir(Pid::from_raw(ids[1]).unwrap());
    explains();
}
