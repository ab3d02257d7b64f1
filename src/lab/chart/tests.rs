//! Ticks, places and markup; what a chart looks like is for the eye.

use super::scale::{Range, number};
use super::*;

fn labels(scale: Scale, values: &[f64]) -> Vec<String> {
    Range::over(scale, values.iter().copied()).ticks().into_iter().map(|tick| tick.1).collect()
}

#[test]
fn ticks_are_round_and_cover_the_data() {
    assert_eq!(labels(Scale::Linear, &[0.0, 100.0]), ["0", "20", "40", "60", "80", "100"]);
    assert_eq!(labels(Scale::Linear, &[0.3]), ["0.0", "0.1", "0.2", "0.3"]);
    assert_eq!(labels(Scale::Linear, &[7_300.0]), ["0", "2,000", "4,000", "6,000", "8,000"]);
    assert_eq!(labels(Scale::Linear, &[-3.0, 3.0]), ["-4", "-2", "0", "2", "4"]);
    assert_eq!(labels(Scale::Log, &[0.2, 35.0]), ["0.1", "1", "10", "100"]);
    assert_eq!(labels(Scale::Percentile, &[0.5, 0.9991]), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    for (max, scale) in [(0.0017, Scale::Linear), (123_456.7, Scale::Linear), (123_456.7, Scale::Log)] {
        let range = Range::over(scale, [max].into_iter());
        assert!(range.ticks().last().unwrap().0 >= max * 0.999_999, "{max} {scale:?}");
        assert!(range.ticks().len() <= 9);
    }
}

#[test]
fn ticks_of_nothing_are_some_all_the_same() {
    for scale in [Scale::Linear, Scale::Log, Scale::Percentile] {
        for values in [&[][..], &[0.0], &[f64::NAN, f64::INFINITY], &[-1.0, -1.0]] {
            let range = Range::over(scale, values.iter().copied());
            assert!(range.ticks().len() >= 2, "{scale:?} {values:?}");
            assert!(range.place(0.5).is_finite(), "{scale:?} {values:?}");
        }
    }
}

#[test]
fn values_lie_where_their_scale_says() {
    let near = |range: Range, value, place: f64| {
        assert!((range.place(value) - place).abs() < 1e-9, "{value} at {}", range.place(value));
    };
    let linear = Range::over(Scale::Linear, [100.0].into_iter());
    let places = [(0.0, 0.0), (25.0, 0.25), (100.0, 1.0), (500.0, 1.0)];
    places.into_iter().for_each(|(value, place)| near(linear, value, place));
    let log = Range::over(Scale::Log, [1.0, 100.0].into_iter());
    let places = [(1.0, 0.0), (10.0, 0.5), (100.0, 1.0), (0.0, 0.0), (-3.0, 0.0)];
    places.into_iter().for_each(|(value, place)| near(log, value, place));
    let percentile = Range::over(Scale::Percentile, [0.9999].into_iter());
    let places = [(0.0, 0.0), (0.9, 0.25), (0.99, 0.5), (0.999, 0.75), (1.0, 1.0)];
    places.into_iter().for_each(|(value, place)| near(percentile, value, place));
}

#[test]
fn numbers_have_their_thousands_apart() {
    let found = [(1234567.0, 1.0), (-1234.5, 0.1), (999.0, 1.0), (0.25, 0.05), (-0.0, 1.0)];
    assert_eq!(found.map(|(value, step)| number(value, step)), ["1,234,567", "-1,234.5", "999", "0.25", "0"]);
}

#[test]
fn text_means_itself() {
    assert_eq!(escape("<a href=\"x\">'&'\u{0}\u{7f}"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
}

fn lines() -> Lines {
    Lines {
        title: "a < b".into(),
        note: "read \"it\"".into(),
        x: Axis::percentile(),
        y: Axis::log("latency (ms)"),
        series: (0..9)
            .map(|n| Series {
                name: format!("<series {n}>"),
                points: vec![(0.0, 1.0), (0.5, f64::NAN), (0.9, 2.0), (1.0, 40.0)],
            })
            .collect(),
        events: vec![(0.5, "here & now".into())],
        height: 200.0,
    }
}

/// The text of an element, or of an attribute, of well-formed markup.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect(piece);
        assert!(!text.contains('&') || text.contains(';'), "{text}");
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(
        !svg.contains("http://") || svg.matches("http://").count() == 1,
        "only the namespace has an address"
    );
}

#[test]
fn lines_are_told_apart_without_colour_and_say_what_they_are() {
    let svg = lines().draw().standalone();
    assert_well_formed(&svg);
    assert!(svg.contains("role=\"img\"") && svg.contains("<title>a &lt; b</title>"));
    assert!(svg.contains("here &amp; now") && svg.contains("latency (ms)") && svg.contains("99 %"));
    assert!(svg.contains("prefers-color-scheme: dark"));
    assert!(!lines().draw().inline().contains("<style>"));
    // Colour, dash and marker of a series: no two of forty are alike.
    let mut looks: Vec<(usize, usize)> =
        (0..40).map(|n| (n % style::COLOURS, n % style::DASHES.len())).collect();
    looks.sort_unstable();
    looks.dedup();
    assert_eq!(looks.len(), 40);
    // A gap is no line: two pieces for each series.
    let moves = svg.lines().rfind(|line| line.contains("class=\"line c0\"")).unwrap();
    assert_eq!(moves.split("class").next().unwrap().matches('M').count(), 2, "{moves}");
}

#[test]
fn bars_have_marks_and_no_length_below_nothing() {
    let group = |name: &str, values: &[f64]| Group {
        name: name.into(),
        values: values.into(),
        marks: vec![50.0, 30.0, 20.0],
    };
    for layout in [Layout::Grouped, Layout::Stacked] {
        let bars = Bars {
            title: "share".into(),
            note: String::new(),
            y: Axis::linear("share (%)"),
            names: vec!["a".into(), "b".into(), "c".into()],
            groups: vec![group("round_robin", &[50.0, 30.0, 20.0]), group("none", &[0.0, f64::NAN, 0.0])],
            layout,
            height: 150.0,
        };
        let svg = bars.draw().standalone();
        assert_well_formed(&svg);
        assert_eq!(svg.matches("<title>round_robin").count(), 3, "{layout:?}");
        assert!(svg.matches("class=\"mark\"").count() >= 5, "{layout:?}");
        assert!(!svg.contains("height=\"-"));
    }
    let empty = Bars {
        title: "nothing".into(),
        note: String::new(),
        y: Axis::linear("x"),
        names: vec![],
        groups: vec![],
        layout: Layout::Grouped,
        height: 10.0,
    };
    assert_well_formed(&empty.draw().standalone());
}
