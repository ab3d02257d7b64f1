//! `report.html`: one page, nothing from elsewhere.

use std::fmt::Write;

use super::charts;
use super::commands::Commands;
use super::results::{Results, Title};
use super::tables::{self, Table};
use super::trial::heading;
use crate::lab::chart::{self, escape};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; background: #ffffff; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; border-bottom: 1px solid #d1d9e0; padding-bottom: .3rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d1d9e0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .words td, .words th { text-align: left; white-space: normal; }
code, pre { font: 13px ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem; background: #f6f8fa; }
figure { margin: 1.2rem 0; }
.note { color: #59636e; }
.bad { color: #b42318; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; }
  pre { background: #161b22; }
  th, td, h2 { border-color: #30363d; }
  .note { color: #9198a1; }
  .bad { color: #ff8a7a; }
}
@media print { details { display: none; } body { max-width: none; } }
";

/// The page.
pub(super) fn html(results: &Results, commands: &Commands) -> String {
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>What each policy does</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}{}</style>\n</head>\n<body>\n",
        chart::STYLE
    );
    head(&mut page, results);
    let pictures = charts::all(results);
    for title in &results.tests {
        section(&mut page, results, title, commands);
        for (name, picture) in pictures.iter().filter(|(name, _)| is_of(name, title, results)) {
            let _ = writeln!(page, "<figure id=\"{}\">{}</figure>", escape(name), picture.inline());
        }
    }
    let _ = writeln!(page, "<h2 id=\"machine\">The machine</h2>");
    for (_, picture) in pictures.iter().filter(|(name, _)| name == "machine") {
        let _ = writeln!(page, "<figure>{}</figure>", picture.inline());
    }
    checks(&mut page, results);
    let _ = writeln!(page, "</body>\n</html>");
    page
}

/// Whether a picture belongs to a test: `file` is not the beginning of another one's name.
fn is_of(name: &str, title: &Title, results: &Results) -> bool {
    let owners = results.tests.iter().filter(|test| name.starts_with(&format!("{}-", test.name)));
    owners.max_by_key(|test| test.name.len()).is_some_and(|test| test.name == title.name)
}

fn head(page: &mut String, results: &Results) {
    let (machine, settings) = (&results.machine, &results.settings);
    let holding = results.checks.iter().filter(|check| check.holds).count();
    let class = if holding == results.checks.len() { "" } else { " class=\"bad\"" };
    let _ = writeln!(
        page,
        "<h1>What each policy does</h1>\n<p>Rounds: {}, interleaved; {:.1} s for each trial under load. \
         Figures are medians over the rounds, with the lowest and the highest in parentheses; pictures show the round \
         whose p99 is the median.</p>\n\
         <p class=\"note\">{} UTC, {}, {} CPUs ({}), Linux {}. Repeat it: <code>experiment {}</code></p>\n\
         <p{class}><a href=\"#checks\">{holding} of {} checks hold.</a></p>",
        settings.rounds,
        settings.seconds,
        escape(&machine.date),
        escape(&machine.host),
        machine.cpus,
        escape(&machine.cpu),
        escape(&machine.kernel),
        escape(&settings.command),
        results.checks.len(),
    );
    for missing in &results.missing {
        let _ = writeln!(page, "<p class=\"bad\">{}</p>", escape(missing));
    }
    let links = results.tests.iter().map(|title| format!("<a href=\"#{0}\">{0}</a>", escape(&title.name)));
    let _ = writeln!(page, "<nav>{}</nav>", links.collect::<Vec<_>>().join(" · "));
}

fn section(page: &mut String, results: &Results, title: &Title, commands: &Commands) {
    let name = escape(&title.name);
    let _ = writeln!(page, "<h2 id=\"{name}\">{name}</h2>\n<p>{}</p>", escape(&title.what));
    if !title.note.is_empty() {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&title.note));
    }
    table(page, &tables::of(results, title), "");
    let errors = tables::errors(results, title);
    if !errors.rows.is_empty() {
        let _ = writeln!(page, "<h3>What failed, and why</h3>");
        table(page, &errors, "words");
    }
    let first = results.samples.iter().find(|sample| sample.test == title.name);
    if let Some(sample) = first {
        let lines = commands.of(&heading(sample)).join("\n");
        let _ = writeln!(
            page,
            "<details><summary>Commands of the first trial ({})</summary><pre>{}</pre></details>",
            escape(&sample.who),
            escape(&lines)
        );
    }
}

fn table(page: &mut String, table: &Table, class: &str) {
    let row = |tag: &str, cells: &[String]| {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect::<String>()
    };
    let _ =
        writeln!(page, "<div class=\"scroll\"><table class=\"{class}\"><tr>{}</tr>", row("th", &table.head));
    for cells in &table.rows {
        let _ = writeln!(page, "<tr>{}</tr>", row("td", cells));
    }
    let _ = writeln!(page, "</table></div>");
}

fn checks(page: &mut String, results: &Results) {
    let _ = writeln!(page, "<h2 id=\"checks\">Checks</h2>");
    let (holding, broken): (Vec<_>, Vec<_>) = results.checks.iter().partition(|check| check.holds);
    let rows = |checks: &[&super::results::Check]| Table {
        head: ["test", "who", "what must be so", "what was found"].map(Into::into).into(),
        rows: checks
            .iter()
            .map(|check| [&check.test, &check.who, &check.what, &check.found].map(Clone::clone).into())
            .collect(),
    };
    if !broken.is_empty() {
        let _ = writeln!(page, "<p class=\"bad\">{} do not hold:</p>", broken.len());
        table(page, &rows(&broken), "words");
    }
    let _ = writeln!(page, "<details><summary>{} hold</summary>", holding.len());
    table(page, &rows(&holding), "words");
    let _ = writeln!(page, "</details>");
}
