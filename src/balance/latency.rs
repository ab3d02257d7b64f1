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
//! The whole state is one word, the estimate beside the millisecond of the last sample, so that the workers share it
//! without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// After so long, a peak counts for 1 ÷ e of what it was: Finagle's default.
const DECAY_MS: f64 = 10_000.0;
/// The value that stands for "nothing known". No estimate has it, for none is 0.
const UNKNOWN: u64 = 0;
/// What is faster looks like this: less than a turn of the loop tells apart.
const LEAST_S: f32 = 1e-6;

/// What a session learnt about a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It answered, so long after it was asked.
    Answer(Duration),
    /// It answered that it cannot: as fast as that may be, it is no reason to think better of the backend.
    Failure(Duration),
    /// So long it was waited for, connecting or answering, and no answer came yet: one would have taken longer.
    Wait(Duration),
}

/// The estimate for one backend. Shared by all workers.
pub(super) struct Latency {
    /// Seconds as the bits of an `f32`, above the low half of the milliseconds since the pool's base.
    word: AtomicU64,
}

impl Latency {
    /// Nothing known.
    pub(super) fn new() -> Latency {
        Latency { word: AtomicU64::new(UNKNOWN) }
    }

    /// Takes a sample in.
    pub(super) fn observe(&self, sample: Sample, now_ms: u64) {
        // `Err` says that the sample changed nothing: the cache line stays shared among the workers.
        let _ = self.word.fetch_update(Relaxed, Relaxed, |word| after(word, sample, now_ms));
    }

    /// Seconds that an answer is expected to take, `None` before the first one. `in_flight` is what it has to answer.
    pub(super) fn seconds(&self, in_flight: u32, now_ms: u64) -> Option<f64> {
        let word = self.word.load(Relaxed);
        if word == UNKNOWN {
            return None;
        }
        let memory_ms = DECAY_MS * (f64::from(in_flight) + 1.0);
        Some(f64::from(estimate(word)) * (-silence_ms(word, now_ms) / memory_ms).exp())
    }
}

/// The word that follows, `None` if it stays.
fn after(word: u64, sample: Sample, now_ms: u64) -> Option<u64> {
    let last = estimate(word);
    let next = match sample {
        Sample::Answer(time) => {
            let time = time.as_secs_f32().max(LEAST_S);
            if word == UNKNOWN || time >= last {
                time
            } else {
                let kept = (-silence_ms(word, now_ms) / DECAY_MS).exp() as f32;
                last * kept + time * (1.0 - kept)
            }
        }
        // Neither says how long an answer would take, so neither makes a backend known.
        Sample::Failure(_) | Sample::Wait(_) if word == UNKNOWN => return None,
        // What silence forgave counts again, or a backend that does nothing but fail would soon look like the fastest.
        Sample::Failure(time) => last.max(time.as_secs_f32()),
        Sample::Wait(time) if time.as_secs_f32() > last => time.as_secs_f32(),
        Sample::Wait(_) => return None,
    };
    let new = pack(next, now_ms);
    (new != word).then_some(new)
}

fn pack(seconds: f32, now_ms: u64) -> u64 {
    u64::from(seconds.to_bits()) << 32 | u64::from(now_ms as u32)
}

/// In seconds; 0 for [`UNKNOWN`].
fn estimate(word: u64) -> f32 {
    f32::from_bits((word >> 32) as u32)
}

/// Since the last sample. Half a word counts 49 days; a longer silence looks shorter, and is forgotten a little later.
fn silence_ms(word: u64, now_ms: u64) -> f64 {
    f64::from((now_ms as u32).wrapping_sub(word as u32))
}

#[cfg(test)]
mod tests {
    use super::Sample::{Answer, Failure, Wait};
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The estimate in milliseconds, after these samples at these milliseconds.
    fn after_all(samples: &[(u64, Sample)], in_flight: u32, now_ms: u64) -> Option<f64> {
        let latency = Latency::new();
        samples.iter().for_each(|&(at_ms, sample)| latency.observe(sample, at_ms));
        latency.seconds(in_flight, now_ms).map(|seconds| seconds * 1000.0)
    }

    fn assert_about(actual: Option<f64>, expected_ms: f64) {
        let actual = actual.expect("known");
        assert!((actual - expected_ms).abs() < expected_ms * 1e-3, "{actual} ms, not {expected_ms} ms");
    }

    #[test]
    fn a_peak_is_believed_at_once_and_forgotten_in_time() {
        let peak = [(0, Answer(ms(10))), (5, Answer(ms(1000)))];
        assert_about(after_all(&peak, 0, 5), 1000.0);
        assert_about(after_all(&peak, 0, 10_005), 1000.0 / std::f64::consts::E);
        // Faster answers take its place at the same pace, whether they are many or few.
        for every_ms in [1, 10, 1000] {
            let answers = (1..=10_000 / every_ms).map(|n| (5 + n * every_ms, Answer(ms(10))));
            let samples: Vec<_> = peak.into_iter().chain(answers).collect();
            assert_about(after_all(&samples, 0, 10_005), 10.0 + 990.0 / std::f64::consts::E);
        }
    }

    #[test]
    fn silence_says_less_the_more_there_is_to_answer() {
        let peak = [(0, Answer(ms(1000)))];
        assert_about(after_all(&peak, 3, 40_000), 1000.0 / std::f64::consts::E);
    }

    #[test]
    fn only_an_answer_makes_a_backend_known() {
        for sample in [Failure(ms(7)), Wait(ms(7))] {
            assert_eq!(after_all(&[(0, sample)], 0, 0), None, "{sample:?}");
        }
        assert_about(after_all(&[(0, Answer(Duration::ZERO))], 0, 0), 0.001);
    }

    #[test]
    fn neither_a_failure_nor_a_wait_ever_lowers_the_estimate() {
        for sample in [Failure, Wait] {
            assert_about(after_all(&[(0, Answer(ms(100))), (9, sample(ms(1)))], 0, 9), 100.0);
            assert_about(after_all(&[(0, Answer(ms(100))), (9, sample(ms(200)))], 0, 9), 200.0);
        }
        let long_after = |sample| after_all(&[(0, Answer(ms(100))), (20_000, sample)], 0, 20_000);
        assert_about(long_after(Failure(ms(1))), 100.0);
        assert_about(long_after(Wait(ms(1))), 100.0 * (-2.0_f64).exp());
    }

    #[test]
    fn extreme_times_and_instants_are_harmless() {
        let last = u64::from(u32::MAX);
        assert_about(after_all(&[(last, Answer(ms(100)))], 0, last + 1), 100.0);
        assert_eq!(after_all(&[(0, Answer(ms(100)))], 0, last), Some(0.0));
        let longest = after_all(&[(0, Answer(Duration::MAX))], u32::MAX, 0).expect("known");
        assert!(longest.is_finite() && longest > 1e22);
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
                        latency.observe(Answer(ms(1 + (n * 7 + worker * 2503) % 9973)), 0);
                    }
                });
            }
        });
        assert_about(latency.seconds(0, 0).map(|seconds| seconds * 1000.0), 9973.0);
    }
}
