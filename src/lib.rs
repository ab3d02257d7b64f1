//! A load-balancing reverse proxy: an epoll loop accepts clients, a policy picks a backend, bytes flow both ways.
//!
//! ARCHITECTURE.md draws the house; each module says what lives in it.

pub mod config;
pub mod lab;
