//! What `cargo bench --bench versus` makes of its samples: medians, ratios, and the four forms of the report.

#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../benches/versus/chart.rs"]
mod chart;
#[path = "../benches/versus/results.rs"]
mod results;
#[path = "../benches/versus/table.rs"]
mod table;

use results::{Entrant, Figures, Machine, Outcome, Report, RowTitle, Sample, Settings, Spread, Unit};

fn entrant(name: &str, version: &str, variant_of: Option<&str>) -> Entrant {
    Entrant { name: name.into(), version: version.into(), variant_of: variant_of.map(Into::into) }
}

fn title(name: &str, what: &str, unit: Unit) -> RowTitle {
    RowTitle { name: name.into(), what: what.into(), unit }
}

fn sample(row: &str, contestant: &str, round: u32, outcome: Outcome) -> Sample {
    Sample { row: row.into(), contestant: contestant.into(), round, outcome }
}

fn loaded(figure: f64) -> Figures {
    Figures {
        figure,
        requests_per_s: Some(40_000.0),
        p50_us: Some(1500.0),
        p99_us: Some(2500.0),
        machine_us: Some(25.0),
        busy: Some(0.97),
        ..Figures::default()
    }
}

/// Two contestants and a variant, three rows, three rounds.
fn report() -> Report {
    let mut samples = Vec::new();
    for (round, (ours, theirs)) in (1..).zip([(10.0, 20.0), (9.0, 18.0), (30.0, 21.0)]) {
        samples.push(sample("tcp-small", "lbproxy", round, Outcome::Measured(loaded(ours))));
        samples.push(sample("tcp-small", "other", round, Outcome::Measured(loaded(theirs))));
        let doubtful = Figures { fault: Some("socket errors read 3".into()), ..loaded(200.0) };
        samples.push(sample("tcp-bulk", "lbproxy", round, Outcome::Measured(loaded(100.0))));
        samples.push(sample("tcp-bulk", "other", round, Outcome::Measured(doubtful)));
        samples.push(sample("tcp-bulk", "other-splice", round, Outcome::Measured(loaded(50.0))));
        let memory = Figures { figure: 640.4, ..Figures::default() };
        samples.push(sample("tcp-idle", "lbproxy", round, Outcome::Measured(memory)));
        let failure = "it ended: <no memory>".to_owned();
        samples.push(sample("tcp-idle", "other", round, Outcome::Failed { failure }));
    }
    Report {
        machine: Machine { date: "2026-01-02".into(), kernel: "6.1".into(), cpu: "A & B".into() },
        settings: Settings { rounds: 3, secs: 4, workers: 1, proxy_cpus: "0".into(), load_cpus: "1".into() },
        contestants: vec![
            entrant("lbproxy", "0.1.0", None),
            entrant("other", "2.0", None),
            entrant("other-splice", "2.0", Some("other")),
        ],
        missing: vec!["traefik (get it)".into()],
        rows: vec![
            title("tcp-small", "small ones", Unit::MicrosPerRequest),
            title("tcp-bulk", "large ones", Unit::MicrosPerRequest),
            title("tcp-idle", "none", Unit::BytesPerConnection),
        ],
        samples,
    }
}

#[test]
fn a_median_is_in_the_middle() {
    let of = |values: &[f64]| Spread::of(values.iter().copied());
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[5.0]), Some(Spread { median: 5.0, min: 5.0, max: 5.0 }));
    assert_eq!(of(&[9.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 9.0 }));
    assert_eq!(of(&[4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
    assert_eq!(of(&[-1.0, -3.0]), Some(Spread { median: -2.0, min: -3.0, max: -1.0 }));
}

#[test]
fn samples_are_taken_together() {
    let report = report();
    let cell = report.cell("tcp-small", "lbproxy").unwrap();
    assert_eq!(cell.spread, Some(Spread { median: 10.0, min: 9.0, max: 30.0 }));
    assert_eq!((cell.p50_us, cell.alone, cell.troubles.len()), (Some(1500.0), None, 0));
    assert_eq!(report.cell("tcp-small", "other-splice"), None);
    assert_eq!(report.cell("tcp-idle", "other").unwrap().spread, None);
}

#[test]
fn the_first_is_divided_by_the_other() {
    let report = report();
    assert_eq!(report.ratio("tcp-small", "other"), Some(0.5));
    assert_eq!(report.ratio("tcp-small", "lbproxy"), Some(1.0));
    assert_eq!(report.ratio("tcp-bulk", "other-splice"), Some(2.0));
    assert_eq!(report.ratio("tcp-idle", "other"), None);
    assert_eq!(report.ratio("tcp-idle", "nobody"), None);
}

#[test]
fn what_went_wrong_is_told_once_and_marks_its_figure() {
    let report = report();
    let expected = ["tcp-bulk, other: socket errors read 3", "tcp-idle, other: it ended: <no memory>"];
    assert_eq!(report.troubles(), expected);
    for form in [table::text(&report), table::markdown(&report)] {
        for trouble in expected {
            assert_eq!(form.matches(trouble).count(), 1, "{form}");
        }
    }
}

#[test]
fn text_has_a_block_for_each_row() {
    let text = table::text(&report());
    let expected = "
tcp-small  (small ones)
  lbproxy           10.0 µs (9.00–30.0)       1.00×     40000/s  p50 1.50 ms p99 2.50 ms  busy  97 %
  other             20.0 µs (18.0–21.0)       0.50×     40000/s  p50 1.50 ms p99 2.50 ms  busy  97 %

tcp-bulk  (large ones)
  lbproxy            100 µs (100–100)         1.00×     40000/s  p50 1.50 ms p99 2.50 ms  busy  97 %
  other              200 µs (200–200)         0.50× (!)     40000/s  p50 1.50 ms p99 2.50 ms  busy  97 %
  other-splice        50.0 µs (50.0–50.0)       2.00×     40000/s  p50 1.50 ms p99 2.50 ms  busy  97 %

tcp-idle  (none)
  lbproxy            640 B (640–640)         1.00×
  other         failed (!)
";
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(blanks(&text).contains(&blanks(expected)), "{text}");
    assert!(text.contains("Not there: traefik (get it)."), "{text}");
}

#[test]
fn markdown_begins_with_what_it_was_measured_on_and_has_a_line_for_each_row() {
    let markdown = table::markdown(&report());
    let lines: Vec<&str> = markdown.lines().collect();
    assert_eq!(lines[0], "2026-01-02, Linux 6.1, A & B: lbproxy 0.1.0, other 2.0.");
    let table: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with('|')).collect();
    let expected = [
        "| | lbproxy | other |",
        "|---|---:|---:|",
        "| `tcp-small` small ones, µs | 10.0 | 20.0 (0.50×) |",
        "| `tcp-bulk` large ones, µs | 100 | 200 (!) (0.50×); 50.0 (2.00×) splice |",
        "| `tcp-idle` none, bytes | 640 | failed (!) |",
    ];
    assert_eq!(table, expected, "{markdown}");
}

#[test]
fn json_holds_every_sample() {
    let json = serde_json::to_value(report()).unwrap();
    assert_eq!(json["samples"].as_array().unwrap().len(), 21);
    assert_eq!(json["rows"][2]["unit"], "bytes_per_connection");
    assert_eq!(json["settings"]["rounds"], 3);
    assert_eq!(json["contestants"][2]["variant_of"], "other");
    let first = &json["samples"][0];
    assert_eq!((&first["row"], &first["round"]), (&"tcp-small".into(), &1.into()));
    assert_eq!((&first["figure"], &first["machine_us"]), (&10.0.into(), &25.0.into()));
    let failed = json["samples"].as_array().unwrap().iter().find(|sample| sample["failure"].is_string());
    assert_eq!(failed.unwrap()["failure"], "it ended: <no memory>");
    assert!(failed.unwrap().get("figure").is_none());
}

#[test]
fn the_chart_stands_alone_in_light_and_dark() {
    let svg = chart::svg(&report());
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.contains("prefers-color-scheme: dark"), "{svg}");
    for foreign in ["<script", "href", "@import", "url(", "<no memory>", "A & B"] {
        assert!(!svg.contains(foreign), "{foreign} in {svg}");
    }
    // A bar for each contestant in each row that it has, and one without length where there is no figure.
    assert_eq!(svg.matches("<rect ").count(), 7);
    for label in [
        "1.00 · 10.0 µs",
        "2.00 · 20.0 µs",
        "0.50 · 50.0 µs",
        "1.00 · 640 B",
        "no figure (!)",
        "2.00 · 200 µs (!)",
    ] {
        assert!(svg.contains(&format!(">{label}</text>")), "{label}: {svg}");
    }
    let [opened, closed] = ["<text", "</text>"].map(|tag| svg.matches(tag).count());
    assert_eq!(opened, closed);
}
