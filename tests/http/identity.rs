//! Who the client is, and to whom it belongs.

use std::process::Command;

use crate::access::Line;
use crate::curl::Curl;
use crate::origin::Origin;
use crate::support::{LBPROXY, Proxy, require, serve};
use crate::wire::Wire;

fn three() -> [Origin; 3] {
    ["one", "two", "six"].map(Origin::named)
}

fn in_front_of(origins: &[Origin], arguments: &str) -> Proxy {
    let addresses: Vec<_> = origins.iter().map(|origin| origin.address).collect();
    Proxy::before(&addresses, &format!("--mode http {arguments}"))
}

#[test]
fn a_cookie_brings_each_client_back_to_its_backend() {
    if !require("curl") {
        return;
    }
    let origins = three();
    let proxy = in_front_of(&origins, "--sticky-cookie backend");
    let folder = tempfile::tempdir().unwrap();
    let visit = |jar: &str| {
        let jar = folder.path().join(jar);
        let curl = Curl::new().argument("-b").argument(&jar).argument("-c").argument(&jar);
        curl.url(&proxy, "/").run().remove(0)
    };
    let homes = ["a", "b", "c"].map(visit);
    let mut met = homes.clone();
    met.sort();
    assert_eq!(met, ["one", "six", "two"], "those without a cookie take turns");
    for _ in 0..3 {
        assert_eq!(["c", "a", "b"].map(visit), [&*homes[2], &*homes[0], &*homes[1]]);
    }
    let jar = std::fs::read_to_string(folder.path().join("a")).unwrap();
    assert!(jar.contains("#HttpOnly_127.0.0.1") && jar.contains("\tbackend\t"), "{jar}");
}

#[test]
fn a_cookie_of_a_backend_that_is_gone_leads_to_another() {
    let [one, two, _] = three();
    let proxy = in_front_of(&[one, two], "--sticky-cookie backend");
    let mut client = Wire::new(proxy.connect());
    client.say("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=y; backend=0123456789abcdef\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.status(), 200);
    assert!(answer.field("set-cookie").unwrap().starts_with("backend="), "{answer:?}");
}

/// The backends that clients meet who come through another proxy, which says who they are.
fn met(proxy: &Proxy) -> Vec<String> {
    let mut client = Wire::new(proxy.connect());
    let ask = |number: u32| {
        let fields = format!("X-Forwarded-For: 203.0.113.9, 10.0.0.{number}, 127.0.0.2\r\n");
        client.say(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        client.response().text().to_owned()
    };
    (0..40).map(ask).collect()
}

#[test]
fn a_trusted_proxy_says_who_the_client_is() {
    let origins = three();
    let proxy = in_front_of(&origins, "--policy ip_hashing --trusted-proxy 127.0.0.0/8");
    let first = met(&proxy);
    for name in ["one", "two", "six"] {
        assert!(first.iter().any(|met| met == name), "{first:?}");
    }
    assert_eq!(met(&proxy), first);
    let line = Line::of(&proxy);
    assert_eq!(line.client, "10.0.0.0");
    let request = &origins.iter().find(|origin| origin.count() > 0).unwrap().requests()[0];
    let heard = request.field("x-forwarded-for").unwrap();
    assert!(
        heard.starts_with("203.0.113.9, 10.0.0.") && heard.ends_with(", 127.0.0.2, 127.0.0.1"),
        "{heard}"
    );
}

#[test]
fn anybody_else_could_say_anything() {
    let origins = three();
    let proxy = in_front_of(&origins, "--policy ip_hashing --trusted-proxy 192.0.2.1");
    let met = met(&proxy);
    assert!(met.iter().all(|name| *name == met[0]), "{met:?}");
    assert_eq!(Line::of(&proxy).client, "127.0.0.1");
    let origin = origins.iter().find(|origin| origin.count() > 0).unwrap();
    assert_eq!(origin.requests()[0].field("x-forwarded-for"), Some("127.0.0.1"));
}

#[test]
fn one_file_can_have_both_modes() {
    let origin = Origin::named("web");
    let echo = serve(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut &stream, &mut writer);
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.toml");
    let text = format!(
        "[[frontend]]\nname = \"web\"\nlisten = [\"127.0.0.1:0\"]\npool = \"web\"\nmode = \"http\"\n\
         [[frontend]]\nname = \"raw\"\nlisten = [\"127.0.0.1:0\"]\npool = \"raw\"\n\
         [pool.web]\nbackends = [{{ address = \"{}\" }}]\n[pool.raw]\nbackends = [{{ address = \"{}\" }}]\n",
        origin.address, echo.address
    );
    std::fs::write(&file, text).unwrap();
    let proxy = Proxy::spawn(Command::new(LBPROXY).arg("--config").arg(&file), 2);
    let [web, raw] = [0, 1].map(|index| crate::support::connect(proxy.listening[index]));
    let mut web = Wire::new(web);
    assert_eq!(web.get("/").text(), "web");
    let mut raw = Wire::new(raw);
    raw.say("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(raw.take(18).unwrap(), b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(web.get("/").text(), "web");
    drop((web, raw));
    assert_eq!(Line::of_many(&proxy, 2)[1].frontend, "web");
    assert_eq!(proxy.access_line().frontend, "raw");
}
