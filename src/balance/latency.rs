//! How long a backend takes to answer: an estimate that jumps to a peak at once and forgets it slowly (Finagle's
//! Peak EWMA).
//!
//! An average would have to see many slow answers before it believes them, and by then many clients wait. A peak is
//! believed at once, and then forgotten exponentially, faster answers counting for as long as they come after the one
//! before. What takes time to be forgotten is also forgotten in silence, so that a backend that nobody is sent to any
//! more gets another try.
//!
//! Silence says less the more a backend has to answer: with n in flight, it takes n + 1 times as long to forget. Else
//! one that hangs would look better and better.
//!
//! The whole state is one word, the estimate and the millisecond of its last sample, so that the workers share it
//! without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// After so long, a peak counts for 1 ÷ e of what it was: Finagle's default.
const DECAY_MS: f64 = 10_000.0;
/// The value that stands for "nothing known". No estimate has it, for none is 0.
const UNKNOWN: u64 = 0;
/// What is faster looks like this: less than a turn of the loop tells apart.
const LEAST_S: f32 = 1e-6;
/// What a backend looks like whose first answer is a failure.
const FIRST_FAILURE_S: f32 = 1.0;
/// Further failures make an estimate no larger than this: it is forgotten within a minute or so.
const FAILURES_MOST_S: f32 = 10.0;

/// What came of asking a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// An answer.
    Answer,
    /// An answer that says that it cannot. As fast as that may be, it is no reason to think better of the backend.
    Failure,
    /// Nothing but the time that was waited, for a connection or an answer: one would have taken longer.
    Wait,
}

/// The estimate for one backend. Shared by all workers.
pub(super) struct Latency(AtomicU64);

impl Latency {
    /// Nothing known.
    pub(super) fn new() -> Latency {
        Latency(AtomicU64::new(UNKNOWN))
    }

    /// Takes in a sample, which took so long.
    pub(super) fn observe(&self, sample: Sample, time: Duration, now_ms: u64) {
        // `Err` says that the sample changed nothing: the cache line stays shared among the workers.
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| after(word, sample, time.as_secs_f32(), now_ms));
    }

    /// Seconds that an answer is expected to take, `None` before the first one. `in_flight` is what it has to answer.
    pub(super) fn seconds(&self, in_flight: u32, now_ms: u64) -> Option<f64> {
        let word = self.0.load(Relaxed);
        if word == UNKNOWN {
            return None;
        }
        let estimate = Estimate::unpack(word);
        let memory_ms = DECAY_MS * (f64::from(in_flight) + 1.0);
        Some(f64::from(estimate.seconds) * (-estimate.silence_ms(now_ms) / memory_ms).exp())
    }
}

/// What one word says.
#[derive(PartialEq)]
struct Estimate {
    seconds: f32,
    /// The last answer was a failure.
    failed: bool,
    /// When the last sample came: the low half of the milliseconds since the pool's base.
    at_ms: u32,
}

impl Estimate {
    fn unpack(word: u64) -> Estimate {
        let seconds = f32::from_bits((word >> 32) as u32);
        Estimate { seconds: seconds.abs(), failed: seconds.is_sign_negative(), at_ms: word as u32 }
    }

    /// Time has no sign, which leaves its bit for the failure.
    fn pack(&self) -> u64 {
        let seconds = if self.failed { -self.seconds } else { self.seconds };
        u64::from(seconds.to_bits()) << 32 | u64::from(self.at_ms)
    }

    /// Half a word counts 49 days; a longer silence looks shorter, and is forgotten a little later.
    fn silence_ms(&self, now_ms: u64) -> f64 {
        f64::from((now_ms as u32).wrapping_sub(self.at_ms))
    }
}

/// The word that follows, `None` if it stays.
fn after(word: u64, sample: Sample, time_s: f32, now_ms: u64) -> Option<u64> {
    let (last, at_ms) = (Estimate::unpack(word), now_ms as u32);
    let next = match sample {
        Sample::Answer => {
            let time_s = time_s.max(LEAST_S);
            let seconds = if word == UNKNOWN || time_s >= last.seconds {
                time_s
            } else {
                let kept = (-last.silence_ms(now_ms) / DECAY_MS).exp() as f32;
                last.seconds * kept + time_s * (1.0 - kept)
            };
            Estimate { seconds, failed: false, at_ms }
        }
        Sample::Failure if word == UNKNOWN => {
            Estimate { seconds: FIRST_FAILURE_S.max(time_s), failed: true, at_ms }
        }
        Sample::Failure => {
            // One may be the request's fault, and takes back what silence forgave. Each further one in a row doubles
            // the estimate, or a backend that does nothing but fail, having nothing to do, would get all it can.
            let factor = if last.failed { 2.0 } else { 1.0 };
            let raised = (last.seconds * factor).min(FAILURES_MOST_S);
            Estimate { seconds: raised.max(last.seconds).max(time_s), failed: true, at_ms }
        }
        // It does not say how long an answer would take, so it makes nobody known.
        Sample::Wait if word == UNKNOWN || time_s <= last.seconds => return None,
        Sample::Wait => Estimate { seconds: time_s, failed: last.failed, at_ms },
    };
    let next = next.pack();
    (next != word).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::Sample::{Answer, Failure, Wait};
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The estimate in milliseconds, after these samples: each when it came, what, and how many milliseconds it took.
    fn after_all(samples: &[(u64, Sample, u64)], in_flight: u32, now_ms: u64) -> Option<f64> {
        let latency = Latency::new();
        samples.iter().for_each(|&(at_ms, sample, time_ms)| latency.observe(sample, ms(time_ms), at_ms));
        latency.seconds(in_flight, now_ms).map(|seconds| seconds * 1000.0)
    }

    fn assert_about(actual: Option<f64>, expected_ms: f64) {
        let actual = actual.expect("known");
        assert!((actual - expected_ms).abs() < expected_ms * 1e-3, "{actual} ms, not {expected_ms} ms");
    }

    #[test]
    fn a_peak_is_believed_at_once_and_forgotten_in_time() {
        let peak = [(0, Answer, 10), (5, Answer, 1000)];
        assert_about(after_all(&peak, 0, 5), 1000.0);
        assert_about(after_all(&peak, 0, 10_005), 1000.0 / std::f64::consts::E);
        // Faster answers take its place at the same pace, whether they are many or few.
        for every_ms in [1, 10, 1000] {
            let answers = (1..=10_000 / every_ms).map(|n| (5 + n * every_ms, Answer, 10));
            let samples: Vec<_> = peak.into_iter().chain(answers).collect();
            assert_about(after_all(&samples, 0, 10_005), 10.0 + 990.0 / std::f64::consts::E);
        }
    }

    #[test]
    fn silence_says_less_the_more_there_is_to_answer() {
        assert_about(after_all(&[(0, Answer, 1000)], 3, 40_000), 1000.0 / std::f64::consts::E);
    }

    #[test]
    fn a_wait_makes_nobody_known_and_only_raises() {
        assert_eq!(after_all(&[(0, Wait, 7)], 0, 0), None);
        assert_about(after_all(&[(0, Answer, 100), (9, Wait, 200)], 0, 9), 200.0);
        assert_about(after_all(&[(0, Answer, 100), (20_000, Wait, 1)], 0, 20_000), 100.0 * (-2.0_f64).exp());
    }

    #[test]
    fn a_failure_never_lowers_the_estimate_and_in_a_row_they_double_it() {
        assert_about(after_all(&[(0, Failure, 1)], 0, 0), 1000.0);
        assert_about(after_all(&[(0, Answer, 100), (9, Failure, 200)], 0, 9), 200.0);
        assert_about(after_all(&[(0, Answer, 100), (20_000, Failure, 1)], 0, 20_000), 100.0);
        for (failures, expected_ms) in [(1, 100.0), (2, 200.0), (3, 400.0), (20, 10_000.0)] {
            let samples: Vec<_> =
                std::iter::once((0, Answer, 100)).chain((0..failures).map(|n| (n, Failure, 1))).collect();
            assert_about(after_all(&samples, 0, failures - 1), expected_ms);
        }
        // An answer in between begins a new row, and a long wait no less.
        let between =
            |sample| after_all(&[(0, Answer, 100), (0, Failure, 1), (0, sample, 100), (0, Failure, 1)], 0, 0);
        assert_about(between(Answer), 100.0);
        assert_about(between(Wait), 200.0);
        assert_about(after_all(&[(0, Answer, 30_000), (0, Failure, 1), (0, Failure, 1)], 0, 0), 30_000.0);
    }

    #[test]
    fn extreme_times_and_instants_are_harmless() {
        let last = u64::from(u32::MAX);
        assert_about(after_all(&[(last, Answer, 100)], 0, last + 1), 100.0);
        assert_about(after_all(&[(0, Answer, 0)], 0, 0), 0.001);
        assert!(after_all(&[(0, Answer, 100)], 0, last).expect("known") >= 0.0);
        let longest = after_all(&[(0, Answer, u64::MAX)], u32::MAX, 0).expect("known");
        assert!(longest.is_finite() && longest > 1e18);
    }

    /// Every worker's sample counts: of many at once, the peak is what is left.
    #[test]
    fn no_peak_is_lost_between_workers() {
        let latency = Latency::new();
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let latency = &latency;
                scope.spawn(move || {
                    for n in 0..10_000 {
                        latency.observe(Answer, ms(1 + (n * 7 + worker * 2503) % 9973), 0);
                    }
                });
            }
        });
        assert_about(latency.seconds(0, 0).map(|seconds| seconds * 1000.0), 9973.0);
    }
}
