//! `[[frontend]]`: where clients come in, and which pool they go to.

use std::net::{Ipv6Addr, SocketAddr};

use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::RawFrontend;
use super::{
    Cidr, ClientLimits, ForwardedStyle, Frontend, Listen, Mode, address, name, number, routes, suggest, word,
};

/// All frontends, in file order. `pools` are the names in the order of [`super::Config::pools`].
pub(super) fn resolve_frontends(raw: &[RawFrontend], pools: &[&str]) -> Result<Vec<Frontend>, Problem> {
    let list = KeyPath::root().key("frontend");
    if raw.is_empty() {
        return Err(Problem::new(&list, "none, so nothing would listen: add [[frontend]] with port = 8080"));
    }
    let mut frontends: Vec<Frontend> = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let path = list.index(index);
        let pool = resolve_pool_name(raw.pool.as_deref(), &path.key("pool"), pools)?;
        let name = raw.name.clone().unwrap_or_else(|| pools[pool].to_owned());
        check_name(&frontends, &name, &path.key("name"))?;
        let listen = resolve_listen(raw, &path, &frontends)?;
        let mode = word::resolve(raw.mode.as_deref(), &path.key("mode"))?;
        let trusted_proxies = resolve_trusted_proxies(raw, &path, mode)?;
        let forwarded = resolve_forwarded(raw, &path, mode)?;
        let routes = routes::resolve_routes(&raw.routes, &path, mode, pools)?;
        let clients = resolve_client_limits(raw, &path)?;
        frontends.push(Frontend {
            listen,
            routes,
            clients,
            mode,
            trusted_proxies,
            forwarded,
            ..Frontend::new(&name, pool)
        });
    }
    Ok(frontends)
}

fn resolve_client_limits(raw: &RawFrontend, path: &KeyPath) -> Result<ClientLimits, Problem> {
    let rate_per_s: u32 = number::RATE_PER_CLIENT_PER_S.resolve(path, raw.rate_per_client_per_s)?;
    if rate_per_s == 0 && raw.burst_per_client.is_some() {
        let what = "there is no rate it could apply to: add rate_per_client_per_s, or remove it";
        return Err(Problem::new(&path.key(number::BURST_PER_CLIENT.key), what));
    }
    let burst = raw.burst_per_client.unwrap_or(i64::from(rate_per_s.max(1)));
    Ok(ClientLimits {
        max_connections: number::MAX_CONNECTIONS_PER_CLIENT.resolve(path, raw.max_connections_per_client)?,
        rate_per_s,
        burst: number::BURST_PER_CLIENT.resolve(path, Some(burst))?,
    })
}

/// The index of the pool that is named, or of the only one there is.
pub(super) fn resolve_pool_name(raw: Option<&str>, path: &KeyPath, pools: &[&str]) -> Result<usize, Problem> {
    match (raw, pools) {
        (_, []) => Err(Problem::new(
            &KeyPath::root().key("pool"),
            "none, so there is nowhere to send clients: add [pool.NAME] with backends = [...]",
        )),
        (None, [_]) => Ok(0),
        (None, several) => {
            let what = format!("missing, and there are several pools: choose one of {}", several.join(", "));
            Err(Problem::new(path, what))
        }
        (Some(wanted), pools) => pools.iter().position(|name| *name == wanted).ok_or_else(|| {
            Problem::new(path, format!("there is no pool {wanted:?}{}", suggest::instead_of(wanted, pools)))
        }),
    }
}

fn check_name(known: &[Frontend], name: &str, path: &KeyPath) -> Result<(), Problem> {
    name::check_name(name, path)?;
    if known.iter().any(|frontend| frontend.name == name) {
        let what = format!(
            "another frontend is called {name:?} (without a name it gets its pool's): set another name"
        );
        return Err(Problem::new(path, what));
    }
    Ok(())
}

/// The `port`, if any, then the `listen` addresses, none of which may be taken already.
fn resolve_listen(raw: &RawFrontend, path: &KeyPath, others: &[Frontend]) -> Result<Vec<Listen>, Problem> {
    let mut listens: Vec<Listen> = Vec::new();
    let mut add = |listen: Listen, path: KeyPath| {
        let mut taken = others.iter().flat_map(|frontend| &frontend.listen).chain(&listens);
        if taken.any(|other| collide(&listen, other)) {
            let what = format!("{} is listened on already: use another address or port", listen.address);
            return Err(Problem::new(&path, what));
        }
        listens.push(listen);
        Ok(())
    };
    if raw.port.is_some() {
        let port = number::PORT.resolve(path, raw.port)?;
        let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        add(Listen { address, dual_stack: true }, path.key("port"))?;
    }
    for (index, text) in raw.listen.iter().enumerate() {
        let path = path.key("listen").index(index);
        let address = address::parse_listen(text).map_err(|what| Problem::new(&path, what))?;
        add(Listen { address, dual_stack: false }, path)?;
    }
    if listens.is_empty() {
        return Err(Problem::new(path, "listens nowhere: add port = 8080 or listen = [\"127.0.0.1:8080\"]"));
    }
    Ok(listens)
}

fn resolve_trusted_proxies(raw: &RawFrontend, path: &KeyPath, mode: Mode) -> Result<Vec<Cidr>, Problem> {
    let path = path.key("trusted_proxies");
    let Some(texts) = &raw.trusted_proxies else { return Ok(Vec::new()) };
    let parse = |(index, text): (usize, &String)| {
        text.parse().map_err(|what: String| Problem::new(&path.index(index), what))
    };
    let ranges = texts.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    needs_http(mode, &path)?;
    Ok(ranges)
}

fn resolve_forwarded(raw: &RawFrontend, path: &KeyPath, mode: Mode) -> Result<ForwardedStyle, Problem> {
    let path = path.key("forwarded");
    let style = word::resolve(raw.forwarded.as_deref(), &path)?;
    if raw.forwarded.is_some() {
        needs_http(mode, &path)?;
    }
    Ok(style)
}

/// Who sets a key that TCP mode ignores believes to be protected, or known to the backends.
pub(super) fn needs_http(mode: Mode, path: &KeyPath) -> Result<(), Problem> {
    match mode {
        Mode::Http => Ok(()),
        Mode::Tcp => {
            let what = "needs mode = \"http\" (--mode http): in TCP mode bytes pass as they are";
            Err(Problem::new(path, what))
        }
    }
}

/// Trusting everybody lets each client name the address that logs and backends take for its own.
pub(super) fn warn_if_all_are_trusted(frontends: &[Frontend], warnings: &mut Vec<Problem>) {
    for (index, frontend) in frontends.iter().enumerate() {
        let path = KeyPath::root().key("frontend").index(index).key("trusted_proxies");
        for (index, range) in frontend.trusted_proxies.iter().enumerate() {
            if range.is_everybody() {
                let what = format!("{range} trusts everybody: any client may claim any address");
                warnings.push(Problem::new(&path.index(index), what));
            }
        }
    }
}

/// Two sockets for the same place: SO_REUSEPORT would let both bind, and the kernel would deal clients out between
/// two frontends at random. A `port` covers every address of both families; one precise address beside it is fine,
/// since the kernel prefers the precise one.
fn collide(a: &Listen, b: &Listen) -> bool {
    let same_port = a.address.port() == b.address.port() && a.address.port() != 0;
    let everywhere = |listen: &Listen| listen.address.ip().is_unspecified();
    let wide = (a.dual_stack && everywhere(b)) || (b.dual_stack && everywhere(a));
    same_port && (wide || a.address == b.address)
}
