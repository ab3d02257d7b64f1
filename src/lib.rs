//! A load-balancing reverse proxy: an epoll loop accepts clients, a policy picks a backend, bytes flow both ways.
//!
//! ARCHITECTURE.md draws the house; each module says what lives in it.

pub mod access;
pub mod admin;
pub mod ask;
pub mod balance;
pub mod cli;
pub mod clients;
pub mod config;
pub mod control;
pub mod ctx;
pub mod demo;
pub mod health;
pub mod histogram;
pub mod http;
pub mod lab;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod notify;
pub mod proxy;
pub mod reach;
pub mod relay;
pub mod run;
pub mod session;
pub mod table;
pub mod timers;
pub mod token;
pub mod top;
pub mod upgrade;
pub mod view;
pub mod waiting;
pub mod worker;
