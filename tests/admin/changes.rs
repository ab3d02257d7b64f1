//! What operators change: backends by hand, and the file.

use serde_json::Value;

use crate::endpoint::Admin;
use crate::support::{Proxy, Scripted, assert_connected, greeter, letter};

#[test]
fn a_drained_backend_keeps_its_connections_and_gets_no_more() {
    let (a, b) = (Scripted::new(), greeter('b'));
    let proxy = Proxy::start(&format!(
        "--admin 127.0.0.1:0 --backend {},name=a --backend {},name=b",
        a.address, b.address
    ));
    let admin = Admin::of(&proxy);
    let (mut client, mut server) = proxy.connect_through(&a);
    let answer = admin.post("/backends/a/drain");
    assert_eq!((answer.status(), answer.field("Content-Type")), (200, Some("application/json")));
    let changes: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(changes["changes"][0].as_str().unwrap().contains('a'), "{changes}");
    for _ in 0..4 {
        assert_eq!(letter(&mut proxy.connect()), 'b');
    }
    assert_connected(&mut client, &mut server);
    let drained = admin.backend("a");
    assert_eq!((&*drained.state, drained.in_flight, drained.drained), ("drained", 1, true));
    assert_eq!(drained.why.unwrap(), "an operator has drained it");
    assert_eq!(admin.post("/backends/a/enable").status(), 200);
    let enabled = admin.backend("a");
    assert_eq!(enabled.state, "up");
    let history: Vec<String> =
        enabled.changes.iter().map(|change| format!("{}: {}", change.what, change.why)).collect();
    assert_eq!(history, ["drained: by an operator: weight 1 -> 0", "enabled: by an operator: weight 0 -> 1"]);
    let _both = [proxy.connect(), proxy.connect()];
    a.accept();
}

#[test]
fn a_weight_is_a_share_until_it_is_enabled_again() {
    let servers = ['a', 'b'].map(greeter);
    let proxy = Proxy::start(&format!(
        "--admin 127.0.0.1:0 --backend {},name=a,weight=2 --backend {},name=b",
        servers[0].address, servers[1].address
    ));
    let admin = Admin::of(&proxy);
    let letters = |count| {
        let mut letters: Vec<char> = (0..count).map(|_| letter(&mut proxy.connect())).collect();
        letters.sort_unstable();
        String::from_iter(letters)
    };
    assert_eq!(letters(3), "aab");
    assert_eq!(admin.post("/backends/b/weight?value=4").status(), 200);
    let b = admin.backend("b");
    assert_eq!((b.weight, b.weight_set), (4, Some(4)));
    assert!((b.fair_share - 4.0 / 6.0).abs() < 1e-9);
    assert_eq!(letters(6), "aabbbb");
    // Drained, it remembers what it is to have afterwards only if that is asked for again.
    assert_eq!(admin.post("/backends/b/drain").status(), 200);
    assert_eq!(letters(2), "aa");
    assert_eq!(admin.post("/backends/b/enable").status(), 200);
    assert_eq!((admin.backend("b").weight, admin.backend("b").weight_set), (1, None));
    assert_eq!(letters(3), "aab");
}

fn two_pools(weight: u32) -> String {
    format!(
        "[[frontend]]\nlisten = ['127.0.0.1:0']\npool = 'p'\n[admin]\nlisten = '127.0.0.1:0'\n\
         [pool.p]\nbackends = [{{ address = '127.0.0.1:9', name = 'x/y%', weight = {weight} }}]\n\
         [pool.q]\nbackends = [{{ address = '127.0.0.1:9', name = 'x/y%' }}]\n"
    )
}

#[test]
fn a_backend_is_meant_by_its_name_and_where_needed_its_pool() {
    let proxy = Proxy::configured(&two_pools(1), 1);
    let admin = Admin::of(&proxy);
    let answer = admin.post("/backends/x%2Fy%25/drain");
    assert_eq!(answer.status(), 409);
    assert!(answer.text().contains("?pool= one of p, q"), "{}", answer.text());
    assert_eq!(admin.post("/backends/x%2Fy%25/drain?pool=q").status(), 200);
    let states = || {
        let pools = admin.stats().pools;
        pools.into_iter().map(|mut pool| pool.backends.remove(0).state).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["up", "drained"]);
    // What an operator wants outlives a reload of what the file says.
    proxy.reload(&two_pools(7));
    assert_eq!(states(), ["up", "drained"]);
    let heavier = admin.backend("x/y%");
    assert_eq!((heavier.weight, &*heavier.changes[0].why), (7, "by a reload: weight 1 -> 7"));
}

#[test]
fn a_reload_is_tried_before_it_is_made() {
    let (a, b) = (Scripted::new(), Scripted::new());
    let text = |backends: &[&Scripted], more: &str| {
        let backends: String =
            backends.iter().map(|one| format!("{{ address = '{}' }},", one.address)).collect();
        format!(
            "[[frontend]]\nname = 'main'\nlisten = ['127.0.0.1:0']\npool = 'p'\n{more}[admin]\nlisten = '127.0.0.1:0'\n\
             [pool.p]\nbackends = [{backends}]\n"
        )
    };
    let second = "[[frontend]]\nname = 'side'\nlisten = ['127.0.0.2:0']\npool = 'p'\n";
    let proxy = Proxy::configured(&text(&[&a, &b], second), 2);
    let admin = Admin::of(&proxy);
    let (mut client, mut server) = proxy.connect_through(&a);
    let side = crate::support::connect(proxy.listening[1]);
    let _side_server = b.accept();

    proxy.rewrite(&text(&[&b], ""));
    let answer = admin.post("/reload?dry_run");
    assert_eq!(answer.status(), 200, "{answer:?}");
    let preview: Value = serde_json::from_slice(&answer.body).unwrap();
    let said = preview.to_string();
    assert_eq!(preview["backends_that_drain"][0]["connections"], 1, "{said}");
    assert!(
        preview["backends_that_drain"][0]["name"].as_str().unwrap().contains(&a.address.to_string()),
        "{said}"
    );
    assert_eq!(
        (&preview["frontends_that_close"][0]["name"], &preview["frontends_that_close"][0]["connections"]),
        (&"side".into(), &1.into()),
        "{said}"
    );
    assert!(!preview["changes"].as_array().unwrap().is_empty(), "{said}");
    assert_eq!(admin.stats().pools[0].backends.len(), 2, "nothing has changed");

    let answer = admin.post("/reload");
    assert_eq!(answer.status(), 200, "{answer:?}");
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(made["changes"], preview["changes"]);
    let stats = admin.stats();
    assert_eq!(stats.pools[0].backends.iter().filter(|one| one.state == "up").count(), 1, "{stats:?}");
    assert_connected(&mut client, &mut server);
    drop(side);

    proxy.rewrite("nonsense = ");
    for target in ["/reload?dry_run", "/reload"] {
        let answer = admin.post(target);
        assert_eq!(answer.status(), 409, "{answer:?}");
        assert!(answer.text().contains("lbproxy.toml"), "{}", answer.text());
    }
    let (mut client, mut server) = proxy.connect_through(&b);
    assert_connected(&mut client, &mut server);
}
