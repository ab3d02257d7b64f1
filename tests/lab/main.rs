//! The company the proxy ships, as its users meet it: the real programs, on real sockets.

mod echo;
mod file;
mod http;
mod measuring;
mod start;
mod support;
