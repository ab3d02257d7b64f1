//! The files of the live page.

/// A file that a browser may ask for.
pub struct File {
    /// Where it asks for it.
    pub path: &'static str,
    /// What it is.
    pub kind: &'static str,
    /// The file.
    pub content: &'static [u8],
}

/// All of them. The chart library is uPlot's distribution as it is in its package: see `page/vendor/README.md`.
pub const FILES: &[File] = &[
    File { path: "/", kind: "text/html; charset=utf-8", content: include_bytes!("page/index.html") },
    File {
        path: "/page.js",
        kind: "text/javascript; charset=utf-8",
        content: include_bytes!("page/page.js"),
    },
    File { path: "/page.css", kind: "text/css; charset=utf-8", content: include_bytes!("page/page.css") },
    File {
        path: "/uplot.js",
        kind: "text/javascript; charset=utf-8",
        content: include_bytes!("page/vendor/uPlot.iife.min.js"),
    },
    File {
        path: "/uplot.css",
        kind: "text/css; charset=utf-8",
        content: include_bytes!("page/vendor/uPlot.min.css"),
    },
];
