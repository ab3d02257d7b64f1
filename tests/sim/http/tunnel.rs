//! What two peers say to each other once they have changed the protocol.

use super::stream::Stream;

#[derive(Debug)]
pub struct Tunnel {
    says: Vec<u8>,
    expects: Vec<u8>,
    said: bool,
    /// Where the tunnel ends, in what is sent.
    end: u64,
    pub heard: usize,
    /// It has heard everything, and a clean end.
    pub complete: bool,
}

impl Tunnel {
    pub fn new(says: Vec<u8>, expects: Vec<u8>) -> Tunnel {
        Tunnel { says, expects, said: false, end: 0, heard: 0, complete: false }
    }

    pub fn speak(&mut self, stream: &mut Stream) {
        if !self.said {
            self.said = true;
            stream.say(&self.says);
            self.end = stream.said;
        }
    }

    pub fn is_sent(&self, stream: &Stream) -> bool {
        self.said && stream.sent >= self.end
    }

    pub fn hear(&mut self, stream: &mut Stream) {
        let Some(bytes) = stream.unparsed() else { return };
        let count = bytes.len();
        let expected = self.expects.get(self.heard..self.heard + count);
        assert_eq!(Some(bytes), expected, "other bytes than were sent into the tunnel");
        self.heard += count;
        stream.took(count);
    }

    /// The other side has ended: cleanly only after everything it had to say.
    pub fn end(&mut self, cleanly: bool) {
        self.complete = cleanly && self.heard == self.expects.len();
    }
}
