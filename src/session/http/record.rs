//! What the access log will say about a request, kept from its head to the end of its response.

use std::time::Instant;

use super::Http;
use crate::access::{Combined, Entry, Json};
use crate::balance::BackendId;
use crate::config::AccessFormat;
use crate::ctx::Ctx;
use crate::http::Request;
use crate::logging::HTTP_ACCESS;
use crate::net::Net;
use crate::session::{Ender, Reason};
use crate::token::Side;

/// Of each text, no more than this is kept.
const TEXT_MAX: usize = 2048;
/// The status of a request whose client left before its answer.
const CLIENT_LEFT: u16 = 499;
/// Texts kept for reuse.
const SPARE_MAX: usize = 256;

/// An exchange as the log tells it. The default is that of a connection between two.
#[derive(Default)]
pub(super) struct Record {
    /// When it began; `None`: there is nothing to tell.
    pub(super) started: Option<Instant>,
    /// What the client was told; 0 before.
    pub(super) status: u16,
    /// Who serves it.
    pub(super) backend: Option<BackendId>,
    /// How often it was sent once more.
    pub(super) retries: u32,
    /// Content of the response, as far as it is written.
    pub(super) response_bytes: u64,
    /// In a tunnel: what had come from backends on this connection before it began.
    pub(super) before_bytes: u64,
    /// Method, target, referer and agent, one after the other.
    text: Vec<u8>,
    ends: [u16; 4],
    has: [bool; 4],
}

impl Record {
    /// Of a request that begins now. The texts are only kept if there is a log to write them to.
    pub(super) fn new(request: &Request<'_, '_>, now: Instant, spare: &mut Vec<Vec<u8>>) -> Record {
        let mut record = Record { started: Some(now), ..Record::default() };
        if !is_wanted() {
            return record;
        }
        record.text = spare.pop().unwrap_or_default();
        record.text.clear();
        let texts = [
            Some(request.method.as_bytes()),
            Some(request.target.as_bytes()),
            request.field("referer"),
            request.field("user-agent"),
        ];
        for (index, text) in texts.into_iter().enumerate() {
            let text = text.inspect(|_| record.has[index] = true).unwrap_or_default();
            record.text.extend_from_slice(&text[..text.len().min(TEXT_MAX)]);
            record.ends[index] = record.text.len() as u16;
        }
        record
    }

    fn text(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.has[index].then(|| &self.text[usize::from(start)..usize::from(self.ends[index])])
    }
}

fn is_wanted() -> bool {
    log::log_enabled!(target: HTTP_ACCESS, log::Level::Info)
}

impl<N: Net> Http<N> {
    /// The exchange is over: counts it, and writes its line.
    pub(super) fn write_record(&mut self, reason: Reason, ctx: &mut Ctx<N>) {
        let pool = self.pool(ctx);
        let current = self.current.take();
        let mut record = std::mem::take(&mut self.record);
        let Some(started) = record.started else { return };
        if record.status == 0 && reason.ender == Ender::Peer(Side::Client) {
            // The client did not wait for an answer: as nginx writes it.
            record.status = CLIENT_LEFT;
        }
        ctx.metrics.count_response(self.frontend, record.status);
        ctx.metrics.requests_ended.count(reason.ender.word(), reason.cause.word());
        if !is_wanted() {
            return;
        }
        let frontend = &ctx.config.frontends[self.frontend];
        let backend = record.backend.and_then(|id| ctx.pools[pool].backend(id));
        let entry = Entry {
            client: current.as_ref().map_or(self.peer.ip(), |current| current.seeker.client),
            method: record.text(0).unwrap_or_default(),
            target: record.text(1).unwrap_or_default(),
            version: current.as_ref().map_or("", |current| current.facts.version.name()),
            status: record.status,
            response_bytes: record.response_bytes,
            request_bytes: current.as_ref().map_or(0, |current| current.body.content_bytes()),
            referer: record.text(2),
            user_agent: record.text(3),
            frontend: &frontend.name,
            backend: backend.map(|backend| backend.name.as_str()),
            duration: ctx.now.saturating_duration_since(started),
            retries: record.retries,
            ended_by: &reason.ender,
            cause: &reason.cause,
        };
        let now_s = ctx.net.unix_s();
        match ctx.config.log.access_format {
            AccessFormat::Combined => log::info!(target: HTTP_ACCESS, "{}", Combined(&entry, now_s)),
            AccessFormat::Json => log::info!(target: HTTP_ACCESS, "{}", Json(&entry, now_s)),
        }
        if ctx.spare_texts.len() < SPARE_MAX {
            ctx.spare_texts.push(record.text);
        }
    }
}
