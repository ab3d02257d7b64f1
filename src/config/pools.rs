//! `[pool.NAME]`: policies by name, backends by address.

use super::address::{self, Lookup};
use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::{RawBackend, RawPool};
use super::{Backend, Host, Mode, Pool, health, name, number, sticky, suggest};

/// One pool, its backends in the order given (the addresses of one name sorted). `modes` are those of the frontends
/// that use it.
pub(super) fn resolve_pool(
    name: &str,
    raw: &RawPool,
    path: &KeyPath,
    host: &Host,
    modes: &[Mode],
) -> Result<Pool, Problem> {
    let policy = resolve_policy(raw.policy.as_deref(), &path.key("policy"), host.policies)?;
    let max_load_percent = resolve_max_load(raw.max_load_percent, policy, path, host.keyed)?;
    let sticky = sticky::resolve_sticky(raw, path, modes)?;
    let health = health::resolve_health(&raw.health, path, modes)?;
    let list = path.key("backends");
    let mut backends: Vec<Backend> = Vec::new();
    for (index, raw) in raw.backends.iter().enumerate() {
        let path = list.index(index);
        for backend in resolve_backend(raw, &path, host.lookup)? {
            check_unique(&backends, &backend, raw, &path)?;
            backends.push(backend);
        }
    }
    if backends.is_empty() {
        return Err(Problem::new(&list, "no backends: add one, such as { address = \"127.0.0.1:9001\" }"));
    }
    if backends.iter().all(|backend| backend.backup) {
        return Err(Problem::new(
            &list,
            "every backend is a backup, so there is none to back up: remove backup = true from one",
        ));
    }
    if backends.iter().all(|backend| backend.weight == 0) {
        return Err(Problem::new(
            &list,
            "every weight is 0, so none can be chosen: give one a weight of 1 or more",
        ));
    }
    let (queue, queue_timeout) = (
        number::QUEUE.resolve(path, raw.queue)?,
        number::QUEUE_TIMEOUT_MS.resolve_ms(path, raw.queue_timeout_ms)?,
    );
    Ok(Pool {
        name: name.to_owned(),
        policy,
        max_load_percent,
        backends,
        sticky,
        queue,
        queue_timeout,
        health,
    })
}

/// What is odd about settings that work.
pub(super) fn warn_if_odd(pool: &Pool, raw: &RawPool, path: &KeyPath, warnings: &mut Vec<Problem>) {
    let list = path.key("backends");
    for (index, raw) in raw.backends.iter().enumerate().filter(|(_, raw)| raw.weight == Some(0)) {
        let what = format!(
            "weight 0: {} gets no new clients, and drains if it has some",
            raw.name.as_ref().or(raw.address.as_ref()).map_or("it", String::as_str)
        );
        warnings.push(Problem::new(&list.index(index).key(number::WEIGHT.key), what));
    }
    let nobody_waits =
        pool.backends.iter().any(|backend| backend.max_connections.is_none() && backend.weight > 0);
    let given = [
        (raw.queue.is_some(), number::QUEUE.key),
        (raw.queue_timeout_ms.is_some(), number::QUEUE_TIMEOUT_MS.key),
    ];
    if let Some((_, key)) = given.iter().find(|(given, _)| *given)
        && nobody_waits
    {
        let what = "there is always room, so nobody waits: give every backend max_connections, or remove it";
        warnings.push(Problem::new(&path.key(key), what));
    }
}

fn resolve_policy(
    raw: Option<&str>,
    path: &KeyPath,
    known: &[&'static str],
) -> Result<&'static str, Problem> {
    let wanted = raw.or(known.first().copied()).unwrap_or_default();
    known.iter().copied().find(|name| *name == wanted).ok_or_else(|| {
        Problem::new(path, format!("no policy is called {wanted:?}{}", suggest::instead_of(wanted, known)))
    })
}

fn resolve_max_load(
    raw: Option<i64>,
    policy: &str,
    pool: &KeyPath,
    keyed: &[&'static str],
) -> Result<Option<u32>, Problem> {
    if raw.is_none() {
        return Ok(None);
    }
    if !keyed.contains(&policy) {
        let what = format!(
            "{policy} sends nobody to a backend of their own: remove it, or use a policy that does ({})",
            keyed.join(", ")
        );
        return Err(Problem::new(&pool.key(number::MAX_LOAD_PERCENT.key), what));
    }
    number::MAX_LOAD_PERCENT.resolve(pool, raw).map(Some)
}

/// The backends that one entry stands for: one, or one for each address of its name.
fn resolve_backend(raw: &RawBackend, path: &KeyPath, lookup: Lookup<'_>) -> Result<Vec<Backend>, Problem> {
    let Some(text) = &raw.address else {
        return Err(Problem::new(path, "no address: add address = \"HOST:PORT\""));
    };
    let weight = number::WEIGHT.resolve(path, raw.weight)?;
    let cap: u32 = number::BACKEND_MAX_CONNECTIONS.resolve(path, raw.max_connections)?;
    let max_connections = Some(cap).filter(|cap| *cap > 0);
    let backup = raw.backup.unwrap_or_default();
    if let Some(name) = &raw.name {
        name::check_name(name, &path.key("name"))?;
    }
    let addresses =
        address::resolve_backend(text, lookup).map_err(|what| Problem::new(&path.key("address"), what))?;
    let is_given = address::name_in(text).is_none();
    let backends = addresses.into_iter().map(|address| {
        let name = match &raw.name {
            None => address.to_string(),
            Some(name) if is_given => name.clone(),
            // Whatever else the name stands for, now or later, or to another proxy: this one is called so.
            Some(name) => format!("{name}-{}", address.ip()),
        };
        Backend { name, address, weight, max_connections, backup }
    });
    Ok(backends.collect())
}

/// Names tell backends apart in logs and to the policies that hash, addresses in the load counters: two of either would be
/// one backend counted twice.
fn check_unique(known: &[Backend], new: &Backend, raw: &RawBackend, path: &KeyPath) -> Result<(), Problem> {
    if known.iter().any(|backend| backend.address == new.address) {
        let what =
            format!("{} is already a backend of this pool: give it a higher weight instead", new.address);
        return Err(Problem::new(&path.key("address"), what));
    }
    if known.iter().any(|backend| backend.name == new.name) {
        let key = if raw.name.is_some() { "name" } else { "address" };
        let what = format!("another backend of this pool is called {:?}: choose another name", new.name);
        return Err(Problem::new(&path.key(key), what));
    }
    Ok(())
}
