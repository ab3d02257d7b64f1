//! The nearest valid word for a wrong one.

/// Ends a sentence about an unknown word: `; did you mean "weight"?`, or all valid words when none is near.
pub(super) fn instead_of(wrong: &str, valid: &[&str]) -> String {
    match nearest(wrong, valid) {
        Some(near) => format!("; did you mean {near:?}?"),
        None if valid.is_empty() => String::new(),
        None => format!("; valid here: {}", valid.join(", ")),
    }
}

/// The valid word at the smallest edit distance, if that is at most a third of the longer word: further away it
/// would be a guess, and a wrong guess costs the operator more than a list.
pub(super) fn nearest<'a>(wrong: &str, valid: &[&'a str]) -> Option<&'a str> {
    let normal = wrong.to_lowercase().replace(['-', ' '], "_");
    valid
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&normal, word), *word))
        .filter(|(distance, word)| distance * 3 <= normal.chars().count().max(word.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_a_foreign_word_finds_none() {
        let keys = ["address", "weight", "name"];
        assert_eq!(nearest("wieght", &keys), Some("weight"));
        assert_eq!(nearest("Adress", &keys), Some("address"));
        assert_eq!(nearest("colour", &keys), None);
        assert_eq!(nearest("", &keys), None);
        assert_eq!(nearest("round-robin", &["random", "round_robin"]), Some("round_robin"));
    }
}
