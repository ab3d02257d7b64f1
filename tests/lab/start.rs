//! How the programs start, and how they refuse to.

use std::net::TcpListener;

use crate::support::{
    Backend, ECHO_BACKEND, ECHO_CLIENT, Ended, FILE_BACKEND, FILE_CLIENT, HTTP_BACKEND, run,
};

fn assert_refused(ended: &Ended, reason: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.starts_with("error: "), "{ended:?}");
    assert!(ended.stderr.contains(reason), "{reason:?} is not in {ended:?}");
}

#[test]
fn bad_arguments_are_refused_in_one_line() {
    let client = ["--connect", "127.0.0.1:1"];
    let cases: [(&str, &[&str], &str); 17] = [
        (ECHO_BACKEND, &["--port", "65536"], "65536"),
        (ECHO_BACKEND, &["--prot", "1"], "'--port'"),
        (ECHO_BACKEND, &["--address", "localhost"], "localhost"),
        (HTTP_BACKEND, &["--delay-ms", "soon"], "soon"),
        (HTTP_BACKEND, &["--body-bytes", "99999999999"], "at most"),
        (HTTP_BACKEND, &["--name", "two\r\nlines"], "visible ASCII"),
        (FILE_BACKEND, &[], "--root <DIRECTORY>"),
        (FILE_BACKEND, &["--root", "/nowhere/at/all"], "/nowhere/at/all"),
        (FILE_BACKEND, &["--root", "/dev/null"], "/dev/null"),
        (ECHO_CLIENT, &[], "--connect <HOST:PORT>"),
        (ECHO_CLIENT, &["--connect", "127.0.0.1"], "127.0.0.1"),
        (ECHO_CLIENT, &[client[0], client[1], "--count", "0"], "--count"),
        (ECHO_CLIENT, &[client[0], client[1], "--connections", "0"], "--connections"),
        (ECHO_CLIENT, &[client[0], client[1], "--source", "::1"], "family"),
        (FILE_CLIENT, &client, "--file <PATH>"),
        (FILE_CLIENT, &[client[0], client[1], "--file", "/nowhere"], "/nowhere"),
        (FILE_CLIENT, &[client[0], client[1], "--file", "/dev/null", "--name", "a\nb"], "name"),
    ];
    for (program, arguments, reason) in cases {
        assert_refused(&run(program, arguments), reason);
    }
}

#[test]
fn a_port_in_use_is_refused_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (program, arguments) in
        [(ECHO_BACKEND, &[][..]), (HTTP_BACKEND, &[]), (FILE_BACKEND, &["--root", "/"])]
    {
        let ended = run(program, &[&["--port", &port], arguments].concat());
        assert_refused(&ended, &format!("cannot listen on 127.0.0.1:{port}"));
    }
}

#[test]
fn every_program_explains_itself() {
    for program in [ECHO_BACKEND, HTTP_BACKEND, FILE_BACKEND, ECHO_CLIENT, FILE_CLIENT] {
        let ended = run(program, &["--help"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.stdout.contains("Usage: "), "{ended:?}");
    }
}

#[test]
fn a_backend_listens_where_it_is_told() {
    let backend = Backend::start(ECHO_BACKEND, &["--address", "127.0.0.9"]);
    assert_eq!(backend.address.ip().to_string(), "127.0.0.9");
    assert_ne!(backend.address.port(), 0);
    backend.connect();
}
