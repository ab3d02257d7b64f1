//! What it does with what it is given, and what it gives back.

use std::fs;

use crate::{assert_near, figure, found, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let words =
        "--requests 20000 --slow 2=3 --fail 3=0.1 --down 4=0.5..1 --instances 2 --workers 2 --leave 1";
    for form in ["", "--json"] {
        let outs = [1, 2].map(|n| folder.path().join(format!("{n}.html")));
        let [once, again] = [0, 1].map(|n| {
            let ended = run(&format!("{words} {form} --out {}", outs[n].display()));
            assert!(ended.status.success());
            ended.stdout
        });
        assert_eq!(text(&once), text(&again));
        assert_eq!(fs::read(&outs[0]).unwrap(), fs::read(&outs[1]).unwrap());
        assert_ne!(text(&once), text(&run(&format!("{words} {form} --seed 2")).stdout));
    }
}

/// Who comes, when, and for how long does not depend on who chooses, or who else is shown.
#[test]
fn every_policy_meets_the_same_requests_alone_or_in_company() {
    let words = "--requests 20000 --service lognormal --arrivals bimodal:0.2:5";
    let together = found(words);
    for (policy, one) in &together {
        assert_eq!(one["seconds"], together["random"]["seconds"], "{policy}");
        assert_eq!(found(&format!("{words} --policy {policy}"))[policy], *one, "{policy}");
    }
}

#[test]
fn a_trace_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.csv");
    fs::write(&path, "client,at_ms,service_ms\na,100,10\nb,101,10\na,102,30\na,103,0.5\n").unwrap();
    let trace = format!("--trace {} --policy ip_hashing,round_robin", path.display());
    // All to one backend: 10 ms; 9 waited and 10; 18 waited and 30; 47 waited and 0.5.
    let one = found(&format!("{trace} --backends 1"));
    for (path, expected) in [("mean", (10.0 + 19.0 + 48.0 + 47.5) / 4.0), ("max", 48.0), ("p50", 19.0)] {
        assert_near(figure(&one, "round_robin", &format!("/latency_ms/{path}")), expected, 0.03);
    }
    assert_eq!(figure(&one, "round_robin", "/seconds"), 0.003);
    // A backend for each: nobody waits. By client, the three of a still meet.
    let four = found(&format!("{trace} --backends 4"));
    assert_near(figure(&four, "round_robin", "/latency_ms/mean"), 50.5 / 4.0, 0.03);
    let counts = four["ip_hashing"]["backends"].as_array().unwrap().iter();
    assert!(counts.clone().any(|backend| backend["requests"].as_u64().unwrap() >= 3), "{counts:?}");
    // Over and over.
    let longer = found(&format!("{trace} --backends 4 --requests 4000"));
    assert_eq!(figure(&longer, "round_robin", "/answered"), 4000.0);
    assert_near(figure(&longer, "round_robin", "/seconds"), 0.003 + 999.0 * 0.004, 1e-9);
}

#[test]
fn pictures_are_complete_in_either_form() {
    let folder = tempfile::tempdir().unwrap();
    let (page, image) = (folder.path().join("all.html"), folder.path().join("all.svg"));
    let words = "--requests 5000 --leave 3 --policy ip_hashing,two_choices";
    for path in [&page, &image] {
        assert!(run(&format!("{words} --out {}", path.display())).status.success());
    }
    let (page, image) = (fs::read_to_string(page).unwrap(), fs::read_to_string(image).unwrap());
    for title in [
        "Latency by percentile",
        "Requests in flight at the fullest backend",
        "Each backend&#39;s share of requests",
        "Imbalance of requests in flight",
        "Clients that move",
    ] {
        for text in [&page, &image] {
            assert_eq!(text.matches(&format!("<title>{title}")).count(), 1, "{title}");
        }
    }
    assert!(page.matches("<table>").count() == 4 && page.contains("two_choices"));
    for text in [&page, &image] {
        assert!(
            [" src=\"", "<link rel=\"stylesheet", "@import", "url("].iter().all(|word| !text.contains(word))
        );
        assert!(!text.contains("NaN") && text.matches("<svg").count() == text.matches("</svg>").count());
        assert_eq!(text.matches("<style>").count(), 1);
    }
    let crowd = folder.path().join("crowd.svg");
    assert!(run(&format!("--backends 100 --requests 5000 --out {}", crowd.display())).status.success());
    assert!(fs::read_to_string(crowd).unwrap().contains("over what its weight asks for"));
}

#[test]
fn tables_say_what_was_found_and_speed_stays_out_of_them() {
    let ended = run("--requests 2000 --policy maglev,random --leave 1");
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    for line in [
        "2,000 requests to 10 backends, 1 at once each, seed 1",
        "  policy  ",
        "  maglev  ",
        "  b10  ",
        "does not go by the client",
    ] {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    assert!(err.starts_with("4000 requests in ") && err.ends_with("million a second\n"), "{err}");
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.csv");
    fs::write(&path, "at_ms,service_ms\n1,x\n").unwrap();
    let (bad, missing) = (path.display().to_string(), folder.path().join("none.csv").display().to_string());
    for (words, reason) in [
        ("--policy fastest", "--policy fastest: there is all, round_robin, fewest_connections, "),
        ("--backends 10001", "10001 is not in 1..=10000"),
        (
            "--backends 10000 --workers 101",
            "--backends × --instances × --workers is 1010000, more than 1000000",
        ),
        ("--slow 11=2", "--slow 11: the backends are numbered from 1 to 10 (--backends)"),
        ("--slow 0=2", "backends are numbered from 1"),
        ("--slow 1", "is not INDEX=VALUE or FIRST-LAST=VALUE"),
        ("--fail 1=1.5", "\"1.5\" is not a number from 0 to 1"),
        ("--weight 1=0", "\"0\" is not a weight from 1 to 1000000"),
        ("--down 1=5", "\"5\" is not FROM..TO, in seconds"),
        ("--down 1=1..5,1=2..3", "--down 1: it goes down again before it has come back"),
        ("--leave 11", "--leave 11: the backends are numbered from 1 to 10 (--backends)"),
        ("--backends 2 --leave 1,2", "--leave: nobody would be left to serve anybody"),
        ("--service pareto", "\"pareto\" is none of deterministic, exponential, lognormal[:SIGMA]"),
        ("--rate 5 --load 50", "cannot be used with"),
        ("--forever --service-ms 2", "cannot be used with"),
        ("--out picture.png", "--out picture.png: its name must end in .html or .svg"),
        ("--out /nowhere/at/all.svg --requests 10", "--out /nowhere/at/all.svg: No such file"),
        (&format!("--trace {bad}"), "line 2: service_ms \"x\" is not a time in milliseconds"),
        (&format!("--trace {missing}"), "none.csv: No such file"),
        (&format!("--trace {bad} --load 50"), "cannot be used with"),
    ] {
        let ended = run(words);
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{words}: {said}");
        assert!(said.contains(reason) && said.lines().count() == 1, "{words}: {said}");
        assert!(ended.stdout.is_empty(), "{words}");
    }
}

#[test]
fn help_teaches() {
    let help = text(&run("--help").stdout);
    for word in ["Examples:", "--slow", "--trace", "at_ms", "lognormal:SIGMA", "--instances", "--no-guard"] {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
    // Its examples work, all but the one that needs a file.
    let examples = help.lines().filter_map(|line| line.trim().strip_prefix("simulate "));
    let examples: Vec<&str> =
        examples.filter_map(|line| line.split('#').next()).filter(|words| !words.contains(".csv")).collect();
    assert!(examples.len() >= 6, "{examples:?}");
    let folder = tempfile::tempdir().unwrap();
    for words in examples {
        let words = words.replace("slow.html", &folder.path().join("slow.html").display().to_string());
        let fewer = if words.contains("--requests") { "" } else { " --requests 2000" };
        assert!(run(&format!("{words}{fewer}")).status.success(), "{words}");
    }
}
