//! The report as a picture: horizontal bars, in groups, each as long as what a contestant needs in units of the first.

use std::fmt::Write;

use crate::results::{Report, RowTitle};
use crate::table;

const WIDTH: f64 = 860.0;
const NAMES_WIDTH: f64 = 230.0;
/// Room for what is said behind the longest bar.
const FIGURES_WIDTH: f64 = 130.0;
const BAR: f64 = 11.0;
const GAP: f64 = 3.0;
const GROUP_GAP: f64 = 16.0;
const TOP: f64 = 62.0;
/// Longer bars are cut: one that is off the scale would hide how the others differ.
const RATIO_MAX: f64 = 5.0;
/// Of the bars, by column: distinct on white and on black.
const COLOURS: [&str; 9] =
    ["#2f81f7", "#d9822b", "#2da44e", "#a371f7", "#d6409f", "#1b9aaa", "#b8860b", "#e5534b", "#8b949e"];

struct Bar {
    name: String,
    colour: &'static str,
    /// `None` if there is no figure.
    ratio: Option<f64>,
    /// What it is, with its unit.
    figure: String,
    doubtful: bool,
}

/// The picture as SVG, by itself: no fonts, scripts or images from elsewhere, and for light and dark pages alike.
pub fn svg(report: &Report) -> String {
    let groups: Vec<(&RowTitle, Vec<Bar>)> =
        report.rows.iter().map(|row| (row, bars(report, row))).filter(|(_, bars)| !bars.is_empty()).collect();
    let ratios = groups.iter().flat_map(|(_, bars)| bars).filter_map(|bar| bar.ratio);
    let longest = ratios.fold(1.0, f64::max).min(RATIO_MAX);
    let scale = (WIDTH - NAMES_WIDTH - FIGURES_WIDTH) / longest;
    let mut body = String::new();
    let mut y = TOP;
    for (row, bars) in &groups {
        let _ = writeln!(body, r#"<text x="0" y="{:.1}" class="row">{}</text>"#, y + BAR, escape(&row.name));
        for bar in bars {
            draw(&mut body, bar, y, scale);
            y += BAR + GAP;
        }
        y += GROUP_GAP;
    }
    let one = NAMES_WIDTH + scale;
    let first = report.contestants.first().map_or("", |entrant| entrant.name.as_str());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" width=\"{WIDTH}\" height=\"{y:.0}\" \
         role=\"img\" aria-label=\"What each proxy needs, with {first} as 1\">
<style>
text {{ font: 11px system-ui, sans-serif; fill: #1f2328; }}
.title {{ font-size: 15px; font-weight: 600; }}
.row {{ font-weight: 600; }}
.note {{ fill: #59636e; }}
.one {{ stroke: #59636e; stroke-dasharray: 3 3; }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #e6edf3; }}
  .note {{ fill: #9198a1; }}
  .one {{ stroke: #9198a1; }}
}}
</style>
<text x=\"0\" y=\"16\" class=\"title\">CPU time per request, {first} = 1; shorter is better</text>
<text x=\"0\" y=\"34\" class=\"note\">Rows that end in -idle: memory per connection; in -rate: p99 of latency. {note}</text>
<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" class=\"one\"/>
{body}</svg>
",
        TOP - 8.0,
        y - GROUP_GAP + 4.0,
        first = escape(first),
        note = escape(&format!(
            "{}, Linux {}, {}",
            report.machine.date, report.machine.kernel, report.machine.cpu
        )),
    )
}

fn bars(report: &Report, row: &RowTitle) -> Vec<Bar> {
    let bar = |(index, name): (usize, &str)| {
        let cell = report.cell(&row.name, name)?;
        let figure = cell.spread.map_or("no figure".to_owned(), |spread| {
            format!("{} {}", table::figure(spread.median, row.unit), table::symbol(row.unit))
        });
        Some(Bar {
            name: name.to_owned(),
            colour: COLOURS[index % COLOURS.len()],
            ratio: report.ratio(&row.name, name).map(f64::recip),
            figure,
            doubtful: !cell.troubles.is_empty(),
        })
    };
    report.contestants.iter().map(|entrant| entrant.name.as_str()).enumerate().filter_map(bar).collect()
}

fn draw(body: &mut String, bar: &Bar, y: f64, scale: f64) {
    let length = bar.ratio.unwrap_or(0.0).min(RATIO_MAX) * scale;
    let doubt = if bar.doubtful { " (!)" } else { "" };
    let figure = &bar.figure;
    let label = match bar.ratio {
        Some(ratio) => format!("{ratio:.2}{} · {figure}{doubt}", if ratio > RATIO_MAX { " →" } else { "" }),
        None => format!("{figure}{doubt}"),
    };
    // Not across the line at 1.
    let label_x = NAMES_WIDTH + length.max(scale) + 5.0;
    let base = y + BAR - 2.0;
    let _ = writeln!(
        body,
        r#"<text x="{:.1}" y="{base:.1}" text-anchor="end">{}</text><rect x="{NAMES_WIDTH}" y="{y:.1}" width="{length:.1}" height="{BAR}" rx="2" fill="{}"/><text x="{label_x:.1}" y="{base:.1}" class="note">{label}</text>"#,
        NAMES_WIDTH - 6.0,
        escape(&bar.name),
        bar.colour,
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
