//! Bars in groups, side by side or stacked, and the mark that each should reach.

use std::fmt::Write;

use super::frame::{self, Key, Plot, WIDTH};
use super::scale::{Axis, Range, number};
use super::style::COLOURS;
use super::{Picture, text};

/// How the bars of a group stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Side by side.
    Grouped,
    /// Each on top of the one before; a mark then divides the whole.
    Stacked,
}

/// Bars that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What stands below.
    pub name: String,
    /// Their lengths, in the order of the legend.
    pub values: Vec<f64>,
    /// For each of them what it should be. May be empty.
    pub marks: Vec<f64>,
}

/// A chart of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What is seen, in a few words.
    pub title: String,
    /// How to read it: a line below the title. May be empty.
    pub note: String,
    /// The axis at the left.
    pub y: Axis,
    /// What the bars of each group are.
    pub names: Vec<String>,
    /// The groups, from left to right.
    pub groups: Vec<Group>,
    /// How they stand.
    pub layout: Layout,
    /// How high the plot is, in pixels.
    pub height: f64,
}

impl Bars {
    /// Draws it.
    pub fn draw(&self) -> Picture {
        let mut body = String::new();
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let plot = frame::head(&mut body, &self.title, &self.note, &names, Key::Box, self.height);
        let tops = self.groups.iter().flat_map(|group| match self.layout {
            Layout::Grouped => group.values.iter().chain(&group.marks).copied().collect(),
            Layout::Stacked => vec![finite(&group.values).sum(), finite(&group.marks).sum()],
        });
        let range = Range::over(self.y.scale, tops);
        frame::y_axis(&mut body, &plot, &self.y.title, &range);
        let slot = plot.width / self.groups.len().max(1) as f64;
        for (position, group) in self.groups.iter().enumerate() {
            let left = plot.left + slot * position as f64;
            match self.layout {
                Layout::Grouped => grouped(&mut body, &plot, &range, group, left + slot * 0.1, slot * 0.8),
                Layout::Stacked => stacked(&mut body, &plot, &range, group, left + slot * 0.2, slot * 0.6),
            }
            let lines = wrapped(&group.name, slot);
            for (line, words) in lines.iter().enumerate() {
                let y = plot.y(0.0) + 16.0 + 13.0 * line as f64;
                text(&mut body, left + slot / 2.0, y, "tick", "middle", words);
            }
        }
        frame::base_line(&mut body, &plot);
        let groups: Vec<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
        let description = format!("{} of {}, for {}", self.y.title, names.join(", "), groups.join(", "));
        Picture { title: self.title.clone(), description, width: WIDTH, height: plot.picture_height(), body }
    }
}

fn finite(values: &[f64]) -> impl Iterator<Item = f64> {
    values.iter().copied().filter(|value| value.is_finite())
}

fn grouped(body: &mut String, plot: &Plot, range: &Range, group: &Group, left: f64, width: f64) {
    let bar = width / group.values.len().max(1) as f64;
    for (series, value) in group.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let x = left + bar * series as f64;
        rectangle(
            body,
            plot,
            series,
            (x + 1.0, (bar - 2.0).max(1.0)),
            (0.0, range.place(*value)),
            &group.name,
            *value,
        );
        if let Some(mark) = group.marks.get(series) {
            line(body, x - 1.0, bar + 2.0, plot.y(range.place(*mark)));
        }
    }
}

fn stacked(body: &mut String, plot: &Plot, range: &Range, group: &Group, left: f64, width: f64) {
    let (mut sum, mut marked) = (0.0, 0.0);
    for (series, value) in group.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let places = (range.place(sum), range.place(sum + value));
        rectangle(body, plot, series, (left, width), places, &group.name, *value);
        sum += value;
    }
    for mark in &group.marks {
        marked += mark;
        line(body, left - 5.0, width + 10.0, plot.y(range.place(marked)));
    }
}

/// A bar, which says what it is to whoever points at it.
fn rectangle(
    body: &mut String,
    plot: &Plot,
    series: usize,
    (x, width): (f64, f64),
    places: (f64, f64),
    name: &str,
    value: f64,
) {
    let (top, bottom) = (plot.y(places.1), plot.y(places.0));
    let _ = writeln!(
        body,
        r#"<rect x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{:.1}" class="f{}"><title>{}: {}</title></rect>"#,
        (bottom - top).max(0.0),
        series % COLOURS,
        super::escape(name),
        number(value, 0.1)
    );
}

fn line(body: &mut String, x: f64, width: f64, y: f64) {
    let _ = writeln!(body, r#"<path d="M{x:.1} {y:.1}h{width:.1}" class="mark"/>"#);
}

/// A name over as many lines as it takes to fit.
fn wrapped(name: &str, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    // Names of policies have underscores where a text has blanks.
    for word in name.split_inclusive([' ', '_']) {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && super::width_of(&lines[last]) + super::width_of(word) > width {
            lines.push(word.to_owned());
        } else {
            lines[last].push_str(word);
        }
    }
    lines
}
