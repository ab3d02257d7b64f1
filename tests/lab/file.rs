//! The file backend and its client.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Backend, Ended, FILE_BACKEND, FILE_CLIENT, exchange, expect_bytes, rest, run_client};

const LARGE_BYTES: usize = 8 * 1024 * 1024;

/// A root with a few files in it, and things beside it that nobody may have.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { directory: TempDir::new().unwrap() };
        fs::create_dir_all(place.root().join("inner")).unwrap();
        fs::create_dir(place.path("root-beside")).unwrap();
        fs::write(place.path("secret"), "secret").unwrap();
        fs::write(place.path("root-beside/secret"), "secret").unwrap();
        fs::write(place.path("root/empty"), "").unwrap();
        fs::write(place.path("root/small file"), "a few bytes\n").unwrap();
        fs::write(place.path("root/inner/deep"), "deep").unwrap();
        fs::write(place.path("root/large"), large()).unwrap();
        link("../secret", &place.path("root/escape"));
        link("../root-beside", &place.path("root/beside"));
        link("inner/deep", &place.path("root/shortcut"));
        place
    }

    fn root(&self) -> PathBuf {
        self.path("root")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn backend(&self, arguments: &[&str]) -> Backend {
        let root = self.root();
        Backend::start(FILE_BACKEND, &[&["--root", root.to_str().unwrap()], arguments].concat())
    }

    /// Asks for a file that should equal the one called `local`.
    fn fetch(&self, server: SocketAddr, local: &str, arguments: &[&str]) -> Ended {
        let local = self.path(local);
        run_client(FILE_CLIENT, server, &[&["--file", local.to_str().unwrap()], arguments].concat())
    }
}

fn link(target: &str, at: &Path) {
    std::os::unix::fs::symlink(target, at).unwrap();
}

/// Bytes without a short period, so that a piece in the wrong place shows.
fn large() -> Vec<u8> {
    (0..LARGE_BYTES as u64).map(|index| (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

#[test]
fn files_come_back_in_the_order_asked() {
    let place = Place::new();
    let backend = place.backend(&[]);
    let mut stream = backend.connect();
    stream.write_all(b"GET small file\nGET empty\r\nGET inner/deep\nGET ./shortcut\nGET lar").unwrap();
    expect_bytes(&mut stream, b"OK 12\na few bytes\nOK 0\nOK 4\ndeepOK 4\ndeep");
    stream.write_all(b"ge\n").unwrap();
    expect_bytes(&mut stream, b"OK 8388608\n");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(&mut stream) == large());
}

#[test]
fn what_is_not_there_or_not_to_be_had_is_refused_and_the_next_request_served() {
    let place = Place::new();
    let backend = place.backend(&[]);
    let absolute = place.path("secret");
    let cases = [
        ("GET missing", "not found"),
        ("GET small file/below", "not found"),
        ("GET ../secret", "outside the root"),
        ("GET inner/../../secret", "outside the root"),
        (&format!("GET {}", absolute.display()), "outside the root"),
        ("GET escape", "outside the root"),
        ("GET beside/secret", "outside the root"),
        ("GET inner", "not a file"),
        ("GET ", "not a file"),
        ("GET nul\0byte", "not a name"),
        ("PUT small file", "not a request"),
        ("", "not a request"),
    ];
    for (request, reason) in cases {
        let answer = exchange(&backend, format!("{request}\nGET inner/deep\n").as_bytes());
        assert_eq!(String::from_utf8_lossy(&answer), format!("ERR {reason}\nOK 4\ndeep"), "{request:?}");
    }
}

#[test]
fn an_endless_line_is_cut_off() {
    let place = Place::new();
    let backend = place.backend(&[]);
    let mut stream = backend.connect();
    stream.write_all(&b"GET ".repeat(2000)).unwrap();
    assert_eq!(rest(&mut stream), b"ERR line too long\n");
}

#[test]
fn stateless_it_closes_after_one_request() {
    let place = Place::new();
    let backend = place.backend(&["--close"]);
    for (request, answer) in [("GET inner/deep\n", "OK 4\ndeep"), ("GET missing\n", "ERR not found\n")] {
        let mut stream = backend.connect();
        stream.write_all(request.repeat(2).as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&rest(&mut stream)), answer);
    }
}

#[test]
fn the_client_counts_accurate_files() {
    let place = Place::new();
    let backend = place.backend(&[]);
    let small = place.fetch(backend.address, "root/small file", &["--count", "50", "--connections", "20"]);
    assert_eq!((small.code, small.count()), (Some(0), "accurate 1000 of 1000"), "{small:?}");
    let empty = place.fetch(backend.address, "root/empty", &["--count", "5"]);
    assert_eq!((empty.code, empty.count()), (Some(0), "accurate 5 of 5"), "{empty:?}");
    let large = place.fetch(backend.address, "root/large", &["--count", "2", "--connections", "4"]);
    assert_eq!((large.code, large.count()), (Some(0), "accurate 8 of 8"), "{large:?}");
}

#[test]
fn the_client_opens_a_connection_for_each_request_if_told() {
    let place = Place::new();
    let backend = place.backend(&["--close"]);
    let arguments = ["--reconnect", "--count", "50", "--connections", "10", "--name", "inner/deep"];
    let ended = place.fetch(backend.address, "root/inner/deep", &arguments);
    assert_eq!((ended.code, ended.count()), (Some(0), "accurate 500 of 500"), "{ended:?}");
    let stateful = place.fetch(backend.address, "root/empty", &["--count", "5"]);
    assert_eq!((stateful.code, stateful.count()), (Some(1), "accurate 1 of 5"), "{stateful:?}");
}

#[test]
fn the_client_detects_a_changed_byte_and_a_changed_size() {
    let place = Place::new();
    let backend = place.backend(&[]);
    let mut changed = large();
    changed[LARGE_BYTES - 1] ^= 1;
    fs::write(place.path("changed"), &changed).unwrap();
    fs::write(place.path("longer"), [&changed[..], b"x"].concat()).unwrap();
    for local in ["changed", "longer"] {
        let ended = place.fetch(backend.address, local, &["--name", "large", "--count", "3"]);
        assert_eq!((ended.code, ended.count()), (Some(1), "accurate 0 of 3"), "{ended:?}");
        assert!(ended.stdout.contains("wrong 3, missing 0"), "{ended:?}");
    }
}

#[test]
fn the_client_reports_a_refusal_and_goes_on() {
    let place = Place::new();
    let backend = place.backend(&[]);
    let ended = place.fetch(backend.address, "secret", &["--count", "4"]);
    assert_eq!((ended.code, ended.count()), (Some(1), "accurate 0 of 4"), "{ended:?}");
    assert!(ended.stderr.contains("4 × the backend answered \"ERR not found\""), "{ended:?}");
}

#[test]
fn the_client_counts_one_wrong_answer_among_right_ones() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        for contents in ["deep", "deeq", "deep"] {
            expect_bytes(&mut stream, b"GET deep\n");
            stream.write_all(format!("OK 4\n{contents}").as_bytes()).unwrap();
        }
        rest(&mut stream)
    });
    let ended = place.fetch(address, "root/inner/deep", &["--count", "3"]);
    assert_eq!((ended.code, ended.count()), (Some(1), "accurate 2 of 3"), "{ended:?}");
}
