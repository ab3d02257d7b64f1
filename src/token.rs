//! What an event is about, packed into the 64 bits the kernel carries for us: the only bit packing in the project.

/// Names one tenant of a table for as long as it lives: a slot, and the epoch of its tenant.
///
/// Slots are reused, epochs are not (until 2³² tenants later), so an event, a timer or a queue entry that
/// outlived its tenant finds a different epoch and is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// Slot in the table, below [`SlotId::MAX_SLOTS`].
    pub slot: u32,
    /// Tenant of the slot; 0 is never one.
    pub epoch: u32,
}

impl SlotId {
    /// Tenants a table may hold.
    pub const MAX_SLOTS: usize = 1 << 31;
}

/// A session: one client, from accept to close.
pub type SessionId = SlotId;
/// A connection to a backend, which may serve one session after the other.
pub type LinkId = SlotId;

/// One of the two peers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who connected to us.
    Client,
    /// Whom we connected to.
    Backend,
}

impl Side {
    /// The peer's peer.
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Backend,
            Side::Backend => Side::Client,
        }
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// The client's socket of a session.
    Client(SessionId),
    /// A socket to a backend.
    Backend(LinkId),
    /// A listening socket, by its slot.
    Listener(u32),
    /// The socket of a check of a backend, by the check's slot; turns, below [`Token::PROBE_TURNS`], tell the checks in
    /// that slot apart.
    Probe {
        /// Below [`Token::PROBE_SLOTS`].
        slot: u32,
        /// Which of its sockets.
        turn: u16,
    },
    /// A socket of the admin endpoint, by its slot; turns tell those apart that had the slot one after the other.
    Desk {
        /// Below [`Token::PROBE_SLOTS`].
        slot: u32,
        /// Below [`Token::DESK_TURNS`].
        turn: u16,
    },
    /// Another thread wants this loop to look up.
    Waker,
}

const _: () = assert!(usize::BITS == 64, "tokens need 64 bits");
const EPOCH_SHIFT: u32 = 32;
const SLOT_SHIFT: u32 = 1;
const WAKER: usize = u32::MAX as usize;
/// Set in probes, and in the waker, which no probe is equal to.
const PROBE: usize = 1 << 31;
const PROBE_TURN_SHIFT: u32 = 20;
/// Set in what belongs to the admin endpoint; no listener has so high a slot.
const DESK: usize = 1 << 30;

impl Token {
    /// Backends that can be checked.
    pub const PROBE_SLOTS: usize = (1 << PROBE_TURN_SHIFT) - 1;
    /// Turns of a slot that can be told apart.
    pub const PROBE_TURNS: u16 = 1 << (31 - PROBE_TURN_SHIFT);

    /// Turns of a slot of the admin endpoint.
    pub const DESK_TURNS: u16 = 1 << (30 - PROBE_TURN_SHIFT);

    /// epoch (32) | slot (31) | side (1); epoch 0 holds what is in no table: listeners, 1 | turn (11) | slot (20) of
    /// probes, and 01 | turn (10) | slot (20) of the admin endpoint.
    pub fn pack(self) -> usize {
        let (id, side) = match self {
            Token::Client(id) => (id, 0),
            Token::Backend(id) => (id, 1),
            Token::Listener(index) => return index as usize,
            Token::Probe { slot, turn } => {
                debug_assert!((slot as usize) < Token::PROBE_SLOTS && turn < Token::PROBE_TURNS);
                return PROBE | (turn as usize) << PROBE_TURN_SHIFT | slot as usize;
            }
            Token::Desk { slot, turn } => {
                debug_assert!((slot as usize) < Token::PROBE_SLOTS && turn < Token::DESK_TURNS);
                return DESK | (turn as usize) << PROBE_TURN_SHIFT | slot as usize;
            }
            Token::Waker => return WAKER,
        };
        debug_assert!((id.slot as usize) < SlotId::MAX_SLOTS && id.epoch != 0);
        (id.epoch as usize) << EPOCH_SHIFT | (id.slot as usize) << SLOT_SHIFT | side
    }

    /// The inverse of [`Token::pack`].
    pub fn unpack(bits: usize) -> Token {
        let (epoch, low) = ((bits >> EPOCH_SHIFT) as u32, bits as u32);
        if epoch == 0 {
            return match bits {
                WAKER => Token::Waker,
                probe if probe & PROBE != 0 => Token::Probe {
                    slot: low & ((1 << PROBE_TURN_SHIFT) - 1),
                    turn: (low >> PROBE_TURN_SHIFT) as u16 % Token::PROBE_TURNS,
                },
                desk if desk & DESK != 0 => Token::Desk {
                    slot: low & ((1 << PROBE_TURN_SHIFT) - 1),
                    turn: (low >> PROBE_TURN_SHIFT) as u16 % Token::DESK_TURNS,
                },
                _ => Token::Listener(low),
            };
        }
        let id = SlotId { slot: low >> SLOT_SHIFT, epoch };
        if low & 1 == 1 { Token::Backend(id) } else { Token::Client(id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_survives_the_round_trip() {
        let mut tokens = vec![Token::Waker, Token::Listener(0), Token::Listener(7)];
        for slot in [0, 1, 12_345, SlotId::MAX_SLOTS as u32 - 1] {
            for epoch in [1, 2, u32::MAX] {
                tokens.push(Token::Client(SlotId { slot, epoch }));
                tokens.push(Token::Backend(SlotId { slot, epoch }));
            }
        }
        for slot in [0, 1, Token::PROBE_SLOTS as u32 - 1] {
            for turn in [0, 1, Token::PROBE_TURNS - 1] {
                tokens.push(Token::Probe { slot, turn });
            }
        }
        for slot in [0, 64] {
            for turn in [0, 1, Token::DESK_TURNS - 1] {
                tokens.push(Token::Desk { slot, turn });
            }
        }
        for token in &tokens {
            assert_eq!(Token::unpack(token.pack()), *token);
        }
        let distinct: std::collections::HashSet<_> = tokens.iter().map(|t| t.pack()).collect();
        assert_eq!(distinct.len(), tokens.len());
    }
}
