//! Moving bytes: a socket with its readiness, one direction as a type, and the buffers between.

mod buffer;
mod conn;
mod pipe;

pub use buffer::{Buffer, BufferPool};
pub use conn::Conn;
pub use pipe::{Pipe, Progress};
