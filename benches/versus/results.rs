//! What was measured: every sample, and what they come to.

use serde::Serialize;

/// A whole run. Its JSON form is what `versus.json` holds.
#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub settings: Settings,
    /// In the order of their columns. The first is what the others are compared with.
    pub contestants: Vec<Entrant>,
    /// Who could not take part, and how to get them.
    pub missing: Vec<String>,
    pub rows: Vec<RowTitle>,
    pub samples: Vec<Sample>,
}

/// What it was measured on.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub date: String,
    pub kernel: String,
    pub cpu: String,
}

#[derive(Debug, Serialize)]
pub struct Settings {
    pub rounds: u32,
    pub secs: u64,
    pub workers: usize,
    pub proxy_cpus: String,
    pub load_cpus: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Entrant {
    pub name: String,
    pub version: String,
    /// Of which other one this is a variant, for a few rows.
    pub variant_of: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RowTitle {
    pub name: String,
    pub what: String,
    pub unit: Unit,
}

/// What the figures of a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// CPU time per request, in microseconds.
    MicrosPerRequest,
    /// Memory per connection, in bytes.
    BytesPerConnection,
    /// What 99 of 100 requests did not exceed, from when they were due, in microseconds.
    MicrosAtP99,
}

/// One row, done once by one contestant.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub row: String,
    pub contestant: String,
    /// From 1 on.
    pub round: u32,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Measured(Figures),
    /// There is no figure, and why.
    Failed {
        failure: String,
    },
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// What the row is about, in its unit.
    pub figure: f64,
    /// The same without the crowd of idle connections, where there is one.
    pub alone: Option<f64>,
    /// Absent where nothing but memory was measured, as all that follow.
    pub requests_per_s: Option<f64>,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    /// Where load came at a constant rate: only then does it mean anything.
    pub p999_us: Option<f64>,
    /// CPU time per request of the whole machine: load, backends and interrupts included.
    pub machine_us: Option<f64>,
    /// How much of its CPUs' time the proxy used: near 1, it was what limited the throughput.
    pub busy: Option<f64>,
    /// What went wrong: the figures are not to be trusted.
    pub fault: Option<String>,
}

/// The samples of one contestant in one row, taken together.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// None if all samples failed.
    pub spread: Option<Spread>,
    pub alone: Option<f64>,
    pub requests_per_s: Option<f64>,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub p999_us: Option<f64>,
    pub busy: Option<f64>,
    /// Each thing that went wrong, once.
    pub troubles: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Report {
    /// What a contestant's samples in a row come to; `None` if it was not asked to do that.
    pub fn cell(&self, row: &str, contestant: &str) -> Option<Cell> {
        let samples: Vec<&Sample> = self
            .samples
            .iter()
            .filter(|sample| sample.row == row && sample.contestant == contestant)
            .collect();
        if samples.is_empty() {
            return None;
        }
        let mut figures = Vec::new();
        let mut troubles: Vec<String> = Vec::new();
        for sample in samples {
            let trouble = match &sample.outcome {
                Outcome::Measured(measured) => {
                    figures.push(measured);
                    measured.fault.as_ref()
                }
                Outcome::Failed { failure } => Some(failure),
            };
            if let Some(trouble) = trouble
                && !troubles.contains(trouble)
            {
                troubles.push(trouble.clone());
            }
        }
        let middle = |of: fn(&Figures) -> Option<f64>| {
            Spread::of(figures.iter().filter_map(|figures| of(figures))).map(|spread| spread.median)
        };
        Some(Cell {
            spread: Spread::of(figures.iter().map(|figures| figures.figure)),
            alone: middle(|figures| figures.alone),
            requests_per_s: middle(|figures| figures.requests_per_s),
            p50_us: middle(|figures| figures.p50_us),
            p99_us: middle(|figures| figures.p99_us),
            p999_us: middle(|figures| figures.p999_us),
            busy: middle(|figures| figures.busy),
            troubles,
        })
    }

    /// What the first contestant needs for a row, divided by what this one does: below 1, the first is the cheaper one.
    /// `None` where one of them has no figure, or there is nothing to divide by.
    pub fn ratio(&self, row: &str, contestant: &str) -> Option<f64> {
        let median = |name: &str| self.cell(row, name)?.spread.map(|spread| spread.median);
        let ratio = median(&self.contestants.first()?.name)? / median(contestant)?;
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }

    /// Everything that went wrong, as `row, contestant: what`.
    pub fn troubles(&self) -> Vec<String> {
        let mut all = Vec::new();
        for row in &self.rows {
            for contestant in &self.contestants {
                let troubles = self.cell(&row.name, &contestant.name).map(|cell| cell.troubles);
                let line = |trouble| format!("{}, {}: {trouble}", row.name, contestant.name);
                all.extend(troubles.unwrap_or_default().into_iter().map(line));
            }
        }
        all
    }
}

impl Spread {
    /// `None` of no values at all.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Spread { median: (lower + upper) / 2.0, min, max })
    }
}
