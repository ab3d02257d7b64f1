//! `--check --connect`: whether backends can be reached.

use crate::support::{LBPROXY, Refusing, greeter, run};

#[test]
fn check_says_who_can_be_reached_and_how_it_ends() {
    let (up, down) = (greeter('a'), Refusing::new());
    let both = format!("--backend {},name=up --backend {} --check --connect", up.address, down.address);
    let ended = run(LBPROXY, &both);
    assert_eq!(ended.code, Some(1));
    let line = |start: String| ended.stdout.iter().any(|line| line.starts_with(&start));
    assert!(line(format!("# pool default: backend up ({}): connected in ", up.address)), "{ended:?}");
    assert!(
        line(format!("# pool default: backend {}: cannot be reached: Connection refused", down.address)),
        "{ended:?}"
    );
    assert!(line("[[frontend]]".into()), "the configuration, as ever: {ended:?}");

    let ended = run(LBPROXY, &format!("--backend {} --check --connect", up.address));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
