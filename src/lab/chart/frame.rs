//! What every chart has around its data: title, note, legend, axes with ticks and grid.

use std::fmt::Write;

use super::scale::Range;
use super::style::{COLOURS, DASHES, marker};
use super::{text, width_of};

pub(super) const WIDTH: f64 = 860.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 24.0;
const BOTTOM: f64 = 46.0;
const LINE: f64 = 18.0;

/// The room for data, in pixels from the upper left corner of the picture.
#[derive(Clone, Copy)]
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Plot {
    pub(super) fn x(&self, place: f64) -> f64 {
        self.left + self.width * place
    }

    pub(super) fn y(&self, place: f64) -> f64 {
        self.top + self.height * (1.0 - place)
    }

    /// How high the picture is in all.
    pub(super) fn picture_height(&self) -> f64 {
        self.top + self.height + BOTTOM
    }
}

/// How a legend shows a series.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Line,
    Box,
}

/// Writes title, note and legend, and returns the room that is left for a plot so high.
pub(super) fn head(
    body: &mut String,
    title: &str,
    note: &str,
    names: &[&str],
    key: Key,
    height: f64,
) -> Plot {
    text(body, 0.0, 16.0, "title", "start", title);
    let mut y = 16.0;
    if !note.is_empty() {
        y += LINE;
        text(body, 0.0, y, "note", "start", note);
    }
    y += LINE + 2.0;
    let mut x = 0.0;
    for (series, name) in names.iter().enumerate() {
        let needed = 38.0 + width_of(name);
        if x > 0.0 && x + needed > WIDTH {
            (x, y) = (0.0, y + LINE);
        }
        legend(body, series, x, y, key);
        text(body, x + 30.0, y, "name", "start", name);
        x += needed;
    }
    Plot { left: LEFT, top: y + LINE, width: WIDTH - LEFT - RIGHT, height }
}

fn legend(body: &mut String, series: usize, x: f64, y: f64, key: Key) {
    let (colour, middle) = (series % COLOURS, y - 4.0);
    let _ = match key {
        Key::Line => writeln!(
            body,
            r#"<path d="M{x:.1} {middle:.1}h24" class="line c{colour}" stroke-dasharray="{}"/><path d="{}" class="f{colour}"/>"#,
            DASHES[series % DASHES.len()],
            marker(series, x + 12.0, middle)
        ),
        Key::Box => writeln!(
            body,
            r#"<rect x="{:.1}" y="{:.1}" width="14" height="11" class="f{colour}"/>"#,
            x + 8.0,
            middle - 6.0
        ),
    };
}

/// The axis at the left, with a grid across the plot.
pub(super) fn y_axis(body: &mut String, plot: &Plot, title: &str, range: &Range) {
    for (value, label) in range.ticks() {
        let y = plot.y(range.place(value));
        let (left, right) = (plot.left, plot.x(1.0));
        let _ = writeln!(body, r#"<path d="M{left:.1} {y:.1}H{right:.1}" class="grid"/>"#);
        text(body, plot.left - 6.0, y + 4.0, "tick", "end", &label);
    }
    let (x, y) = (14.0, plot.y(0.5));
    let _ = writeln!(
        body,
        r#"<text x="{x:.1}" y="{y:.1}" class="note" text-anchor="middle" transform="rotate(-90 {x:.1} {y:.1})">{}</text>"#,
        super::escape(title)
    );
}

/// The axis below.
pub(super) fn x_axis(body: &mut String, plot: &Plot, title: &str, range: &Range) {
    let base = plot.y(0.0);
    for (value, label) in range.ticks() {
        let x = plot.x(range.place(value));
        let _ = writeln!(body, r#"<path d="M{x:.1} {:.1}V{base:.1}" class="grid"/>"#, plot.top);
        // The last one may be longer than there is room for on its right.
        let overhangs = x + width_of(&label) / 2.0 > WIDTH;
        text(
            body,
            if overhangs { WIDTH } else { x },
            base + 16.0,
            "tick",
            if overhangs { "end" } else { "middle" },
            &label,
        );
    }
    base_line(body, plot);
    text(body, plot.x(0.5), base + 34.0, "note", "middle", title);
}

pub(super) fn base_line(body: &mut String, plot: &Plot) {
    let (left, right, base) = (plot.left, plot.x(1.0), plot.y(0.0));
    let _ = writeln!(body, r#"<path d="M{left:.1} {base:.1}H{right:.1}" class="axis"/>"#);
}
