//! Either side may finish first, and the other one goes on for as long as it likes.

use crate::support::{
    Pattern, Proxy, Scripted, expect, expect_end, finish_sending, rest, say, wait_until_sent,
};

const LARGE_BYTES: usize = 8 << 20;

#[test]
fn a_client_that_finished_still_gets_a_long_answer() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    say(&mut client, b"question");
    finish_sending(&client);
    assert_eq!(rest(&mut serving), b"question");
    let answering = std::thread::spawn(move || Pattern::new(1).send_up_to(LARGE_BYTES, &mut serving));
    let mut answer = Pattern::new(1);
    answer.receive_rest(1 << 16, &mut client);
    assert_eq!(answer.position(), LARGE_BYTES);
    answering.join().unwrap();
    let line = proxy.access_line();
    assert_eq!((line.up_bytes, line.down_bytes), (8, LARGE_BYTES as u64));
    assert_eq!(line.end(), "client finished");
}

#[test]
fn a_server_that_finished_still_gets_a_long_upload() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    say(&mut serving, b"go on");
    finish_sending(&serving);
    assert_eq!(rest(&mut client), b"go on");
    let uploading = std::thread::spawn(move || Pattern::new(1).send_up_to(LARGE_BYTES, &mut client));
    let mut upload = Pattern::new(1);
    upload.receive_rest(1 << 16, &mut serving);
    assert_eq!(upload.position(), LARGE_BYTES);
    uploading.join().unwrap();
    let line = proxy.access_line();
    assert_eq!((line.up_bytes, line.down_bytes), (LARGE_BYTES as u64, 5));
    assert_eq!(line.end(), "backend finished");
}

/// The FIN waits behind megabytes that nobody has read when it is sent.
#[test]
fn the_end_follows_the_last_byte_however_full_the_way_is() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    for upload in [true, false] {
        let (client, serving) = proxy.connect_through(&server);
        let (mut from, mut to) = if upload { (client, serving) } else { (serving, client) };
        let (mut sent, mut received) = (Pattern::new(1), Pattern::new(1));
        sent.send_until_blocked(&mut from);
        assert!(sent.position() > 100_000);
        finish_sending(&from);
        received.receive_rest(5_000, &mut to);
        assert_eq!(received.position(), sent.position());
        say(&mut to, b"thank you");
        drop(to);
        assert_eq!(rest(&mut from), b"thank you");
    }
}

#[test]
fn both_may_finish_with_much_on_the_way() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    let (mut up, mut down) = (Pattern::new(1), Pattern::new(2));
    up.send_until_blocked(&mut client);
    down.send_until_blocked(&mut serving);
    finish_sending(&client);
    finish_sending(&serving);
    let mut received = Pattern::new(1);
    received.receive_rest(10_000, &mut serving);
    assert_eq!(received.position(), up.position());
    let mut received = Pattern::new(2);
    received.receive_rest(10_000, &mut client);
    assert_eq!(received.position(), down.position());
    assert_eq!(proxy.access_line().cause, "finished");
}

#[test]
fn a_client_that_finished_without_a_word_still_gets_an_answer() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    let (mut client, mut serving) = proxy.connect_through(&server);
    finish_sending(&client);
    expect_end(&mut serving);
    say(&mut serving, b"well");
    expect(&mut client, b"well");
    drop(serving);
    expect_end(&mut client);
}

/// A server that answers and closes without reading everything resets the connection: the answer must come through.
#[test]
fn an_answer_sent_before_the_question_was_read_arrives() {
    let server = Scripted::new();
    let proxy = Proxy::before(&[server.address], "");
    for _ in 0..50 {
        let (mut client, mut serving) = proxy.connect_through(&server);
        say(&mut serving, &[b'.'; 100_000]);
        wait_until_sent(&serving);
        finish_sending(&serving);
        say(&mut client, b"a long question");
        assert_eq!(rest(&mut client), [b'.'; 100_000]);
        drop(serving);
    }
}
