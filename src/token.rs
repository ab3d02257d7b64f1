//! What an event is about, packed into the 64 bits the kernel carries for us: the only bit packing in the project.

/// Names one session for as long as it lives: a slot of the session table, and the epoch of its tenant.
///
/// Slots are reused, epochs are not (until 2³² sessions later), so an event, a timer or a queue entry that
/// outlived its session finds a different epoch and is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// Slot in the session table, below [`SessionId::MAX_SLOTS`].
    pub slot: u32,
    /// Tenant of the slot; 0 is never a session's.
    pub epoch: u32,
}

impl SessionId {
    /// Sessions a table may hold.
    pub const MAX_SLOTS: usize = 1 << 23;
}

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
    /// A socket of a session.
    Session {
        /// The session.
        id: SessionId,
        /// Which of its sockets.
        side: Side,
        /// Which of the sockets that this side had, one after the other: a retried connect leaves stale events.
        attempt: u8,
    },
    /// A listening socket, by its index.
    Listener(u32),
    /// Another thread wants this loop to look up.
    Waker,
}

const _: () = assert!(usize::BITS == 64, "tokens need 64 bits");
const EPOCH_SHIFT: u32 = 32;
const ATTEMPT_SHIFT: u32 = 24;
const SLOT_SHIFT: u32 = 1;
const WAKER: usize = u32::MAX as usize;

impl Token {
    /// epoch (32) | attempt (8) | slot (23) | side (1); epoch 0 holds what is not a session.
    pub fn pack(self) -> usize {
        match self {
            Token::Session { id, side, attempt } => {
                debug_assert!((id.slot as usize) < SessionId::MAX_SLOTS && id.epoch != 0);
                (id.epoch as usize) << EPOCH_SHIFT
                    | (attempt as usize) << ATTEMPT_SHIFT
                    | (id.slot as usize) << SLOT_SHIFT
                    | (side == Side::Backend) as usize
            }
            Token::Listener(index) => index as usize,
            Token::Waker => WAKER,
        }
    }

    /// The inverse of [`Token::pack`].
    pub fn unpack(bits: usize) -> Token {
        let (epoch, low) = ((bits >> EPOCH_SHIFT) as u32, bits as u32);
        if epoch == 0 {
            return if bits == WAKER { Token::Waker } else { Token::Listener(low) };
        }
        let slot = low >> SLOT_SHIFT & (SessionId::MAX_SLOTS as u32 - 1);
        let side = if low & 1 == 1 { Side::Backend } else { Side::Client };
        Token::Session { id: SessionId { slot, epoch }, side, attempt: (low >> ATTEMPT_SHIFT) as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_survives_the_round_trip() {
        let mut tokens = vec![Token::Waker, Token::Listener(0), Token::Listener(7)];
        for slot in [0, 1, 12_345, SessionId::MAX_SLOTS as u32 - 1] {
            for epoch in [1, 2, u32::MAX] {
                for side in [Side::Client, Side::Backend] {
                    for attempt in [0, 1, u8::MAX] {
                        tokens.push(Token::Session { id: SessionId { slot, epoch }, side, attempt });
                    }
                }
            }
        }
        for token in &tokens {
            assert_eq!(Token::unpack(token.pack()), *token);
        }
        let distinct: std::collections::HashSet<_> = tokens.iter().map(|t| t.pack()).collect();
        assert_eq!(distinct.len(), tokens.len());
    }
}
