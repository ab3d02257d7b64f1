//! Lines: what changes along an axis.

use std::fmt::Write;

use super::frame::{self, Key, WIDTH};
use super::scale::{Axis, Range};
use super::style::{COLOURS, DASHES, marker};
use super::{Picture, text};

/// Markers on one line: enough to tell it by, too few to hide it.
const MARKERS: usize = 7;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points, x ascending. One whose y is no number is a gap.
    pub points: Vec<(f64, f64)>,
}

/// A chart of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// What is seen, in a few words.
    pub title: String,
    /// How to read it: a line below the title. May be empty.
    pub note: String,
    /// The axis below.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// The lines, in the order of the legend.
    pub series: Vec<Series>,
    /// Moments on the x axis to be pointed out, and what happened then.
    pub events: Vec<(f64, String)>,
    /// How high the plot is, in pixels.
    pub height: f64,
}

impl Lines {
    /// Draws it.
    pub fn draw(&self) -> Picture {
        let mut body = String::new();
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let plot = frame::head(&mut body, &self.title, &self.note, &names, Key::Line, self.height);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let moments = self.events.iter().map(|event| event.0);
        let x = Range::over(self.x.scale, points().map(|point| point.0).chain(moments));
        let y = Range::over(self.y.scale, points().map(|point| point.1));
        frame::y_axis(&mut body, &plot, &self.y.title, &y);
        frame::x_axis(&mut body, &plot, &self.x.title, &x);
        for (moment, what) in &self.events {
            let at = plot.x(x.place(*moment));
            let _ = writeln!(
                body,
                r#"<path d="M{at:.1} {:.1}V{:.1}" class="when"/>"#,
                plot.top,
                plot.top + plot.height
            );
            text(&mut body, at + 4.0, plot.top + 10.0, "note", "start", what);
        }
        for (number, series) in self.series.iter().enumerate() {
            let places = series.points.iter().map(|&(px, py)| {
                (px.is_finite() && py.is_finite()).then(|| (plot.x(x.place(px)), plot.y(y.place(py))))
            });
            line(&mut body, number, &places.collect::<Vec<_>>());
        }
        if points().next().is_none() {
            text(&mut body, plot.x(0.5), plot.y(0.5), "note", "middle", "nothing was measured");
        }
        let description = format!("{} over {}, for {}", self.y.title, self.x.title, names.join(", "));
        Picture { title: self.title.clone(), description, width: WIDTH, height: plot.picture_height(), body }
    }
}

fn line(body: &mut String, series: usize, places: &[Option<(f64, f64)>]) {
    let mut path = String::new();
    let mut broken = true;
    for place in places {
        if let Some((x, y)) = place {
            let _ = write!(path, "{}{x:.1} {y:.1}", if broken { 'M' } else { 'L' });
        }
        broken = place.is_none();
    }
    if path.is_empty() {
        return;
    }
    let drawn: Vec<(f64, f64)> = places.iter().flatten().copied().collect();
    let last = drawn.len() - 1;
    let markers: String = (0..MARKERS.min(drawn.len()))
        .map(|n| drawn[if last == 0 { 0 } else { n * last / (MARKERS.min(drawn.len()) - 1).max(1) }])
        .map(|(x, y)| marker(series, x, y))
        .collect();
    let (colour, dash) = (series % COLOURS, DASHES[series % DASHES.len()]);
    let _ = writeln!(
        body,
        r#"<path d="{path}" class="line c{colour}" stroke-dasharray="{dash}"/><path d="{markers}" class="f{colour}"/>"#
    );
}
