//! `lbproxy top` in a terminal: a pseudo-terminal with a screen that is read back.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::endpoint::Admin;
use crate::support::{LBPROXY, Proxy, greeter, letter, require, run, wait_until};

const ROWS: NonZero<u16> = NonZero::new(30).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(120).unwrap();

/// `top` at work, in a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn start(arguments: &str) -> Terminal {
        let command = format!("stty rows {ROWS} cols {COLUMNS}; exec {LBPROXY} top {arguments}");
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut piece) {
                shown.lock().unwrap().process(&piece[..count]);
            }
        });
        Terminal { child, keys, screen }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn wait_for(&self, text: &str) {
        wait_until(text, || self.text().contains(text));
    }

    /// Waits until the line of this backend has this in it.
    fn wait_for_in_line(&self, backend: &str, text: &str) {
        wait_until(text, || {
            let shown = self.text();
            let mut lines = shown.lines().filter(|line| line.split_whitespace().any(|word| word == backend));
            lines.next().is_some_and(|line| line.contains(text))
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_shows_what_goes_on_and_drains_by_key() {
    if !require("script") {
        return;
    }
    let servers = ['a', 'b'].map(greeter);
    let proxy = Proxy::start(&format!(
        "--admin 127.0.0.1:0 --policy fewest_connections --backend {},name=first --backend {},name=second",
        servers[0].address, servers[1].address
    ));
    let admin = Admin::of(&proxy);
    let mut terminal = Terminal::start(&format!("--admin {} --interval-ms 200", admin.0));
    terminal.wait_for("pool default · fewest_connections");
    let mut clients = [(); 5].map(|()| proxy.connect());
    clients.iter_mut().for_each(|client| _ = letter(client));
    terminal.wait_for("5 clients · 5 accepted");
    terminal.wait_for_in_line("first", "up");
    // Down to the second one; it is drained, and enabled again.
    terminal.press("\x1b[B");
    terminal.wait_for_in_line(">", "second");
    terminal.press("d");
    terminal.wait_for_in_line("second", "drained");
    assert_eq!(admin.backend("second").state, "drained");
    terminal.wait_for("an operator has drained it");
    assert_eq!(letter(&mut proxy.connect()), 'a');
    terminal.press("e");
    terminal.wait_for_in_line("second", "up");
    // A proxy that goes is said to be gone, and the screen stays.
    drop((clients, proxy));
    terminal.wait_for("nobody answers at");
    terminal.wait_for("OLD");
    terminal.press("q");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    assert!(!terminal.screen.lock().unwrap().screen().alternate_screen(), "the terminal is as it was");
}

#[test]
fn without_a_terminal_or_a_proxy_it_says_what_to_do() {
    let ended = run(LBPROXY, "top --admin 127.0.0.1:1");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr[0].contains("top needs a terminal"), "{ended:?}");
    if !require("script") {
        return;
    }
    let mut terminal = Terminal::start("--admin 127.0.0.1:1");
    terminal.wait_for("nobody answers at 127.0.0.1:1");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(2));
}
