//! The live page, in a real browser.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::endpoint::Admin;
use crate::support::{HTTP_BACKEND, Program, Proxy, finish, wait_until};
use crate::wire::Wire;

/// <https://www.w3.org/TR/webdriver2/#keyboard-actions>
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Two backends that are checked often, and a proxy that can be looked into.
struct Scene {
    backends: Vec<Program>,
    proxy: Proxy,
    admin: Admin,
}

impl Scene {
    fn new() -> Scene {
        let (backends, addresses): (Vec<_>, Vec<_>) = ["one", "two"]
            .map(|name| Program::backend(HTTP_BACKEND, &format!("--port 0 --name {name}")))
            .into_iter()
            .unzip();
        let text = format!(
            "[[frontend]]\nname = 'web'\nmode = 'http'\nlisten = ['127.0.0.1:0']\npool = 'apps'\n\
             [admin]\nlisten = '127.0.0.1:0'\n[pool.apps]\n\
             health = {{ check = 'tcp', interval_ms = 200, down_interval_ms = 200, fall = 1, rise = 1 }}\n\
             backends = [{{ address = '{}', name = 'one', weight = 3 }}, {{ address = '{}', name = 'two' }}]\n",
            addresses[0], addresses[1]
        );
        let proxy = Proxy::configured(&text, 1);
        let admin = Admin::of(&proxy);
        Scene { backends, proxy, admin }
    }

    fn ask(&self, count: usize) {
        let mut client = Wire::new(self.proxy.connect());
        for _ in 0..count {
            assert_eq!(client.get("/").status(), 200);
        }
    }

    fn open(&self, browser: &Browser) {
        browser.open(&format!("http://{}/", self.admin.0));
        browser.wait_until("document.querySelector('#pools tbody tr')");
    }
}

/// A cell of the row of a backend, as an expression.
fn cell(backend: &str, column: &str) -> String {
    format!(
        "[...document.querySelectorAll('#pools thead th')].map((head, n) => [head.textContent, n])\
         .filter(([name]) => name === '{column}').map(([, n]) => \
         document.querySelector('#pools tr[data-key=\"{backend}\"]').cells[n].textContent)[0]"
    )
}

#[test]
fn values_on_the_page_are_those_that_were_sent() {
    let Some(browser) = Browser::start() else { return };
    let scene = Scene::new();
    scene.open(&browser);
    let total =
        "document.getElementById('summary').textContent.match(/([\\d,]+) requests/)[1].replace(',', '')";
    assert_eq!(browser.text(total), "0");
    scene.ask(1200);
    browser.wait_until(&format!("{total} === '1200'"));
    let metrics = scene.admin.metrics();
    assert_eq!(metrics.value("requests_total"), 1200.0);
    assert_eq!(metrics.value("backend_chosen_total{pool=\"apps\",backend=\"one\"}"), 900.0);
    browser.wait_until(&format!("{} === '75 % / 75 %'", cell("one", "share / due")));
    assert_eq!(browser.text(&cell("two", "share / due")), "25 % / 25 %");
    let ended = "[...document.querySelectorAll('#ended tbody tr')].map((row) => row.textContent).join()";
    browser.wait_until(&format!("{ended}.includes('1,200')"));

    // Under load they move, from one second to the next.
    let history = "document.querySelector('#pools tr[data-key=\"one\"] svg polyline').getAttribute('points')";
    browser.wait_until(&format!("{history} !== ''"));
    let before = browser.text(history);
    let moved = || browser.text(history) != before;
    wait_until("the picture to move", || {
        scene.ask(50);
        moved()
    });
    wait_until("a rate", || {
        scene.ask(50);
        browser.text(&cell("one", "per s")).replace(',', "").parse::<f64>().unwrap() > 10.0
    });
    // And come to rest.
    browser.wait_until(&format!("{} === '0'", cell("one", "per s")));
    assert!(browser.run("return document.querySelector('.chart canvas').width > 100").as_bool().unwrap());
}

#[test]
fn what_a_load_generator_sent_is_on_the_page_and_in_the_metrics() {
    const CONNECTIONS: u64 = 4;
    let Some(browser) = Browser::start() else { return };
    let scene = Scene::new();
    scene.open(&browser);
    let mut load = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    load.args(["--json", "-c", &CONNECTIONS.to_string(), "-R", "400", "-d", "3s"])
        .arg(format!("http://{}/", scene.proxy.address()));
    let outcome: Value = serde_json::from_str(&finish(&mut load).stdout.join("")).unwrap();
    let (sent, ok) = (outcome["requests"].as_u64().unwrap(), outcome["ok"].as_u64().unwrap());
    assert!(sent > 1000 && sent == ok, "{outcome}");
    // All is counted once its clients have gone; one of each may have been on its way at the end.
    wait_until("its clients to go", || scene.admin.metrics().sum("frontend_connections") == 0.0);
    let counted = scene.admin.metrics().value("requests_total") as u64;
    assert!((sent..=sent + CONNECTIONS).contains(&counted), "{counted} of {sent}");
    let total =
        "document.getElementById('summary').textContent.match(/([\\d,]+) requests/)[1].replace(',', '')";
    browser.wait_until(&format!("{total} === '{counted}'"));
    let served = scene.admin.stats().pools[0].backends.iter().map(|backend| backend.chosen).sum::<u64>();
    assert_eq!(served, counted);
}

#[test]
fn a_backend_that_is_killed_turns_red_with_its_reason_and_another_drains_by_key() {
    let Some(browser) = Browser::start() else { return };
    let mut scene = Scene::new();
    scene.open(&browser);
    let state = |name: &str| cell(name, "state");
    browser.wait_until(&format!("{} === 'up' && {} === 'up'", state("one"), state("two")));
    let colour = "getComputedStyle(document.querySelector('#pools tr[data-key=\"two\"]')).backgroundColor";
    let calm = browser.text(colour);
    drop(scene.backends.pop());
    browser.wait_until(&format!("{} === 'down'", state("two")));
    assert!(browser.text(&cell("two", "what became of it")).contains("refused"));
    let alarm = browser.text(colour);
    assert_ne!(alarm, calm);
    let channels: Vec<u32> =
        alarm.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    assert!(channels[0] > channels[1] + 20 && channels[0] > channels[2] + 20, "{alarm} is no red");
    browser.wait_until(
        "document.querySelector('#pools tr[data-key=\"two\"] details li').textContent.includes('down: ')",
    );

    // From the first button on, by keyboard alone.
    browser.run("document.querySelector('#pools tr[data-key=\"one\"] button').focus()");
    browser.press(&[ENTER]);
    browser.wait_until(&format!("{} === 'drained'", state("one")));
    assert_eq!(scene.admin.backend("one").state, "drained");
    browser
        .wait_until("document.getElementById('saturation').textContent.includes('none of its 2 backends')");
    assert_eq!(browser.text("document.activeElement.textContent"), "enable", "the focus stays");
    browser.press(&[ENTER]);
    browser.wait_until(&format!("{} === 'up'", state("one")));
    assert_eq!(scene.admin.backend("one").state, "up");
    scene.ask(3);
    // Every button can be reached.
    browser.press(&[TAB, TAB]);
    let reached = "document.activeElement.closest('tr[data-key=\"two\"]') !== null";
    assert_eq!(browser.text(reached), "true", "{}", browser.text("document.activeElement.outerHTML"));

    // A proxy that is gone is said to be gone.
    let Scene { proxy, backends, .. } = scene;
    drop(proxy);
    browser.wait_until("document.getElementById('link').textContent.includes('no connection')");
    drop(backends);
}

#[test]
fn with_a_token_the_page_asks_for_it() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "open sesame").unwrap();
    let (_backend, address) = Program::backend(HTTP_BACKEND, "--port 0 --name one");
    let proxy = Proxy::start(&format!(
        "--admin 127.0.0.1:0 --admin-token-file {} --backend {address},name=one",
        file.display()
    ));
    let admin = Admin::of(&proxy);
    browser.open(&format!("http://{}/", admin.0));
    browser.wait_until("document.querySelector('#pools tbody tr')");
    browser.run("document.querySelector('#pools button').click()");
    browser.wait_until("document.getElementById('message').textContent.includes('token')");
    assert_eq!(admin.backend("one").state, "up");
    browser.run("document.getElementById('token').focus()");
    browser.press(&["o", "p", "e", "n", " ", "s", "e", "s", "a", "m", "e", TAB]);
    browser.run("document.querySelector('#pools button').click()");
    browser.wait_until(&format!("{} === 'drained'", cell("one", "state")));
    assert_eq!(browser.text("document.getElementById('message').textContent"), "");
}

/// What axe-core finds fault with on the page as it is.
fn faults(browser: &Browser) -> Vec<String> {
    let axe =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/admin/vendor/axe.min.js"));
    browser.run(&axe.unwrap());
    let found = browser.run_and_wait(
        "const done = arguments[0]; axe.run().then((found) => done(found.violations), (error) => done([String(error)]))",
    );
    found.as_array().unwrap().iter().map(Value::to_string).collect()
}

/// Whether the page is wider than the screen.
fn is_too_wide(browser: &Browser) -> bool {
    browser.run("return document.documentElement.scrollWidth > innerWidth") == true
}

#[test]
fn it_is_for_everybody_in_light_and_dark_on_a_desk_and_a_phone_and_asks_nobody_else() {
    let Some(browser) = Browser::start() else { return };
    let mut scene = Scene::new();
    scene.ask(20);
    scene.open(&browser);
    assert_eq!(scene.admin.post("/backends/one/drain").status(), 200);
    drop(scene.backends.pop());
    browser.wait_until(&format!("{} === 'down'", cell("two", "state")));
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    let pictures = std::env::var_os("LBPROXY_SCREENSHOTS");
    let mut grounds = Vec::new();
    for (width, height) in [(1280, 900), (390, 844)] {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.devtools("Emulation.setDeviceMetricsOverride", size);
        for scheme in ["light", "dark"] {
            let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.devtools("Emulation.setEmulatedMedia", feature);
            // The next picture is drawn in the new colours.
            let at = scene.admin.stats().at_unix_ms + 1500;
            wait_until("the next picture", || scene.admin.stats().at_unix_ms > at);
            assert_eq!(faults(&browser), [""; 0], "{scheme}, {width} wide");
            assert!(!is_too_wide(&browser), "{scheme}, {width} wide");
            grounds.push(browser.text("getComputedStyle(document.body).backgroundColor"));
            if let Some(folder) = &pictures {
                let file = Path::new(folder).join(format!("{scheme}-{width}.png"));
                std::fs::write(file, browser.screenshot()).unwrap();
            }
        }
    }
    assert_eq!((&grounds[0], &grounds[1]), (&grounds[2], &grounds[3]));
    assert_ne!(grounds[0], grounds[1]);
    assert_eq!(browser.console(), [""; 0]);
    let own = format!("http://{}/", scene.admin.0);
    let requested: Vec<String> = browser.requested();
    let others: Vec<&String> = requested
        .iter()
        .filter(|url| !url.starts_with(&own) && !url.starts_with("data:") && !url.starts_with("chrome"))
        .collect();
    assert!(requested.iter().any(|url| *url == format!("{own}events")), "{requested:?}");
    assert!(others.is_empty(), "{others:?}");
}

/// The picture in the README: `cargo test --release --test admin picture -- --ignored`.
#[test]
#[ignore = "makes docs/page.png anew, which takes half a minute"]
fn picture_for_the_readme() {
    let browser = Browser::start().expect("chromium");
    let proxy = Proxy::start_anywhere("--demo --mode http --port 0 --admin 127.0.0.1:0");
    let admin = Admin::of(&proxy);
    let kill = proxy.stdout.wait_for("how to kill one", |line| {
        let rest = line.trim().strip_prefix("curl -X POST http://")?;
        Some(rest.split_once("/kill ")?.0.parse::<std::net::SocketAddr>().unwrap())
    });
    let size = json!({ "width": 1280, "height": 1020, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", size);
    browser.open(&format!("http://{}/", admin.0));
    let mut load = Program::start(
        Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(["-c", "20", "-R", "3000", "-d", "60s"])
            .arg(format!("http://{}/", proxy.address())),
    );
    let pause = |ms: u64| {
        let at = admin.stats().at_unix_ms + ms;
        wait_until("the time to come", || {
            std::thread::park_timeout(std::time::Duration::from_millis(100));
            admin.stats().at_unix_ms > at
        });
    };
    pause(22_000);
    assert_eq!(admin.post("/backends/gamma/weight?value=3").status(), 200);
    pause(12_000);
    assert_eq!(admin.post("/backends/gamma/enable").status(), 200);
    assert_eq!(admin.post("/backends/beta/drain").status(), 200);
    pause(8_000);
    Wire::new(crate::support::connect(kill))
        .say("POST /kill HTTP/1.1\r\nHost: demo\r\nContent-Length: 0\r\n\r\n");
    admin.wait_for_state("alpha", "down");
    pause(6_000);
    browser.run("document.querySelector('tr[data-key=alpha] details').open = true");
    pause(1_000);
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/page.png");
    std::fs::write(picture, browser.screenshot()).unwrap();
    assert!(!load.has_ended());
}
