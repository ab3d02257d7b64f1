//! lbproxy: see `lbproxy --help`.
fn main() {}
