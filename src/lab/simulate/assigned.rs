//! What some backends have that others have not: `INDEX=VALUE` or `FIRST-LAST=VALUE` on the command line.

/// A value for the backends `first` to `last`, which are numbered from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned<T> {
    first: usize,
    last: usize,
    value: T,
}

impl<T> Assigned<T> {
    /// Reads the numbers, and the value as `value` says.
    pub(super) fn parse(
        text: &str,
        value: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Assigned<T>, String> {
        let form = || format!("{text:?} is not INDEX=VALUE or FIRST-LAST=VALUE");
        let (numbers, word) = text.split_once('=').ok_or_else(form)?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |word: &str| word.parse::<usize>().map_err(|_| form());
        let (first, last) = (number(first)?, number(last)?);
        if first == 0 {
            return Err(format!("{text:?}: backends are numbered from 1"));
        }
        if last < first {
            return Err(format!("{text:?}: {last} comes before {first}"));
        }
        Ok(Assigned { first, last, value: value(word)? })
    }

    /// Applies each assignment of a flag to the backends it names, as positions from 0; later ones win.
    ///
    /// # Errors
    /// There is no backend of that number.
    pub(super) fn each(
        assignments: &[Assigned<T>],
        backends: usize,
        flag: &str,
        mut apply: impl FnMut(usize, &T),
    ) -> Result<(), String> {
        for Assigned { first, last, value } in assignments {
            check(*last, backends, flag)?;
            (first - 1..*last).for_each(|position| apply(position, value));
        }
        Ok(())
    }
}

/// Whether there is a backend of that number.
pub(super) fn check(number: usize, backends: usize, flag: &str) -> Result<(), String> {
    if (1..=backends).contains(&number) {
        return Ok(());
    }
    Err(format!("{flag} {number}: the backends are numbered from 1 to {backends} (--backends)"))
}

/// A number within a range, in the words of an error.
pub(super) fn number_in(text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("{text:?} is not a number from {} to {}", range.start(), range.end()))
}

/// From when to when, in nanoseconds of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

impl Span {
    /// `FROM..TO`, in seconds.
    pub(super) fn parse(text: &str) -> Result<Span, String> {
        let (from, to) =
            text.split_once("..").ok_or_else(|| format!("{text:?} is not FROM..TO, in seconds"))?;
        let second = |word: &str| number_in(word, 0.0..=1e9).map(|seconds| (seconds * 1e9) as u64);
        let span = Span { from_ns: second(from)?, to_ns: second(to)? };
        if span.from_ns >= span.to_ns {
            return Err(format!("{text:?} ends before it begins"));
        }
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_several_have_it_and_the_last_word_counts() {
        let parse = |text| Assigned::parse(text, |word| number_in(word, 0.0..=9.0)).unwrap();
        let mut values = [1.0; 4];
        let all = [parse("2-4=5"), parse("3=7")];
        Assigned::each(&all, 4, "--slow", |position, value| values[position] = *value).unwrap();
        assert_eq!(values, [1.0, 5.0, 7.0, 5.0]);
        let error = Assigned::each(&[parse("2-5=3")], 4, "--slow", |_, _| {}).unwrap_err();
        assert_eq!(error, "--slow 5: the backends are numbered from 1 to 4 (--backends)");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, reason) in [
            ("3", "\"3\" is not INDEX=VALUE or FIRST-LAST=VALUE"),
            ("a=3", "\"a=3\" is not INDEX=VALUE or FIRST-LAST=VALUE"),
            ("0=3", "\"0=3\": backends are numbered from 1"),
            ("4-2=3", "\"4-2=3\": 2 comes before 4"),
            ("1=10", "\"10\" is not a number from 0 to 9"),
        ] {
            assert_eq!(Assigned::parse(text, |word| number_in(word, 0.0..=9.0)).unwrap_err(), reason);
        }
        assert_eq!(Span::parse("1..2.5"), Ok(Span { from_ns: 1_000_000_000, to_ns: 2_500_000_000 }));
        assert_eq!(Span::parse("3..3").unwrap_err(), "\"3..3\" ends before it begins");
        assert_eq!(Span::parse("3").unwrap_err(), "\"3\" is not FROM..TO, in seconds");
    }
}
