//! Names that backends are given by, and the addresses they stood for when they were looked up last.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use super::address::{self, Lookup};
use super::document::Document;
use super::overrides::Overrides;
use super::raw::Raw;

/// What each name with its port stands for, or why nobody knows. Looking up may take long, so it is not done while a
/// configuration is resolved, and what could not be found lately may still be known from before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<(String, u16), Result<Vec<SocketAddr>, String>>);

/// A name that cannot be looked up, but stood for something before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name.
    pub host: String,
    /// What the resolver says.
    pub why: String,
}

impl Names {
    /// Looks up all names in the text of a file with `overrides` on top; none if that is no configuration, which
    /// [`load`](super::load) says better.
    pub fn look_up(file: Option<&str>, overrides: &Overrides, lookup: Lookup<'_>) -> Names {
        let mut raw = match file.map(Document::parse) {
            None => Raw::default(),
            Some(Ok((_, raw))) => raw,
            Some(Err(_)) => return Names::default(),
        };
        if overrides.apply(&mut raw).is_err() {
            return Names::default();
        }
        let backends = raw.pool.values().flat_map(|pool| &pool.backends);
        let given = backends.filter_map(|backend| address::name_in(backend.address.as_deref()?));
        let mut names = Names::default();
        for (host, port) in given {
            names.0.entry((host.to_owned(), port)).or_insert_with(|| addresses(host, port, lookup));
        }
        names
    }

    /// Looks them all up again. Those that cannot be found stand for what they stood for.
    pub fn look_up_again(&self, lookup: Lookup<'_>) -> (Names, Vec<Missing>) {
        let mut missing = Vec::new();
        let again = self.0.iter().map(|(name, before)| {
            let found = addresses(&name.0, name.1, lookup);
            if let (Err(why), Ok(_)) = (&found, before) {
                missing.push(Missing { host: name.0.clone(), why: why.clone() });
                return (name.clone(), before.clone());
            }
            (name.clone(), found)
        });
        (Names(again.collect()), missing)
    }

    /// What a name stands for; `None` if it is not one of these.
    pub fn addresses(&self, host: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        let known = self.0.get(&(host.to_owned(), port))?;
        Some(known.clone().map_err(io::Error::other))
    }

    /// Whether there is none: every backend is given by its address.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// In an order of their own: resolvers give them in another one each time. No address at all is as good as no answer.
fn addresses(host: &str, port: u16, lookup: Lookup<'_>) -> Result<Vec<SocketAddr>, String> {
    let mut found = lookup(host, port).map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err("it has no address".to_owned());
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[[frontend]]\nport = 1\n[pool.p]\nbackends = [\n{ address = 'a.test:80' }, { address = 'b.test:80' },\n\
                        { address = '127.0.0.1:80' }, { address = 'a.test:81' }]\n";

    fn all_at(ip: [u8; 4]) -> impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> {
        move |_: &str, port| Ok(vec![(ip, port).into()])
    }

    #[test]
    fn what_cannot_be_found_stands_for_what_it_stood_for_and_the_others_move() {
        let names = Names::look_up(Some(FILE), &Overrides::default(), &all_at([10, 0, 0, 1]));
        let without_b = |host: &str, port| match host {
            "b.test" => Err(io::Error::other("nobody knows")),
            _ => Ok(vec![([10, 0, 0, 2], port).into(), ([10, 0, 0, 1], port).into()]),
        };
        let (names, missing) = names.look_up_again(&without_b);
        assert_eq!(missing, [Missing { host: "b.test".into(), why: "nobody knows".into() }]);
        let now = |host, port| names.addresses(host, port).map(|found| found.unwrap());
        assert_eq!(now("a.test", 81), Some(vec![([10, 0, 0, 1], 81).into(), ([10, 0, 0, 2], 81).into()]));
        assert_eq!(now("b.test", 80), Some(vec![([10, 0, 0, 1], 80).into()]));
        assert_eq!((now("127.0.0.1", 80), now("b.test", 81)), (None, None));
    }

    #[test]
    fn an_answer_without_an_address_is_none() {
        let names = Names::look_up(Some(FILE), &Overrides::default(), &all_at([10, 0, 0, 1]));
        let (again, missing) = names.look_up_again(&|_, _| Ok(Vec::new()));
        assert_eq!((again == names, missing.len()), (true, 3));
    }

    #[test]
    fn another_order_is_no_change() {
        let both = |first: u8, second: u8| {
            move |_: &str, port| Ok([first, second].map(|last| ([10, 0, 0, last], port).into()).to_vec())
        };
        let names = Names::look_up(Some(FILE), &Overrides::default(), &both(1, 2));
        assert_eq!(names.look_up_again(&both(2, 1)), (names, vec![]));
    }

    #[test]
    fn flags_have_names_too_and_what_is_no_configuration_has_none() {
        let overrides = Overrides { backends: vec!["c.test:90,weight=2".into()], ..Overrides::default() };
        let names = Names::look_up(None, &overrides, &all_at([10, 0, 0, 1]));
        assert!(names.addresses("c.test", 90).is_some());
        assert!(Names::look_up(Some("= ="), &overrides, &all_at([10, 0, 0, 1])).is_empty());
    }
}
