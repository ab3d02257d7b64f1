//! Values that are one of a few words, and how they are spelled.

use super::error::Problem;
use super::key_path::KeyPath;
use super::{AccessFormat, ForwardedStyle, Mode, OnAllDown, OnDown, suggest};

/// A choice that TOML spells as a string.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Every choice, as it is spelled; the default comes first.
    const ALL: &'static [(&'static str, Self)];
}

impl Word for Mode {
    const ALL: &'static [(&'static str, Self)] = &[("tcp", Mode::Tcp), ("http", Mode::Http)];
}

impl Word for ForwardedStyle {
    const ALL: &'static [(&'static str, Self)] = &[
        ("x_forwarded", ForwardedStyle::XForwarded),
        ("rfc7239", ForwardedStyle::Rfc7239),
        ("both", ForwardedStyle::Both),
        ("off", ForwardedStyle::Off),
    ];
}

impl Word for AccessFormat {
    const ALL: &'static [(&'static str, Self)] =
        &[("combined", AccessFormat::Combined), ("json", AccessFormat::Json)];
}

impl Word for OnDown {
    const ALL: &'static [(&'static str, Self)] = &[("leave", OnDown::Leave), ("close", OnDown::Close)];
}

impl Word for OnAllDown {
    const ALL: &'static [(&'static str, Self)] = &[("try", OnAllDown::Try), ("refuse", OnAllDown::Refuse)];
}

/// The choice that `raw` spells, or the default.
pub(super) fn resolve<W: Word + Default>(raw: Option<&str>, path: &KeyPath) -> Result<W, Problem> {
    let Some(wanted) = raw else { return Ok(W::default()) };
    if let Some((_, choice)) = W::ALL.iter().find(|(word, _)| *word == wanted) {
        return Ok(*choice);
    }
    let words: Vec<&str> = W::ALL.iter().map(|(word, _)| *word).collect();
    let mut what = format!("{wanted:?} is none of {}", words.join(", "));
    if let Some(near) = suggest::nearest(wanted, &words) {
        what = format!("{what}; did you mean {near:?}?");
    }
    Err(Problem::new(path, what))
}

/// How `choice` is spelled.
pub(super) fn spell<W: Word>(choice: W) -> String {
    let spelled = W::ALL.iter().find(|(_, other)| *other == choice);
    spelled.map(|(word, _)| *word).expect("every choice has its word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back<W: Word + Default + std::fmt::Debug>() {
        assert_eq!(W::ALL[0].1, W::default());
        for (word, choice) in W::ALL {
            assert_eq!(spell(*choice), *word);
            assert_eq!(resolve::<W>(Some(word), &KeyPath::root()).unwrap(), *choice);
        }
    }

    #[test]
    fn every_choice_is_spelled_as_it_is_read() {
        comes_back::<Mode>();
        comes_back::<ForwardedStyle>();
        comes_back::<AccessFormat>();
        comes_back::<OnDown>();
        comes_back::<OnAllDown>();
    }
}
