//! How the proxy is configured for a case.

use lbproxy::config::Config;

use super::case::Case;
use super::scripted;

pub use super::scripted::{INTERNAL, another_backend};

pub fn configuration(case: &Case) -> Config {
    let mut config = scripted::configuration();
    config.frontends[0].mode = case.mode;
    case.configure.iter().for_each(|configure| configure(&mut config));
    config
}
