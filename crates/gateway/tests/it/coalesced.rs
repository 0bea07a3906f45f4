//! What has come of a stream at once goes out in few writes: each is a system call here and one for the client.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::harness::{Lingate, completions, messages};

const EVENTS: usize = 100;

/// Serves one request: a Chat stream whose events, a chunk each, are sent in one write.
async fn burst(listener: TcpListener) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 64 * 1024];
    assert!(socket.read(&mut request).await.unwrap() > 0);
    let mut answer =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned();
    let delta = |choice: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{choice}]}}\n\n"
        )
    };
    let mut events: Vec<String> = (0..EVENTS)
        .map(|n| {
            delta(&format!(
                "{{\"index\":0,\"delta\":{{\"content\":\" {n}\"}},\"finish_reason\":null}}"
            ))
        })
        .collect();
    events.push(delta(
        "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}",
    ));
    events.push("data: [DONE]\n\n".to_owned());
    for event in events {
        answer += &format!("{:x}\r\n{event}\r\n", event.len());
    }
    answer += "0\r\n\r\n";
    socket.write_all(answer.as_bytes()).await.unwrap();
    // Kept open until the test is over.
    std::future::pending::<()>().await;
}

/// The chunks of an answer, as the client gets them.
async fn chunks(lingate: &Lingate, path: &str, body: &str) -> Vec<String> {
    let address = lingate.url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 16 * 1024];
    while !answer.ends_with("\r\n0\r\n\r\n") {
        let n = socket.read(&mut buffer).await.unwrap();
        assert!(n > 0, "cut: {answer}");
        answer.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    let (_, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    let mut chunks = Vec::new();
    loop {
        let (length, behind) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return chunks;
        }
        chunks.push(behind[..length].to_owned());
        rest = &behind[length + 2..];
    }
}

#[tokio::test]
async fn events_that_come_together_go_out_together() {
    for (path, body) in [
        ("/v1/messages", messages(true).to_string()),
        ("/v1/chat/completions", completions(true).to_string()),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let lingate = Lingate::to_chat(&url).await;
        let asked = async {
            tokio::select! {
                () = burst(listener) => unreachable!("it waits"),
                chunks = chunks(&lingate, path, &body) => chunks,
            }
        };
        let chunks = timeout(Duration::from_secs(20), asked).await.unwrap();
        let text = chunks.concat();
        for n in 0..EVENTS {
            assert!(
                text.contains(&format!("\" {n}\"")),
                "{path}: no {n} in {text}"
            );
        }
        assert!(chunks.len() < EVENTS / 4, "{path}: {} writes", chunks.len());
    }
}
