//! SIGHUP in HTTP mode: connections to backends outlive the requests they were made for, but not their backends.

use std::net::SocketAddr;
use std::process::Command;

use crate::crowd::{self, Crowd, ENDLESS};
use crate::origin::{Answer, Origin};
use crate::support::{Hosts, LBPROXY, Proxy, Scripted, connect, expect_end, on_one_port, wait_until};
use crate::wire::{Message, Wire};

/// One frontend, one worker, and pools of one backend each, the first of which serves.
fn text(pools: &[(&str, SocketAddr)]) -> String {
    let pool = |(name, address): &(&str, SocketAddr)| {
        format!("[pool.{name}]\nbackends = [{{ address = '{address}' }}]\n")
    };
    let pools_text: String = pools.iter().map(pool).collect();
    // What waits does so for longer than any test.
    format!(
        "workers = 1\n[timeouts]\nbackend_idle_timeout_ms = 600000\n\
         [[frontend]]\nname = 'f'\nlisten = ['127.0.0.1:0']\nmode = 'http'\npool = '{}'\n{pools_text}",
        pools[0].0
    )
}

fn ask(client: &mut Wire) {
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

fn answer(serving: &mut Wire, text: &str) {
    serving.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
}

/// A request that has reached this backend: its client, and the backend's end.
fn under_way(proxy: &Proxy, server: &Scripted) -> (Wire, Wire) {
    let mut client = Wire::new(proxy.connect());
    ask(&mut client);
    let mut serving = Wire::new(server.accept());
    serving.try_request().unwrap().unwrap();
    (client, serving)
}

#[test]
fn a_connection_that_waits_is_closed_when_its_backend_goes() {
    let (old, new) = (Scripted::new(), Origin::named("new"));
    let proxy = Proxy::configured(&text(&[("p", old.address)]), 1);
    let (mut client, mut serving) = under_way(&proxy, &old);
    answer(&mut serving, "old");
    assert_eq!(client.response().text(), "old");
    proxy.reload(&text(&[("p", new.address)]));
    expect_end(&mut serving.stream);
    ask(&mut client);
    assert_eq!(client.response().text(), "new");
}

#[test]
fn a_pool_that_goes_takes_the_connections_along_that_wait() {
    let (old, new) = (Scripted::new(), Origin::named("new"));
    let proxy = Proxy::configured(&text(&[("p", old.address)]), 1);
    let (mut client, mut serving) = under_way(&proxy, &old);
    answer(&mut serving, "old");
    assert_eq!(client.response().text(), "old");
    proxy.reload(&text(&[("q", new.address)]));
    expect_end(&mut serving.stream);
    ask(&mut client);
    assert_eq!(client.response().text(), "new");
}

#[test]
fn a_request_under_way_is_the_last_one_that_a_backend_gets_that_has_gone() {
    let (old, new) = (Scripted::new(), Origin::named("new"));
    let proxy = Proxy::configured(&text(&[("p", old.address)]), 1);
    let (mut client, mut serving) = under_way(&proxy, &old);
    proxy.reload(&text(&[("p", new.address)]));
    answer(&mut serving, "old");
    assert_eq!(client.response().text(), "old");
    expect_end(&mut serving.stream);
    ask(&mut client);
    assert_eq!(client.response().text(), "new");
}

/// It has another pool's name, and none of its connections.
#[test]
fn a_pool_that_comes_back_is_another_one() {
    let (old, other, new) = (Scripted::new(), Origin::named("other"), Origin::named("new"));
    let proxy = Proxy::configured(&text(&[("p", old.address)]), 1);
    let (mut client, mut serving) = under_way(&proxy, &old);
    proxy.reload(&text(&[("q", other.address)]));
    proxy.reload(&text(&[("p", new.address)]));
    answer(&mut serving, "old");
    assert_eq!(client.response().text(), "old");
    for mut client in [client, Wire::new(proxy.connect())] {
        ask(&mut client);
        assert_eq!(client.response().text(), "new");
    }
    expect_end(&mut serving.stream);
    let line = proxy.stderr.wait_for("its line", |line| line.contains("\"GET / ").then(|| line.to_owned()));
    assert!(line.contains(&format!("backend={}", old.address)), "{line}");
}

/// Nobody is cut off who might be asking for something: each hears with an answer that it was the last.
#[test]
fn clients_of_a_frontend_that_goes_are_told_to_leave_and_those_of_others_are_not() {
    let origin = Origin::named("here");
    let one = text(&[("p", origin.address)]);
    let other = "[[frontend]]\nname = 'g'\nlisten = ['127.0.0.2:0']\nmode = 'http'\npool = 'p'\n";
    let proxy = Proxy::configured(&one.replace("[pool.p]", &format!("{other}[pool.p]")), 2);
    let mut clients = [0, 1, 1].map(|frontend| Wire::new(connect(proxy.listening[frontend])));
    for client in &mut clients {
        ask(client);
        assert_eq!(client.response().field("connection"), None);
    }
    proxy.reload(&one);
    let [stays, leaves, says_nothing] = &mut clients;
    ask(leaves);
    let last = leaves.response();
    assert_eq!((last.text(), last.field("connection")), ("here", Some("close")));
    expect_end(&mut leaves.stream);
    // Whoever says nothing has the time that a head may take, and not that of a connection that is kept alive.
    proxy.reload(
        &one.replace("[timeouts]\n", "[timeouts]\nhead_timeout_ms = 1\nkeep_alive_timeout_ms = 600000\n"),
    );
    expect_end(&mut says_nothing.stream);
    proxy.reload(&one);
    ask(stays);
    assert_eq!(stays.response().field("connection"), None);
}

fn echo(request: &Message) -> Answer {
    Answer::text(&request.target()[1..])
}

/// Without a line for each request.
fn quietly() -> Command {
    let mut command = Command::new("env");
    command.args(["RUST_LOG=info,lbproxy::http_access=off", LBPROXY]);
    command
}

/// Stops the crowd: every request was answered, on the connections that were there from the beginning.
fn assert_flawless(crowd: Crowd) {
    crowd.stop();
    let tally = crowd.tally();
    assert_eq!(tally.errors, [""; 0]);
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&200], "{:?}", tally.answers);
    let lost = (tally.closed, tally.lost, tally.refused);
    assert_eq!((lost, tally.connected), ((0, 0, 0), crowd::CLIENTS as u64));
}

#[test]
fn two_hundred_reloads_under_load_cost_no_request_and_leave_nothing_behind() {
    let origins = [(); 4].map(|()| Origin::new(echo));
    let [one, two, three, other] = origins.each_ref().map(|origin| origin.address);
    let sets = [vec![one, two], vec![one, three], vec![two], vec![three, two, one]];
    let with = |number: usize| {
        let policy = ["round_robin", "peak_ewma", "ip_hashing", "two_choices"][number % 4];
        let list: String = sets[number % 4].iter().map(|at| format!("{{ address = '{at}' }},")).collect();
        // One pool changes, one does not, and one is another each time.
        format!(
            "workers = 2\n[[frontend]]\nname = 'f'\nlisten = ['127.0.0.1:0']\nmode = 'http'\npool = 'p'\n\
             [[frontend]]\nname = 'g'\nlisten = ['127.0.0.2:0']\nmode = 'http'\npool = 'untouched'\n\
             [[frontend]]\nname = 'x{number}'\nlisten = ['127.0.0.3:0']\nmode = 'http'\npool = 'y{number}'\n\
             [pool.p]\npolicy = '{policy}'\nbackends = [{list}]\n\
             [pool.untouched]\nbackends = [{{ address = '{other}' }}]\n\
             [pool.y{number}]\nbackends = [{{ address = '{one}' }}]\n"
        )
    };
    let proxy = Proxy::configured_as(&mut quietly(), &with(0), 3);
    let at_rest = proxy.fds();
    let crowds = [0, 1].map(|frontend| Crowd::start(proxy.listening[frontend], ENDLESS));
    wait_until("the crowds to be busy", || {
        crowds.iter().all(|crowd| crowd.is_complete() && crowd.answered() > 500)
    });
    let mut settled_bytes = 0;
    for number in 1..=200 {
        let before = crowds.each_ref().map(Crowd::answered);
        proxy.reload(&with(number));
        let went_on = || crowds.iter().zip(before).all(|(crowd, before)| crowd.answered() > before + 50);
        wait_until("the crowds to go on", went_on);
        if number == 40 {
            settled_bytes = proxy.memory_bytes().0;
        }
    }
    let grown_bytes = proxy.memory_bytes().0.saturating_sub(settled_bytes);
    crowds.into_iter().for_each(assert_flawless);
    assert!(
        grown_bytes < 4 * 1024 * 1024,
        "{settled_bytes} bytes after 40 reloads, {grown_bytes} more after 200"
    );
    assert!(other_is_reused(&origins[3]), "connections to a backend that nothing is said about were closed");
    // What waits for reuse is given up with its backend; for those that are left, there is a configuration.
    proxy.reload(&text(&[("q", other)]).replace("workers = 1", "workers = 2"));
    wait_until("the proxy to be at rest", || proxy.fds() <= at_rest);
}

/// No more connections were made to it than there were clients at once, in each of two workers.
fn other_is_reused(origin: &Origin) -> bool {
    origin.accepted() <= 2 * crowd::CLIENTS
}

#[test]
fn a_name_that_moves_under_load_costs_no_request() {
    let [a, b] = on_one_port([[127, 0, 0, 8], [127, 0, 0, 9]]).map(|listener| Origin::on(listener, echo));
    let hosts = Hosts::new("127.0.0.8 app.test\n");
    let port = a.address.port();
    let mut command = quietly();
    command.env("LBPROXY_HOSTS", hosts.path());
    let arguments =
        "--mode http --workers 2 --listen 127.0.0.1:0 --resolve-interval-ms 20 --policy round_robin";
    command.args(arguments.split_whitespace()).args(["--backend", &format!("app.test:{port},name=web")]);
    let proxy = Proxy::spawn(&mut command, 1);
    let crowd = Crowd::start(proxy.address(), ENDLESS);
    wait_until("the crowd to be busy", || crowd.is_complete() && crowd.answered() > 500);
    for round in 1..=20 {
        for (to, from, text) in [
            (&b, &a, "127.0.0.9 app.test\n"),
            (&a, &b, "127.0.0.9 app.test\n127.0.0.8 app.test\n"),
            (&a, &b, "127.0.0.8 app.test\n"),
        ] {
            let before = to.count();
            hosts.say(text);
            wait_until(&format!("clients to move in round {round}"), || to.count() > before + 100);
            if !text.contains(&from.address.ip().to_string()) {
                let mut seen = from.count();
                // Those that were on their way arrive, and then nobody comes any more.
                wait_until("the other one to be left alone", || {
                    let (before, count) = (seen, from.count());
                    let answered = crowd.answered();
                    wait_until("others to be answered", || crowd.answered() > answered + 200);
                    seen = from.count();
                    before == seen && count == seen
                });
            }
        }
    }
    assert_flawless(crowd);
}
