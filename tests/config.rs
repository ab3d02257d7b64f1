//! Configuration files: every fixture, the example, and what resolving does with names and numbers.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lbproxy::config::{
    AccessFormat, Config, ForwardedStyle, Host, Mode, Overrides, Resolved, load, system_lookup,
};
use lbproxy::http::HeadLimits;
use proptest::{prop_assert, proptest};

const POLICIES: [&str; 7] =
    ["round_robin", "fewest_connections", "two_choices", "peak_ewma", "ip_hashing", "maglev", "random"];
const KEYED: [&str; 2] = ["ip_hashing", "maglev"];

/// A host with plenty of descriptors and a resolver that knows four names.
const HOST: Host<'static> =
    Host { policies: &POLICIES, keyed: &KEYED, fd_limit: 250_000, somaxconn: 65_535, lookup: &small_world };

fn small_world(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: &[&str] = match host {
        "localhost" => &["::1", "127.0.0.1"],
        "two.test" => &["fd00::1", "10.0.0.2", "10.0.0.1", "10.0.0.2"],
        "six.test" => &["fd00::2", "fd00::1"],
        "none.test" => &[],
        _ => return Err(io::Error::other("no such name")),
    };
    Ok(addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect())
}

fn load_text(text: &str) -> Result<Resolved, String> {
    load(Some(text), &Overrides::default(), &HOST).map_err(|error| error.to_string())
}

/// A frontend, and a pool `web` with these backends.
fn pool_of(backends: &str) -> Result<Config, String> {
    let text = format!("[[frontend]]\nport = 8080\n[pool.web]\nbackends = [{backends}]\n");
    load_text(&text).map(|resolved| resolved.config)
}

fn fixtures(folder: &str, at_least: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= at_least, "only {} fixtures", paths.len());
    paths
}

#[test]
fn every_valid_fixture_loads_and_survives_a_round_trip() {
    for path in fixtures("valid", 18) {
        let text = fs::read_to_string(&path).unwrap();
        let resolved = load_text(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expected: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# warning: ")).collect();
        assert_eq!(resolved.warnings, expected, "{}", path.display());

        let printed = resolved.config.to_toml();
        let again =
            load_text(&printed).unwrap_or_else(|error| panic!("{}: {error}\n{printed}", path.display()));
        assert_eq!(again.config, resolved.config, "{}", path.display());
    }
}

#[test]
fn every_invalid_fixture_fails_with_its_own_line() {
    let mut wrong = Vec::new();
    for path in fixtures("invalid", 100) {
        let text = fs::read_to_string(&path).unwrap();
        let first_line = text.lines().next().unwrap_or_default();
        let expected = first_line.strip_prefix("# error: ").expect("the first line is `# error: MESSAGE`");
        let actual = load_text(&text).map_or_else(|error| error, |_| "it loads".to_owned());
        assert!(!actual.contains('\n'), "{}: more than one line: {actual}", path.display());
        if actual != expected {
            wrong.push(format!("{}\n  expected {expected}\n  actual   {actual}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    /// Bytes cut out of the example and others put in: whatever comes of it, it is a configuration or one line.
    #[test]
    fn no_damage_to_a_file_causes_a_panic_or_a_second_line(
        at in 0_usize..12_000, cut in 0_usize..40, paste in r#"([a-z_]{0,6}|[\[\]{}="'.,\n0-9 -]{0,6}|\PC{0,3})"#,
    ) {
        let example = fs::read_to_string(example_path()).unwrap();
        let head: String = example.chars().take(at).collect();
        let tail: String = example.chars().skip(at + cut).collect();
        if let Err(error) = load_text(&format!("{head}{paste}{tail}")) {
            prop_assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }
}

fn example_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml")
}

#[test]
fn the_example_loads_without_warnings_and_shows_every_key_with_its_default() {
    let text = fs::read_to_string(example_path()).unwrap();
    let example = load_text(&text).unwrap();
    assert_eq!(example.warnings, [""; 0]);

    let mut defaults = pool_of("{ address = '127.0.0.1:9001' }").unwrap();
    defaults.limits.max_connections = example.config.limits.max_connections;
    assert_eq!(example.config.workers, defaults.workers);
    assert_eq!(example.config.timeouts, defaults.timeouts);
    assert_eq!(example.config.limits, defaults.limits);

    // `to_toml` writes every key of the raw structs: it builds them without `..`, and this example uses all of them.
    let mut keys = Vec::new();
    collect_keys(&toml::from_str(&example.config.to_toml()).unwrap(), &mut keys);
    assert!(keys.len() >= 20, "{keys:?}");
    let shown = toml::from_str::<toml::Table>(&text).unwrap();
    let mut shown_keys = Vec::new();
    collect_keys(&shown, &mut shown_keys);
    for key in keys {
        assert!(shown_keys.contains(&key), "config.example.toml does not show {key}");
    }
}

/// The keys of all tables, at any depth.
fn collect_keys(table: &toml::Table, keys: &mut Vec<String>) {
    for (key, value) in table {
        keys.push(key.clone());
        let inner = match value {
            toml::Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        inner.iter().filter_map(toml::Value::as_table).for_each(|table| collect_keys(table, keys));
    }
}

#[test]
fn a_frontend_has_what_it_says_of_its_own_and_the_rest_from_everybody() {
    let text = "[timeouts]\nidle_timeout_ms = 7000\nbody_timeout_ms = 8000\n[limits]\nmax_fields = 9\n\
                [[frontend]]\nname = 'own'\nport = 8080\nmode = 'http'\ntimeouts = { body_timeout_ms = 5 }\n\
                limits = { max_body_bytes = 6 }\n[[frontend]]\nname = 'plain'\nport = 8081\n\
                [pool.web]\nbackends = [{ address = '127.0.0.1:9001' }]\n";
    let config = load_text(text).unwrap().config;
    let of = |frontend| {
        let (timeouts, limits) = (config.timeouts_of(frontend), config.limits_of(frontend));
        (timeouts.idle.as_millis(), timeouts.body.as_millis(), limits.fields, limits.body_bytes)
    };
    assert_eq!((of(0), of(1)), ((7000, 5, 9, Some(6)), (7000, 8000, 9, None)));
}

#[test]
fn a_name_stands_for_all_its_ipv4_addresses_each_called_after_its_own() {
    let config = pool_of("{ address = 'two.test:80', name = 'pair', weight = 7 }").unwrap();
    let backends: Vec<_> =
        config.pools[0].backends.iter().map(|b| (b.name.as_str(), b.address.to_string(), b.weight)).collect();
    let expected =
        [("pair-10.0.0.1", "10.0.0.1:80".to_owned(), 7), ("pair-10.0.0.2", "10.0.0.2:80".to_owned(), 7)];
    assert_eq!(backends, expected);
}

#[test]
fn a_name_without_ipv4_stands_for_its_ipv6_addresses_and_backends_are_called_by_address() {
    let config = pool_of("{ address = 'six.test:80' }").unwrap();
    let names: Vec<_> = config.pools[0].backends.iter().map(|backend| backend.name.as_str()).collect();
    assert_eq!(names, ["[fd00::1]:80", "[fd00::2]:80"]);
}

#[test]
fn what_is_given_by_its_address_is_called_as_it_is_said_and_what_may_move_by_its_address_too() {
    let config = pool_of("{ address = '10.0.0.9:80', name = 'there' }").unwrap();
    assert_eq!(config.pools[0].backends[0].name, "there");
    // It has one address today; with a second one tomorrow, this is still the same backend.
    let config = pool_of("{ address = 'localhost:80', name = 'here' }").unwrap();
    assert_eq!(config.pools[0].backends[0].name, "here-127.0.0.1");
}

#[test]
fn the_systems_resolver_knows_localhost() {
    let host = Host { lookup: &system_lookup, ..HOST };
    let overrides =
        Overrides { port: Some(0), backends: vec!["localhost:9001".into()], ..Overrides::default() };
    let config = load(None, &overrides, &host).unwrap().config;
    assert!(config.pools[0].backends.iter().all(|backend| backend.address.ip().is_loopback()));
}

#[test]
fn ip_hashing_sees_the_same_names_whether_addresses_come_from_a_resolver_or_not() {
    let by_name = pool_of("{ address = 'two.test:80' }").unwrap();
    let by_address = pool_of("{ address = '10.0.0.1:80' }, { address = '10.0.0.2:80' }").unwrap();
    assert_eq!(by_name, by_address);
}

#[test]
fn pools_are_in_the_order_of_their_names_and_frontends_in_that_of_the_file() {
    let text = "
        [[frontend]]
        port = 2
        pool = 'b'
        [[frontend]]
        port = 1
        pool = 'a'
        [pool.b]
        backends = [{ address = '127.0.0.1:9002' }]
        [pool.a]
        backends = [{ address = '127.0.0.1:9001' }]";
    let config = load_text(text).unwrap().config;
    let pools: Vec<_> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
    let frontends: Vec<_> = config.frontends.iter().map(|f| (f.name.as_str(), f.pool)).collect();
    assert_eq!(pools, ["a", "b"]);
    assert_eq!(frontends, [("b", 1), ("a", 0)]);
}

#[test]
fn a_port_listens_on_both_families_and_an_address_on_itself() {
    let text = "
        [[frontend]]
        port = 8080
        listen = ['[::]:8081']
        [pool.web]
        backends = [{ address = '127.0.0.1:9001' }]";
    let config = load_text(text).unwrap().config;
    let listens: Vec<_> =
        config.frontends[0].listen.iter().map(|l| (l.address.to_string(), l.dual_stack)).collect();
    assert_eq!(listens, [("[::]:8080".to_owned(), true), ("[::]:8081".to_owned(), false)]);
}

#[test]
fn a_pool_that_nobody_uses_is_a_warning() {
    let text = "
        [[frontend]]
        port = 8080
        pool = 'web'
        [pool.web]
        backends = [{ address = '127.0.0.1:9001' }]
        [pool.spare]
        backends = [{ address = '127.0.0.1:9002' }]";
    assert_eq!(load_text(text).unwrap().warnings, ["line 7: pool.spare: no frontend uses this pool"]);
}

/// Resolves the shortest file with `workers` and, maybe, `max_connections` on a host with `fd_limit` descriptors.
fn connections(fd_limit: u64, workers: usize, asked: &str) -> (usize, Vec<String>) {
    let text = format!(
        "workers = {workers}\n{asked}\n[[frontend]]\nport = 1\nlisten = ['127.0.0.1:2']\n\
         [pool.a]\nbackends = [{{ address = '127.0.0.1:9' }}]"
    );
    let resolved = load(Some(&text), &Overrides::default(), &Host { fd_limit, ..HOST }).unwrap();
    (resolved.config.limits.max_connections, resolved.warnings)
}

#[test]
fn max_connections_follows_from_the_descriptor_limit() {
    assert_eq!(connections(1024, 1, ""), ((1024 - 64 - 2 - 32) / 2, vec![]));
    assert_eq!(connections(1024, 8, ""), ((1024 - 64 - 16 - 32) / 2, vec![]));
    assert_eq!(connections(u64::MAX, 1, ""), (1_000_000, vec![]));
}

#[test]
fn too_few_descriptors_are_a_warning_with_the_numbers() {
    let (most, warnings) = connections(1024, 1, "limits.max_connections = 1000");
    assert_eq!(most, 1000);
    let expected = "line 2: limits.max_connections: 1000 connections need 2098 file descriptors, and the limit is \
                    1024, enough for 463: raise it (ulimit -n 2098)";
    assert_eq!(warnings, [expected]);

    // Pipes that are asked for take their descriptors from the connections; left out, they are as many as are no loss.
    let pipes = |many| connections(1024, 2, &format!("limits.max_pipes = {many}")).0;
    assert_eq!((pipes(0), pipes(100)), ((1024 - 64 - 4) / 2, (1024 - 64 - 4 - 400) / 2));

    let (most, warnings) = connections(20, 1, "");
    assert_eq!((most, warnings.len()), (1, 1), "{warnings:?}");
    assert_eq!(connections(1024, 1, "limits.max_connections = 463").1, [""; 0]);
}

#[test]
fn a_queue_longer_than_the_kernels_is_a_warning() {
    let text =
        "limits.backlog = 200\n[[frontend]]\nport = 1\n[pool.a]\nbackends = [{ address = '127.0.0.1:9' }]";
    let resolved = load(Some(text), &Overrides::default(), &Host { somaxconn: 128, ..HOST }).unwrap();
    let expected = "line 1: limits.backlog: 200 is more than the kernel queues, 128: raise net.core.somaxconn, or lower it";
    assert_eq!(resolved.warnings, [expected]);
}

#[test]
fn a_queue_for_nobody_and_a_close_that_never_comes_are_warnings() {
    let text = "[[frontend]]\nport = 1\n[pool.a]\nqueue = 5\nbackends = [{ address = '127.0.0.1:9' }]\n\
                health.on_down = 'close'";
    let expected = [
        "line 6: pool.a.health.on_down: nothing marks a backend down without a check: add check = \"tcp\" or check = \
         \"http\"",
        "line 4: pool.a.queue: there is always room, so nobody waits: give every backend max_connections, or remove it",
    ];
    assert_eq!(load_text(text).unwrap().warnings, expected);
}

#[test]
fn a_larger_buffer_or_back_off_takes_its_unset_companion_along() {
    let text = fs::read_to_string("tests/config/valid/large_buffer_takes_the_turn_along.toml").unwrap();
    let config = load_text(&text).unwrap().config;
    assert_eq!(config.limits.turn_bytes, 1_048_576);
    assert_eq!(config.timeouts.backoff_max, Duration::from_secs(60));
}

/// What a file of `valid/` resolves to.
fn valid(name: &str) -> Config {
    let text = fs::read_to_string(format!("tests/config/valid/{name}.toml")).unwrap();
    load_text(&text).unwrap().config
}

#[test]
fn a_smaller_buffer_takes_an_unset_head_and_target_along() {
    let limits = valid("http_small_buffer_takes_head_and_target_along").limits;
    assert_eq!((limits.head_bytes, limits.target_bytes), (4096, 4096));
    // In TCP mode, where no head has to fit, nothing is too small.
    let limits = valid("small_buffer_suits_tcp").limits;
    assert_eq!((limits.buffer_bytes, limits.head_bytes, limits.target_bytes), (1024, 1024, 1024));
}

#[test]
fn a_head_may_have_as_many_fields_as_the_parser_has_room_for() {
    assert_eq!(valid("most_of_everything").limits.fields, HeadLimits::MAX_FIELDS);
}

#[test]
fn http_mode_is_asked_for_and_then_has_its_defaults() {
    let tcp = &valid("shortest").frontends[0];
    assert_eq!(tcp.mode, Mode::Tcp);

    let config = valid("http_shortest");
    let frontend = &config.frontends[0];
    assert_eq!((frontend.mode, frontend.forwarded), (Mode::Http, ForwardedStyle::XForwarded));
    assert_eq!((frontend.trusted_proxies.len(), &config.pools[0].sticky), (0, &None));
    assert_eq!(config.log.access_format, AccessFormat::Combined);
    assert_eq!((config.timeouts.request, config.limits.body_bytes), (None, None));
}

#[test]
fn everything_http_arrives_where_it_belongs() {
    let config = valid("http_full");
    let [app, internal, raw] = config.frontends.as_slice() else { panic!("{config:?}") };
    assert_eq!((app.mode, app.forwarded), (Mode::Http, ForwardedStyle::Both));
    let trusted: Vec<_> = app.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "::1/128"]);
    assert_eq!((internal.forwarded, internal.trusted_proxies.len()), (ForwardedStyle::Off, 0));
    assert_eq!(raw.mode, Mode::Tcp);
    let sticky = config.pools[0].sticky.as_ref().unwrap();
    assert_eq!((sticky.cookie.as_str(), sticky.secure), ("__Host-backend", true));
    assert_eq!(sticky.ttl, Some(Duration::from_secs(3600)));
    assert_eq!(config.log.access_format, AccessFormat::Json);

    let most = valid("most_of_everything");
    assert_eq!(most.timeouts.request, Some(Duration::from_secs(86_400)));
    assert_eq!(most.limits.body_bytes, Some(1 << 40));
}

#[test]
fn what_works_but_hardly_as_meant_is_a_warning() {
    for (frontend, pool, expected) in [
        (
            "trusted_proxies = ['10.0.0.0/8', '0.0.0.0/0']",
            "",
            "line 4: frontend[0].trusted_proxies[1]: 0.0.0.0/0 trusts everybody: any client may claim any address",
        ),
        (
            "",
            "sticky_cookie = 'a'\npolicy = 'ip_hashing'",
            "line 6: pool.web.sticky_cookie: the cookie decides wherever a client has one: ip_hashing only chooses \
             for those without",
        ),
        (
            "",
            "sticky_cookie = '__Secure-a'",
            "line 6: pool.web.sticky_cookie: browsers refuse a cookie of that name without sticky_cookie_secure = true",
        ),
    ] {
        let backends = "backends = [{ address = '127.0.0.1:9001' }]";
        let text =
            format!("[[frontend]]\nport = 1\nmode = 'http'\n{frontend}\n[pool.web]\n{pool}\n{backends}");
        assert_eq!(load_text(&text).unwrap().warnings, [expected]);
    }
}
