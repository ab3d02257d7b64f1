//! The company the proxy keeps: backends to put behind it and clients to put in front of it.
//!
//! Both sides are written the same way. A protocol ([`echo`], [`http`], [`mod@file`], [`fetch`]) never sees a socket:
//! it is handed a [`Wire`](connection::Wire) (bytes that came in, room for bytes to go out, the time) and answers
//! what it waits for next. [`Connection`](connection::Connection) moves the bytes; [`server`] runs thousands of
//! connections for a backend, [`client`] for a client, each in one single-threaded loop. The programs in
//! `src/bin/` parse their arguments and call in here. What moves bytes and keeps time is the proxy's own.
//!
//! ```text
//!   echo_client, file_client          echo_backend, http_backend, file_backend
//!      client (Conversation)             server (Service)
//!           └───────────────┬───────────────┘
//!              connection: Wire in, Next out
//!       net::os   relay::{Conn, Buffer}   timers
//! ```
//!
//! Apart from them, what it takes to measure a proxy beside others: [`process`] starts programs on CPUs of their own and
//! stops them, [`peers`] says how each proxy is set up for the same duty, [`origin`] is behind them, [`wrk`], [`wrk2`]
//! and [`crowd`] are in front, and [`usage`] reads what they consumed; [`cpu`] does so over time. [`chart`] draws what came of
//! it. [`simulate`] needs none of this: it plays with the balancers alone, in virtual time.

pub mod chart;
pub mod client;
mod columns;
pub mod connection;
pub mod cpu;
pub mod cpus;
pub mod crowd;
pub mod echo;
pub mod experiment;
pub mod fetch;
pub mod file;
pub mod http;
pub mod loadgen;
pub mod origin;
pub mod outcome;

pub mod peers;
pub mod process;
pub mod report;
pub mod server;
pub mod service_time;
pub mod simulate;
pub mod start;
pub mod stats;
pub mod usage;
pub mod wrk;
pub mod wrk2;
