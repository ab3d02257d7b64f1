//! The harness, tried on the TCP mode: bytes go both ways, and whatever a case says wrongly is noticed.

use super::case::{Case, End, Splits, backend, case};
use super::check::{check, check_all};

#[test]
fn bytes_are_relayed() {
    check_all(&[
        case("one_exchange_and_both_finish")
            .tcp()
            .sends("hello")
            .finishes()
            .backend(backend().gets_bytes("hello").sends("world").finishes().closed())
            .gets_bytes("world")
            .end(End::Closed),
        case("several_exchanges")
            .tcp()
            .sends("one")
            .awaits("1")
            .sends("two")
            .backend(backend().gets_bytes("one").sends("1").gets_bytes("two").sends("2").kept())
            .gets_bytes("12"),
        case("the_backend_finishes_first")
            .tcp()
            .awaits("bye")
            .backend(backend().sends("bye").finishes().kept())
            .gets_bytes("bye")
            .end(End::Closed),
        case("a_reset_is_passed_on")
            .tcp()
            .sends("x")
            .awaits_end()
            .backend(backend().gets_bytes("x").sends("half").resets())
            .gets_bytes("half")
            .end(End::Broken),
        case("a_refused_connect_is_tried_again")
            .tcp()
            .with(|config| config.pools[0].backends.push(super::setup::another_backend(1)))
            .sends("x")
            .backend(backend().refuses())
            .backend(backend().gets_bytes("x").sends("y"))
            .gets_bytes("y"),
        case("an_idle_connection_ends")
            .tcp()
            .sends("x")
            .awaits_end()
            .backend(backend().gets_bytes("x"))
            .takes_ms(600_000..=600_000)
            .end(End::Any),
        case("a_client_that_does_not_read_is_waited_for")
            .tcp()
            .takes_bytes(3)
            .sends("x")
            .sleeps_ms(1000)
            .takes_bytes(100)
            .backend(backend().gets_bytes("x").sends("abcdef"))
            .takes_ms(1000..=1000)
            .gets_bytes("abcdef"),
        case("at_the_same_time")
            .tcp()
            .sends("a")
            .awaits("A")
            .while_backend_sends(0, "B")
            .sends("b")
            .backend(backend().gets_bytes("a").sends("A").gets_bytes("b"))
            .gets_bytes("AB"),
    ]);
}

#[test]
fn wrong_expectations_are_noticed() {
    let talk = |name| case(name).tcp().sends("hello");
    let server = || backend().gets_bytes("hello").sends("world");
    let complaint = |case: Case| check(&case).unwrap_err();
    for (case, why) in [
        (talk("x").backend(server()).gets_bytes("worl"), "the client gets more: d"),
        (talk("x").backend(server()).gets_bytes("words"), "is not words"),
        (talk("x").backend(server()).gets_bytes("world").end(End::Closed), "is still open"),
        (talk("x").backend(backend().gets_bytes("help")).end(End::Any), "got hello, not help"),
        (talk("x").backend(backend().gets_bytes("hello?")), "nothing happens any more"),
        (talk("x").backend(backend().gets_bytes("hell")), "backend connection 0 gets more: o"),
        (talk("x").backend(server().closed()).gets_bytes("world"), "backend connection 0 is still open"),
        (talk("x").backend(server()).backend(backend()).gets_bytes("world"), "1 connections to backends"),
        (talk("x").backend(server()).gets("HTTP/1.1 200 OK\r\n\r\n"), "number 1"),
        (talk("x").backend(server()).refused(400), "number 1"),
        (talk("x").backend(backend().gets_any()), "waits: Request(Any)"),
        (talk("x").sleeps_ms(10).backend(server()).takes_ms(20..=30).gets_bytes("world"), "took 10ms"),
    ] {
        let text = complaint(case.unsplit(Splits::Bytes, "once is enough"));
        assert!(text.contains(why), "{why}: {text}");
    }
}
