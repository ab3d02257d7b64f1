//! `[pool.NAME]`: policies by name, backends by address.

use super::address::{self, Lookup};
use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::{RawBackend, RawPool};
use super::{Backend, Host, Mode, Pool, name, number, sticky, suggest};

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
    if backends.iter().all(|backend| backend.weight == 0) {
        return Err(Problem::new(
            &list,
            "every weight is 0, so none can be chosen: give one a weight of 1 or more",
        ));
    }
    Ok(Pool { name: name.to_owned(), policy, max_load_percent, backends, sticky })
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
fn resolve_backend(raw: &RawBackend, path: &KeyPath, lookup: Lookup) -> Result<Vec<Backend>, Problem> {
    let Some(text) = &raw.address else {
        return Err(Problem::new(path, "no address: add address = \"HOST:PORT\""));
    };
    let weight = number::WEIGHT.resolve(path, raw.weight)?;
    if let Some(name) = &raw.name {
        name::check_name(name, &path.key("name"))?;
    }
    let addresses =
        address::resolve_backend(text, lookup).map_err(|what| Problem::new(&path.key("address"), what))?;
    let alone = addresses.len() == 1;
    let backends = addresses.into_iter().enumerate().map(|(index, address)| {
        let name = match &raw.name {
            None => address.to_string(),
            Some(name) if alone => name.clone(),
            Some(name) => format!("{name}-{}", index + 1),
        };
        Backend { name, address, weight }
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
