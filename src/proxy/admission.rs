//! Who may come in at all: what one client may have of a frontend.

use std::net::SocketAddr;

use crate::clients::{Admission, Excess};
use crate::config::Mode;
use crate::ctx::Ctx;
use crate::net::{Net, Socket};

/// Counts a new connection against its client; `Err` if it may not have it. What there is to say about that is said.
pub(super) fn admit<N: Net>(
    address: SocketAddr,
    frontend: usize,
    ctx: &mut Ctx<N>,
) -> Result<Option<Box<Admission>>, ()> {
    let Some(clients) = &ctx.clients[frontend] else { return Ok(None) };
    let settings = &ctx.config.frontends[frontend];
    let outcome = match settings.mode {
        // In HTTP mode it is requests that come.
        Mode::Http => Ok(()),
        Mode::Tcp => clients.may_come(address.ip(), ctx.now),
    };
    outcome.and_then(|()| clients.admit(address.ip(), ctx.now)).map_err(|excess: Excess| {
        clients.note_refusal(address.ip(), excess, &settings.name, ctx.now);
        ctx.metrics.client_limited += 1;
    })
}

/// Sends away who may not come in. Nothing was said that a reset could destroy, and a plain close would look like a
/// complete answer of no bytes.
pub(super) fn refuse<S: Socket>(socket: S) {
    if let Err(error) = socket.reset_on_close() {
        log::debug!("cannot reset a connection: {error}");
    }
}
