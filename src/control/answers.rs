//! What the admin endpoint answers to what, and who may ask for it.

use std::collections::HashMap;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};

use super::reload::{Request, Requests};
use crate::admin::{Asked, Then, Told, VisitorId, reply};
use crate::config::{AdminListen, WEIGHT_MOST};
use crate::proxy::{Explained, Question};
use crate::view::{Sampler, explained, page, prometheus};
use crate::worker::{Control, Reloaded, Wanted};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// What the page may load: what comes from here, and nothing else.
const PAGE_FIELDS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
     X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n";
/// What there is to answer from.
pub(super) struct Answers {
    pub(super) control: Control,
    pub(super) listen: AdminListen,
    /// What changes need, if they need it.
    pub(super) token: Option<String>,
    /// Whom to ask for a reload, if there is a file.
    pub(super) reloads: Option<Requests>,
}

/// An answer: status, type, further fields, content.
type Answer = (u16, &'static str, String, Vec<u8>);

/// Where answers are sent.
pub(super) trait Tell: FnOnce(Told) + Send + 'static {}
impl<T: FnOnce(Told) + Send + 'static> Tell for T {}

impl Answers {
    /// Answers, now or once it is done.
    pub(super) fn answer(&self, asked: &Asked, sampler: &mut Sampler, tell: impl Tell) {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let is_get = matches!(&*asked.method, "GET" | "HEAD");
        if let Err(refusal) = self.check_host(asked) {
            return send(asked, refusal, tell);
        }
        if path == "/events" && is_get {
            return self.begin_stream(asked, sampler, tell);
        }
        let answer = match self.look(path, &query, sampler) {
            Some(answer) if is_get => answer,
            Some(_) => {
                (405, TEXT, "Allow: GET, HEAD\r\n".to_owned(), b"this is to be looked at: use GET\n".to_vec())
            }
            None if is_change(path) && asked.method == "POST" => match self.check_right(asked) {
                Err(refusal) => refusal,
                Ok(()) if path == "/reload" => {
                    return self.reload(asked, query.contains_key("dry_run"), tell);
                }
                Ok(()) => self.change(path, &query, &asked.body),
            },
            None if is_change(path) => {
                (405, TEXT, "Allow: POST\r\n".to_owned(), b"this changes something: use POST\n".to_vec())
            }
            None => {
                problem(404, "there is nothing here: try /, /stats, /metrics, /healthz, /readyz or /explain")
            }
        };
        send(asked, answer, tell);
    }

    /// What can be looked at.
    fn look(&self, path: &str, query: &HashMap<String, String>, sampler: &mut Sampler) -> Option<Answer> {
        if let Some(file) = page::FILES.iter().find(|file| file.path == path) {
            return Some((200, file.kind, PAGE_FIELDS.to_owned(), file.content.to_vec()));
        }
        Some(match path {
            "/stats" => {
                let stats = sampler.take();
                (200, JSON, String::new(), serde_json::to_vec(&stats).unwrap_or_default())
            }
            "/metrics" => {
                let (stats, measured) = sampler.take_measured();
                let text = prometheus::render(&stats, &measured);
                (200, prometheus::CONTENT_TYPE, String::new(), text.into_bytes())
            }
            "/healthz" => (200, TEXT, String::new(), b"ok\n".to_vec()),
            "/readyz" => self.ready(sampler),
            "/explain" => self.explain(query),
            _ => return None,
        })
    }

    /// Whether clients should be sent here.
    fn ready(&self, sampler: &Sampler) -> Answer {
        if self.control.is_stopping() {
            return problem(503, "draining: it takes no new clients");
        }
        if sampler.is_anybody_available() {
            (200, TEXT, String::new(), b"ready\n".to_vec())
        } else {
            problem(503, "no backend of any pool is available")
        }
    }

    fn explain(&self, query: &HashMap<String, String>) -> Answer {
        let Some(client) = query.get("client") else {
            return problem(
                400,
                "say for whom: /explain?client=192.0.2.1, and perhaps &frontend=, &host= and &path=",
            );
        };
        let Ok(client) = client.parse::<IpAddr>() else {
            return problem(400, &format!("client: {client:?} is not an IP address"));
        };
        let text = |key: &str, default: &str| query.get(key).map_or(default, String::as_str).to_owned();
        let question = Question {
            client,
            frontend: query.get("frontend").cloned(),
            host: text("host", ""),
            target: text("path", "/"),
        };
        let mut workers = Vec::new();
        for (worker, explained) in self.control.explain(&question) {
            let explained = match explained {
                Ok(explained) => explained,
                Err(why) => return problem(404, &why),
            };
            workers.push(describe(worker, &explained));
        }
        if workers.is_empty() {
            return problem(503, "no worker has answered");
        }
        json_answer(&explained::Explained { client: client.to_string(), workers })
    }

    fn begin_stream(&self, asked: &Asked, sampler: &mut Sampler, tell: impl Tell) {
        let json = serde_json::to_string(&sampler.take()).unwrap_or_default();
        let first = format!("retry: 1000\n\ndata: {json}\n\n");
        let then = if asked.method == "HEAD" { Then::Close } else { Then::Stream };
        let content = if asked.method == "HEAD" { &[][..] } else { first.as_bytes() };
        let bytes = reply(200, "text/event-stream", "", content, then);
        tell(Told::Reply { to: asked.visitor, bytes, then });
    }

    /// `/backends/NAME/drain`, `enable` or `weight`.
    fn change(&self, path: &str, query: &HashMap<String, String>, body: &[u8]) -> Answer {
        let mut steps = path.trim_start_matches("/backends/").rsplitn(2, '/');
        let (Some(what), Some(name)) = (steps.next(), steps.next()) else {
            return problem(404, "write /backends/NAME/drain, /enable or /weight");
        };
        let name = percent_decode_str(name).decode_utf8_lossy();
        let (config, ..) = self.control.present();
        let has_it = |pool: &&crate::config::Pool| {
            query.get("pool").is_none_or(|wanted| *wanted == pool.name)
                && pool.backends.iter().any(|backend| backend.name == *name)
        };
        let pools: Vec<&str> = config.pools.iter().filter(has_it).map(|pool| &*pool.name).collect();
        let pool = match pools[..] {
            [] => return problem(404, &format!("there is no backend {name:?}")),
            [pool] => pool,
            _ => {
                return problem(
                    409,
                    &format!("several pools have a backend {name:?}: add ?pool= one of {}", pools.join(", ")),
                );
            }
        };
        let weight =
            query.get("value").cloned().unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
        let change: Box<dyn FnOnce(&mut Wanted)> = match what {
            "drain" => Box::new(|wanted| wanted.drained = true),
            "enable" => Box::new(|wanted| *wanted = Wanted::default()),
            "weight" => match weight.parse::<u32>() {
                Ok(weight) if weight <= WEIGHT_MOST => Box::new(move |wanted| wanted.weight = Some(weight)),
                _ => {
                    return problem(
                        400,
                        &format!("weight: {weight:?} is not a number from 0 to {WEIGHT_MOST}: add ?value=N"),
                    );
                }
            },
            _ => return problem(404, "write /backends/NAME/drain, /enable or /weight"),
        };
        match self.control.want(pool, &name, change) {
            Ok(Reloaded { changes, .. }) => {
                changes.iter().for_each(|change| log::info!("admin: {change}"));
                json_answer(&json!({ "changes": changes }))
            }
            Err(why) => problem(409, &why),
        }
    }

    fn reload(&self, asked: &Asked, dry_run: bool, tell: impl Tell) {
        let Some(reloads) = &self.reloads else {
            let why = "there is no file to read again: it was started with flags alone";
            return send(asked, problem(409, why), tell);
        };
        let (to, keep_alive) = (asked.visitor, asked.keep_alive);
        let report = Box::new(move |outcome: Result<Value, String>| {
            let answer = match outcome {
                Ok(value) => json_answer(&value),
                Err(why) => problem(409, &why),
            };
            send_to(to, keep_alive, false, answer, tell);
        });
        let request = if dry_run { Request::Preview(report) } else { Request::Reload(Some(report)) };
        // It never ends before this process does.
        let _ = reloads.send(request);
    }

    /// A page that made a browser believe that its name is this host's must not look around here.
    fn check_host(&self, asked: &Asked) -> Result<(), Answer> {
        let AdminListen::Tcp(address) = &self.listen else { return Ok(()) };
        let name = asked.host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let name = name.map_or(&*asked.host, |(name, _)| name);
        let ip: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
        let is_fine = !address.ip().is_loopback()
            || name.is_empty()
            || name.eq_ignore_ascii_case("localhost")
            || ip.is_some_and(|ip| ip.is_loopback());
        if is_fine {
            Ok(())
        } else {
            Err(problem(421, "this host is not called that: ask for localhost, or by address"))
        }
    }

    /// Who may change something: no page of another origin, and nobody without the token where one is needed.
    fn check_right(&self, asked: &Asked) -> Result<(), Answer> {
        let is_own_page =
            asked.origin.as_ref().is_none_or(|origin| *origin == format!("http://{}", asked.host));
        let is_related = asked.fetch_site.as_ref().is_none_or(|site| site == "same-origin" || site == "none");
        if !is_own_page || !is_related {
            return Err(problem(403, "pages of other origins may not change anything here"));
        }
        let Some(token) = &self.token else {
            return if self.listen.is_local() {
                Ok(())
            } else {
                Err(problem(403, "changes need a token here, and there is none: set token_file"))
            };
        };
        let brought =
            asked.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        if is_same(brought.trim(), token) {
            return Ok(());
        }
        let fields = "WWW-Authenticate: Bearer\r\n".to_owned();
        Err((
            401,
            TEXT,
            fields,
            b"401 changes need the token of token_file: Authorization: Bearer TOKEN\n".to_vec(),
        ))
    }
}

fn is_change(path: &str) -> bool {
    path == "/reload" || path.starts_with("/backends/")
}

/// Takes as long for a wrong token that is nearly right as for any other.
fn is_same(brought: &str, token: &str) -> bool {
    let differ = brought.bytes().zip(token.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    brought.len() == token.len() && differ == 0
}

fn describe(worker: usize, explained: &Explained) -> explained::Choice {
    let Explained { frontend, pool, explanation } = explained;
    let candidates = pool.backends().iter().zip(&explanation.candidates);
    explained::Choice {
        worker,
        frontend: frontend.clone(),
        pool: pool.name.clone(),
        policy: explanation.policy.to_owned(),
        score_is: explanation.score_is.to_owned(),
        how: explanation.how.clone(),
        backend: explanation.chosen.map(|index| pool.backends()[index].name.clone()),
        candidates: candidates
            .map(|(backend, candidate)| explained::Candidate {
                name: backend.name.clone(),
                address: backend.address.to_string(),
                weight: backend.weight(),
                in_flight: backend.connections(),
                score: candidate.score,
                skipped: candidate.skipped.clone(),
            })
            .collect(),
    }
}

fn json_answer(value: &impl Serialize) -> Answer {
    let mut content = serde_json::to_vec(value).unwrap_or_default();
    content.push(b'\n');
    (200, JSON, String::new(), content)
}

fn problem(status: u16, why: &str) -> Answer {
    (status, TEXT, String::new(), format!("{status} {why}\n").into_bytes())
}

fn send(asked: &Asked, answer: Answer, tell: impl Tell) {
    send_to(asked.visitor, asked.keep_alive, asked.method == "HEAD", answer, tell);
}

fn send_to(to: VisitorId, keep_alive: bool, is_head: bool, answer: Answer, tell: impl Tell) {
    let (status, kind, fields, content) = answer;
    let then = if keep_alive { Then::Next } else { Then::Close };
    let mut bytes = reply(status, kind, &fields, &content, then);
    if is_head {
        bytes.truncate(bytes.len() - content.len());
    }
    tell(Told::Reply { to, bytes, then });
}
