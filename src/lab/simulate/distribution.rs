//! How times are spread around their mean.

use std::f64::consts::TAU;
use std::str::FromStr;

/// The spread of a lognormal distribution unless another one is asked for: its p99 is about six times its mean.
const SIGMA: f64 = 1.0;
/// Above this the mean of a lognormal distribution hangs on a few values that no run is long enough to meet.
const SIGMA_MAX: f64 = 3.0;
/// One in ten takes ten times as long as the others, unless asked for otherwise.
const SHARE: f64 = 0.1;
const FACTOR: f64 = 10.0;

/// A distribution of times, whatever their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// All alike.
    Deterministic,
    /// Memoryless: often short, now and then several times the mean. As gaps between arrivals: a Poisson process.
    Exponential,
    /// The logarithm is normal, with this standard deviation: what response times look like.
    Lognormal {
        /// Of the logarithm.
        sigma: f64,
    },
    /// A share takes several times as long as the rest.
    Bimodal {
        /// From 0 to 1.
        share: f64,
        /// How many times as long.
        factor: f64,
    },
}

impl Distribution {
    /// A lot whose mean is 1.
    pub(super) fn draw(self, rng: &mut fastrand::Rng) -> f64 {
        match self {
            Distribution::Deterministic => 1.0,
            Distribution::Exponential => exponential(rng),
            Distribution::Lognormal { sigma } => (sigma * normal(rng) - sigma * sigma / 2.0).exp(),
            Distribution::Bimodal { share, factor } => {
                let long = rng.f64() < share;
                (if long { factor } else { 1.0 }) / (1.0 - share + share * factor)
            }
        }
    }
}

fn exponential(rng: &mut fastrand::Rng) -> f64 {
    // The lot is never 1, so the logarithm is finite.
    -(1.0 - rng.f64()).ln()
}

/// Box and Muller's (1958), of whose two values one is used.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    (2.0 * exponential(rng)).sqrt() * (TAU * rng.f64()).cos()
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Distribution, String> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let mut number = |what: &str, default: f64, range: std::ops::RangeInclusive<f64>| {
            let Some(word) = words.next() else { return Ok(default) };
            let value = word.parse().ok().filter(|value| range.contains(value));
            value.ok_or(format!("{what} {word:?} is not a number from {} to {}", range.start(), range.end()))
        };
        let distribution = match name {
            "deterministic" => Distribution::Deterministic,
            "exponential" => Distribution::Exponential,
            "lognormal" => Distribution::Lognormal { sigma: number("SIGMA", SIGMA, 0.0..=SIGMA_MAX)? },
            "bimodal" => Distribution::Bimodal {
                share: number("SHARE", SHARE, 0.0..=1.0)?,
                factor: number("FACTOR", FACTOR, 0.0..=1e6)?,
            },
            _ => {
                return Err(format!(
                    "{name:?} is none of deterministic, exponential, lognormal[:SIGMA], bimodal[:SHARE:FACTOR]"
                ));
            }
        };
        if let Distribution::Bimodal { share: 1.0, factor: 0.0 } = distribution {
            return Err("all of them would take no time: lower SHARE, or raise FACTOR".into());
        }
        words.next().map_or(Ok(distribution), |word| Err(format!("{word:?} is one number too many")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(distribution: Distribution) -> (f64, f64) {
        let mut rng = fastrand::Rng::with_seed(1);
        let lots: Vec<f64> = (0..400_000).map(|_| distribution.draw(&mut rng)).collect();
        let mean = lots.iter().sum::<f64>() / lots.len() as f64;
        (mean, lots.iter().map(|lot| (lot - mean).powi(2)).sum::<f64>() / lots.len() as f64)
    }

    #[test]
    fn every_distribution_has_the_mean_one_and_its_own_variance() {
        for (text, variance) in [
            ("deterministic", 0.0),
            ("exponential", 1.0),
            // exp(σ²) − 1.
            ("lognormal", 1.718),
            ("lognormal:0.5", 0.284),
            // (share × factor² + 1 − share) ÷ mean² − 1.
            ("bimodal", 10.9 / 3.61 - 1.0),
            ("bimodal:0.5:3", 0.25),
        ] {
            let (mean, found) = moments(text.parse().unwrap());
            assert!((mean - 1.0).abs() < 0.01, "{text}: mean {mean}");
            assert!((found - variance).abs() <= 0.04 * variance, "{text}: variance {found}");
        }
    }

    #[test]
    fn what_is_no_distribution_is_told_what_is() {
        for (text, reason) in [
            ("expnential", "\"expnential\" is none of deterministic, exponential, lognormal[:SIGMA]"),
            ("lognormal:9", "SIGMA \"9\" is not a number from 0 to 3"),
            ("bimodal:2", "SHARE \"2\" is not a number from 0 to 1"),
            ("bimodal:0.5:x", "FACTOR \"x\" is not a number from 0 to 1000000"),
            ("bimodal:1:0", "all of them would take no time"),
            ("exponential:2", "\"2\" is one number too many"),
        ] {
            let error = text.parse::<Distribution>().unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
