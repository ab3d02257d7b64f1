//! Axes: where a value lies, and which values are written beside the axis.

/// The fewest decades that a logarithmic axis shows.
const DECADES_MIN: f64 = 1.0;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0 on unless a value is below.
    Linear,
    /// Each factor of ten takes the same room. Values that are not positive lie at the lower end.
    Log,
    /// Fractions from 0 to 1, as HdrHistogram draws percentiles: each further nine takes the same room, so 90 %, 99 % and
    /// 99.9 % are as far apart from each other. 1 itself would be infinitely far, and lies at the upper end.
    Percentile,
}

/// What an axis says and how it is spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What its values are, with their unit: `latency (ms)`.
    pub title: String,
    /// How they are spread.
    pub scale: Scale,
}

impl Axis {
    /// An axis of values that are spread evenly.
    pub fn linear(title: &str) -> Axis {
        Axis { title: title.into(), scale: Scale::Linear }
    }

    /// A logarithmic axis.
    pub fn log(title: &str) -> Axis {
        Axis { title: title.into(), scale: Scale::Log }
    }

    /// An axis of percentiles.
    pub fn percentile() -> Axis {
        Axis { title: "percentile".into(), scale: Scale::Percentile }
    }
}

/// A scale with its ends: a place from 0 to 1 for every value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Range {
    /// One that all these values, of which those that are no numbers are passed over, fit in, with round ends.
    pub(super) fn over(scale: Scale, values: impl Iterator<Item = f64>) -> Range {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let (low, high) = match scale {
            Scale::Linear if max > min.min(0.0) => {
                let step = step(max - min.min(0.0), 5.0);
                ((min.min(0.0) / step).floor() * step, (max / step - 1e-9).ceil() * step)
            }
            Scale::Linear => (min.min(0.0).min(max.max(0.0)), min.min(0.0).min(max.max(0.0)) + 1.0),
            Scale::Log => {
                let least = values.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
                let low = if least.is_finite() { least.log10().floor() } else { 0.0 };
                (low, if max > 0.0 { max.log10().ceil() } else { 0.0 }.max(low + DECADES_MIN))
            }
            Scale::Percentile => {
                let furthest = values.iter().copied().filter(|value| *value < 1.0).map(nines);
                (0.0, (furthest.fold(2.0, f64::max) - 1e-9).ceil())
            }
        };
        Range { scale, low, high }
    }

    /// Where a value lies: 0 at the lower end, 1 at the upper.
    pub(super) fn place(&self, value: f64) -> f64 {
        let at = match self.scale {
            Scale::Linear => value,
            Scale::Log if value <= 0.0 => self.low,
            Scale::Log => value.log10(),
            Scale::Percentile => nines(value),
        };
        ((at - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The values written beside the axis, and how, in ascending order.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => {
                let step = step(self.high - self.low, 5.0);
                let count = ((self.high - self.low) / step).round() as usize;
                (0..=count)
                    .map(|n| self.low + n as f64 * step)
                    .map(|value| (value, number(value, step)))
                    .collect()
            }
            Scale::Log => {
                let decades = (self.high - self.low) as usize;
                let every = decades.div_ceil(8).max(1);
                let powers = (0..=decades).step_by(every).map(|n| 10f64.powf(self.low + n as f64));
                powers.map(|value| (value, number(value, value))).collect()
            }
            Scale::Percentile => {
                let nines = (0..=self.high as usize).map(|nines| (1.0 - 0.1f64.powi(nines as i32), nines));
                nines
                    .map(|(value, nines)| (value, format!("{:.*} %", nines.saturating_sub(2), value * 100.0)))
                    .collect()
            }
        }
    }
}

/// How many nines a fraction begins with: 0.99 has two.
fn nines(fraction: f64) -> f64 {
    if fraction >= 1.0 { f64::INFINITY } else { -(1.0 - fraction.max(0.0)).log10() }
}

/// The round step (1, 2 or 5 times a power of ten) that divides a span into about `count` parts, and no more.
fn step(span: f64, count: f64) -> f64 {
    let rough = span / count;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// A number with as many decimals as it takes to tell it from its neighbours, and with its thousands apart.
pub(in crate::lab) fn number(value: f64, step: f64) -> String {
    let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
    let plain = format!("{:.decimals$}", value + 0.0);
    let (sign, digits) = plain.split_at(usize::from(plain.starts_with('-')));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}
