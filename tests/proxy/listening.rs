//! Where clients come in: addresses, frontends and their pools, and what every socket is set to.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::{SockRef, Socket};

use crate::support::{
    LBPROXY, Proxy, Scripted, assert_connected, connect, greeter, letter, patient, skipped, wait_until,
};

fn has_ipv6() -> bool {
    let answer = TcpListener::bind((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = &answer {
        skipped(&format!("no IPv6 here: {error}"));
    }
    answer.is_ok()
}

#[test]
fn a_port_is_open_on_all_addresses() {
    let backend = greeter('a');
    let proxy = Proxy::start_anywhere(&format!("--port 0 --backend {}", backend.address));
    let port = proxy.listening[0].port();
    assert_eq!(letter(&mut connect((Ipv4Addr::LOCALHOST, port).into())), 'a');
    assert_eq!(letter(&mut connect(([127, 0, 0, 2], port).into())), 'a');
    if has_ipv6() {
        let mut client = connect((Ipv6Addr::LOCALHOST, port).into());
        assert_eq!(letter(&mut client), 'a');
        let address = client.local_addr().unwrap();
        drop(client);
        assert!(proxy.access_lines(3).iter().any(|line| line.client == address));
    }
}

#[test]
fn a_precise_address_is_open_on_that_address_only() {
    let backend = greeter('a');
    let proxy = Proxy::before(&[backend.address], "");
    assert_eq!(letter(&mut proxy.connect()), 'a');
    assert!(TcpStream::connect(SocketAddr::from(([127, 0, 0, 2], proxy.address().port()))).is_err());
}

#[test]
fn ipv6_is_spoken_on_both_sides() {
    if !has_ipv6() {
        return;
    }
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let backend = listener.local_addr().unwrap();
    let proxy = Proxy::start_anywhere(&format!("--listen [::1]:0 --backend {backend}"));
    let mut client = proxy.connect();
    let mut serving = patient(listener.accept().unwrap().0);
    assert_connected(&mut client, &mut serving);
    drop((client, serving));
    assert_eq!(proxy.access_line().backend, backend.to_string());
}

#[test]
fn several_addresses_lead_to_the_same_backends() {
    let backend = greeter('a');
    let arguments =
        format!("--listen 127.0.0.1:0 --listen 127.0.0.2:0 --workers 2 --backend {}", backend.address);
    let proxy = Proxy::spawn(Command::new(LBPROXY).args(arguments.split_whitespace()), 2);
    for address in &proxy.listening {
        assert_eq!(letter(&mut connect(*address)), 'a');
    }
}

#[test]
fn each_frontend_leads_to_its_pool() {
    let [a, b, c] = ['a', 'b', 'c'].map(greeter);
    let config = format!(
        "[[frontend]]\nname = 'in'\nlisten = ['127.0.0.1:0']\npool = 'one'\n\
         [[frontend]]\nlisten = ['127.0.0.1:0']\npool = 'two'\n\
         [pool.one]\nbackends = [{{ address = '{}' }}]\n\
         [pool.two]\npolicy = 'fewest_connections'\n\
         backends = [{{ address = '{}' }}, {{ address = '{}', name = 'c', weight = 0 }}]\n",
        a.address, b.address, c.address
    );
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("lbproxy.toml");
    fs::write(&file, config).unwrap();
    let proxy = Proxy::spawn(Command::new(LBPROXY).arg("--config").arg(&file), 2);
    for (address, name) in [(0, 'a'), (1, 'b'), (0, 'a'), (1, 'b')] {
        assert_eq!(letter(&mut connect(proxy.listening[address])), name);
    }
    let mut log: Vec<_> =
        proxy.access_lines(4).into_iter().map(|line| (line.frontend, line.policy)).collect();
    log.sort();
    let expected = [
        ("in", "round_robin"),
        ("in", "round_robin"),
        ("two", "fewest_connections"),
        ("two", "fewest_connections"),
    ];
    assert_eq!(log, expected.map(|(frontend, policy)| (frontend.to_owned(), policy.to_owned())));
}

/// Copies of the sockets that a process has, if the kernel lets us look.
fn sockets_of(pid: u32) -> rustix::io::Result<Vec<Socket>> {
    let pid_fd = pidfd_open(Pid::from_raw(pid as i32).unwrap(), PidfdFlags::empty())?;
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let numbers = entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap());
    let copies = numbers.map(|number| pidfd_getfd(&pid_fd, number, PidfdGetfdFlags::empty()));
    copies.map(|copy| copy.map(|fd: OwnedFd| Socket::from(fd))).collect()
}

/// Small messages must not wait for acknowledgements, and dead peers must be found out, on both sides.
#[test]
fn every_connection_has_the_right_options() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--keepalive-ms 20000");
    let (mut client, mut serving) = proxy.connect_through(&server);
    assert_connected(&mut client, &mut serving);
    let sockets = match sockets_of(proxy.pid()) {
        Ok(sockets) => sockets,
        Err(error) => return skipped(&format!("cannot look at another process's sockets: {error}")),
    };
    let is_connection =
        |socket: &&Socket| socket.peer_addr().is_ok_and(|address| address.as_socket().is_some());
    let connections: Vec<SockRef<'_>> = sockets.iter().filter(is_connection).map(SockRef::from).collect();
    assert_eq!(connections.len(), 2, "the client's and the backend's");
    for socket in connections {
        assert!(socket.tcp_nodelay().unwrap());
        // A connection that lives but for a moment goes without, so this may take one.
        wait_until("keepalive to be set", || socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(20));
        assert!(socket.out_of_band_inline().unwrap());
    }
}
