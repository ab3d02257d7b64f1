//! The command line: what flags do to a file, and the one line that every mistake ends in.

use std::io::Write;
use std::time::Duration;

use lbproxy::cli::{self, Command, Run};
use lbproxy::config::{AccessFormat, ForwardedStyle, Mode};
use log::LevelFilter;

const FD_LIMIT: u64 = 1024;

const ONE_OF_EACH: &str = "\
limits.backlog = 7
[timeouts]
idle_timeout_ms = 5000
[[frontend]]
name = 'in'
port = 8080
listen = ['127.0.0.1:8081']
[pool.web]
policy = 'random'
backends = [{ address = '127.0.0.1:9001', weight = 5 }]
";

const TWO_OF_EACH: &str = "\
[[frontend]]
name = 'first'
port = 8080
pool = 'a'
[[frontend]]
port = 8081
pool = 'b'
[pool.a]
backends = [{ address = '127.0.0.1:9001' }]
[pool.b]
backends = [{ address = '127.0.0.1:9002' }]
";

/// Arguments in one string, split at spaces.
fn parse(arguments: &str) -> Result<Command, String> {
    let arguments = ["lbproxy"].into_iter().chain(arguments.split_whitespace());
    cli::parse(arguments, FD_LIMIT).map_err(|failure| failure.to_string())
}

fn run(arguments: &str) -> Run {
    match parse(arguments) {
        Ok(Command::Run(run)) => run,
        other => panic!("{arguments}: {other:?}"),
    }
}

fn printed(arguments: &str) -> (String, Vec<String>) {
    match parse(arguments) {
        Ok(Command::Print { text, warnings }) => (text, warnings),
        other => panic!("{arguments}: {other:?}"),
    }
}

fn error(arguments: &str) -> String {
    parse(arguments).expect_err(arguments)
}

fn file_with(text: &str) -> tempfile::TempPath {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.into_temp_path()
}

/// Runs `check` on the arguments that name a file with `text`, then `rest`.
fn with_file<T>(text: &str, rest: &str, check: impl Fn(&str) -> T) -> T {
    let path = file_with(text);
    check(&format!("--config {} {rest}", path.display()))
}

/// The error for a file with `text` and flags `rest`, with the file called FILE.
fn error_with_file(text: &str, rest: &str) -> String {
    let path = file_with(text);
    let name = path.display().to_string();
    error(&format!("--config {name} {rest}")).replace(&name, "FILE")
}

fn listens(run: &Run) -> Vec<String> {
    let listens = run.config.frontends.iter().flat_map(|frontend| &frontend.listen);
    listens.map(|l| format!("{}{}", l.address, if l.dual_stack { " dual" } else { "" })).collect()
}

fn backends(run: &Run) -> Vec<(String, u32)> {
    let backends = run.config.pools.iter().flat_map(|pool| &pool.backends);
    backends.map(|backend| (backend.name.clone(), backend.weight)).collect()
}

#[test]
fn flags_alone_make_one_frontend_and_one_pool() {
    let run =
        run("--port 80 --listen 127.0.0.1:81 --policy ip_hashing --backend 10.0.0.1:80,weight=3,name=a \
                   --backend [::1]:80 --workers 2 --connect-timeout-ms 250");
    assert_eq!(listens(&run), ["[::]:80 dual", "127.0.0.1:81"]);
    assert_eq!(backends(&run), [("a".to_owned(), 3), ("[::1]:80".to_owned(), 1)]);
    assert_eq!((run.config.frontends[0].name.as_str(), run.config.frontends[0].pool), ("default", 0));
    assert_eq!((run.config.pools[0].name.as_str(), run.config.pools[0].policy), ("default", "ip_hashing"));
    assert_eq!((run.config.workers, run.config.timeouts.connect), (2, Duration::from_millis(250)));
    assert_eq!(run.warnings, [""; 0]);
}

#[test]
fn without_a_listener_it_is_port_8080() {
    assert_eq!(listens(&run("--backend 10.0.0.1:80")), ["[::]:8080 dual"]);
    assert_eq!(listens(&run("--backend 10.0.0.1:80 --listen [::1]:0")), ["[::1]:0"]);
}

#[test]
fn a_file_alone_is_taken_as_it_is() {
    let run = with_file(ONE_OF_EACH, "", run);
    assert_eq!(listens(&run), ["[::]:8080 dual", "127.0.0.1:8081"]);
    assert_eq!(backends(&run), [("127.0.0.1:9001".to_owned(), 5)]);
    assert_eq!((run.config.limits.backlog, run.config.timeouts.idle), (7, Duration::from_secs(5)));
}

#[test]
fn numbers_of_flags_override_those_of_the_file_and_leave_the_others() {
    let run = with_file(ONE_OF_EACH, "--backlog 8 --workers 3 --drain-timeout-ms 1", run);
    assert_eq!((run.config.limits.backlog, run.config.workers), (8, 3));
    assert_eq!(run.config.timeouts.drain, Duration::from_millis(1));
    assert_eq!(run.config.timeouts.idle, Duration::from_secs(5));
}

#[test]
fn numbers_of_flags_override_what_a_frontend_has_of_its_own() {
    let file = "[[frontend]]\nport = 1\nmode = 'http'\ntimeouts = { idle_timeout_ms = 5, connect_timeout_ms = 6 }\n\
                limits = { max_fields = 7, max_body_bytes = 8 }\n[pool.web]\nbackends = [{ address = '10.0.0.1:80' }]\n";
    let run = with_file(file, "--idle-timeout-ms 9 --max-fields 10", run);
    let (timeouts, limits) = (run.config.timeouts_of(0), run.config.limits_of(0));
    assert_eq!((timeouts.idle.as_millis(), timeouts.connect.as_millis()), (9, 6));
    assert_eq!((limits.fields, limits.body_bytes), (10, Some(8)));
}

#[test]
fn every_number_has_a_flag_of_its_name_that_overrides_it() {
    let (text, _) = printed("--backend 10.0.0.1:80 --check");
    let defaults: toml::Table = toml::from_str(&text).unwrap();
    let mut flags = 0;
    for (table, key, value) in numbers(&defaults) {
        // Lower than the default is in range for all of them, except where that breaks a relation between two.
        let value =
            if key == "turn_bytes" || key == "backoff_max_ms" { value + 1 } else { (value - 1).max(1) };
        let flag = format!("--{}", key.replace('_', "-"));
        let (text, _) = printed(&format!("--backend 10.0.0.1:80 --check {flag} {value}"));
        let changed: toml::Table = toml::from_str(&text).unwrap();
        assert!(numbers(&changed).contains(&(table, key, value)), "{flag} {value}: {text}");
        flags += 1;
    }
    assert_eq!(flags, 27);
}

#[test]
fn help_names_the_real_defaults() {
    let (help, _) = printed("--help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let (text, _) = printed("--backend 10.0.0.1:80 --check");
    for (_, key, value) in numbers(&toml::from_str(&text).unwrap()) {
        let flag = format!("--{} <", key.replace('_', "-"));
        let (_, rest) = help.split_once(&flag).unwrap_or_else(|| panic!("no {flag} in --help"));
        let own = rest.split(" --").next().unwrap();
        let wanted =
            if key == "max_connections" { "[default: what".into() } else { format!("[default: {value}]") };
        assert!(own.contains(&wanted), "{flag}: {own}");
    }
}

/// (table, key, value) of every number in the top level and its tables, frontends and pools apart.
fn numbers(table: &toml::Table) -> Vec<(String, String, i64)> {
    let mut numbers = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Integer(number) => numbers.push((String::new(), key.clone(), *number)),
            toml::Value::Table(inner) if key != "pool" => {
                let inner = inner.iter().filter_map(|(k, v)| Some((key.clone(), k.clone(), v.as_integer()?)));
                numbers.extend(inner);
            }
            _ => {}
        }
    }
    numbers
}

#[test]
fn listeners_of_flags_replace_those_of_the_only_frontend() {
    assert_eq!(listens(&with_file(ONE_OF_EACH, "--port 1", run)), ["[::]:1 dual"]);
    assert_eq!(
        listens(&with_file(ONE_OF_EACH, "--listen 127.0.0.1:2 --listen [::1]:2", run)),
        ["127.0.0.1:2", "[::1]:2"]
    );
    assert_eq!(with_file(ONE_OF_EACH, "--port 1", run).config.frontends[0].name, "in");
}

#[test]
fn backends_and_policy_of_flags_replace_those_of_the_only_pool() {
    let run = with_file(ONE_OF_EACH, "--backend 10.0.0.1:80 --policy round_robin", run);
    assert_eq!(backends(&run), [("10.0.0.1:80".to_owned(), 1)]);
    assert_eq!((run.config.pools[0].policy, run.config.pools[0].name.as_str()), ("round_robin", "web"));
}

#[test]
fn flags_that_could_mean_several_frontends_or_pools_are_refused() {
    for (flags, expected) in [
        ("--port 1", "lbproxy: --port: the file has 2 frontends (first, b): change it there"),
        ("--listen [::1]:1", "lbproxy: --listen: the file has 2 frontends (first, b): change it there"),
        ("--backend 10.0.0.1:80", "lbproxy: --backend: the file has 2 pools (a, b): change it there"),
        ("--policy random", "lbproxy: --policy: the file has 2 pools (a, b): change it there"),
        ("--sticky-cookie a", "lbproxy: --sticky-cookie: the file has 2 pools (a, b): change it there"),
        ("--mode http", "lbproxy: --mode: the file has 2 frontends (first, b): change it there"),
        ("--forwarded off", "lbproxy: --forwarded: the file has 2 frontends (first, b): change it there"),
        (
            "--trusted-proxy 10.0.0.1",
            "lbproxy: --trusted-proxy: the file has 2 frontends (first, b): change it there",
        ),
    ] {
        assert_eq!(error_with_file(TWO_OF_EACH, flags), expected);
    }
    let run = with_file(TWO_OF_EACH, "--workers 2 --access-format json", run);
    assert_eq!((run.config.workers, run.config.log.access_format), (2, AccessFormat::Json));
}

#[test]
fn flags_make_an_http_proxy() {
    let run = run("--backend 10.0.0.1:80 --mode http --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1 \
                   --forwarded rfc7239 --sticky-cookie backend --access-format json --head-timeout-ms 5");
    let frontend = &run.config.frontends[0];
    assert_eq!((frontend.mode, frontend.forwarded), (Mode::Http, ForwardedStyle::Rfc7239));
    let trusted: Vec<_> = frontend.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128"]);
    let sticky = run.config.pools[0].sticky.as_ref().unwrap();
    assert_eq!((sticky.cookie.as_str(), sticky.ttl, sticky.secure), ("backend", None, false));
    assert_eq!(run.config.log.access_format, AccessFormat::Json);
    assert_eq!(run.config.timeouts.head, Duration::from_millis(5));
    assert_eq!((listens(&run), run.warnings), (vec!["[::]:8080 dual".to_owned()], vec![]));
}

#[test]
fn flags_of_http_mode_override_what_the_only_frontend_and_pool_say_and_leave_the_rest() {
    let file = "\
[log]
access_format = 'json'
[[frontend]]
name = 'in'
port = 80
mode = 'http'
trusted_proxies = ['192.0.2.0/24', '198.51.100.0/24']
forwarded = 'both'
[pool.web]
sticky_cookie = 'old'
sticky_cookie_ttl_s = 60
backends = [{ address = '127.0.0.1:9001' }]
";
    let flags = "--trusted-proxy 10.0.0.0/8 --forwarded off --sticky-cookie new --access-format combined";
    let run = with_file(file, flags, run);
    let frontend = &run.config.frontends[0];
    assert_eq!((frontend.name.as_str(), frontend.mode), ("in", Mode::Http));
    assert_eq!(listens(&run), ["[::]:80 dual"]);
    assert_eq!((frontend.trusted_proxies.len(), frontend.forwarded), (1, ForwardedStyle::Off));
    let sticky = run.config.pools[0].sticky.as_ref().unwrap();
    assert_eq!((sticky.cookie.as_str(), sticky.ttl), ("new", Some(Duration::from_secs(60))));
    assert_eq!(run.config.log.access_format, AccessFormat::Combined);

    assert_eq!(
        error_with_file(file, "--mode tcp"),
        "lbproxy: FILE: line 7: frontend[0].trusted_proxies: needs mode = \"http\" (--mode http): in TCP mode bytes \
         pass as they are"
    );
    assert_eq!(with_file(ONE_OF_EACH, "--mode http", self::run).config.frontends[0].mode, Mode::Http);
}

#[test]
fn errors_name_the_flag_or_the_file_whichever_is_to_change() {
    let slip = ONE_OF_EACH.replace("weight = 5", "weight = -5");
    assert_eq!(
        error_with_file(&slip, ""),
        "lbproxy: FILE: line 10: pool.web.backends[0].weight: -5 is out of range: use 0 to 1000000"
    );
    assert_eq!(
        error_with_file(ONE_OF_EACH, "--backlog 0"),
        "lbproxy: --backlog: 0 is out of range: use 1 to 65535"
    );
    assert_eq!(
        error_with_file(ONE_OF_EACH, "--backend 10.0.0.1:80 --backend 10.0.0.2:80,weight=-5"),
        "lbproxy: --backend 10.0.0.2:80,weight=-5: weight: -5 is out of range: use 0 to 1000000"
    );
    assert_eq!(
        error("--config /no/such/file"),
        "lbproxy: cannot read /no/such/file: No such file or directory (os error 2)"
    );
}

#[test]
fn mistakes_in_flags_are_one_line_each() {
    for (arguments, expected) in [
        (
            "",
            "no backend to send clients to: try lbproxy --port 8080 --backend 127.0.0.1:9001, or lbproxy --demo",
        ),
        ("--port x", "invalid value 'x' for '--port <N>': not a whole number (try --help)"),
        ("--port", "a value is required for '--port <N>' but none was supplied (try --help)"),
        ("--port 70000 --backend 10.0.0.1:80", "--port: 70000 is out of range: use 0 to 65535"),
        ("--port -1 --backend 10.0.0.1:80", "--port: -1 is out of range: use 0 to 65535"),
        ("--prot 80", "unexpected argument '--prot' found; a similar argument exists: '--port' (try --help)"),
        ("serve", "unrecognized subcommand 'serve' (try --help)"),
        ("--port 1 --port 2", "the argument '--port <N>' cannot be used multiple times (try --help)"),
        ("-q -v", "the argument '--quiet' cannot be used with '--verbose...' (try --help)"),
        ("--demo --check", "the argument '--demo' cannot be used with '--check' (try --help)"),
        (
            "--backend 10.0.0.1:80 --policy round-robin",
            "--policy: no policy is called \"round-robin\"; did you mean \"round_robin\"?",
        ),
        (
            "--backend 10.0.0.1:80 --policy rr",
            "--policy: no policy is called \"rr\"; valid here: round_robin, fewest_connections, two_choices, peak_ewma, ip_hashing, maglev, random",
        ),
        (
            "--backend 10.0.0.1:80 --max-load-percent 125",
            "--max-load-percent: round_robin sends nobody to a backend of their own: remove it, or use a policy that does (ip_hashing, maglev)",
        ),
        (
            "--backend 10.0.0.1:80 --policy maglev --max-load-percent 99",
            "--max-load-percent: 99 is out of range: use 101 to 1000",
        ),
        (
            "--backend 10.0.0.1:80,wieght=2",
            "--backend 10.0.0.1:80,wieght=2: unknown key \"wieght\"; did you mean \"weight\"?",
        ),
        (
            "--backend 10.0.0.1:80,weight=two",
            "--backend 10.0.0.1:80,weight=two: weight: \"two\" is not a whole number",
        ),
        (
            "--backend 10.0.0.1:80,weight=1,weight=2",
            "--backend 10.0.0.1:80,weight=1,weight=2: \"weight=2\" says the same key again: keep one",
        ),
        (
            "--backend 10.0.0.1:80,10.0.0.2:80",
            "--backend 10.0.0.1:80,10.0.0.2:80: \"10.0.0.2:80\" is not KEY=VALUE: write HOST:PORT,weight=N,name=S",
        ),
        (
            "--backend 10.0.0.1",
            "--backend 10.0.0.1: address: \"10.0.0.1\" has no port: write HOST:PORT, such as 127.0.0.1:9001",
        ),
        (
            "--backend 10.0.0.1:80,weight=0",
            "--backend: every weight is 0, so none can be chosen: give one a weight of 1 or more",
        ),
        (
            "--backend 10.0.0.1:80 --listen 127.0.0.1:80 --listen 127.0.0.1:80",
            "--listen 127.0.0.1:80: 127.0.0.1:80 is listened on already: use another address or port",
        ),
        (
            "--backend 10.0.0.1:80 --mode htpp",
            "--mode: \"htpp\" is none of tcp, http; did you mean \"http\"?",
        ),
        ("--backend 10.0.0.1:80 --mode udp", "--mode: \"udp\" is none of tcp, http"),
        (
            "--backend 10.0.0.1:80 --mode http --forwarded rfc7329",
            "--forwarded: \"rfc7329\" is none of x_forwarded, rfc7239, both, off; did you mean \"rfc7239\"?",
        ),
        (
            "--backend 10.0.0.1:80 --access-format jsn",
            "--access-format: \"jsn\" is none of combined, json; did you mean \"json\"?",
        ),
        (
            "--backend 10.0.0.1:80 --forwarded off",
            "--forwarded: needs mode = \"http\" (--mode http): in TCP mode bytes pass as they are",
        ),
        (
            "--backend 10.0.0.1:80 --trusted-proxy 10.0.0.0/8",
            "--trusted-proxy: needs mode = \"http\" (--mode http): in TCP mode bytes pass as they are",
        ),
        (
            "--backend 10.0.0.1:80 --mode http --trusted-proxy 10.0.0.0/8 --trusted-proxy lan",
            "--trusted-proxy lan: \"lan\" is not a range of addresses: write one such as 10.0.0.0/8, or an address",
        ),
        (
            "--backend 10.0.0.1:80 --sticky-cookie a",
            "--sticky-cookie: only TCP frontends use this pool, and they set no cookies: give one mode = \"http\" \
             (--mode http)",
        ),
        (
            "--backend 10.0.0.1:80 --mode http --sticky-cookie a;b",
            "--sticky-cookie: \"a;b\" is not a cookie's name: use 1 to 64 letters, digits or !#$%&'*+-.^_`|~",
        ),
        (
            "--backend 10.0.0.1:80 --mode http --max-head-bytes 62000",
            "--max-head-bytes: 62000 does not fit into buffer_bytes, 65536, with 4096 to spare: lower it to 61440, or \
             raise buffer_bytes to 66096",
        ),
        (
            "--backend 10.0.0.1:80 --mode http --buffer-bytes 4096",
            "--buffer-bytes: 4096 is too small for the heads of HTTP: raise it to 8192 or more",
        ),
        (
            "--backend 10.0.0.1:80 --trusted-proxies 10.0.0.1",
            "unexpected argument '--trusted-proxies' found; a similar argument exists: '--trusted-proxy' (try --help)",
        ),
    ] {
        assert_eq!(error(arguments), format!("lbproxy: {expected}"), "{arguments}");
    }
}

#[test]
fn what_the_operator_typed_cannot_break_the_line() {
    let failure = cli::parse(["lbproxy", "--config", "no\nsuch\x1b[31m file"], FD_LIMIT).unwrap_err();
    assert!(!failure.to_string().contains(char::is_control), "{failure:?}");
}

#[test]
fn check_prints_what_resolves_to_the_same_again() {
    for flags in [
        "--backend 10.0.0.1:80",
        "--port 0 --listen [::1]:0 --backend 10.0.0.1:80,name=a,weight=0 --backend [::1]:80 --backoff-ms 40000",
        "--listen 127.0.0.1:80 --backend localhost:80 --policy fewest_connections --workers 4 --turn-bytes 70000",
        "--backend 10.0.0.1:80 --mode http --request-timeout-ms 9 --max-body-bytes 9 --max-target-bytes 100",
        "--backend 10.0.0.1:80 --policy maglev --max-load-percent 125",
        "--backend 10.0.0.1:80 --mode http --trusted-proxy ::/1 --forwarded both --sticky-cookie a --buffer-bytes 9000",
    ] {
        let (text, _) = printed(&format!("{flags} --check"));
        assert_eq!(with_file(&text, "", run).config, run(flags).config, "{text}");
        assert_eq!(with_file(&text, "--check", printed).0, text);
    }
}

#[test]
fn check_hands_out_warnings_apart_from_its_toml() {
    let (text, warnings) = printed("--backend 10.0.0.1:80 --max-connections 5000 --check");
    assert!(text.contains("max_connections = 5000"), "{text}");
    let expected = "--max-connections: 5000 connections need 10097 file descriptors, and the limit is 1024, enough \
                    for 463: raise it (ulimit -n 10097)";
    assert_eq!(warnings, [expected]);
}

#[test]
fn demo_leaves_the_backends_to_its_caller() {
    let Ok(Command::Demo(demo)) = parse("--demo --policy random --idle-timeout-ms 9 --port 0") else {
        panic!("not a demo")
    };
    assert_eq!(listens(&demo), ["[::]:0 dual"]);
    assert_eq!((demo.config.pools.len(), demo.config.pools[0].policy), (1, "random"));
    assert_eq!(backends(&demo), []);
    assert_eq!(demo.config.timeouts.idle, Duration::from_millis(9));
}

#[test]
fn verbosity_counts() {
    for (flag, level) in [
        ("", LevelFilter::Info),
        ("-q", LevelFilter::Warn),
        ("-v", LevelFilter::Debug),
        ("-vv", LevelFilter::Trace),
        ("--verbose --verbose --verbose", LevelFilter::Trace),
    ] {
        assert_eq!(run(&format!("--backend 10.0.0.1:80 {flag}")).log_level, level, "{flag}");
    }
}

#[test]
fn help_has_its_groups_every_policy_and_examples_that_work() {
    let (help, _) = printed("--help");
    for heading in [
        "Where clients come in:",
        "Where they go:",
        "Limits:",
        "HTTP mode:",
        "HTTP mode: limits:",
        "Running:",
        "Examples:",
    ] {
        assert!(help.contains(heading), "no {heading:?} in\n{help}");
    }
    for policy in
        ["round_robin", "fewest_connections", "two_choices", "peak_ewma", "ip_hashing", "maglev", "random"]
    {
        assert!(help.contains(&format!("- {policy}: ")), "no {policy:?} in\n{help}");
    }
    for word in ["tcp", "http", "x_forwarded", "rfc7239", "both", "off", "combined", "json"] {
        assert!(help.contains(word), "no {word:?} in\n{help}");
    }
    assert!(!help.contains('\x1b'), "colours belong to a terminal");

    let examples = help.split_once("Examples:").unwrap().1.replace("\\\n", "");
    let commands: Vec<&str> =
        examples.lines().filter_map(|line| line.trim().strip_prefix("lbproxy ")).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        // Neither the file nor the names of the examples exist here.
        let command = command.replace("db1.internal", "10.0.0.1").replace("db2.internal", "10.0.0.2");
        let outcome = with_file(ONE_OF_EACH, "", |config| {
            let path = config.strip_prefix("--config ").unwrap().trim();
            parse(&command.replace("lbproxy.toml", path).replace("new.toml", path))
        });
        assert!(outcome.is_ok(), "{command}: {outcome:?}");
    }
}

#[test]
fn version_prints_the_packages() {
    assert_eq!(printed("--version").0, concat!("lbproxy ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// Every long flag of `--help`.
fn long_flags() -> Vec<String> {
    let (help, _) = printed("--help");
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let mut flags: Vec<String> =
        words.filter(|word| word.starts_with("--") && word.len() > 3).map(str::to_owned).collect();
    flags.sort();
    flags.dedup();
    assert!(flags.len() > 40, "{flags:?}");
    flags
}

#[test]
fn completions_and_the_manual_page_know_every_flag() {
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = printed(&format!("--completions {shell}"));
        for flag in long_flags() {
            let known = script.contains(&flag) || script.contains(&format!("-l {}", &flag[2..]));
            assert!(known, "{shell} does not complete {flag}");
        }
    }
    let (page, _) = printed("--man");
    let page = page.replace("\\-", "-");
    for flag in long_flags() {
        assert!(page.contains(&flag), "the manual page has no {flag}");
    }
    assert!(page.starts_with(".ie") && page.contains(".TH lbproxy 1"), "{}", &page[..200.min(page.len())]);
    assert!(error("--completions tcsh").contains("invalid value 'tcsh' for '--completions <SHELL>'"));
}

#[test]
fn bash_takes_the_script_for_one() {
    let (script, _) = printed("--completions bash");
    let mut bash =
        std::process::Command::new("bash").arg("-n").stdin(std::process::Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn a_diff_says_what_a_reload_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.toml"), folder.path().join("new.toml"));
    std::fs::write(&old, ONE_OF_EACH).unwrap();
    let changed = ONE_OF_EACH
        .replace("weight = 5 }", "weight = 6 }, { address = '127.0.0.1:9002', name = 'b' }")
        .replace("'random'", "'maglev'")
        .replace("limits.backlog = 7", "")
        .replace("idle_timeout_ms", "keepalive_ms = 50000\nidle_timeout_ms");
    std::fs::write(&new, changed).unwrap();
    let (text, _) = printed(&format!("--config {} --check --diff {}", new.display(), old.display()));
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "limits.backlog: 7 -> 1024",
            "pool.web.backends.127.0.0.1:9001.weight: 5 -> 6",
            "pool.web.backends.b: added (\"127.0.0.1:9002\")",
            "pool.web.policy: \"random\" -> \"maglev\"",
            "timeouts.keepalive_ms: 60000 -> 50000 (left as it is: this takes a restart)",
        ]
    );
    let (text, _) = printed(&format!("--config {} --check --diff {}", old.display(), old.display()));
    assert_eq!(text, "nothing changes\n");
    assert!(error(&format!("--check --diff {}", old.display())).contains("--config"));
}
