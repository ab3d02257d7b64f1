//! Clients with habits of their own.

use std::process::Command;

use crate::origin::{Answer, Origin};
use crate::support::{Proxy, expect_end, finish, finish_sending, require};
use crate::wire::Wire;

#[test]
fn python_finds_its_bytes_again() {
    if !require("python3") {
        return;
    }
    let echo = || Origin::new(|request| Answer::text(&request.body));
    let [one, two] = [echo(), echo()];
    let proxy = Proxy::before(&[one.address, two.address], "--mode http");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/clients.py");
    let ended = finish(Command::new("python3").arg(script).arg(proxy.address().to_string()));
    assert_eq!((ended.code, ended.stdout.join("\n")), (Some(0), "all is well".to_owned()), "{ended:?}");
    let mut counts = [one.count(), two.count()];
    counts.sort();
    assert_eq!(counts, [12, 13]);
}

#[test]
fn a_hundred_requests_at_once_are_answered_in_order() {
    let echo = || {
        Origin::new(|request| match request.method() {
            "HEAD" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"),
            _ => Answer::text(format!("{} {}", request.target(), request.text())),
        })
    };
    let [one, two] = [echo(), echo()];
    let proxy = Proxy::before(&[one.address, two.address], "--mode http");
    let request = |number: usize| match number % 4 {
        0 => format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
        1 => format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET"),
        2 => format!("HEAD /{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
        _ => {
            let head = format!("PUT /{number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            format!("{head}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        }
    };
    let mut client = Wire::new(proxy.connect());
    client.say((0..100).map(request).collect::<String>());
    finish_sending(&client.stream);
    for number in 0..100 {
        let response = client.try_response(number % 4 == 2).unwrap().expect("an answer");
        let expected = match number % 4 {
            0 => format!("/{number} "),
            1 => format!("/{number} GET"),
            2 => String::new(),
            _ => format!("/{number} abc"),
        };
        assert_eq!((response.status(), response.text()), (200, &*expected));
    }
    expect_end(&mut client.stream);
    assert_eq!((one.count(), two.count()), (50, 50));
}
