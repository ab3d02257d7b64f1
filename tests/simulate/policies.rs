//! What is known of the policies, seen through the program.

use lbproxy::balance::policy;

use crate::{assert_near, figure, found};

const END: &str = "/imbalance/in_flight_end_max_minus_mean";
const SPREAD: &str = "/imbalance/in_flight_max_minus_min";
const P99: &str = "/latency_ms/p99";

/// A thousand connections that stay, to ten backends: two choices leave the fullest 1.2 above the mean (Mitzenmacher 2001),
/// one leaves it 14.7 above.
#[test]
fn balls_into_bins() {
    let policies = ["round_robin", "fewest_connections", "two_choices", "random"];
    let mut sums = [0.0; 4];
    const RUNS: u32 = 150;
    for seed in 0..RUNS {
        let words = format!("--requests 1000 --forever --seed {seed} --policy {}", policies.join(","));
        let found = found(&words);
        sums.iter_mut().zip(policies).for_each(|(sum, policy)| *sum += figure(&found, policy, END));
    }
    let [round_robin, fewest, two_choices, random] = sums.map(|sum| sum / f64::from(RUNS));
    assert_eq!((round_robin, fewest), (0.0, 0.0));
    assert_near(two_choices, 1.2, 0.15);
    assert_near(random, 14.7, 1.5);
}

/// At 80 % of what they can do, the fullest of ten has so many more in flight than the emptiest, on average over time.
#[test]
fn requests_in_flight_are_as_even_as_they_are_known_to_be() {
    let found = found("--load 80 --requests 1000000 --policy all");
    for (policy, expected, tolerance) in [
        ("fewest_connections", 1.3, 0.2),
        ("two_choices", 3.0, 0.2),
        ("round_robin", 6.7, 0.5),
        ("random", 12.5, 1.2),
    ] {
        assert_near(figure(&found, policy, SPREAD), expected, tolerance);
    }
}

#[test]
fn a_slow_backend_is_spared_by_those_who_look() {
    let found = found("--slow 1=10 --requests 300000 --policy all");
    let p99 = |policy: &str| figure(&found, policy, P99);
    assert!(p99("fewest_connections") < 12.0, "{}", p99("fewest_connections"));
    assert!(p99("two_choices") < 40.0, "{}", p99("two_choices"));
    for blind in ["round_robin", "random", "ip_hashing", "maglev"] {
        // It grows for as long as it goes on.
        assert!(p99(blind) > 10_000.0, "{blind}: {}", p99(blind));
    }
}

/// A backend that ends everything at once looks idle.
#[test]
fn a_sinkhole_draws_what_it_can_unless_it_is_passed_over() {
    let words = "--fail 1=1 --at-once 100 --requests 200000 --policy all";
    let errors = |words: &str| {
        let found = found(words);
        move |policy: &str| figure(&found, policy, "/errors") / figure(&found, policy, "/requests")
    };
    let unguarded = errors(&format!("{words} --no-guard"));
    assert!(unguarded("fewest_connections") > 0.95);
    assert_near(unguarded("two_choices"), 0.2, 0.01);
    assert_near(unguarded("round_robin"), 0.1, 0.001);
    let guarded = errors(words);
    for policy in policy::names() {
        assert!(guarded(policy) < 0.005, "{policy}: {}", guarded(policy));
    }
}

#[test]
fn hashing_moves_whom_it_must_and_few_others() {
    let leaving = found("--requests 1 --leave 10 --policy all");
    let joining = found("--requests 1 --join 1 --policy all");
    for (found, share, policy, tolerated) in [
        (&leaving, 0.1, "ip_hashing", 0.0),
        (&joining, 1.0 / 11.0, "ip_hashing", 0.0),
        (&leaving, 0.1, "maglev", 0.006),
        (&joining, 1.0 / 11.0, "maglev", 0.006),
    ] {
        let part = |what: &str| figure(found, policy, what) / figure(found, policy, "/moved/keys");
        assert_near(part("/moved/had_to"), share, 0.004);
        assert!(part("/moved/needlessly") <= tolerated, "{policy}: {}", part("/moved/needlessly"));
    }
    for free in ["round_robin", "fewest_connections", "two_choices", "random"] {
        assert!(leaving[free]["moved"].is_null(), "{free} does not go by the client");
    }
    // By weight: who joins with a third of it all takes a third.
    let heavy = found("--requests 1 --join 5 --policy ip_hashing");
    assert_near(figure(&heavy, "ip_hashing", "/moved/had_to") / 100_000.0, 1.0 / 3.0, 0.005);
}

/// Counters that many share are as good as one; counters of many that each see a part are next to none.
#[test]
fn shared_counters_see_and_private_ones_do_not() {
    let p99 = |words: &str| {
        let found = found(&format!("--requests 300000 --policy round_robin,fewest_connections {words}"));
        (figure(&found, "round_robin", P99), figure(&found, "fewest_connections", P99))
    };
    let (_, alone) = p99("");
    let (_, shared) = p99("--workers 32");
    assert_near(shared, alone, 0.05 * alone);
    let (in_turn, private) = p99("--instances 32");
    assert!(private > 1.8 * alone && private > 0.6 * in_turn, "{alone} {private} {in_turn}");
}

#[test]
fn weights_are_honoured() {
    let found = found("--backends 4 --weight 1=5,2-3=2 --forever --requests 100000 --policy all");
    for policy in policy::names() {
        for (position, due) in [50.0, 20.0, 20.0, 10.0].into_iter().enumerate() {
            let share = |what: &str| figure(&found, policy, &format!("/backends/{position}/{what}"));
            assert_near(share("due_percent"), due, 1e-9);
            assert_near(share("percent"), due, 0.6);
        }
    }
}

/// It goes down with what it has, refuses, is passed over, and gets its share again.
#[test]
fn an_outage_costs_what_was_under_way() {
    let words = "--backends 4 --rate 2000 --requests 120000 --policy all";
    let found = found(&format!("{words} --down 2=10..20"));
    for policy in policy::names() {
        let count = |what: &str| figure(&found, policy, what);
        assert!(count("/errors") < 40.0, "{policy}: {}", count("/errors"));
        assert_eq!(count("/unserved"), 0.0, "{policy}");
        let refused = count("/refused_connects");
        assert!((1.0..200.0).contains(&refused), "{policy}: one, and then trials, not {refused}");
        // A sixth of the time, and until the trial that finds it back.
        let share = count("/backends/1/percent");
        assert!((12.0..24.0).contains(&share), "{policy}: {share}");
    }
    let nobody = crate::found("--backends 2 --down 1-2=0..1000 --requests 1000 --policy all");
    assert!(policy::names().all(|policy| figure(&nobody, policy, "/unserved") == 1000.0));
}

#[test]
fn ten_thousand_backends_are_not_too_many() {
    let found = found("--backends 10000 --requests 20000 --policy maglev,two_choices,round_robin");
    for policy in ["maglev", "two_choices", "round_robin"] {
        assert_eq!(found[policy]["backends"].as_array().unwrap().len(), 10_000);
        assert!(figure(&found, policy, P99) < 20.0);
    }
}
