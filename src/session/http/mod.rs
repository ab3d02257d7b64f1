//! stub
use super::{Next, Reason};
use crate::ctx::Ctx;
use crate::net::{Event, Net};
use crate::relay::Conn;
use crate::token::SessionId;
use std::net::SocketAddr;
use std::time::Instant;
/// stub
pub struct Http<N: Net> {
    client: Conn<N::Socket>,
}
#[allow(missing_docs)]
impl<N: Net> Http<N> {
    pub fn new(_: SessionId, socket: N::Socket, _: SocketAddr, _: usize, _: &mut Ctx<N>) -> Http<N> {
        Http { client: Conn::new(socket) }
    }
    pub fn note(&mut self, event: &Event) {
        self.client.note(event)
    }
    pub fn deadline(&self, _: &Ctx<N>) -> Option<Instant> {
        None
    }
    pub fn turn(&mut self, _: &mut Ctx<N>) -> Next {
        Next::Wait
    }
    pub fn finish(&mut self, _: Reason, _: &mut Ctx<N>) {}
}
