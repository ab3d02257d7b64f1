//! What the counts are compared with, and what comes of it.

/// A count may be above its baseline by this much, in percent, and is worth a new baseline when it is as far below.
const TOLERANCE_PERCENT: u64 = 3;
/// How the line starts that tells what the counts were made with.
const MADE_WITH: &str = "# Counted with ";

/// Instructions per operation, by its name.
pub type Counts = Vec<(String, u64)>;

/// Counts of an earlier state of the code.
#[derive(Debug, PartialEq)]
pub struct Baseline {
    /// Compiler, target, C library and valgrind: counts are only comparable where all are the same.
    pub made_with: String,
    pub counts: Counts,
}

impl Baseline {
    /// Reads what [`Baseline::render`] wrote.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let made_with = text.lines().find_map(|line| line.strip_prefix(MADE_WITH));
        let made_with = made_with.ok_or(format!("no line that starts with {MADE_WITH:?}"))?.to_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let counts = lines.map(|line| {
            let count = line.split_once(' ').map(|(name, count)| (name, count.trim().parse()));
            match count {
                Some((name, Ok(count))) if count > 0 => Ok((name.to_owned(), count)),
                _ => Err(format!("not a name and a count: {line:?}")),
            }
        });
        Ok(Baseline { made_with, counts: counts.collect::<Result<_, _>>()? })
    }

    pub fn render(&self) -> String {
        let mut text = format!(
            "# Instructions per operation. Written by: cargo bench --bench instructions -- --save\n\
             {MADE_WITH}{}\n",
            self.made_with
        );
        for (name, count) in &self.counts {
            text += &format!("{name:NAME_WIDTH$} {count}\n");
        }
        text
    }

    pub fn count(&self, name: &str) -> Option<u64> {
        count(&self.counts, name)
    }
}

fn count(counts: &Counts, name: &str) -> Option<u64> {
    counts.iter().find(|(other, _)| other == name).map(|(_, count)| *count)
}

/// Room for the longest name.
pub const NAME_WIDTH: usize = 26;

/// How far a count is above its baseline; negative below.
pub fn difference_percent(count: u64, baseline: u64) -> f64 {
    (count as f64 / baseline as f64 - 1.0) * 100.0
}

/// What a comparison comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Judgement {
    /// What must not stay as it is, one line each.
    pub failures: Vec<String>,
    /// What is better than the baseline says.
    pub gains: Vec<String>,
}

/// Holds `counts` against a baseline: both must have the same names, and no count may have gone up.
pub fn judge(counts: &Counts, baseline: &Baseline) -> Judgement {
    let mut judgement = Judgement::default();
    for (name, count) in counts {
        let Some(before) = baseline.count(name) else {
            judgement.failures.push(format!("{name} has no baseline"));
            continue;
        };
        let percent = difference_percent(*count, before);
        let change = format!("{name}: {count} instructions instead of {before}, {percent:+.1} %");
        // In whole numbers: what is let pass is let pass exactly.
        let (before, tolerated, count) = (before * 100, before * TOLERANCE_PERCENT, count * 100);
        if count > before + tolerated {
            judgement.failures.push(change);
        } else if count + tolerated < before {
            judgement.gains.push(change);
        }
    }
    let gone = baseline.counts.iter().filter(|(name, _)| self::count(counts, name).is_none());
    judgement.failures.extend(gone.map(|(name, _)| format!("{name} has a baseline, and is not counted")));
    judgement
}
