//! The simulator itself: queues whose mean response time a formula gives (Kleinrock 1975). Service takes 1 ms on average.

use crate::{assert_near, figure, found};

fn mean_ms(words: &str) -> f64 {
    let found = found(&format!("--policy random --requests 2000000 {words}"));
    figure(&found, "random", "/latency_ms/mean")
}

/// M/M/1: 1 ÷ (µ − λ).
#[test]
fn a_memoryless_queue() {
    for load in [0.3, 0.7, 0.9] {
        let expected = 1.0 / (1.0 - load);
        let mean = mean_ms(&format!("--backends 1 --load {}", load * 100.0));
        // The fuller, the longer what was lives on: a run says less.
        assert_near(mean, expected, expected * if load > 0.8 { 0.06 } else { 0.015 });
    }
}

/// M/G/1, Pollaczek and Khinchine: 1 + ρ (1 + c²) ÷ 2 (1 − ρ), with c the coefficient of variation of service times.
#[test]
fn queues_of_any_service_time() {
    let load = 0.7;
    for (service, squared_variation) in [
        ("deterministic", 0.0),
        ("bimodal", 10.9 / 3.61 - 1.0),
        ("lognormal:0.5", (0.25_f64).exp() - 1.0),
        ("exponential", 1.0),
    ] {
        let expected = 1.0 + load * (1.0 + squared_variation) / (2.0 * (1.0 - load));
        let mean = mean_ms(&format!("--backends 1 --load {} --service {service}", load * 100.0));
        assert_near(mean, expected, 0.03 * expected);
    }
}

/// D/D/1: who comes when the one before has left waits for nobody.
#[test]
fn a_queue_without_chance_is_empty() {
    let words = "--backends 1 --load 99 --service deterministic --arrivals deterministic --policy random";
    assert_near(figure(&found(words), "random", "/latency_ms/max"), 1.0, 0.001);
}

/// M/M/c: Erlang's C ÷ (c µ − λ), and the service.
#[test]
fn several_places() {
    let (places, load) = (5, 0.8);
    let offered = load * f64::from(places);
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..places {
        term *= offered / f64::from(n);
        sum += term;
    }
    let all_taken = term * offered / f64::from(places) / (1.0 - load);
    let expected = 1.0 + all_taken / (sum + all_taken) / (f64::from(places) - offered);
    assert_near(mean_ms("--backends 1 --at-once 5 --load 80"), expected, 0.02 * expected);
}

/// Little's law: what is in flight is the rate times the latency, whoever chooses.
#[test]
fn what_is_in_flight_is_what_comes_times_how_long_it_stays() {
    let found = found("--policy all --requests 300000");
    assert!(found.len() >= 6);
    for policy in found.keys() {
        let per_s = figure(&found, policy, "/requests") / figure(&found, policy, "/seconds");
        let stays_s = figure(&found, policy, "/latency_ms/mean") / 1000.0;
        let in_flight = figure(&found, policy, "/imbalance/in_flight_mean");
        assert_near(in_flight, per_s * stays_s / 10.0, 0.001 * in_flight);
    }
}
