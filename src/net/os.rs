//! The kernel's network: the only file that touches event registration, socket options or the clock.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Waker};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::{SpliceFlags, splice};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

use super::{Duct, Event, Net, Socket, queue};
use crate::config::{Listen, Timeouts};
use crate::token::Token;

/// Events taken from the kernel at a time. A full batch is no loss: the next wait returns at once with the rest.
const EVENT_BATCH: usize = 1024;
/// Unanswered keepalive probes after which a peer is dead.
const KEEPALIVE_PROBES: u32 = 4;

/// The time.
#[allow(clippy::disallowed_methods)] // the one place; everybody else asks here or is told
pub fn now() -> Instant {
    Instant::now()
}

/// The time of day: how long since 1970 began, in UTC.
#[allow(clippy::disallowed_methods)] // the one place, as above
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What every socket of the proxy, accepted or connected, is set to.
///
/// TCP_USER_TIMEOUT is left alone, for two reasons. It takes the place of the keepalive count, so a long one keeps dead
/// peers alive; and it counts a reader's closed window as silence, so a short one kills slow readers. A peer that dies
/// with bytes unacknowledged moves no more of them: that is what the idle timeout is for.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Silence after which the peer is probed; it is dead when twice this has passed without an answer.
    pub keepalive: Duration,
}

impl SocketOptions {
    /// As the operator wants them.
    pub fn new(timeouts: &Timeouts) -> SocketOptions {
        SocketOptions { keepalive: timeouts.keepalive }
    }

    /// What a listener hands on to whom it accepts.
    pub(super) fn apply(&self, socket: &SockRef<'_>) -> io::Result<()> {
        pass_everything_at_once(socket)?;
        self.watch(socket)
    }

    fn watch(&self, socket: &SockRef<'_>) -> io::Result<()> {
        let probes = TcpKeepalive::new()
            .with_time(self.keepalive.max(Duration::from_secs(1)))
            .with_interval((self.keepalive / KEEPALIVE_PROBES).max(Duration::from_secs(1)))
            .with_retries(KEEPALIVE_PROBES);
        socket.set_tcp_keepalive(&probes)
    }
}

fn pass_everything_at_once(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    // Without this, reading drops the byte that was sent as urgent, and the stream has a hole.
    socket.set_out_of_band_inline(true)
}

/// epoll, through mio.
pub struct OsNet {
    poll: mio::Poll,
    events: mio::Events,
    options: SocketOptions,
}

impl OsNet {
    /// An empty event queue, and the handle with which other threads wake who waits on it.
    ///
    /// # Errors
    /// No descriptor or memory for it.
    pub fn new(options: SocketOptions) -> io::Result<(OsNet, Waker)> {
        let poll = mio::Poll::new()?;
        let waker = Waker::new(poll.registry(), mio::Token(Token::Waker.pack()))?;
        Ok((OsNet { poll, events: mio::Events::with_capacity(EVENT_BATCH), options }, waker))
    }
}

impl Net for OsNet {
    type Socket = TcpStream;
    type Listener = TcpListener;

    fn now(&self) -> Instant {
        now()
    }

    fn unix_s(&self) -> u64 {
        unix_time().as_secs()
    }

    fn poll(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => events.extend(self.events.iter().map(translate)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn register_listener(&mut self, listener: &mut TcpListener, token: Token) -> io::Result<()> {
        self.poll.registry().register(listener, mio::Token(token.pack()), Interest::READABLE)
    }

    fn set_backlog(&self, listener: &TcpListener, backlog: u32) -> io::Result<()> {
        // Who listens already goes on, and what is queued stays (inet_csk_listen_start is not run again).
        Ok(rustix::net::listen(listener, i32::try_from(backlog).unwrap_or(i32::MAX))?)
    }

    fn queue_depth(&self, listener: &TcpListener) -> Option<(u32, u32)> {
        queue::depth(listener).ok()
    }

    fn address(&self, listener: &TcpListener) -> Option<SocketAddr> {
        listener.local_addr().ok()
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        // Accepted sockets inherit the listener's options: no call per connection.
        listener.accept()
    }

    fn accept_any(&mut self, listener: &TcpListener) -> io::Result<TcpStream> {
        // Reading, writing and closing a unix socket is what it is for TCP; only addresses are not.
        let (socket, _) = SockRef::from(listener).accept()?;
        socket.set_nonblocking(true)?;
        Ok(TcpStream::from_std(socket.into()))
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<TcpStream> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        pass_everything_at_once(&SockRef::from(&socket))?;
        // The acknowledgement that ends the handshake goes out with the first bytes: a segment less for both hosts. Without
        // any it would be 200 ms late, but for `complete_handshake`.
        socket.set_tcp_quickack(false)?;
        match socket.connect(&address.into()) {
            Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    fn watch(&self, socket: &TcpStream) -> io::Result<()> {
        self.options.watch(&SockRef::from(socket))
    }

    fn register(&mut self, socket: &mut TcpStream, token: Token) -> io::Result<()> {
        let everything = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        self.poll.registry().register(socket, mio::Token(token.pack()), everything)
    }
}

fn translate(event: &mio::event::Event) -> Event {
    Event {
        token: Token::unpack(event.token().0),
        readable: event.is_readable(),
        writable: event.is_writable(),
        // A read stops at urgent data, however much lies behind it, and no further event tells of that.
        read_closed: event.is_read_closed() || event.is_priority(),
        error: event.is_error(),
    }
}

impl Socket for TcpStream {
    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    /// Where nobody listens on a port of this host, a connect may pick that very port as its own, and TCP joins the
    /// socket to itself: an echo that looks like a healthy backend, and keeps the real one from coming back to its port.
    fn connected(&self, target: SocketAddr, error: bool) -> io::Result<()> {
        // A socket that is connecting is not writable (tcp_poll), and one whose connect failed has its error pending: an
        // event without EPOLLERR saves the question.
        match if error { TcpStream::take_error(self)? } else { None } {
            Some(error) => Err(error),
            None if self.local_addr()? == target => Err(io::ErrorKind::ConnectionRefused.into()),
            None => Ok(()),
        }
    }

    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        Ok(rustix::net::send(self, bytes, flags)?)
    }

    fn splice_in(&mut self, duct: &Duct, most_bytes: usize) -> io::Result<usize> {
        Ok(splice(&*self, None, duct.entry(), None, most_bytes, SpliceFlags::NONBLOCK)?)
    }

    fn splice_out(&mut self, duct: &Duct, count: usize) -> io::Result<usize> {
        Ok(splice(duct.exit(), None, &*self, None, count, SpliceFlags::NONBLOCK)?)
    }

    fn complete_handshake(&self) -> io::Result<()> {
        // What is due is sent at once (tcp_sock_set_quickack).
        SockRef::from(self).set_tcp_quickack(true)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        TcpStream::take_error(self)
    }

    fn unsent_bytes(&self) -> io::Result<usize> {
        const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
        // SAFETY: tcp(7): on a TCP socket this opcode writes one int, the bytes in the send queue, and no more.
        #[allow(unsafe_code)]
        let queued =
            unsafe { rustix::ioctl::ioctl(self, rustix::ioctl::Getter::<SIOCOUTQ, std::ffi::c_int>::new()) }?;
        Ok(usize::try_from(queued).unwrap_or(0))
    }

    fn reset_on_close(&self) -> io::Result<()> {
        SockRef::from(self).set_linger(Some(Duration::ZERO))
    }
}

/// Opens `count` listening sockets on the same address, one for each worker: the kernel spreads connections over them.
///
/// # Errors
/// What the kernel says: `AddrInUse` if somebody else listens there.
pub fn listen(
    listen: Listen,
    backlog: u32,
    count: usize,
    options: &SocketOptions,
) -> io::Result<Vec<TcpListener>> {
    let opened = open_listeners(listen, backlog, count, options);
    match opened {
        Err(error) if listen.dual_stack && lacks_ipv6(&error) => {
            let address = (Ipv4Addr::UNSPECIFIED, listen.address.port()).into();
            open_listeners(Listen { address, dual_stack: false }, backlog, count, options)
        }
        opened => opened,
    }
}

fn open_listeners(
    mut listen: Listen,
    backlog: u32,
    count: usize,
    options: &SocketOptions,
) -> io::Result<Vec<TcpListener>> {
    let shared = count > 1;
    if shared && listen.address.port() != 0 {
        // A shared port would let us in beside the workers of another process unnoticed; an exclusive bind does not.
        drop(bind(listen, false)?);
    }
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = bind(listen, shared)?;
        options.apply(&SockRef::from(&socket))?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        let listener = TcpListener::from_std(socket.into());
        listen.address.set_port(listener.local_addr()?.port());
        listeners.push(listener);
    }
    Ok(listeners)
}

fn bind(listen: Listen, shared: bool) -> io::Result<socket2::Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = socket2::Socket::new(Domain::for_address(listen.address), kind, Some(Protocol::TCP))?;
    if listen.address.is_ipv6() {
        socket.set_only_v6(!listen.dual_stack)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&listen.address.into())?;
    Ok(socket)
}

/// Another descriptor for the same socket, with the same queue.
///
/// # Errors
/// No descriptor left.
pub fn duplicate(listener: &TcpListener) -> io::Result<OwnedFd> {
    listener.as_fd().try_clone_to_owned()
}

/// A host, or a container, without IPv6: the family is unknown or no address of it may be bound.
fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

/// Raises the limit of open files as far as the system lets us, and returns it.
pub fn raise_fd_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> SocketOptions {
        SocketOptions { keepalive: Duration::from_secs(60) }
    }

    fn loopback(port: u16) -> Listen {
        Listen { address: (Ipv4Addr::LOCALHOST, port).into(), dual_stack: false }
    }

    #[test]
    fn accepted_sockets_inherit_the_options() {
        let listener = listen(loopback(0), 16, 1, &options()).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let (accepted, _) = loop {
            match listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                accepted => break accepted.unwrap(),
            }
        };
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        // It would overrule the line above.
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    }

    #[test]
    fn a_socket_connected_to_itself_is_not_connected() {
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let itself = socket.local_addr().unwrap().as_socket().unwrap();
        socket.connect(&itself.into()).unwrap();
        let refused = TcpStream::from_std(socket.into()).connected(itself, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn workers_share_a_port_that_others_cannot_join() {
        let ours = listen(loopback(0), 16, 3, &options()).unwrap();
        let port = ours[0].local_addr().unwrap().port();
        assert!(ours.iter().all(|listener| listener.local_addr().unwrap().port() == port));
        for count in [1, 2] {
            let refused = listen(loopback(port), 16, count, &options()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{count} more listeners");
        }
    }

    #[test]
    fn a_dual_stack_listener_takes_ipv4() {
        let all = Listen { address: "[::]:0".parse().unwrap(), dual_stack: true };
        let listener = listen(all, 16, 1, &options()).unwrap().remove(0);
        let port = listener.local_addr().unwrap().port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
