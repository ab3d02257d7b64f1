//! The load generators people have: not a failed request, and every backend gets its share.

use std::process::Command;

use lbproxy::balance::policy;

use crate::access::without_lines;
use crate::origin::Origin;
use crate::support::{Proxy, finish, require};

/// Three backends, whose answers are of the same length: some clients take another length for a failure.
fn origins() -> [Origin; 3] {
    ["one", "two", "six"].map(Origin::named)
}

fn in_front_of(origins: &[Origin], arguments: &str) -> Proxy {
    let addresses: Vec<_> = origins.iter().map(|origin| origin.address).collect();
    without_lines(&addresses, arguments)
}

/// What a load generator reports, once it has found nothing wrong.
fn report(program: &str, arguments: &str, proxy: &Proxy) -> String {
    let url = format!("http://{}/", proxy.address());
    let ended = finish(Command::new(program).args(arguments.split_whitespace()).arg(url));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.join("\n")
}

/// Requests in all, of which each backend got at least so many percent.
fn assert_shared(origins: &[Origin], least_percent: usize, what: &str) -> usize {
    let counts: Vec<usize> = origins.iter().map(Origin::count).collect();
    let total: usize = counts.iter().sum();
    let least = *counts.iter().min().unwrap();
    assert!(least * 100 >= total * least_percent, "{what}: {counts:?}");
    total
}

fn wrk(proxy: &Proxy) -> usize {
    let report = report("wrk", "-t2 -c100 -d2s", proxy);
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    let count = report.lines().find_map(|line| line.trim().split_once(" requests in ")).expect(&report).0;
    let count = count.parse().unwrap();
    assert!(count > 0, "{report}");
    count
}

#[test]
fn wrk_finds_nothing_wrong_with_any_policy() {
    if !require("wrk") {
        return;
    }
    for policy in policy::names() {
        let origins = origins();
        let proxy = in_front_of(&origins, &format!("--policy {policy}"));
        let answered = wrk(&proxy);
        // Equal shares are 33 percent; one client is one key to a hash, and one slow answer counts for a while.
        let least_percent = match policy {
            "round_robin" => 32,
            "ip_hashing" | "maglev" | "peak_ewma" => 0,
            _ => 25,
        };
        assert!(assert_shared(&origins, least_percent, policy) >= answered);
    }
}

#[test]
fn wrk_finds_nothing_wrong_with_two_workers() {
    if !require("wrk") {
        return;
    }
    let origins = origins();
    let proxy = in_front_of(&origins, "--workers 2");
    wrk(&proxy);
    assert_shared(&origins, 32, "two workers");
}

/// It speaks HTTP/1.0 and asks for persistence.
#[test]
fn ab_finds_nothing_wrong() {
    if !require("ab") {
        return;
    }
    let origins = origins();
    let proxy = in_front_of(&origins, "");
    let report = report("ab", "-q -k -n 20000 -c 50", &proxy);
    let value = |key: &str| report.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    assert_eq!(value("Complete requests:"), Some("20000"), "{report}");
    assert_eq!(value("Failed requests:"), Some("0"), "{report}");
    assert_eq!(value("Keep-Alive requests:"), Some("20000"), "{report}");
    assert_eq!(value("Non-2xx responses:"), None, "{report}");
    assert_shared(&origins, 33, "ab");
}

#[test]
fn h2load_finds_nothing_wrong() {
    if !require("h2load") {
        return;
    }
    let origins = origins();
    let proxy = in_front_of(&origins, "");
    let report = report("h2load", "--h1 -n 20000 -c 50", &proxy);
    let all =
        "requests: 20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored, 0 timeout";
    assert!(report.contains(all) && report.contains("status codes: 20000 2xx"), "{report}");
    assert_eq!(assert_shared(&origins, 33, "h2load"), 20_000);
}
