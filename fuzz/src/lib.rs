//! What the targets share: the checks that `tests/fuzz_corpus.rs` replays the corpus through.

#[path = "../../tests/strict/checks.rs"]
mod checks;

pub use checks::{chunked_body, head};
