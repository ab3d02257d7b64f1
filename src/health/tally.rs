//! Rise and fall: when what checks find changes what is thought of a backend.

/// What is thought of one backend, and what speaks against it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    is_down: bool,
    /// Some check has come to an end.
    is_known: bool,
    /// Checks in a row that contradicted what is thought.
    run: u32,
}

impl Tally {
    /// At first a backend is thought to be what it was before, or well: a proxy that starts serves at once.
    pub(super) fn new(is_down: bool) -> Tally {
        Tally { is_down, is_known: is_down, run: 0 }
    }

    /// Whether it is down.
    pub(super) fn is_down(self) -> bool {
        self.is_down
    }

    /// Takes in how a check went; true if that changes what is thought of the backend. `rise` successes in a row bring
    /// it up, `fall` failures in a row down; the very first failure is enough, since nothing speaks for the backend yet.
    pub(super) fn flips(&mut self, well: bool, rise: u32, fall: u32) -> bool {
        let was_known = std::mem::replace(&mut self.is_known, true);
        if well != self.is_down {
            self.run = 0;
            return false;
        }
        self.run += 1;
        let enough = match (self.is_down, was_known) {
            (true, _) => rise,
            (false, true) => fall,
            (false, false) => 1,
        };
        let flips = self.run >= enough;
        if flips {
            (self.is_down, self.run) = (!self.is_down, 0);
        }
        flips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+`: a check that succeeds, `-`: one that fails, each followed by `!` where the backend's state flips.
    fn story(tally: &mut Tally, checks: &str) -> String {
        let mut story = String::new();
        for check in checks.chars() {
            story.push(check);
            if tally.flips(check == '+', 2, 3) {
                story.push('!');
            }
        }
        story
    }

    #[test]
    fn it_takes_so_many_in_a_row_to_change_a_mind() {
        let tally = &mut Tally::new(false);
        assert_eq!(story(tally, "+--+--+---"), "+--+--+---!");
        assert!(tally.is_down());
        assert_eq!(story(tally, "-+-+-++"), "-+-+-++!");
        assert!(!tally.is_down());
        assert_eq!(story(tally, "--+---"), "--+---!", "the count starts anew after a flip");
    }

    #[test]
    fn the_first_check_decides_alone_unless_more_is_known() {
        assert_eq!(story(&mut Tally::new(false), "-++"), "-!++!");
        assert_eq!(story(&mut Tally::new(true), "+-++"), "+-++!", "it was down before");
    }
}
