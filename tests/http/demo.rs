//! `--demo --mode http`: what it says must be what happens.

use rustix::process::Signal;

use crate::access::Line;
use crate::curl::Curl;
use crate::support::{Proxy, require};

#[test]
fn the_demo_says_what_happens() {
    if !require("curl") {
        return;
    }
    let mut proxy = Proxy::start_anywhere("--demo --mode http --port 0");
    let url = format!("http://{}/", proxy.address());
    proxy.stdout.wait_for_text(&format!("curl {url} {url}    one connection: a backend for each request"));
    proxy.stdout.wait_for_text("the backend changes with each reload");
    proxy.stdout.wait_for_text("Each request leaves a line below.");
    let curl = Curl::new().arguments("-w %{num_connects}\\n").argument(&url).argument(&url);
    let said = curl.run();
    assert_eq!(said, ["Hello, world! I am alpha.", "1", "Hello, world! I am beta.", "0"]);
    let names = Line::of_many(&proxy, 2).into_iter().map(|line| line.backend);
    assert_eq!(names.collect::<Vec<_>>(), ["alpha", "beta"]);
    proxy.signal(Signal::INT);
    assert_eq!(proxy.exit_code(), Some(0));
}
