//! A browser, and what it makes of two backends behind one address.

use std::process::Command;

use crate::origin::{Answer, Origin};
use crate::support::{Proxy, finish, require};
use crate::wire::Message;

const RESOURCES: usize = 50;

/// What the page at this address looks like once everything has been loaded.
fn dom(address: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.args([
        "55",
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]);
    command.args(["--no-first-run", "--disable-background-networking", "--no-proxy-server"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    // Virtual time stands still while something is being loaded.
    command.args(["--virtual-time-budget=10000", "--dump-dom"]).arg(format!("http://{address}/"));
    let ended = finish(&mut command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.join("\n")
}

/// A page with scripts, style sheets and images: 50 in all, each of which leaves a mark with the name of its backend.
fn page() -> String {
    let resource = |number: usize| match number % 3 {
        0 => format!("<script src=\"/{number}.js\"></script>\n"),
        1 => format!("<link rel=\"stylesheet\" href=\"/{number}.css\">\n"),
        _ => format!("<img src=\"/{number}.svg\">\n"),
    };
    let resources: String = (0..RESOURCES).map(resource).collect();
    format!(
        "<!doctype html><html><head><title>test</title><script>const marks = [];</script>\n{resources}</head>\
         <body><script>
            addEventListener('load', () => {{
                const style = getComputedStyle(document.documentElement);
                for (let number = 1; number < {RESOURCES}; number += 3)
                    marks.push(number + style.getPropertyValue('--mark' + number).replace(/\"/g, '').trim());
                // An image says who sent it by its width.
                for (const image of document.images)
                    marks.push(parseInt(new URL(image.src).pathname.slice(1)) + ({{7: 'a', 9: 'b'}})[image.naturalWidth]);
                document.body.textContent = 'marks: ' + marks.join(' ') + ' end';
            }});
         </script></body></html>"
    )
}

fn answer(name: char, request: &Message) -> Answer {
    let target = request.target();
    let number = target[1..].split('.').next().unwrap();
    match target.rsplit('.').next().unwrap() {
        "js" => Answer::of("text/javascript", format!("marks.push('{number}{name}');")),
        "css" => Answer::of("text/css", format!(":root {{ --mark{number}: \"{name}\"; }}")),
        "svg" => {
            let width = if name == 'a' { 7 } else { 9 };
            let text = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"5\"/>");
            Answer::of("image/svg+xml", text)
        }
        "ico" => Answer::raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        _ => Answer::of("text/html", page()),
    }
}

#[test]
fn a_page_of_fifty_parts_comes_whole_from_two_backends() {
    if !require("chromium") {
        return;
    }
    let origins = ['a', 'b'].map(|name| Origin::new(move |request| answer(name, request)));
    let proxy = Proxy::before(&[origins[0].address, origins[1].address], "--mode http");
    let dom = dom(&proxy.address().to_string());
    let marks = dom.split_once("marks: ").expect(&dom).1.split_once(" end").expect(&dom).0;
    let mut marks: Vec<(usize, char)> = marks
        .split(' ')
        .map(|mark| {
            let (number, name) = mark.split_at(mark.len() - 1);
            (number.parse().expect(&dom), name.chars().next().unwrap())
        })
        .collect();
    marks.sort();
    assert_eq!(marks.iter().map(|mark| mark.0).collect::<Vec<_>>(), (0..RESOURCES).collect::<Vec<_>>());
    for (origin, name) in origins.iter().zip(['a', 'b']) {
        let parts = marks.iter().filter(|mark| mark.1 == name).count();
        assert!(parts >= RESOURCES / 2 - 2, "{name}: {parts}");
        assert!(origin.accepted() <= 6, "a browser has six connections, and each has one to a backend");
    }
}

#[test]
fn the_demo_shows_another_backend_each_time_a_page_is_loaded() {
    if !require("chromium") {
        return;
    }
    let proxy = Proxy::start_anywhere("--demo --mode http --port 0");
    let pages = [(); 3].map(|()| dom(&proxy.address().to_string()));
    let names = pages.each_ref().map(|page| {
        let name = page.split_once("Hello, world! I am ").expect(page).1;
        name.split_once('.').expect(page).0.to_owned()
    });
    assert!(names[0] != names[1] && names[1] != names[2], "{pages:?}");
}
