//! HTTP conformance: what is sent by a client and by backends, and what must come of it, case by case.
//!
//! Every case runs as it is written, split in two at every byte that the client or a backend sends, and byte by byte.
//! A failure names its case and its split: `CASE=te_te SPLIT=client:17 cargo test --test conformance` runs it alone.

#![allow(unreachable_pub, missing_docs, reason = "a test crate has no public interface")]

mod canonical;
mod case;
mod check;
mod message;
mod net;
mod run;
mod setup;
mod smoke;
mod wire;
