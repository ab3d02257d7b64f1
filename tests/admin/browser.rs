//! A headless Chromium, driven through WebDriver (W3C) by Debian's chromedriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Program, connect, require, wait_for, wait_until};

/// A browser with one page.
pub(crate) struct Browser {
    _driver: Program,
    address: SocketAddr,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// A browser, if there is one here.
    pub(crate) fn start() -> Option<Browser> {
        if !require("chromium") || !require("chromedriver") {
            return None;
        }
        // The port it picks may be taken where it looks next, for the other family: then it gives up.
        let (driver, port) = wait_for("a chromedriver that has a port", driver);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let profile = tempfile::tempdir().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            &data,
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments },
        }}});
        let created = ask(address, "POST", "/session", &capabilities);
        let session = created["sessionId"].as_str().expect("a session").to_owned();
        Some(Browser { _driver: driver, address, session, _profile: profile })
    }

    fn command(&self, method: &str, what: &str, arguments: &Value) -> Value {
        ask(self.address, method, &format!("/session/{}/{what}", self.session), arguments)
    }

    pub(crate) fn open(&self, url: &str) {
        self.command("POST", "url", &json!({ "url": url }));
    }

    /// What this body of a function returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("POST", "execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What this body of a function calls its last argument with.
    pub(crate) fn run_and_wait(&self, script: &str) -> Value {
        self.command("POST", "execute/async", &json!({ "script": script, "args": [] }))
    }

    /// What this expression is, as text.
    pub(crate) fn text(&self, expression: &str) -> String {
        self.run(&format!("return String({expression})")).as_str().unwrap().to_owned()
    }

    /// Waits until this expression is true.
    pub(crate) fn wait_until(&self, expression: &str) {
        wait_until(expression, || self.run(&format!("return !!({expression})")) == true);
    }

    /// A command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) {
        self.command("POST", "goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &[&str]) {
        let actions = keys.iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions.collect::<Vec<_>>() });
        self.command("POST", "actions", &json!({ "actions": [keyboard] }));
    }

    /// The picture, as PNG.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        use base64::Engine;
        let text = self.command("GET", "screenshot", &Value::Null);
        base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
    }

    /// Everything on the console since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("POST", "se/log", &json!({ "type": "browser" }));
        entries.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    /// The addresses of all requests since the last time.
    pub(crate) fn requested(&self) -> Vec<String> {
        let entries = self.command("POST", "se/log", &json!({ "type": "performance" }));
        let url = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        };
        entries.as_array().unwrap().iter().filter_map(url).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.command("DELETE", "", &Value::Null);
        }
    }
}

/// A driver and its port, if it gets one.
fn driver() -> Option<(Program, u16)> {
    let driver = Program::start(Command::new("chromedriver").arg("--port=0"));
    let outcome = driver.stdout.wait_for("chromedriver to begin", |line| {
        let port = line.strip_prefix("ChromeDriver was started successfully on port ");
        let port = port.map(|port| port.trim_end_matches('.').parse().ok());
        port.or_else(|| line.contains("port not available").then_some(None))
    });
    Some((driver, outcome?))
}

fn ask(driver: SocketAddr, method: &str, target: &str, arguments: &Value) -> Value {
    let body = if arguments.is_null() { String::new() } else { arguments.to_string() };
    let target = target.trim_end_matches('/');
    let mut stream = connect(driver);
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{method} {target}: {head}");
    }
    let head = head.to_ascii_lowercase();
    let length = head.split_once("content-length:").expect(&head).1.lines().next().unwrap().trim();
    let mut content = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut content).unwrap();
    let mut content: Value = serde_json::from_slice(&content).unwrap();
    assert!(head.starts_with("http/1.1 200 "), "{method} {target}: {content}");
    content["value"].take()
}
