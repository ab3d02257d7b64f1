//! Moving bytes: a socket with its readiness, one direction as a type, and the buffers between.

mod buffer;
mod conn;
mod ducts;
mod gate;
mod links;
mod pipe;

pub use buffer::{Buffer, BufferPool};
pub use conn::Conn;
pub use ducts::Ducts;
pub use gate::{Gate, Open};
pub use links::{Links, Seat};
pub use pipe::{Filled, Pipe, Progress};
