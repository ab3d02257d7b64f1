//! Kernel pipes to lend: bounded, from a free list, held only while they hold bytes.

use crate::net::Duct;

/// The ducts of one worker. As with buffers, most are given back before a turn ends.
#[derive(Default)]
pub struct Ducts {
    free: Vec<Duct>,
    in_use: usize,
    most: usize,
}

impl Ducts {
    /// At most so many at a time; none is opened yet.
    pub fn new(most: usize) -> Ducts {
        Ducts { free: Vec::with_capacity(most), in_use: 0, most }
    }

    /// An empty duct, unless all are in use or none is to be had: copying works as well.
    pub fn take(&mut self) -> Option<Duct> {
        if self.in_use == self.most {
            return None;
        }
        let duct = self.free.pop().or_else(|| {
            Duct::new().inspect_err(|error| log::debug!("no pipe, bytes are copied: {error}")).ok()
        })?;
        self.in_use += 1;
        Some(duct)
    }

    /// Returns an empty duct.
    pub fn give(&mut self, duct: Duct) {
        self.in_use -= 1;
        self.free.push(duct);
    }

    /// Returns a duct with what is left in it, which is forgotten.
    pub fn discard(&mut self, duct: Duct) {
        self.in_use -= 1;
        drop(duct);
    }

    /// Ducts taken and not yet given back.
    pub fn in_use(&self) -> usize {
        self.in_use
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ducts_are_bounded_and_reused_only_when_empty() {
        let mut ducts = Ducts::new(2);
        let (first, second) = (ducts.take().unwrap(), ducts.take().unwrap());
        assert!(ducts.take().is_none(), "two at a time");
        rustix::io::write(first.entry(), b"left over").unwrap();
        ducts.discard(first);
        ducts.give(second);
        let again = [ducts.take().unwrap(), ducts.take().unwrap()];
        for duct in &again {
            let nothing = rustix::io::read(duct.exit(), &mut [0; 16]);
            assert_eq!(nothing.unwrap_err(), rustix::io::Errno::AGAIN);
        }
        again.into_iter().for_each(|duct| ducts.give(duct));
        assert_eq!((ducts.in_use(), ducts.free.len()), (0, 2));
    }

    #[test]
    fn without_any_bytes_are_copied() {
        assert!(Ducts::new(0).take().is_none());
    }
}
