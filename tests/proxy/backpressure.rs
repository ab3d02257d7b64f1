//! A reader that does not read stops its writer, and costs the proxy neither memory nor CPU time.

use std::net::TcpStream;
use std::thread::JoinHandle;

use crate::support::{Pattern, Proxy, Scripted, assert_connected, finish_sending};

const TOTAL_BYTES: usize = 64 << 20;
/// What the proxy may need beyond what it has at its start, however much is on the way.
const GROWTH_BYTES: u64 = 8 << 20;

fn sending(mut pattern: Pattern, stream: &TcpStream) -> JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        pattern.send_up_to(TOTAL_BYTES, &mut stream);
        finish_sending(&stream);
    })
}

fn receiving(number: u64, step_bytes: usize, mut stream: TcpStream) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut pattern = Pattern::new(number);
        pattern.receive_rest(step_bytes, &mut stream);
        pattern.position()
    })
}

#[test]
fn much_goes_both_ways_at_once_through_slow_readers_in_little_memory() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    let (at_start, _) = proxy.memory_bytes();
    let (mut up, mut down) = (Pattern::new(1), Pattern::new(2));
    up.send_until_blocked(&mut client);
    down.send_until_blocked(&mut serving);
    assert!(up.position() < TOTAL_BYTES && down.position() < TOTAL_BYTES, "nobody reads, and yet it went on");
    proxy.assert_idle();
    let senders = [sending(up, &client), sending(down, &serving)];
    let receivers = [receiving(1, 3_000, serving), receiving(2, 7_000, client)];
    assert_eq!(receivers.map(|receiver| receiver.join().unwrap()), [TOTAL_BYTES; 2]);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let (_, at_most) = proxy.memory_bytes();
    assert!(at_most < at_start + GROWTH_BYTES, "{at_start} bytes at the start, {at_most} at the most");
    let line = proxy.access_line();
    assert_eq!((line.up_bytes, line.down_bytes), (TOTAL_BYTES as u64, TOTAL_BYTES as u64));
}

#[test]
fn a_hundred_blocked_writers_cost_two_buffers_each_and_no_time() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--buffer-bytes 65536");
    let (at_start, _) = proxy.memory_bytes();
    let pairs: Vec<_> = (0..100).map(|_| proxy.connect_through(&server)).collect();
    let blocked = |(mut client, mut serving): (TcpStream, TcpStream)| {
        std::thread::spawn(move || {
            let (mut up, mut down) = (Pattern::new(1), Pattern::new(2));
            up.send_until_blocked(&mut client);
            down.send_until_blocked(&mut serving);
            (client, serving)
        })
    };
    let blocked: Vec<_> = pairs.into_iter().map(blocked).collect();
    let _pairs: Vec<_> = blocked.into_iter().map(|thread| thread.join().unwrap()).collect();
    proxy.assert_idle();
    let (_, at_most) = proxy.memory_bytes();
    let buffers_bytes = 100 * 2 * 65_536;
    assert!(
        at_most < at_start + buffers_bytes + GROWTH_BYTES,
        "{at_start} at the start, {at_most} at the most"
    );
}

#[test]
fn one_blocked_connection_does_not_hold_up_another() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, _silent) = proxy.connect_through(&server);
    Pattern::new(1).send_until_blocked(&mut client);
    let (mut client, mut serving) = proxy.connect_through(&server);
    assert_connected(&mut client, &mut serving);
}
