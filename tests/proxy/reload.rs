//! SIGHUP: another configuration for a proxy at work, and nobody notices but those it concerns.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    ECHO_BACKEND, Program, Proxy, Scripted, Served, assert_connected, assert_echoed, connect, greeter,
    letter, reset, say, wait_until_refused,
};

/// One frontend and one pool, of these.
fn text(policy: &str, backends: &[SocketAddr]) -> String {
    let list: String = backends.iter().map(|address| format!("{{ address = '{address}' }},")).collect();
    format!("[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\npolicy = '{policy}'\nbackends = [{list}]\n")
}

fn addresses(servers: &[&Served]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address).collect()
}

fn met(proxy: &Proxy, clients: usize) -> String {
    (0..clients).map(|_| letter(&mut proxy.connect())).collect()
}

#[test]
fn a_new_backend_joins_and_one_that_is_gone_keeps_what_it_has() {
    let (a, b) = (Scripted::new(), greeter('b'));
    let proxy = Proxy::configured(&text("round_robin", &[a.address]), 1);
    let (mut client, mut serving) = proxy.connect_through(&a);
    assert_connected(&mut client, &mut serving);
    proxy.reload(&text("round_robin", &[b.address]));
    proxy.stderr.wait_for_text(&format!("pool.p.backends.{}: removed", a.address));
    assert_eq!(met(&proxy, 4), "bbbb");
    assert!(a.try_accept().is_none());
    assert_connected(&mut client, &mut serving);
    drop((client, serving));
    let lines = proxy.access_lines(5);
    assert!(lines.iter().any(|line| line.backend == a.address.to_string()), "{lines:?}");
    proxy.wait_until_at_rest();
}

#[test]
fn what_is_wrong_changes_nothing_and_is_said() {
    let a = greeter('a');
    let proxy = Proxy::configured(&text("round_robin", &[a.address]), 1);
    proxy.rewrite("[[frontend]]\nport = 8080\n[pool.p]\npolcy = 'random'\n");
    proxy.reload_as_it_is("line 4: pool.p.polcy: unknown key; did you mean \"policy\"?");
    proxy.rewrite("not TOML");
    proxy.reload_as_it_is("not valid TOML");
    // Somebody else listens there.
    let other = format!(
        "{}[[frontend]]\nname = 'x'\nlisten = ['{}']\npool = 'p'\n",
        text("random", &[a.address]),
        a.address
    );
    proxy.rewrite(&other);
    proxy.reload_as_it_is("cannot listen on");
    assert_eq!(met(&proxy, 4), "aaaa");
    let policy = |line: &crate::support::Access| line.policy.clone();
    assert_eq!(proxy.access_lines(4).iter().map(policy).collect::<Vec<_>>(), ["round_robin"; 4]);
}

#[test]
fn without_a_file_there_is_nothing_to_read_again() {
    let a = greeter('a');
    let proxy = Proxy::before(&[a.address], "");
    proxy.signal(Signal::HUP);
    proxy.stderr.wait_for_text("not reloaded, nothing has changed: lbproxy: there is no file to read again");
    assert_eq!(met(&proxy, 1), "a");
}

/// Old connections count for those that come after the reload: they are on the same servers.
#[test]
fn counters_live_on() {
    let (a, b) = (greeter('a'), greeter('b'));
    let proxy = Proxy::configured(&text("fewest_connections", &addresses(&[&a])), 1);
    let mut held: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    held.iter_mut().for_each(|client| assert_eq!(letter(client), 'a'));
    proxy.reload(&text("fewest_connections", &addresses(&[&a, &b])));
    let mut later: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    let met: String = later.iter_mut().map(letter).collect();
    assert_eq!(met, "bbbbbb");
    drop((held, later));
    proxy.wait_until_at_rest();
}

/// It has connections of before, which are not forgotten.
#[test]
fn a_backend_that_comes_back_is_the_one_that_left() {
    let (a, b) = (greeter('a'), greeter('b'));
    let proxy = Proxy::configured(&text("fewest_connections", &addresses(&[&a])), 1);
    let mut held: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    held.iter_mut().for_each(|client| assert_eq!(letter(client), 'a'));
    proxy.reload(&text("fewest_connections", &addresses(&[&b])));
    proxy.reload(&text("fewest_connections", &addresses(&[&b, &a])));
    let mut later: Vec<_> = (0..6).map(|_| proxy.connect()).collect();
    assert_eq!(later.iter_mut().map(letter).collect::<String>(), "bbbbbb");
}

#[test]
fn weights_and_the_policy_change() {
    let (a, b) = (greeter('a'), greeter('b'));
    let with = |policy: &str, weight: u32| {
        format!(
            "[[frontend]]\nlisten = ['127.0.0.1:0']\n[pool.p]\npolicy = '{policy}'\n\
             backends = [{{ address = '{}', weight = {weight} }}, {{ address = '{}' }}]\n",
            a.address, b.address
        )
    };
    let proxy = Proxy::configured(&with("round_robin", 1), 1);
    let of_a = |met: String| met.matches('a').count();
    assert_eq!(of_a(met(&proxy, 20)), 10);
    proxy.reload(&with("round_robin", 9));
    proxy.stderr.wait_for_text(": 1 -> 9");
    assert_eq!(of_a(met(&proxy, 20)), 18);
    proxy.reload(&with("round_robin", 0));
    assert_eq!(of_a(met(&proxy, 20)), 0, "drained");
    proxy.reload(&with("ip_hashing", 1));
    assert!([0, 20].contains(&of_a(met(&proxy, 20))));
}

#[test]
fn frontends_come_and_go_and_those_that_stay_lose_nobody() {
    let (a, b) = (greeter('a'), greeter('b'));
    let both = |second: &str| {
        format!(
            "workers = 2\n[[frontend]]\nname = 'one'\nlisten = ['127.0.0.1:0']\npool = 'a'\n{second}\n\
             [pool.a]\nbackends = [{{ address = '{}' }}]\n[pool.b]\nbackends = [{{ address = '{}' }}]\n",
            a.address, b.address
        )
    };
    let two = "[[frontend]]\nname = 'two'\nlisten = ['127.0.0.2:0']\npool = 'b'";
    let proxy = Proxy::configured(&both(""), 1);
    let mut early = proxy.connect();
    assert_eq!(letter(&mut early), 'a');
    proxy.reload(&both(two));
    let second: SocketAddr = proxy.stderr.wait_for("the second address", |line| {
        line.split_once("listening on 127.0.0.2:")
            .map(|(_, port)| format!("127.0.0.2:{port}").parse().unwrap())
    });
    let mut served = connect(second);
    assert_eq!(letter(&mut served), 'b');
    proxy.reload(&both(""));
    wait_until_refused(second);
    assert_eq!(met(&proxy, 3), "aaa");
    // Whoever was there before the frontend went is served on.
    say(&mut served, b"still here");
    say(&mut early, b"me too");
    drop((served, early));
    let lines = proxy.access_lines(5);
    assert!(lines.iter().any(|line| line.frontend == "two" && line.end() == "client finished"), "{lines:?}");
    proxy.wait_until_at_rest();
}

/// Clients that waited for a frontend when it went are its clients still, and not those of one that comes in its place.
#[test]
fn who_is_in_the_queue_of_a_frontend_that_goes_is_served_by_it() {
    let (a, b, c) = (greeter('a'), greeter('b'), greeter('c'));
    let with = |name: &str, host: u8, server: &Served, most: usize| {
        format!(
            "workers = 1\n[limits]\nmax_connections = {most}\n\
             [[frontend]]\nname = 'one'\nlisten = ['127.0.0.1:0']\npool = 'a'\n\
             [[frontend]]\nname = '{name}'\nlisten = ['127.0.0.{host}:0']\npool = '{name}'\n\
             [pool.a]\nbackends = [{{ address = '{}' }}]\n[pool.{name}]\nbackends = [{{ address = '{}' }}]\n",
            a.address, server.address
        )
    };
    let proxy = Proxy::configured(&with("two", 2, &b, 1), 2);
    let mut only = proxy.connect();
    assert_eq!(letter(&mut only), 'a');
    let mut queued = connect(proxy.listening[1]);
    proxy.reload(&with("three", 3, &c, 10));
    assert_eq!(letter(&mut queued), 'b');
    wait_until_refused(proxy.listening[1]);
}

#[test]
fn the_queues_of_listeners_that_stay_become_as_long_as_is_wanted() {
    let a = greeter('a');
    let with = |backlog: u32| {
        let limits = format!("workers = 1\n[limits]\nmax_connections = 1\nbacklog = {backlog}\n");
        limits + &text("random", &[a.address])
    };
    let proxy = Proxy::configured(&with(1), 1);
    let mut served = proxy.connect();
    assert_eq!(letter(&mut served), 'a');
    proxy.reload(&with(64));
    // Nobody takes them. Where there is no room in the queue, the kernel lets a client try again and again.
    let queue = || TcpStream::connect_timeout(&proxy.address(), Duration::from_secs(10)).expect("room");
    let _queued: Vec<_> = (0..20).map(|_| queue()).collect();
}

#[test]
fn what_takes_a_restart_is_left_and_named() {
    let a = greeter('a');
    let proxy = Proxy::configured(&text("random", &[a.address]), 1);
    proxy.reload(&format!("workers = 3\n{}", text("round_robin", &[a.address])));
    proxy.stderr.wait_for_text("reloaded, but not this, which takes a restart: workers: 1 -> 3");
    assert_eq!(met(&proxy, 3), "aaa");
}

#[test]
fn two_hundred_reloads_under_load_cost_nobody_a_byte_and_leave_nothing_behind() {
    let (_one, first) = Program::backend(ECHO_BACKEND, "");
    let (_two, second) = Program::backend(ECHO_BACKEND, "");
    let (_three, third) = Program::backend(ECHO_BACKEND, "");
    let sets = [vec![first, second], vec![first, third], vec![first], vec![third, first, second]];
    let with = |number: usize| {
        let policy = ["round_robin", "fewest_connections", "maglev"][number % 3];
        let host = 3 + number % 2;
        format!(
            "workers = 2\n{}[[frontend]]\nname = 'x{number}'\nlisten = ['127.0.0.{host}:0']\npool = 'y{number}'\n\
             [pool.y{number}]\nbackends = [{{ address = '{second}' }}]\n",
            text(policy, &sets[number % sets.len()])
                .replace("[[frontend]]", "[[frontend]]\nname = 'f'\npool = 'p'")
        )
    };
    let proxy = Proxy::configured(&with(0), 2);
    let address =
        proxy.listening.iter().find(|address| address.ip().to_string() == "127.0.0.1").copied().unwrap();
    let fds = proxy.fds();
    // Long connections, over all of it, and short ones that keep coming.
    let mut long: Vec<_> = (0..20).map(|_| connect(address)).collect();
    long.iter_mut().for_each(|client| assert_echoed(client, b"before"));
    let client = env!("CARGO_BIN_EXE_echo_client");
    let arguments = format!("--connect {address} --count 3000 --connections 20");
    let mut load = Program::start(Command::new(client).args(arguments.split_whitespace()));
    let mut settled = None;
    for number in 1..=200 {
        proxy.reload(&with(number));
        let mut short = connect(address);
        assert_echoed(&mut short, b"in between");
        reset(short);
        if number == 20 {
            settled = Some(proxy.memory_bytes().0);
        }
        if load.has_ended() {
            let ended = load.ended();
            assert!(ended.stdout[0].contains("60000 of 60000") || ended.code == Some(0), "{ended:?}");
            load = Program::start(Command::new(client).args(arguments.split_whitespace()));
        }
    }
    let ended = load.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    long.iter_mut().for_each(|client| assert_echoed(client, b"after"));
    drop(long);
    proxy.wait_until_at_rest();
    let (grown, settled) = (proxy.memory_bytes().0, settled.unwrap());
    assert!(grown < settled + 8 * 1024 * 1024, "{settled} bytes after 20 reloads, {grown} after 200");
    assert_eq!(proxy.fds(), fds);
}
