//! Whole exchanges: whatever a client and its backends say, and in whichever pieces, what the proxy makes of it is valid,
//! and nobody is told what nobody said. The fuzz target calls it, a test replays its corpus, and properties use the parts. A
//! crate that includes it has `strict` at its root.

#![allow(dead_code, unreachable_pub, reason = "each crate that includes it uses what it needs")]

pub mod input;
pub mod judge;
pub mod play;
pub mod reading;
#[path = "../scripted/mod.rs"]
pub mod scripted;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::input::Input;
use self::play::Play;

/// Plays `bytes`, see [`Input::decode`].
pub fn exchange(bytes: &[u8]) {
    if let Err(why) = check(&Input::decode(bytes)) {
        panic!("{why}");
    }
}

/// Plays it until nobody is left. What is wrong is said along with everything that was.
pub fn check(input: &Input) -> Result<Play, String> {
    let mut play = Play::new(input);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        play.run()?;
        judge::judge(&play)?;
        play.rig.leave()
    }));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    });
    match outcome {
        Ok(()) => Ok(play),
        Err(why) => Err(format!("{why}\n{}", play.rig.transcript())),
    }
}
