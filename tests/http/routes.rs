//! Requests of one frontend to several pools.

use crate::origin::Origin;
use crate::support::Proxy;
use crate::wire::Wire;

fn proxy(web: &Origin, api: &Origin, more: &str) -> Proxy {
    Proxy::configured(
        &format!(
            "[[frontend]]\nlisten = ['127.0.0.1:0']\nmode = 'http'\npool = 'web'\nroutes = [\n\
             {{ path_prefix = '/api', pool = 'api' }}, {{ host = '*.api.test', pool = 'api' }}]\n\
             [pool.web]\n{more}\nbackends = [{{ address = '{}', name = 'w' }}]\n\
             [pool.api]\n{more}\nbackends = [{{ address = '{}', name = 'a' }}]\n",
            web.address, api.address
        ),
        1,
    )
}

fn ask(client: &mut Wire, host: &str, target: &str) -> String {
    client.say(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.response().text().to_owned()
}

#[test]
fn each_request_of_a_connection_goes_where_its_host_and_path_say() {
    let (web, api) = (Origin::named("web"), Origin::named("api"));
    let proxy = proxy(&web, &api, "");
    let mut client = Wire::new(proxy.connect());
    for round in 0..3 {
        for (host, target, expected) in [
            ("x.test", "/", "web"),
            ("x.test", "/api/users?id=1", "api"),
            ("x.test", "/apis", "web"),
            ("v1.API.test:8080", "/", "api"),
            ("api.test", "/", "web"),
            ("x.test", "http://v1.api.test/", "api"),
        ] {
            assert_eq!(ask(&mut client, host, target), expected, "round {round}: {host} {target}");
        }
    }
    assert_eq!((web.accepted(), api.accepted()), (1, 1), "connections wait for reuse in their own pool");
    assert_eq!(api.requests()[0].target(), "/api/users?id=1", "the path goes on as it was sent");
    drop(client);
    let line = proxy
        .stderr
        .wait_for("the line of a request", |line| line.contains("/api/users").then(|| line.to_owned()));
    assert!(line.contains("backend=a"), "{line}");
}

/// A cookie belongs to the pool that set it: each sets its own where the names are the same.
#[test]
fn a_pool_that_is_gone_takes_its_route_along() {
    let (web, api) = (Origin::named("web"), Origin::named("api"));
    let proxy = proxy(&web, &api, "sticky_cookie = 's'");
    let mut client = Wire::new(proxy.connect());
    client.say("GET /api HTTP/1.1\r\nHost: a\r\n\r\n");
    let first = client.response();
    assert_eq!(first.text(), "api");
    let cookie = first.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    client.say(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
    let second = client.response();
    assert_eq!(second.text(), "web", "another pool's cookie chooses nobody here");
    assert!(second.field("set-cookie").is_some());
    // The same connection, after a reload without the route.
    proxy.rewrite(&format!(
        "[[frontend]]\nname = 'web'\nlisten = ['127.0.0.1:0']\nmode = 'http'\n\
         [pool.web]\nbackends = [{{ address = '{}', name = 'w' }}]\n",
        web.address
    ));
    proxy.signal(rustix::process::Signal::HUP);
    proxy.stderr.wait_for_text("pool.api: removed");
    proxy.stderr.wait_for_text(" change");
    assert_eq!(ask(&mut client, "a", "/api"), "web");
}
