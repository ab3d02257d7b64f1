//! Tables of tenants: slots that are reused, under ids that are not.

use slab::Slab;

use crate::token::SlotId;

/// Tenants by [`SlotId`].
pub struct Table<T> {
    slots: Slab<(u32, T)>,
    last_epoch: u32,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { slots: Slab::new(), last_epoch: 0 }
    }
}

impl<T> Table<T> {
    /// Lets `make` build a tenant that knows its own id.
    pub fn insert(&mut self, make: impl FnOnce(SlotId) -> T) -> SlotId {
        // Epoch 0 belongs to tokens that are not sessions.
        self.last_epoch = self.last_epoch.checked_add(1).unwrap_or(1);
        let slot = self.slots.vacant_entry();
        let id = SlotId { slot: slot.key() as u32, epoch: self.last_epoch };
        slot.insert((id.epoch, make(id)));
        id
    }

    /// The tenant, unless it has moved out.
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        let (epoch, tenant) = self.slots.get_mut(id.slot as usize)?;
        (*epoch == id.epoch).then_some(tenant)
    }

    /// The same, to look at.
    pub fn get(&self, id: SlotId) -> Option<&T> {
        let (epoch, tenant) = self.slots.get(id.slot as usize)?;
        (*epoch == id.epoch).then_some(tenant)
    }

    /// Moves a tenant out.
    pub fn remove(&mut self, id: SlotId) -> Option<T> {
        self.get_mut(id)?;
        Some(self.slots.remove(id.slot as usize).1)
    }

    /// Who lives in `slot` now.
    pub fn tenant(&self, slot: u32) -> Option<SlotId> {
        let (epoch, _) = self.slots.get(slot as usize)?;
        Some(SlotId { slot, epoch: *epoch })
    }

    /// Everybody.
    pub fn ids(&self) -> Vec<SlotId> {
        self.slots.iter().map(|(slot, (epoch, _))| SlotId { slot: slot as u32, epoch: *epoch }).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_slot_has_a_new_epoch() {
        let mut table = Table::default();
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
        let mut table = Table { last_epoch: u32::MAX, ..Table::default() };
        assert_eq!(table.insert(|_| ()).epoch, 1);
    }
}
