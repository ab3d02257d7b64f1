//! What the classes in a chart look like.

/// Series told apart; after that, colours begin again.
pub(super) const COLOURS: usize = 8;
/// Dash patterns and markers, by series; their number has no divisor in common with that of the colours.
pub(super) const DASHES: [&str; 5] = ["", "7 3", "2 2", "9 3 2 3", "4 2 1 2 1 2"];

/// The style of all charts. A page has it once.
pub const STYLE: &str = "
.chart { max-width: 100%; height: auto; background: #ffffff; }
.chart text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.chart .title { font-size: 15px; font-weight: 600; }
.chart .note, .chart .tick { fill: #59636e; font-size: 11px; }
.chart .grid { stroke: #d1d9e0; stroke-width: 1; }
.chart .axis { stroke: #59636e; stroke-width: 1; }
.chart .mark { stroke: #1f2328; stroke-width: 2; }
.chart .when { stroke: #59636e; stroke-width: 1; stroke-dasharray: 3 3; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.chart .c0 { stroke: #0072b2; } .chart .f0 { fill: #0072b2; }
.chart .c1 { stroke: #d55e00; } .chart .f1 { fill: #d55e00; }
.chart .c2 { stroke: #009e73; } .chart .f2 { fill: #009e73; }
.chart .c3 { stroke: #b5588f; } .chart .f3 { fill: #b5588f; }
.chart .c4 { stroke: #b57b00; } .chart .f4 { fill: #b57b00; }
.chart .c5 { stroke: #2f93cf; } .chart .f5 { fill: #2f93cf; }
.chart .c6 { stroke: #6e6e6e; } .chart .f6 { fill: #6e6e6e; }
.chart .c7 { stroke: #5b3a8c; } .chart .f7 { fill: #5b3a8c; }
@media (prefers-color-scheme: dark) {
  .chart { background: #0d1117; }
  .chart text { fill: #e6edf3; }
  .chart .note, .chart .tick { fill: #9198a1; }
  .chart .grid { stroke: #30363d; }
  .chart .axis, .chart .when { stroke: #9198a1; }
  .chart .mark { stroke: #ffffff; }
  .chart .c0 { stroke: #4aa8e8; } .chart .f0 { fill: #4aa8e8; }
  .chart .c1 { stroke: #ff8a3d; } .chart .f1 { fill: #ff8a3d; }
  .chart .c2 { stroke: #2cc295; } .chart .f2 { fill: #2cc295; }
  .chart .c3 { stroke: #e39bc6; } .chart .f3 { fill: #e39bc6; }
  .chart .c4 { stroke: #f0b429; } .chart .f4 { fill: #f0b429; }
  .chart .c5 { stroke: #8fd0f7; } .chart .f5 { fill: #8fd0f7; }
  .chart .c6 { stroke: #b8b8b8; } .chart .f6 { fill: #b8b8b8; }
  .chart .c7 { stroke: #b79be0; } .chart .f7 { fill: #b79be0; }
}
@media print {
  .chart { background: #ffffff; break-inside: avoid; }
  .chart text, .chart .note, .chart .tick { fill: #000000; }
  .chart .mark, .chart .axis { stroke: #000000; }
  .chart .grid { stroke: #cccccc; }
}
";

/// The marker of a series around a point: a path, so that one class of colour does for all.
pub(super) fn marker(series: usize, x: f64, y: f64) -> String {
    let r = 3.6;
    match series % DASHES.len() {
        0 => format!("M{:.1} {y:.1}a{r} {r} 0 1 0 {:.1} 0a{r} {r} 0 1 0 {:.1} 0Z", x - r, 2.0 * r, -2.0 * r),
        1 => format!("M{:.1} {:.1}h{:.1}v{:.1}h{:.1}Z", x - r, y - r, 2.0 * r, 2.0 * r, -2.0 * r),
        2 => format!("M{x:.1} {:.1}L{:.1} {:.1}H{:.1}Z", y - r - 1.0, x + r + 0.5, y + r, x - r - 0.5),
        3 => format!(
            "M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}Z",
            y - r - 1.0,
            x + r + 1.0,
            y + r + 1.0,
            x - r - 1.0
        ),
        _ => format!("M{x:.1} {:.1}L{:.1} {:.1}H{:.1}Z", y + r + 1.0, x + r + 0.5, y - r, x - r - 0.5),
    }
}
