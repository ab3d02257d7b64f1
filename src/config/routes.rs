//! `routes` of a `[[frontend]]`: which pool serves a request, by its host and the start of its path.
//!
//! The most specific route wins, wherever it stands in the file: an exact host before a wildcard, a longer wildcard before a
//! shorter one, any wildcard before a route for all hosts; and among those for the same host the longest path.

use std::cmp::Reverse;

use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::RawRoute;
use super::{Frontend, Mode, frontends};

/// One rule of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whom the request is for.
    pub host: HostRule,
    /// What its path starts with, in whole segments: `/api` is the start of `/api` and `/api/x`, but not of `/apix`.
    pub path_prefix: String,
    /// Index into [`super::Config::pools`].
    pub pool: usize,
}

/// Which hosts a rule is for. Names are lower case, without a port and without a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRule {
    /// This one.
    Exact(String),
    /// All below this one, itself not included: `*.example.com`.
    Below(String),
    /// All.
    Any,
}

impl HostRule {
    fn matches(&self, host: &str) -> bool {
        match self {
            HostRule::Exact(name) => host.eq_ignore_ascii_case(name),
            HostRule::Below(name) => {
                let (host, name) = (host.as_bytes(), name.as_bytes());
                host.len().checked_sub(name.len() + 1).is_some_and(|dot| {
                    dot > 0 && host[dot] == b'.' && host[dot + 1..].eq_ignore_ascii_case(name)
                })
            }
            HostRule::Any => true,
        }
    }

    /// What comes first in the order of rules.
    fn rank(&self) -> (u8, Reverse<usize>) {
        match self {
            HostRule::Exact(name) => (0, Reverse(name.len())),
            HostRule::Below(name) => (1, Reverse(name.len())),
            HostRule::Any => (2, Reverse(0)),
        }
    }

    /// How it is spelled.
    pub(super) fn spell(&self) -> Option<String> {
        match self {
            HostRule::Exact(name) => Some(name.clone()),
            HostRule::Below(name) => Some(format!("*.{name}")),
            HostRule::Any => None,
        }
    }
}

impl Route {
    fn matches(&self, host: &str, path: &str) -> bool {
        let under =
            |rest: &str| self.path_prefix.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?']);
        path.strip_prefix(self.path_prefix.as_str()).is_some_and(under) && self.host.matches(host)
    }
}

impl Frontend {
    /// The pool for a request with this authority and this target in origin form: as they were sent, since only the backend
    /// knows what it takes for the same path.
    pub fn route(&self, authority: &str, target: &str) -> usize {
        if self.routes.is_empty() {
            return self.pool;
        }
        let host = host_of(authority);
        let target = if target.starts_with('/') { target } else { "/" };
        let found = self.routes.iter().find(|route| route.matches(host, target));
        found.map_or(self.pool, |route| route.pool)
    }

    /// All pools that its requests may go to.
    pub fn pools(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.pool).chain(self.routes.iter().map(|route| route.pool))
    }
}

/// An authority without its port, and without the dot that ends a name at the root.
fn host_of(authority: &str) -> &str {
    let end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let host = &authority[..end];
    host.strip_suffix('.').unwrap_or(host)
}

/// The routes of one frontend, the most specific first. `pools` are names.
pub(super) fn resolve_routes(
    raw: &[RawRoute],
    frontend: &KeyPath,
    mode: Mode,
    pools: &[&str],
) -> Result<Vec<Route>, Problem> {
    let list = frontend.key("routes");
    if !raw.is_empty() {
        frontends::needs_http(mode, &list)?;
    }
    let mut routes: Vec<Route> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let path = list.index(index);
        let route = resolve_route(raw, &path, pools)?;
        let same = |other: &Route| (&other.host, &other.path_prefix) == (&route.host, &route.path_prefix);
        if routes.iter().any(same) {
            return Err(Problem::new(&path, "there is a route for the same host and path: keep one"));
        }
        routes.push(route);
    }
    routes.sort_by_key(|route| (route.host.rank(), Reverse(route.path_prefix.len())));
    Ok(routes)
}

fn resolve_route(raw: &RawRoute, path: &KeyPath, pools: &[&str]) -> Result<Route, Problem> {
    if raw.host.is_none() && raw.path_prefix.is_none() {
        let what = "matches everything: give it a host or a path_prefix (what no route matches goes to the frontend's pool)";
        return Err(Problem::new(path, what));
    }
    let Some(pool) = &raw.pool else {
        return Err(Problem::new(path, "no pool: add pool = \"NAME\""));
    };
    let path_prefix = raw.path_prefix.clone().unwrap_or_else(|| "/".to_owned());
    let plain = path_prefix.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !path_prefix.starts_with('/') || !plain {
        let what = format!("{path_prefix:?} is not the start of a path: start with /, without ? or #");
        return Err(Problem::new(&path.key("path_prefix"), what));
    }
    Ok(Route {
        host: resolve_host(raw.host.as_deref(), &path.key("host"))?,
        path_prefix,
        pool: frontends::resolve_pool_name(Some(pool), &path.key("pool"), pools)?,
    })
}

fn resolve_host(raw: Option<&str>, path: &KeyPath) -> Result<HostRule, Problem> {
    let Some(text) = raw else { return Ok(HostRule::Any) };
    let (name, below) = match text.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_name = !name.is_empty() && !name.starts_with('.') && name.bytes().all(in_name);
    let is_ipv6 = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_ipv6 = !below && is_ipv6.is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok());
    if !is_name && !is_ipv6 {
        let what = format!(
            "{text:?} is not a host: write app.example.com, or *.example.com for all below it, without a port"
        );
        return Err(Problem::new(path, what));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    Ok(if below { HostRule::Below(name) } else { HostRule::Exact(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frontend(routes: &[(Option<&str>, Option<&str>)]) -> Frontend {
        let names: Vec<String> = (0..=routes.len()).map(|n| format!("p{n}")).collect();
        let raw = routes.iter().zip(&names[1..]).map(|((host, prefix), name)| RawRoute {
            host: host.map(str::to_owned),
            path_prefix: prefix.map(str::to_owned),
            pool: Some(name.clone()),
        });
        let raw: Vec<RawRoute> = raw.collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let routes = resolve_routes(&raw, &KeyPath::root(), Mode::Http, &names).unwrap();
        Frontend { routes, ..Frontend::new("test", 0) }
    }

    #[test]
    fn the_most_specific_route_wins_wherever_it_stands() {
        let routes = [
            (None, Some("/api")),                    // 1
            (Some("*.example.com"), None),           // 2
            (Some("app.example.com"), None),         // 3
            (Some("app.example.com"), Some("/api")), // 4
            (Some("*.eu.example.com"), None),        // 5
            (None, Some("/api/v2")),                 // 6
            (Some("[::1]"), None),                   // 7
            (None, Some("/dir/")),                   // 8
        ];
        let forward = frontend(&routes);
        let cases = [
            ("other.test", "/", 0),
            ("other.test", "/api", 1),
            ("other.test", "/api?x=/", 1),
            ("other.test", "/api/v1", 1),
            ("other.test", "/apix", 0),
            ("other.test", "/API", 0),
            ("other.test", "/api/v2/x", 6),
            ("other.test", "/api/v22", 1),
            ("a.example.com", "/api/v2", 2),
            ("example.com", "/", 0),
            (".example.com", "/", 0),
            ("badexample.com", "/", 0),
            ("APP.example.COM:8080", "/x", 3),
            ("app.example.com.", "/api/", 4),
            ("a.b.eu.example.com", "/", 5),
            ("[::1]:80", "/", 7),
            ("", "/", 0),
            ("other.test", "*", 0),
            ("other.test", "?x", 0),
            ("other.test", "/dir", 0),
            ("other.test", "/dir/", 8),
            ("other.test", "/dir/x", 8),
            ("other.test", "/%61pi", 0),
            ("other.test", "/api/../x", 1),
        ];
        let mut turned: Vec<_> = routes.to_vec();
        turned.reverse();
        let backward = frontend(&turned);
        for (host, path, pool) in cases {
            assert_eq!(forward.route(host, path), pool, "{host} {path}");
            let expected = if pool == 0 { 0 } else { routes.len() + 1 - pool };
            assert_eq!(backward.route(host, path), expected, "{host} {path}, the file backwards");
        }
    }
}
