//! `loadgen`, as whoever runs it meets it, against servers of which it is known what they do.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use lbproxy::lab::process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");
const DEADLINE: Duration = Duration::from_secs(60);

fn run(arguments: &str) -> Output {
    Command::new(LOADGEN).args(arguments.split_whitespace()).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(arguments: &str) -> Value {
    let output = run(&format!("--json {arguments}"));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A server that does this with each connection, in a thread of its own.
fn serve(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handle = handle.clone();
            thread::spawn(move || handle(stream));
        }
    });
    address
}

/// Calls `answer` for each request of a connection, and sends what it returns.
fn converse(stream: TcpStream, mut answer: impl FnMut(&str) -> Option<String>) {
    let mut output = stream.try_clone().unwrap();
    let mut head = String::new();
    let mut input = BufReader::new(stream);
    while input.read_line(&mut head).is_ok_and(|count| count > 0) {
        if head.ends_with("\r\n\r\n") {
            let Some(text) = answer(&head) else { return };
            if output.write_all(text.as_bytes()).is_err() {
                return;
            }
            head.clear();
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A pause of a second at a rate of 200: every request that was due in it waited, half of them for more than half of it. Few
/// had been sent, so whoever counts from there sees nothing of it. And each of the requests is accounted for.
#[test]
fn a_stall_shows_in_full_and_only_if_latency_counts_from_when_requests_were_due() {
    let (lock, count) = (Arc::new(Mutex::new(())), Arc::new(AtomicU64::new(0)));
    let address = serve(move |stream| {
        let (lock, count) = (lock.clone(), count.clone());
        converse(stream, move |_| {
            let stalled = lock.lock().unwrap();
            if count.fetch_add(1, SeqCst) == 200 {
                thread::park_timeout(Duration::from_secs(1));
            }
            drop(stalled);
            Some(OK.to_owned())
        });
    });
    let found = json(&format!("-t2 -c10 -d3s -R200 http://{address}/"));
    assert_eq!((&found["requests"], &found["ok"]), (&600.into(), &600.into()), "{found}");
    let at = |which: &str, quantile: &str| found[which][quantile].as_f64().unwrap() / 1000.0;
    // 200 of 600 requests were due in the pause, and waited from 1,000 down to 0 ms: one in six for 500 or more.
    assert!(at("latency_us", "p90") > 600.0 && at("latency_us", "p75") > 150.0, "{found}");
    assert!(at("latency_us", "max") > 950.0, "{found}");
    assert!(at("uncorrected_us", "p90") < 100.0, "{found}");
    assert!(at("latency_us", "p50") < 100.0, "{found}");
    let seconds = found["per_second"].as_array().unwrap();
    assert_eq!(seconds.iter().map(|second| second["requests"].as_u64().unwrap()).sum::<u64>(), 600);
}

/// Quantiles of the outcome, the spectrum and the saved log, against a sorted list of what was really waited.
#[test]
fn percentiles_agree_with_those_of_a_list() {
    let count = Arc::new(AtomicU64::new(0));
    // The n-th request takes n milliseconds.
    let address = serve(move |stream| {
        let count = count.clone();
        converse(stream, move |_| {
            let number = count.fetch_add(1, SeqCst);
            thread::park_timeout(Duration::from_millis(number));
            Some(OK.to_owned())
        });
    });
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("latency.hlog");
    let found = json(&format!("-t1 -c40 -d1s -R100 --save {} http://{address}/", log.display()));
    assert_eq!(found["ok"], 100, "{found}");
    let at = |quantile: &str| found["latency_us"][quantile].as_f64().unwrap() / 1000.0;
    // In a list of 0 to 99 the 50th value is 49, and so on; the machine may add to it, not take away.
    for (quantile, waited) in [("p50", 49.0), ("p75", 74.0), ("p90", 89.0), ("p99", 98.0), ("max", 99.0)] {
        assert!((waited..waited + 40.0).contains(&at(quantile)), "{quantile}: {} ms", at(quantile));
    }
    let (values, mut before) = (saved(&log), 0.0);
    assert_eq!(values.len(), 100);
    for point in found["spectrum"].as_array().unwrap() {
        let [value, fraction, up_to] = [0, 1, 2].map(|index| point[index].as_f64().unwrap());
        assert!(value >= before && (fraction - up_to / 100.0).abs() < 1e-9, "{point}");
        before = value;
        // The value with this many before it, itself included, to three digits.
        let listed = values[up_to as usize - 1] as f64;
        assert!((listed - value).abs() <= value / 500.0 + 1.0, "{point}: {listed}");
    }
}

/// All values of a log, sorted.
fn saved(path: &std::path::Path) -> Vec<u64> {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(b"#"), "{}", text(&bytes));
    let mut values = Vec::new();
    for entry in IntervalLogIterator::new(&bytes) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let decoded =
                base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
            let histogram =
                Deserializer::new().deserialize::<u64, _>(&mut std::io::Cursor::new(decoded)).unwrap();
            for step in histogram.iter_recorded() {
                values.extend(std::iter::repeat_n(step.value_iterated_to(), step.count_at_value() as usize));
            }
        }
    }
    values.sort_unstable();
    values
}

#[test]
fn the_report_has_the_lines_that_scripts_look_for_in_that_of_wrk2() {
    let address = serve(|stream| {
        let mut number = 0;
        converse(stream, move |_| {
            number += 1;
            Some(if number % 2 == 0 { OK.replace("200 OK", "404 Not Found") } else { OK.to_owned() })
        });
    });
    let output = run(&format!("-t2 -c4 -d1s -R1k -U http://{address}/x"));
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[0], format!("Running 1s test @ http://{address}/x"));
    assert_eq!(lines[1], "  2 threads and 4 connections");
    assert_eq!(lines[2], "  Thread Stats   Avg      Stdev     Max   +/- Stdev");
    let after = |start: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no {start:?} in {report}")).trim().to_owned()
    };
    assert_eq!(after("    Latency ").split_whitespace().count(), 4, "{report}");
    assert_eq!(after("    Req/Sec ").split_whitespace().count(), 4, "{report}");
    for start in [" 50.000%", " 75.000%", " 99.999%", "100.000%"] {
        assert!(after(start).ends_with('s'), "{report}");
    }
    let corrected = "  Latency Distribution (HdrHistogram - Recorded Latency)";
    let uncorrected = "  Latency Distribution (HdrHistogram - Uncorrected Latency (measured without taking delayed starts into account))";
    assert!(lines.contains(&corrected) && lines.contains(&uncorrected), "{report}");
    assert!(lines.contains(&"       Value   Percentile   TotalCount 1/(1-Percentile)"), "{report}");
    assert!(after("#[Max     =").contains("Total count    =          500]"), "{report}");
    assert_eq!(after("  Non-2xx or 3xx responses:"), "500");
    let rate: f64 = after("Requests/sec:").parse().unwrap();
    assert!((900.0..=1000.1).contains(&rate), "{report}");
    assert!(after("Transfer/sec:").ends_with('B'), "{report}");
    assert!(report.contains("  1000 requests in 1.0"), "{report}");
}

#[test]
fn without_a_rate_it_goes_as_fast_as_it_is_answered() {
    let address = serve(|stream| converse(stream, |_| Some(OK.to_owned())));
    let found = json(&format!("-t1 -c4 -d300ms http://{address}/"));
    assert!(found["ok"].as_u64().unwrap() > 300 && found["ok"] == found["requests"], "{found}");
    assert!(found["rate"].is_null());
    assert_eq!((&found["mode"], &found["statuses"]["200"]), (&"http".into(), &found["ok"]));
}

#[test]
fn failures_are_told_apart() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = serve(|mut stream| _ = std::io::copy(&mut stream, &mut std::io::sink()));
    let leaving = serve(|stream| converse(stream, |_| None));
    let babbling = serve(|stream| converse(stream, |_| Some("what?\r\n".to_owned())));
    let failing = serve(|stream| converse(stream, |_| Some(OK.replace("200 OK", "500 Oh"))));
    for (address, failure) in [
        (refused, "connect"),
        (silent, "timeout"),
        (leaving, "read"),
        (babbling, "read"),
        (failing, "status"),
    ] {
        let output = run(&format!("--json -t1 -c2 -d400ms -R50 --timeout 200ms http://{address}/"));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&found["requests"], &found["ok"]), (&20.into(), &0.into()), "{found}");
        assert_eq!(found["errors"][failure], 20, "{failure}: {found}");
        assert_eq!(output.status.code(), Some(1));
    }
}

/// A connection that the server closes between two requests, or after each, is no error.
#[test]
fn connections_are_made_anew_when_the_server_closes_them() {
    let polite = serve(|stream| {
        let mut done = false;
        converse(stream, move |_| {
            let answer = (!done).then(|| OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
            done = true;
            answer
        });
    });
    let until_close = serve(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nall there is");
    });
    for address in [polite, until_close] {
        let found = json(&format!("-t1 -c2 -d300ms -R100 http://{address}/"));
        assert_eq!(found["ok"], 30, "{found}");
    }
}

#[test]
fn requests_carry_the_fields_and_come_from_the_addresses_that_are_asked_for() {
    let seen = Arc::new(Mutex::new((BTreeSet::new(), String::new())));
    let noted = seen.clone();
    let address = serve(move |stream| {
        let (noted, peer) = (noted.clone(), stream.peer_addr().unwrap().ip());
        converse(stream, move |head| {
            let mut noted = noted.lock().unwrap();
            noted.0.insert(peer);
            noted.1 = head.to_owned();
            Some(OK.to_owned())
        });
    });
    let output = Command::new(LOADGEN)
        .args(["-t2", "-c6", "-d200ms", "-R60", "--source", "127.0.0.2,127.0.0.3,127.0.0.4"])
        .args(["-H", "X-Test: a b", &format!("http://{address}/p?q=1")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let seen = seen.lock().unwrap();
    let expected: Vec<IpAddr> = (2..=4).map(|last| IpAddr::from([127, 0, 0, last])).collect();
    assert_eq!(seen.0.iter().copied().collect::<Vec<_>>(), expected);
    assert_eq!(seen.1, format!("GET /p?q=1 HTTP/1.1\r\nHost: {address}\r\nX-Test: a b\r\n\r\n"));
}

#[test]
fn echoes_are_compared() {
    let honest = serve(|mut stream| {
        let mut other = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut stream, &mut other);
    });
    let found = json(&format!("--tcp --message-bytes 100k -t2 -c4 -d300ms -R100 {honest}"));
    assert_eq!(
        (&found["ok"], &found["mode"], &found["bytes"]),
        (&30.into(), &"tcp".into(), &3_000_000.into())
    );
    // One byte of the third message is another one.
    let liar = serve(|mut stream| {
        let (mut bytes, mut count) = ([0; 64], 0);
        while stream.read_exact(&mut bytes).is_ok() {
            count += 1;
            bytes[63] ^= u8::from(count == 3);
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    let found = json(&format!("--tcp -t1 -c1 -d500ms -R20 {liar}"));
    // Each new connection has its third message.
    assert_eq!((&found["requests"], &found["errors"]["mismatch"]), (&10.into(), &3.into()), "{found}");
}

#[test]
fn an_interrupt_ends_it_with_what_was_found_so_far() {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let address = serve(move |stream| {
        let counted = counted.clone();
        converse(stream, move |_| {
            counted.fetch_add(1, SeqCst);
            Some(OK.to_owned())
        });
    });
    let mut child = Command::new(LOADGEN)
        .args(["-d1h", "-R200", "--json", &format!("http://{address}/")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = process::until(DEADLINE, || count.load(SeqCst) > 20);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = process::until(DEADLINE, || child.try_wait().unwrap().is_some());
    assert!(begun && ended);
    let found: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    assert!(found["ok"].as_u64().unwrap() >= 20 && found["seconds"].as_f64().unwrap() < 60.0, "{found}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A server that takes ten milliseconds for a request and serves one at a time breaks at a hundred a second.
#[test]
fn a_ramp_finds_where_the_server_breaks() {
    let lock = Arc::new(Mutex::new(()));
    let address = serve(move |stream| {
        let lock = lock.clone();
        converse(stream, move |_| {
            let _one_at_a_time = lock.lock().unwrap();
            thread::park_timeout(Duration::from_millis(10));
            Some(OK.to_owned())
        });
    });
    let output = run(&format!("--ramp --json -t1 -c20 -R50 -d700ms http://{address}/"));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let knee = found["knee"].as_f64().unwrap();
    assert!((50.0..=100.0).contains(&knee), "{knee}");
    let report =
        text(&run(&format!("--ramp -t1 -c20 -R400 -d300ms --timeout 200ms http://{address}/")).stdout);
    assert!(report.ends_with("knee: none, the first step broke already; start lower (-R)\n"), "{report}");
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    for (arguments, reason) in [
        ("http://127.0.0.1:1/ -t5 -c2", "-c 2: fewer connections than threads, 5"),
        ("https://127.0.0.1/", "https is not spoken here"),
        ("127.0.0.1:1", "not http://HOST[:PORT][/PATH]"),
        ("http://127.0.0.1:1/ -d0", "no time at all"),
        ("http://127.0.0.1:1/ -R0", "from 1 to 1000G"),
        ("http://127.0.0.1:1/ -d3x", "x is no unit of time: us, ms, s, m or h"),
        ("http://127.0.0.1:1/ -H nonsense", "-H \"nonsense\": not \"Name: value\""),
        ("http://127.0.0.1:1/ --save /no/such/folder/x -d1s", "--save /no/such/folder/x: "),
        ("--tcp 127.0.0.1:1 --message-bytes 3", "--message-bytes 3: from 16 to 16777216"),
        ("--tcp 127.0.0.1:1 -H a:b", "-H: with --tcp there are no header fields"),
        ("http://127.0.0.1:1/ --source ::1", "no address of the sources' family"),
        ("", "required"),
    ] {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{arguments}: {said}");
        assert!(said.contains(reason), "{arguments}: {said}");
    }
}
