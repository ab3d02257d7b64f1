//! What the targets share: the checks that `tests/fuzz_corpus.rs` replays the corpus through.

#[path = "../../tests/strict/checks.rs"]
mod checks;
#[path = "../../tests/exchange/mod.rs"]
mod exchange;
#[path = "../../tests/strict/mod.rs"]
mod strict;

pub use checks::{chunked_body, head};
pub use exchange::exchange;
