//! The admin endpoint as its users meet it: the real program, real sockets, promtool, a terminal and a browser.

mod browser;
mod changes;
mod endpoint;
mod explain;
mod metrics;
mod page;
#[path = "../proxy/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of TCP mode use the rest of it")]
mod support;
mod top;
mod upgrade;
mod visitors;
#[path = "../http/wire.rs"]
#[allow(dead_code, reason = "the tests of HTTP mode use the rest of it")]
mod wire;
