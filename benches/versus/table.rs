//! The report for a terminal, and as the table for a README.

use std::fmt::Write;

use crate::results::{Cell, Entrant, Report, RowTitle, Spread, Unit};

/// What marks a figure that something went wrong with.
const DOUBTFUL: &str = " (!)";

/// A block for each row, a line for each contestant.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}\n{}\n", headline(report), method(report));
    let name_width = report.contestants.iter().map(|entrant| entrant.name.len()).max().unwrap_or(0);
    for row in &report.rows {
        let _ = writeln!(out, "\n{}  ({})", row.name, row.what);
        for entrant in &report.contestants {
            if let Some(cell) = report.cell(&row.name, &entrant.name) {
                let line = text_line(&cell, row.unit, report.ratio(&row.name, &entrant.name));
                let _ = writeln!(out, "  {:name_width$}  {}", entrant.name, line.trim_end());
            }
        }
    }
    append_troubles(&mut out, report);
    if !report.missing.is_empty() {
        let _ = writeln!(out, "\nNot there: {}.", report.missing.join("; "));
    }
    out
}

/// A line for each row, a column for each contestant.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("{}\n\n{}\n\n| |", headline(report), method(report));
    let columns: Vec<&Entrant> =
        report.contestants.iter().filter(|entrant| entrant.variant_of.is_none()).collect();
    columns.iter().for_each(|entrant| out.push_str(&format!(" {} |", entrant.name)));
    out.push_str("\n|---|");
    columns.iter().for_each(|_| out.push_str("---:|"));
    for row in &report.rows {
        let unit = match row.unit {
            Unit::MicrosPerRequest => "µs",
            Unit::BytesPerConnection => "bytes",
            Unit::MicrosAtP99 => "p50 / p99 / p99.9 in µs (ratio of p99)",
        };
        let _ = write!(out, "\n| `{}` {}, {unit} |", row.name, row.what);
        for column in &columns {
            let _ = write!(out, " {} |", markdown_cell(report, row, column));
        }
    }
    out.push('\n');
    append_troubles(&mut out, report);
    out
}

/// Date, machine, and who took part.
fn headline(report: &Report) -> String {
    let machine = &report.machine;
    let who: Vec<String> =
        report.contestants.iter().filter(|entrant| entrant.variant_of.is_none()).map(with_version).collect();
    format!("{}, Linux {}, {}: {}.", machine.date, machine.kernel, machine.cpu, who.join(", "))
}

fn with_version(entrant: &Entrant) -> String {
    format!("{} {}", entrant.name, entrant.version).trim_end().to_owned()
}

fn method(report: &Report) -> String {
    let settings = &report.settings;
    let first = report.contestants.first().map_or("the first", |entrant| entrant.name.as_str());
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "CPU time of the proxy per request (or memory per connection, or latency): median of {} interleaved round{} of {} s, {} \
         worker{} on CPU {}, load and backends on CPU {}. A ratio is {first} ÷ the other: below 1, {first} needs less.",
        settings.rounds,
        plural(settings.rounds as usize),
        settings.secs,
        settings.workers,
        plural(settings.workers),
        settings.proxy_cpus,
        settings.load_cpus,
    )
}

fn text_line(cell: &Cell, unit: Unit, ratio: Option<f64>) -> String {
    let Some(spread) = cell.spread else { return format!("failed{DOUBTFUL}") };
    let doubt = if cell.troubles.is_empty() { "" } else { DOUBTFUL };
    let Spread { median, min, max } = spread;
    let name = symbol(unit);
    let range = format!("({}–{})", figure(min, unit), figure(max, unit));
    let ratio = ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}×"));
    let mut line = format!("{:>8} {name} {range:<16} {ratio:>6}{doubt}", figure(median, unit));
    if let (Some(rate), Some(p50), Some(p99)) = (cell.requests_per_s, cell.p50_us, cell.p99_us) {
        let _ = write!(line, "  {rate:>8.0}/s  p50 {} p99 {}", millis(p50), millis(p99));
        if let Some(p999) = cell.p999_us {
            let _ = write!(line, " p99.9 {}", millis(p999));
        }
    }
    if let Some(busy) = cell.busy {
        let _ = write!(line, "  busy {:>3.0} %", busy * 100.0);
    }
    if let Some(alone) = cell.alone {
        let _ = write!(line, "  alone {} µs", figure(alone, unit));
    }
    line
}

/// A contestant's figure and, after it, those of its variants.
fn markdown_cell(report: &Report, row: &RowTitle, column: &Entrant) -> String {
    let is_shown = |entrant: &&Entrant| {
        entrant.name == column.name || entrant.variant_of.as_deref() == Some(column.name.as_str())
    };
    let mut parts = Vec::new();
    for entrant in report.contestants.iter().filter(is_shown) {
        let Some(cell) = report.cell(&row.name, &entrant.name) else { continue };
        let doubt = if cell.troubles.is_empty() { "" } else { DOUBTFUL };
        let mut part = match cell.spread {
            Some(spread) if row.unit == Unit::MicrosAtP99 => {
                let [p50, p999] = [cell.p50_us, cell.p999_us].map(|us| figure(us.unwrap_or(0.0), row.unit));
                format!("{p50} / {} / {p999}", figure(spread.median, row.unit))
            }
            Some(spread) => figure(spread.median, row.unit),
            None => "failed".to_owned(),
        };
        part.push_str(doubt);
        let is_first = report.contestants.first().is_some_and(|first| first.name == entrant.name);
        if let Some(ratio) = report.ratio(&row.name, &entrant.name).filter(|_| !is_first) {
            let _ = write!(part, " ({ratio:.2}×)");
        }
        if let Some(alone) = cell.alone {
            let _ = write!(part, ", alone {}", figure(alone, row.unit));
        }
        if entrant.variant_of.is_some() {
            let _ = write!(part, " {}", entrant.name.rsplit('-').next().unwrap_or_default());
        }
        parts.push(part);
    }
    if parts.is_empty() { "–".to_owned() } else { parts.join("; ") }
}

fn append_troubles(out: &mut String, report: &Report) {
    let troubles = report.troubles();
    if !troubles.is_empty() {
        let _ = writeln!(out, "\n{} What went wrong:\n", DOUBTFUL.trim());
        troubles.iter().for_each(|trouble| out.push_str(&format!("- {trouble}\n")));
    }
}

pub fn symbol(unit: Unit) -> &'static str {
    match unit {
        Unit::MicrosPerRequest | Unit::MicrosAtP99 => "µs",
        Unit::BytesPerConnection => "B",
    }
}

/// With three digits, or four.
pub fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::BytesPerConnection | Unit::MicrosAtP99 => format!("{value:.0}"),
        Unit::MicrosPerRequest if value < 10.0 => format!("{value:.2}"),
        Unit::MicrosPerRequest if value < 100.0 => format!("{value:.1}"),
        Unit::MicrosPerRequest => format!("{value:.0}"),
    }
}

fn millis(us: f64) -> String {
    format!("{:.2} ms", us / 1000.0)
}
