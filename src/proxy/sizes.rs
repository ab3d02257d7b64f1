//! What a connection weighs while nothing happens on it: these structs, and no buffer. There is one of them for each of
//! a hundred thousand idle clients.

use super::Tenant;
use crate::net::os::OsNet;
use crate::session::{Http, Tcp};

#[test]
fn an_idle_connection_weighs_no_more_than_it_did() {
    for (what, bytes, most_bytes) in [
        ("a TCP session", size_of::<Tcp<OsNet>>(), 448),
        ("an HTTP session", size_of::<Http<OsNet>>(), 648),
        ("a place in the session table", size_of::<(u32, Tenant<OsNet>)>(), 40),
    ] {
        assert!(
            bytes <= most_bytes,
            "{what} takes {bytes} bytes, not {most_bytes}, and every idle connection weighs that much more: keep \
             elsewhere what only a busy one needs; or, if it must be, raise the number here",
        );
    }
}
