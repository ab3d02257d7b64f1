//! The pictures.

use super::found::Found;
use super::table::BACKENDS_TOLD;
use crate::lab::chart::{Axis, Bars, Group, Layout, Lines, Picture, Series};

/// How high plots are.
const TALL: f64 = 260.0;
const LOW: f64 = 180.0;
/// Points of a curve over all backends.
const RANKS: usize = 200;

/// Those that have something to show.
pub(super) fn all(found: &[Found]) -> Vec<Picture> {
    let pictures =
        [latency(found), fullest(found), shares(found), ranks(found), in_flight(found), moved(found)];
    pictures.into_iter().flatten().collect()
}

fn latency(found: &[Found]) -> Option<Picture> {
    let answered = found.iter().filter(|one| one.latency_ms.is_some());
    let series: Vec<Series> =
        answered.map(|one| Series { name: one.policy.clone(), points: one.spectrum.clone() }).collect();
    (!series.is_empty()).then(|| {
        Lines {
            title: "Latency by percentile".into(),
            note: "From when a client comes until it is answered; the further right, the rarer. Lower is better."
                .into(),
            x: Axis::percentile(),
            y: Axis::log("latency (ms)"),
            series,
            events: Vec::new(),
            height: TALL,
        }
        .draw()
    })
}

fn fullest(found: &[Found]) -> Option<Picture> {
    let points = |one: &Found| one.fullest.iter().map(|&(at, count)| (at, f64::from(count))).collect();
    let series = found.iter().map(|one| Series { name: one.policy.clone(), points: points(one) });
    (!found.is_empty()).then(|| {
        Lines {
            title: "Requests in flight at the fullest backend".into(),
            note: "What the worst-off client would have to wait behind.".into(),
            x: Axis::linear("time (s)"),
            y: Axis::linear("in flight"),
            series: series.collect(),
            events: Vec::new(),
            height: LOW,
        }
        .draw()
    })
}

fn shares(found: &[Found]) -> Option<Picture> {
    let first = found.first().filter(|one| one.backends.len() <= BACKENDS_TOLD)?;
    let group = |one: &Found| Group {
        name: one.policy.clone(),
        values: one.backends.iter().map(|share| share.percent).collect(),
        marks: one.backends.iter().map(|share| share.due_percent).collect(),
    };
    Some(
        Bars {
            title: "Each backend's share of requests".into(),
            note: "The lines across the bars are what the weights ask for.".into(),
            y: Axis::linear("share of requests (%)"),
            names: first.backends.iter().map(|share| share.name.clone()).collect(),
            groups: found.iter().map(group).collect(),
            layout: Layout::Grouped,
            height: LOW,
        }
        .draw(),
    )
}

/// What takes the place of bars where there are too many.
fn ranks(found: &[Found]) -> Option<Picture> {
    found.first().filter(|one| one.backends.len() > BACKENDS_TOLD)?;
    let curve = |one: &Found| {
        let mut ratios: Vec<f64> =
            one.backends.iter().map(|share| share.percent / share.due_percent).collect();
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len() - 1;
        let at = |step: usize| {
            let position = step * last / RANKS;
            (100.0 * position as f64 / last as f64, ratios[position])
        };
        Series { name: one.policy.clone(), points: (0..=RANKS).map(at).collect() }
    };
    Some(
        Lines {
            title: "Each backend's share of requests, over what its weight asks for".into(),
            note: "Backends from the one with the least to the one with the most. 1 is right.".into(),
            x: Axis::linear("backends, in ascending order (%)"),
            y: Axis::linear("share ÷ due share"),
            series: found.iter().map(curve).collect(),
            events: Vec::new(),
            height: LOW,
        }
        .draw(),
    )
}

fn in_flight(found: &[Found]) -> Option<Picture> {
    let group = |one: &Found| Group {
        name: one.policy.clone(),
        values: vec![one.imbalance.in_flight_max_minus_mean, one.imbalance.in_flight_max_minus_min],
        marks: Vec::new(),
    };
    (!found.is_empty()).then(|| {
        Bars {
            title: "Imbalance of requests in flight, on average over time".into(),
            note: "What the fullest backend has beyond the mean of all, and beyond the emptiest. Lower is better."
                .into(),
            y: Axis::log("requests in flight"),
            names: vec!["max − mean".into(), "max − min".into()],
            groups: found.iter().map(group).collect(),
            layout: Layout::Grouped,
            height: LOW,
        }
        .draw()
    })
}

fn moved(found: &[Found]) -> Option<Picture> {
    let group = |one: &Found| {
        let moved = one.moved?;
        let percent = |count: u64| 100.0 * count as f64 / moved.keys as f64;
        let values = vec![percent(moved.had_to), percent(moved.needlessly)];
        Some(Group { name: one.policy.clone(), values, marks: Vec::new() })
    };
    let groups: Vec<Group> = found.iter().filter_map(group).collect();
    (!groups.is_empty()).then(|| {
        Bars {
            title: "Clients that move when backends leave or join".into(),
            note: "Those of a backend that left had to, and those that one that joined has won.".into(),
            y: Axis::linear("share of clients (%)"),
            names: vec!["had to move".into(), "moved all the same".into()],
            groups,
            layout: Layout::Stacked,
            height: LOW,
        }
        .draw()
    })
}
