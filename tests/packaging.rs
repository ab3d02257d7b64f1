//! What installs it: the unit of systemd, the Dockerfile, the manual page.

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "proxy/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the proxy use the rest of it")]
mod support;

use support::{LBPROXY, require, run};

fn text_of(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    if !require("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = text_of("packaging/lbproxy.service").replace("/usr/local/bin/lbproxy", LBPROXY);
    // The manual page is not installed here.
    let unit: String = unit
        .lines()
        .filter(|line| !line.starts_with("Documentation="))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(folder.path().join("lbproxy.service"), unit).unwrap();
    fs::write(folder.path().join("lbproxy.socket"), text_of("packaging/lbproxy.socket")).unwrap();
    let analyze = |arguments: &[&str]| {
        let output =
            Command::new("systemd-analyze").args(arguments).current_dir(folder.path()).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        (output.status.success(), said)
    };
    let (well, said) = analyze(&["verify", "./lbproxy.service", "./lbproxy.socket"]);
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("lbproxy")).collect();
    assert!(well && about_us.is_empty(), "{said}");
    // 0 is the best there is, and 10 a service that may do everything.
    let (well, said) = analyze(&["security", "--offline=true", "--threshold=25", "./lbproxy.service"]);
    assert!(well, "{said}");
}

#[test]
fn the_command_of_the_unit_is_one() {
    let unit = text_of("packaging/lbproxy.service");
    let commands = unit.lines().filter_map(|line| {
        line.strip_prefix("ExecStartPre=").or(line.strip_prefix("ExecStart=")).map(str::to_owned)
    });
    let commands: Vec<String> = commands.collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    let example = format!("{}/config.example.toml", env!("CARGO_MANIFEST_DIR"));
    for command in commands {
        let (program, arguments) = command.split_once(' ').unwrap();
        assert_eq!(program, "/usr/local/bin/lbproxy");
        let arguments = arguments.replace("/etc/lbproxy/lbproxy.toml", &example);
        let checked = if arguments.contains("--check") { arguments } else { format!("{arguments} --check") };
        let ended = run(LBPROXY, &checked);
        assert_eq!(ended.code, Some(0), "{checked}: {ended:?}");
    }
}

#[test]
fn the_dockerfile_copies_what_is_there_and_runs_what_it_built() {
    let text = text_of("Dockerfile");
    assert!(text.contains("cargo build --release --locked --bin lbproxy"));
    assert!(text.contains("COPY --from=build /src/target/release/lbproxy /usr/local/bin/lbproxy"));
    let copied: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("COPY --from=build /src/")?.split(' ').next())
        .collect();
    assert_eq!(copied, ["target/release/lbproxy", "config.example.toml"]);
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml").is_file());
    let user = text.lines().find_map(|line| line.strip_prefix("USER ")).expect("no root");
    assert!(!user.starts_with('0') && user != "root", "{user}");
}

#[test]
fn the_manual_page_is_one() {
    if !require("groff") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("lbproxy.1");
    fs::write(&page, run(LBPROXY, "--man").stdout.join("\n") + "\n").unwrap();
    let output = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&page).output().unwrap();
    // Bold is a letter struck twice.
    let mut shown = String::new();
    for letter in String::from_utf8_lossy(&output.stdout).chars() {
        if letter == '\u{8}' {
            shown.pop();
        } else {
            shown.push(letter)
        }
    }
    assert!(output.status.success() && shown.contains("--policy"), "{shown}");
    assert!(shown.contains("NAME") && shown.contains("SYNOPSIS") && shown.contains("OPTIONS"), "{shown}");
}
