//! Long transfers pass through kernel pipes, as many as there may be; beyond them, and where bytes have to be seen, they
//! are copied. Nobody can tell.

use std::io::Read;
use std::net::TcpStream;

use socket2::SockRef;

use crate::support::{Pattern, Proxy, Scripted, finish_sending};

const TOTAL_BYTES: usize = 8 << 20;

fn sending(mut stream: TcpStream) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        Pattern::new(1).send_up_to(TOTAL_BYTES, &mut stream);
        finish_sending(&stream);
        let nothing = stream.read(&mut [0]).unwrap();
        assert_eq!(nothing, 0);
    })
}

fn assert_received(mut stream: TcpStream) {
    let mut pattern = Pattern::new(1);
    pattern.receive_rest(70_001, &mut stream);
    assert_eq!(pattern.position(), TOTAL_BYTES);
}

#[test]
fn a_long_transfer_goes_through_a_pipe_and_without_any_is_copied() {
    for (flags, pipes) in [("", 1), ("--max-pipes 0", 0)] {
        let server = Scripted::new();
        let proxy = Proxy::before(&[server.address], flags);
        let before = proxy.pipes();
        let (client, serving) = proxy.connect_through(&server);
        let sender = sending(serving);
        assert_received(client);
        sender.join().unwrap();
        // Both ends of it, and it waits for the next transfer.
        assert_eq!(proxy.pipes() - before, 2 * pipes, "{flags}");
    }
}

#[test]
fn whoever_finds_no_free_pipe_copies() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "--max-pipes 1");
    let before = proxy.pipes();
    let pairs: Vec<_> = (0..4).map(|_| proxy.connect_through(&server)).collect();
    let (clients, senders): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|(client, serving)| (client, sending(serving))).unzip();
    // Nobody reads: every transfer is stuck, one of them in the pipe.
    proxy.assert_idle();
    assert_eq!(proxy.pipes() - before, 2);
    clients.into_iter().for_each(assert_received);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    assert_eq!(proxy.pipes() - before, 2);
}

/// A splice stops before urgent data, however much lies behind it.
#[test]
fn urgent_data_in_the_midst_of_a_long_transfer_arrives_in_its_place() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    let sender = std::thread::spawn(move || {
        for number in 0..8 {
            Pattern::new(number).send_up_to(TOTAL_BYTES / 8, &mut serving);
            assert_eq!(SockRef::from(&serving).send_out_of_band(b"!").unwrap(), 1);
        }
        finish_sending(&serving);
        assert_eq!(serving.read(&mut [0]).unwrap(), 0);
    });
    for number in 0..8 {
        let mut bytes = vec![0; TOTAL_BYTES / 8 + 1];
        client.read_exact(&mut bytes).unwrap();
        Pattern::new(number).compare(&bytes[..TOTAL_BYTES / 8]);
        assert_eq!(bytes.last(), Some(&b'!'));
    }
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    sender.join().unwrap();
}
