//! `[admin]`: where operators look in.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::address;
use super::error::Problem;
use super::key_path::KeyPath;
use super::raw::RawAdmin;

/// How a unix socket is written.
const UNIX: &str = "unix:";
/// What `sun_path` holds (unix(7)), its final 0 excluded.
const UNIX_PATH_MAX: usize = 107;

/// Where operators look in, and what they need to change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: AdminListen,
    /// A file with the token that changes need.
    pub token_file: Option<PathBuf>,
}

/// Where the admin endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket, by its path.
    Unix(PathBuf),
}

impl AdminListen {
    /// `ADDRESS:PORT` or `unix:PATH`.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<AdminListen, String> {
        match text.strip_prefix(UNIX) {
            Some("") => Err(format!("{text:?} names no file: write unix:/run/lbproxy/admin.sock")),
            Some(path) if path.len() > UNIX_PATH_MAX => {
                Err(format!("{path:?} is too long for a unix socket: use {UNIX_PATH_MAX} bytes at the most"))
            }
            Some(path) => Ok(AdminListen::Unix(path.into())),
            None => address::parse_listen(text)
                .map(AdminListen::Tcp)
                .map_err(|what| format!("{what} (or a unix socket: unix:/run/lbproxy/admin.sock)")),
        }
    }

    /// Whether nobody beyond this host can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            AdminListen::Tcp(address) => address.ip().is_loopback(),
            AdminListen::Unix(_) => true,
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminListen::Tcp(address) => write!(f, "{address}"),
            AdminListen::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// The token in what a token file says: its first line, unless that is empty.
pub fn token_in(text: &str) -> Option<&str> {
    text.lines().next().map(str::trim).filter(|token| !token.is_empty())
}

/// The admin endpoint, if there is to be one.
pub(super) fn resolve(raw: &RawAdmin, warnings: &mut Vec<Problem>) -> Result<Option<Admin>, Problem> {
    let path = KeyPath::root().key("admin");
    let Some(listen) = &raw.listen else {
        return match raw.token_file {
            None => Ok(None),
            Some(_) => {
                let what =
                    "nothing listens that could ask for it: add listen = \"127.0.0.1:9901\", or remove it";
                Err(Problem::new(&path.key("token_file"), what))
            }
        };
    };
    let listen = AdminListen::parse(listen).map_err(|what| Problem::new(&path.key("listen"), what))?;
    let token_file = raw.token_file.clone().map(PathBuf::from);
    if !listen.is_local() {
        let what = match token_file {
            Some(_) => {
                "anybody who can reach it may look, and with the token change things: keep it within your network"
            }
            None => "anybody who can reach it may look; changes are refused without a token_file",
        };
        warnings.push(Problem::new(&path.key("listen"), format!("{listen} is not this host alone: {what}")));
    }
    Ok(Some(Admin { listen, token_file }))
}
