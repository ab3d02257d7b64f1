//! Who takes part: builds of lbproxy, the peers that are installed, and the floor.

use std::path::{Path, PathBuf};

use lbproxy::lab::peers::{self, Duty, PEERS, Peer};
use lbproxy::lab::process::Launch;

use crate::floor;
use crate::results::Entrant;
use crate::rows::Row;
use crate::watcher::Watcher;

const FLOOR: &str = "floor";
const FLOOR_SPLICE: &str = "floor-splice";
/// The first build of lbproxy, looked into all the time.
const WATCHED: &str = "watched";
/// Nobody, where names are asked for.
const NONE: &str = "none";

pub struct Contestant {
    pub name: String,
    pub version: String,
    kind: Kind,
}

enum Kind {
    Lbproxy { program: PathBuf, arguments: Vec<String>, is_watched: bool },
    Peer { peer: &'static Peer, program: PathBuf },
    Floor { splices: bool },
}

/// Those who take part, and those who cannot, each with a hint.
pub struct Field {
    pub contestants: Vec<Contestant>,
    pub missing: Vec<String>,
}

/// All builds, and the others whose names are in `against`; if that is empty, everybody who is there.
///
/// # Errors
/// A name that nobody has, or a build that is not there.
pub fn gather(
    builds: &[(String, PathBuf)],
    arguments: &[String],
    against: &[String],
) -> Result<Field, String> {
    let mut field = Field { contestants: Vec::new(), missing: Vec::new() };
    for (name, program) in builds {
        if !program.is_file() {
            return Err(format!("--lbproxy {name}={}: there is no such program", program.display()));
        }
        let version = peers::version_of(program, &["--version"]);
        let build = |is_watched| Kind::Lbproxy {
            program: program.clone(),
            arguments: arguments.to_vec(),
            is_watched,
        };
        let is_first = field.contestants.is_empty();
        field.contestants.push(Contestant {
            name: name.clone(),
            version: version.clone(),
            kind: build(false),
        });
        if is_first && against.iter().any(|wanted| wanted == WATCHED) {
            field.contestants.push(Contestant { name: WATCHED.into(), version, kind: build(true) });
        }
    }
    check_names(against)?;
    let wanted = |name: &str| against.is_empty() || against.iter().any(|known| known == name);
    for peer in PEERS.iter().filter(|peer| wanted(peer.name)) {
        match peer.find() {
            Some(program) => field.contestants.push(Contestant {
                name: peer.name.into(),
                version: peer.version(&program),
                kind: Kind::Peer { peer, program },
            }),
            // A variant is missing with the peer itself.
            None if peer.bulk_only => {}
            None => field.missing.push(format!("{} ({})", peer.name, peer.hint)),
        }
    }
    for (name, splices) in [(FLOOR, false), (FLOOR_SPLICE, true)] {
        if wanted(name) {
            let kind = Kind::Floor { splices };
            field.contestants.push(Contestant { name: name.into(), version: String::new(), kind });
        }
    }
    Ok(field)
}

fn check_names(against: &[String]) -> Result<(), String> {
    let known: Vec<&str> =
        PEERS.iter().map(|peer| peer.name).chain([FLOOR, FLOOR_SPLICE, WATCHED, NONE]).collect();
    match against.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("--against {name}: there is {}", known.join(", "))),
        None => Ok(()),
    }
}

impl Contestant {
    /// Whether a row is for it.
    pub fn suits(&self, row: &Row) -> bool {
        match &self.kind {
            Kind::Lbproxy { .. } => true,
            Kind::Peer { peer, .. } => peer.serves(row.mode) && (row.is_bulk() || !peer.bulk_only),
            Kind::Floor { splices } => row.suits_a_relay() && (row.is_bulk() || !splices),
        }
    }

    pub fn is_lbproxy(&self) -> bool {
        matches!(self.kind, Kind::Lbproxy { .. })
    }

    /// Whether it is there for large transfers only.
    pub fn is_variant(&self) -> bool {
        self.entrant().variant_of.is_some()
    }

    /// Who looks into it while it works, if somebody is to.
    ///
    /// # Errors
    /// It cannot be looked into.
    pub fn watch(&self, duty: &Duty) -> Result<Option<Watcher>, String> {
        match self.kind {
            Kind::Lbproxy { is_watched: true, .. } => {
                Watcher::start(&Watcher::socket(&duty.directory)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The command that starts it.
    ///
    /// # Errors
    /// Its configuration cannot be written.
    pub fn launch(&self, duty: &Duty) -> Result<Launch, String> {
        match &self.kind {
            Kind::Lbproxy { program, arguments, is_watched } => {
                let mut arguments = arguments.clone();
                if *is_watched {
                    let socket = Watcher::socket(&duty.directory);
                    arguments.extend(["--admin".to_owned(), format!("unix:{}", socket.display())]);
                }
                Ok(peers::launch_lbproxy(program, duty, &arguments))
            }
            Kind::Peer { peer, program } => peer.launch(program, duty),
            Kind::Floor { splices } => floor_launch(duty, *splices),
        }
    }

    pub fn entrant(&self) -> Entrant {
        let variant_of = match &self.kind {
            Kind::Peer { peer, .. } if peer.bulk_only => Some(peer.program.to_owned()),
            Kind::Floor { splices: true } => Some(FLOOR.to_owned()),
            _ => None,
        };
        Entrant { name: self.name.clone(), version: self.version.clone(), variant_of }
    }
}

/// The floor is this program itself.
fn floor_launch(duty: &Duty, splices: bool) -> Result<Launch, String> {
    let ourselves = std::env::current_exe().map_err(|error| format!("cannot start the floor: {error}"))?;
    let kind = if splices { floor::SPLICE } else { "copy" };
    let mut arguments = vec![floor::ARGUMENT.to_owned(), kind.to_owned(), duty.listen.to_string()];
    arguments.extend(duty.backends.iter().map(ToString::to_string));
    Ok(Launch::new(ourselves, arguments))
}

/// `NAME=PATH`.
pub fn parse_build(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), Path::new(path).to_owned()))
        }
        _ => Err("NAME=PATH, such as before=/tmp/lbproxy".to_owned()),
    }
}
