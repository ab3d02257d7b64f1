//! The pictures of a report.

use super::results::{Results, Sample, Title};
use crate::lab::chart::{Axis, Bars, Group, Layout, Lines, Picture, Series};

/// How high plots are: the small ones stand beside others of their kind.
const TALL: f64 = 260.0;
const LOW: f64 = 130.0;

/// All pictures, each with a name that does for a file.
pub(super) fn all(results: &Results) -> Vec<(String, Picture)> {
    let mut pictures = Vec::new();
    for title in &results.tests {
        let name = |what: &str| format!("{}-{what}", title.name);
        pictures.extend(percentiles(results, title).map(|picture| (name("latency"), picture)));
        pictures.extend(shares(results, title).map(|picture| (name("shares"), picture)));
        pictures.extend(errors(results, title).map(|picture| (name("errors"), picture)));
        pictures.extend(moved(results, title).map(|picture| (name("moved"), picture)));
        for (who, picture) in in_flight(results, title) {
            pictures.push((name(&format!("in-flight-{}", who.replace(' ', "-"))), picture));
        }
        pictures.extend(cpu(results, title).map(|picture| (name("cpu"), picture)));
    }
    pictures.extend(machine(results).map(|picture| ("machine".to_owned(), picture)));
    pictures
}

fn typical<'a>(results: &'a Results, title: &'a Title) -> Vec<&'a Sample> {
    results.contestants.iter().filter_map(|who| results.typical(&title.name, who)).collect()
}

fn percentiles(results: &Results, title: &Title) -> Option<Picture> {
    let series: Vec<Series> = typical(results, title)
        .into_iter()
        .filter_map(|sample| {
            let load = sample.load.as_ref()?;
            let points = load.spectrum.iter().map(|&(value_us, fraction, _)| (fraction, value_us / 1000.0));
            Some(Series { name: sample.who.clone(), points: points.collect() })
        })
        .collect();
    (!series.is_empty()).then(|| {
        Lines {
            title: format!("{}: latency by percentile", title.name),
            note: "How long requests took, from when they were due; the further right, the rarer. Lower is better.".into(),
            x: Axis::percentile(),
            y: Axis::log("latency (ms)"),
            series,
            events: Vec::new(),
            height: TALL,
        }
        .draw()
    })
}

/// Backends' names, with what is special about them.
fn backend_names(sample: &Sample) -> Vec<String> {
    let name = |seen: &super::results::Seen| match seen.what.as_str() {
        "" => seen.name.clone(),
        what => format!("{} ({what})", seen.name),
    };
    sample.backends.iter().map(name).collect()
}

fn shares(results: &Results, title: &Title) -> Option<Picture> {
    let samples = typical(results, title);
    let first = samples.iter().find(|sample| !sample.backends.is_empty())?;
    let group = |sample: &&Sample| {
        let (values, marks) = sample.shares().into_iter().unzip();
        Group { name: sample.who.clone(), values, marks }
    };
    let what = if title.stateful { "connections" } else { "requests" };
    Some(
        Bars {
            title: format!("{}: each backend's share of {what}", title.name),
            note: "The lines across the bars are what the weights ask for.".into(),
            y: Axis::linear(&format!("share of {what} (%)")),
            names: backend_names(first),
            groups: samples.iter().map(group).collect(),
            layout: Layout::Grouped,
            height: 180.0,
        }
        .draw(),
    )
}

fn errors(results: &Results, title: &Title) -> Option<Picture> {
    let samples = typical(results, title);
    let mut reasons: Vec<String> = samples.iter().flat_map(|sample| sample.errors().into_keys()).collect();
    reasons.sort();
    reasons.dedup();
    let percent = |sample: &Sample, reason: &String| {
        100.0 * sample.errors().get(reason).copied().unwrap_or(0) as f64 / sample.done().max(1) as f64
    };
    let group = |sample: &&Sample| Group {
        name: sample.who.clone(),
        values: reasons.iter().map(|reason| percent(sample, reason)).collect(),
        marks: Vec::new(),
    };
    (!reasons.is_empty()).then(|| {
        Bars {
            title: format!("{}: requests that failed", title.name),
            note: "By reason, as clients saw it.".into(),
            y: Axis::linear("share of requests (%)"),
            names: reasons.clone(),
            groups: samples.iter().map(group).collect(),
            layout: Layout::Stacked,
            height: LOW,
        }
        .draw()
    })
}

fn moved(results: &Results, title: &Title) -> Option<Picture> {
    let group = |sample: &Sample| {
        let members = sample.members.as_ref()?;
        let percent = |count: u64| 100.0 * count as f64 / members.clients.max(1) as f64;
        let values = vec![percent(members.orphans), percent(members.moved_without_need)];
        Some(Group { name: sample.who.clone(), values, marks: Vec::new() })
    };
    let groups: Vec<Group> = typical(results, title).into_iter().filter_map(group).collect();
    (!groups.is_empty()).then(|| {
        Bars {
            title: format!("{}: clients that moved when b4 went away", title.name),
            note:
                "Those of b4 had to. Of the others, each one that moved has lost what its backend knew of it."
                    .into(),
            y: Axis::linear("share of clients (%)"),
            names: vec!["had to move".into(), "moved all the same".into()],
            groups,
            layout: Layout::Stacked,
            height: 180.0,
        }
        .draw()
    })
}

/// One small picture for each contestant.
fn in_flight(results: &Results, title: &Title) -> Vec<(String, Picture)> {
    let is_wanted = |sample: &&Sample| !title.classic && sample.load.is_some();
    let draw = |sample: &Sample| {
        let names = backend_names(sample);
        let series = names.into_iter().zip(&sample.backends);
        let series =
            series.map(|(name, seen)| Series { name, points: until(&seen.in_flight, sample.seconds) });
        let events = title.events.iter().map(|(at, what)| (at * sample.seconds, what.clone()));
        let picture = Lines {
            title: format!("{}, {}: requests in flight", title.name, sample.who),
            note: String::new(),
            x: Axis::linear("time (s)"),
            y: Axis::linear("in flight"),
            series: series.collect(),
            events: events.collect(),
            height: LOW,
        };
        (sample.who.clone(), picture.draw())
    };
    typical(results, title).into_iter().filter(is_wanted).map(draw).collect()
}

/// The points of the load alone: what is left in a queue afterwards would only squeeze it.
fn until(points: &[(f64, f64)], seconds: f64) -> Vec<(f64, f64)> {
    points.iter().copied().filter(|point| point.0 <= seconds).collect()
}

fn cpu(results: &Results, title: &Title) -> Option<Picture> {
    let group = |who: &String| {
        let spread = results
            .spread(&title.name, who, |sample| (sample.done() > 0).then(|| sample.cpu_us_per_request()))?;
        Some(Group { name: who.clone(), values: vec![spread.median], marks: vec![spread.min, spread.max] })
    };
    let groups: Vec<Group> = results.contestants.iter().filter_map(group).collect();
    (!groups.is_empty()).then(|| {
        Bars {
            title: format!("{}: CPU time of the proxy per request", title.name),
            note: "Median of all rounds. Lower is better.".into(),
            y: Axis::linear("CPU time (µs)"),
            names: vec!["proxy".into()],
            groups: groups.into_iter().map(|group| Group { marks: Vec::new(), ..group }).collect(),
            layout: Layout::Grouped,
            height: LOW,
        }
        .draw()
    })
}

fn machine(results: &Results) -> Option<Picture> {
    let points: Vec<(f64, f64)> = results
        .cpu_percent
        .iter()
        .enumerate()
        .map(|(second, percent)| (second as f64 + 1.0, *percent))
        .collect();
    (!points.is_empty()).then(|| {
        Lines {
            title: "How busy the machine was".into(),
            note: "All CPUs together, everything that ran on them; the figures of the file cpu_usage.txt."
                .into(),
            x: Axis::linear("time (s)"),
            y: Axis::linear("busy (%)"),
            series: vec![Series { name: results.machine.host.clone(), points }],
            events: Vec::new(),
            height: LOW,
        }
        .draw()
    })
}
