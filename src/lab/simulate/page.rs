//! The file of pictures: a page with the tables, or an image. Nothing in either comes from elsewhere.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::charts;
use super::found::Found;
use super::plan::Plan;
use super::table::{self, Table};
use crate::lab::chart::{self, escape};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; background: #ffffff; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
caption { text-align: left; font-weight: 600; padding: 1.5rem 0 .3rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d1d9e0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.5rem 0; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; }
  th, td { border-color: #30363d; }
}
";

/// Where to draw, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    path: PathBuf,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Page,
    Image,
}

impl File {
    /// # Errors
    /// Its name says neither.
    pub(super) fn new(path: &Path) -> Result<File, String> {
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("html" | "htm") => Form::Page,
            Some("svg") => Form::Image,
            _ => return Err(format!("--out {}: its name must end in .html or .svg", path.display())),
        };
        Ok(File { path: path.to_owned(), form })
    }
}

/// Draws what was found.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(file: &File, plan: &Plan, found: &[Found]) -> Result<(), String> {
    let pictures = charts::all(found);
    let text = match file.form {
        Form::Page => page(plan, found, &pictures),
        Form::Image => chart::stacked(&pictures),
    };
    fs::write(&file.path, text).map_err(|error| format!("--out {}: {error}", file.path.display()))
}

fn page(plan: &Plan, found: &[Found], pictures: &[chart::Picture]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>What each policy does, simulated</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}{}</style>\n</head>\n<body>\n\
         <h1>What each policy does, simulated</h1>\n<p>{}</p>\n",
        chart::STYLE,
        escape(&plan.words)
    );
    // Writing to a String cannot fail, here and below.
    for picture in pictures {
        let _ = writeln!(page, "<figure>{}</figure>", picture.inline());
    }
    table::tables(found).iter().for_each(|table| add(&mut page, table));
    page + "</body>\n</html>\n"
}

fn add(page: &mut String, table: &Table) {
    let _ = writeln!(page, "<div class=\"scroll\"><table><caption>{}</caption>", escape(table.title));
    for (position, cells) in table.rows.iter().enumerate() {
        let tag = if position == 0 { "th" } else { "td" };
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
        let _ = writeln!(page, "<tr>{cells}</tr>");
    }
    let _ = writeln!(page, "</table></div>");
}
