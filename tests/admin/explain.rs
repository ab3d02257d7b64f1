//! `/explain` and `lbproxy explain`: where they say the next connection goes, it goes.

use std::net::IpAddr;

use lbproxy::balance::policy;
use lbproxy::view::explained::Explained;

use crate::endpoint::Admin;
use crate::support::{HTTP_BACKEND, LBPROXY, Program, Proxy, finish, greeter, letter, run};
use crate::wire::Wire;

fn explain(admin: Admin, client: IpAddr, more: &str) -> Explained {
    let answer = admin.get(&format!("/explain?client={client}{more}"));
    assert_eq!(answer.status(), 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn the_next_connection_goes_where_it_says_for_every_policy() {
    for name in policy::names() {
        let servers = ['a', 'b', 'c'].map(greeter);
        let backends: String = servers
            .iter()
            .zip(["a", "b", "c"])
            .map(|(server, name)| {
                format!(" --backend {},name={name},weight={}", server.address, name.as_bytes()[0] - 96)
            })
            .collect();
        let proxy = Proxy::start(&format!("--admin 127.0.0.1:0 --policy {name}{backends}"));
        let admin = Admin::of(&proxy);
        let mut clients = Vec::new();
        for number in 0..40_u8 {
            if number == 20 {
                assert_eq!(admin.post("/backends/b/drain").status(), 200);
            }
            let source = IpAddr::from([127, 0, 1, number % 13]);
            let explained = explain(admin, source, "");
            let choice = &explained.workers[0];
            assert_eq!((&*choice.policy, choice.candidates.len()), (name, 3));
            let skipped = choice.candidates[1].skipped.as_deref();
            let why = "its weight is 0: by an operator: weight 2 -> 0";
            assert_eq!(skipped, (number >= 20).then_some(why), "{name}");
            let mut client = proxy.connect_from(source);
            let letter = letter(&mut client).to_string();
            assert_eq!(choice.backend, Some(letter), "{name}, client {number}: {explained}");
            // Some stay, so that loads differ.
            clients.push(client);
            if number % 3 == 0 {
                clients.remove(usize::from(number) % clients.len());
                let open = clients.len() as f64;
                crate::support::wait_until("it to be gone", || {
                    admin.metrics().value("frontend_connections{frontend=\"default\"}") == open
                });
            }
        }
    }
}

#[test]
fn requests_are_explained_by_their_route() {
    let (_a, a) = Program::backend(HTTP_BACKEND, "--port 0 --name a");
    let (_b, b) = Program::backend(HTTP_BACKEND, "--port 0 --name b");
    let proxy = Proxy::configured(
        &format!(
            "[[frontend]]\nname = 'web'\nmode = 'http'\nlisten = ['127.0.0.1:0']\npool = 'a'\n\
             routes = [{{ host = 'api.example', path_prefix = '/v2', pool = 'b' }}]\n[admin]\nlisten = '127.0.0.1:0'\n\
             [pool.a]\nbackends = [{{ address = '{a}', name = 'first' }}]\n\
             [pool.b]\nbackends = [{{ address = '{b}', name = 'second' }}]\n"
        ),
        1,
    );
    let admin = Admin::of(&proxy);
    let client = [127, 0, 0, 1].into();
    let mut wire = Wire::new(proxy.connect());
    for (host, path) in [("other", "/v2"), ("api.example", "/v2/x"), ("api.example", "/v1")] {
        let explained = explain(admin, client, &format!("&host={host}&path={path}&frontend=web"));
        wire.say(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let served_by = if wire.response().text().contains("I am a.") { "first" } else { "second" };
        assert_eq!(explained.workers[0].backend.as_deref(), Some(served_by), "{host}{path}: {explained}");
    }
}

#[test]
fn the_command_prints_a_table_or_says_what_is_wrong() {
    let server = greeter('a');
    let proxy =
        Proxy::start(&format!("--admin 127.0.0.1:0 --workers 2 --backend {},name=the-one", server.address));
    let admin = Admin::of(&proxy).0;
    let ended = run(LBPROXY, &format!("explain --client 192.0.2.7 --admin {admin}"));
    let text = ended.stdout.join("\n");
    assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
    assert!(text.starts_with("workers 0, 1:\n192.0.2.7 gets the-one: round_robin chose among 1\n"), "{text}");
    assert!(ended.stdout.last().unwrap().starts_with(">  the-one  "), "{text}");
    let ended = run(LBPROXY, &format!("explain --client ::1 --json --admin {admin}"));
    let explained: Explained = serde_json::from_str(&ended.stdout.join("\n")).unwrap();
    assert_eq!((&*explained.client, explained.workers.len()), ("::1", 2));

    let ended = run(LBPROXY, &format!("explain --client ::1 --frontend none --admin {admin}"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr[0].ends_with("404 there is no frontend \"none\": there is default"), "{ended:?}");
    drop(proxy);
    let ended = run(LBPROXY, &format!("explain --client ::1 --admin {admin}"));
    assert_eq!(ended.code, Some(2));
    let said = &ended.stderr[0];
    assert!(said.contains("Connection refused") && said.contains(&format!("--admin {admin}")), "{said}");
}

#[test]
fn a_unix_socket_can_be_asked_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let server = greeter('a');
    let proxy = Proxy::start(&format!("--admin unix:{} --backend {},name=a", path.display(), server.address));
    proxy.stderr.wait_for_text("admin endpoint on unix:");
    let mut command = std::process::Command::new(LBPROXY);
    command.args(["explain", "--client", "10.0.0.1", "--admin"]).arg(format!("unix:{}", path.display()));
    let ended = finish(&mut command);
    assert_eq!(
        (ended.code, &*ended.stdout[0]),
        (Some(0), "10.0.0.1 gets a: round_robin chose among 1"),
        "{ended:?}"
    );
}
