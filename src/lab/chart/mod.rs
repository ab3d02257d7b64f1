//! Charts as SVG, by themselves: no fonts, scripts or images from elsewhere, legible on paper, on white and on black.
//!
//! [`Lines`] draws what changes along an axis: a time, a rate, a [percentile](Scale::Percentile). [`Bars`] draws shares
//! beside or upon each other, and the mark each of them should reach.
//!
//! Why not [plotters](https://docs.rs/plotters)? Its SVG writes every colour into every element, so one file cannot be
//! read in light and in dark mode; it knows no dash patterns per series that survive a legend, gives a screen reader
//! nothing to say, and has no percentile axis. What is left to take from it is the arithmetic of ticks, which is a screen
//! of code. Here a shape has a class, [`STYLE`] says once what the class looks like in which mode, and every chart is an
//! image with a name (`role="img"`, `<title>`, `<desc>`).
//!
//! Series differ by colour (Okabe and Ito's palette, which the colour-blind can tell apart) and, in lines, by dash
//! pattern and marker; in bars, by their order and label.

mod bars;
mod frame;
mod lines;
mod scale;
mod style;

use std::fmt::Write;

pub use bars::{Bars, Group, Layout};
pub use lines::{Lines, Series};
pub(in crate::lab) use scale::number;
pub use scale::{Axis, Scale};
pub use style::STYLE;

/// A drawn chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    title: String,
    description: String,
    width: f64,
    height: f64,
    body: String,
}

impl Picture {
    /// For a page that has [`STYLE`] in its head.
    pub fn inline(&self) -> String {
        self.with("")
    }

    /// As a file of its own.
    pub fn standalone(&self) -> String {
        self.with(&format!("<style>{STYLE}</style>\n"))
    }

    fn with(&self, style: &str) -> String {
        let Picture { title, description, width, height, body } = self;
        let (title, description) = (escape(title), escape(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{title}: {description}\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n{style}{body}</svg>\n"
        )
    }
}

/// Several pictures below each other, as one file.
pub fn stacked(pictures: &[Picture]) -> String {
    let width = pictures.iter().map(|picture| picture.width).fold(0.0, f64::max);
    let mut height = 0.0;
    let mut body = String::new();
    for picture in pictures {
        // Each goes on as an image of its own, with its name.
        let _ = write!(body, "<g transform=\"translate(0 {height:.0})\">\n{}</g>\n", picture.inline());
        height += picture.height;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )
}

/// Text that means itself in XML and HTML, in attributes too. What XML has no way to say at all is left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Puts a line of text into a body.
fn text(body: &mut String, x: f64, y: f64, class: &str, anchor: &str, words: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        body,
        r#"<text x="{x:.1}" y="{y:.1}" class="{class}" text-anchor="{anchor}">{}</text>"#,
        escape(words)
    );
}

/// About how wide a text is drawn, in pixels: there is no font to ask, and too much is better than too little.
fn width_of(words: &str) -> f64 {
    words.chars().count() as f64 * 6.6
}

#[cfg(test)]
mod tests;
