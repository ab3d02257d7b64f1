//! The backends one client was already sent to: a set small enough to live inside its session.

use super::backend::BackendId;

/// The most backends that may be tried for one client; `connect_attempts` in the configuration stays within it.
pub const MAX_CONNECT_ATTEMPTS: usize = 8;

/// The backends already tried for one client: at most [`MAX_CONNECT_ATTEMPTS`], inline, no allocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    ids: [BackendId; MAX_CONNECT_ATTEMPTS],
    len: u8,
}

impl Tried {
    /// Adds a backend. False when it was there already, or when the set is full and it was left out.
    pub fn insert(&mut self, id: BackendId) -> bool {
        let len = self.len();
        let fresh = len < MAX_CONNECT_ATTEMPTS && !self.contains(id);
        if fresh {
            self.ids[len] = id;
            self.len += 1;
        }
        fresh
    }

    /// Whether the backend was tried.
    pub fn contains(&self, id: BackendId) -> bool {
        self.ids[..self.len()].contains(&id)
    }

    /// How many were tried.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether none was tried.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the one added last: it deserves another try.
    pub fn forget_last(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_each_backend_once_and_no_more_than_its_capacity() {
        let mut tried = Tried::default();
        assert!(tried.is_empty());
        for id in 0..MAX_CONNECT_ATTEMPTS as u32 {
            assert!(!tried.contains(BackendId(id)), "the default value of an empty slot is not a member");
            assert!(tried.insert(BackendId(id)));
            assert!(!tried.insert(BackendId(id)));
        }
        assert_eq!(tried.len(), MAX_CONNECT_ATTEMPTS);
        assert!(!tried.insert(BackendId(99)) && !tried.contains(BackendId(99)));
        tried.clear();
        assert!(tried.is_empty() && !tried.contains(BackendId(0)));
    }
}
