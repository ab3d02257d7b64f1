//! The session table: slots that are reused, under ids that are not.

use slab::Slab;

use crate::token::SessionId;

/// Tenants by [`SessionId`].
pub(super) struct Table<T> {
    slots: Slab<(u32, T)>,
    last_epoch: u32,
}

impl<T> Table<T> {
    pub(super) fn new() -> Table<T> {
        Table { slots: Slab::new(), last_epoch: 0 }
    }

    /// Lets `make` build a tenant that knows its own id.
    pub(super) fn insert(&mut self, make: impl FnOnce(SessionId) -> T) -> SessionId {
        // Epoch 0 belongs to tokens that are not sessions.
        self.last_epoch = self.last_epoch.checked_add(1).unwrap_or(1);
        let slot = self.slots.vacant_entry();
        let id = SessionId { slot: slot.key() as u32, epoch: self.last_epoch };
        slot.insert((id.epoch, make(id)));
        id
    }

    /// The tenant, unless it has moved out.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut T> {
        let (epoch, tenant) = self.slots.get_mut(id.slot as usize)?;
        (*epoch == id.epoch).then_some(tenant)
    }

    /// Moves a tenant out.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<T> {
        self.get_mut(id)?;
        Some(self.slots.remove(id.slot as usize).1)
    }

    /// Who lives in `slot` now.
    pub(super) fn tenant(&self, slot: u32) -> Option<SessionId> {
        let (epoch, _) = self.slots.get(slot as usize)?;
        Some(SessionId { slot, epoch: *epoch })
    }

    /// Everybody.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.slots.iter().map(|(slot, (epoch, _))| SessionId { slot: slot as u32, epoch: *epoch }).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_slot_has_a_new_epoch() {
        let mut table = Table::new();
        let first = table.insert(|_| "first");
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert(|_| "second");
        assert_eq!(first.slot, second.slot);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get_mut(second), Some(&mut "second"));
        assert_eq!(table.tenant(second.slot), Some(second));
    }

    #[test]
    fn epoch_zero_is_never_given_out() {
        let mut table = Table::new();
        table.last_epoch = u32::MAX;
        assert_eq!(table.insert(|_| ()).epoch, 1);
    }
}
