//! Where frontends and pools stand in a worker after a reload: sessions name them by position, so what stays keeps its own,
//! and what is gone keeps it too, as long as a session needs it.

use crate::config::{Config, Frontend};

/// A configuration as one worker has it: with what is gone and still in use.
pub(super) struct Layout {
    pub(super) config: Config,
    /// Where each frontend of the new configuration stands.
    pub(super) frontends: Vec<usize>,
    /// Where each pool of it stands.
    pub(super) pools: Vec<usize>,
}

impl Layout {
    /// Puts `new` in the place of `old`, where nothing may take the place of what is in use. `own_places` says where each of
    /// the new pools stands already, if it does.
    pub(super) fn new(
        old: &Config,
        new: &Config,
        own_places: Vec<Option<usize>>,
        frontend_in_use: impl Fn(usize) -> bool,
        pool_in_use: impl Fn(usize) -> bool,
    ) -> Layout {
        let places = places(&own_places, old.pools.len(), |place| {
            // A frontend that is gone still names its pool.
            let named = |(index, frontend): (usize, &Frontend)| {
                frontend.pools().any(|pool| pool == place) && frontend_in_use(index)
            };
            pool_in_use(place) || old.frontends.iter().enumerate().any(named)
        });
        let pools = arrange(&old.pools, &new.pools, &places);
        let moved = new.frontends.iter().map(|frontend| with_pools_at(frontend, &places));
        let moved: Vec<Frontend> = moved.collect();
        let own_place = |frontend: &Frontend| old.frontends.iter().position(|one| one.name == frontend.name);
        let own_places: Vec<Option<usize>> = moved.iter().map(own_place).collect();
        let frontend_places = self::places(&own_places, old.frontends.len(), frontend_in_use);
        let frontends = arrange(&old.frontends, &moved, &frontend_places);
        let config = Config { frontends, pools, ..new.clone() };
        Layout { config, frontends: frontend_places, pools: places }
    }
}

/// A frontend whose pools stand in other places.
fn with_pools_at(frontend: &Frontend, places: &[usize]) -> Frontend {
    let mut moved = Frontend { pool: places[frontend.pool], ..frontend.clone() };
    moved.routes.iter_mut().for_each(|route| route.pool = places[route.pool]);
    moved
}

/// A place for each of the new things: its own where it has one, or else the first of `count` and more that nobody has or
/// needs.
fn places(own: &[Option<usize>], count: usize, in_use: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut taken: Vec<bool> = (0..count).map(|place| in_use(place) || own.contains(&Some(place))).collect();
    let place = |own: &Option<usize>| {
        own.unwrap_or_else(|| {
            let free = taken.iter().position(|taken| !taken).unwrap_or(taken.len());
            if free == taken.len() {
                taken.push(true);
            }
            taken[free] = true;
            free
        })
    };
    own.iter().map(place).collect()
}

/// The old things, with the new ones in their places.
fn arrange<T: Clone>(old: &[T], new: &[T], places: &[usize]) -> Vec<T> {
    let mut all: Vec<T> = old.to_vec();
    for (thing, &place) in new.iter().zip(places) {
        match all.get_mut(place) {
            Some(slot) => *slot = thing.clone(),
            // Places beyond the end are given out one after the other.
            None => all.push(thing.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn what_stays_keeps_its_place_and_what_is_in_use_keeps_it_too() {
        let nobody = |_| false;
        assert_eq!(places(&[Some(1), Some(0)], 2, nobody), [1, 0]);
        assert_eq!(places(&[None, Some(1)], 2, nobody), [0, 1]);
        assert_eq!(places(&[None, Some(1)], 2, |place| place == 0), [2, 1]);
        assert_eq!(places(&[None, None, Some(0)], 1, nobody), [1, 2, 0]);
        assert_eq!(places(&[None, None], 0, nobody), [0, 1]);
        assert_eq!(places(&[None, Some(2)], 3, nobody), [0, 2]);
    }
}
