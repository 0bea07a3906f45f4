//! One connection of a scripted provider: plays answers, notices when the client leaves.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::request::{read_body, read_head};
use super::{Act, Answer, Ending, Head, Log, Script};

/// Serves requests until the client leaves or a script breaks the connection.
pub(crate) async fn serve(mut socket: TcpStream, script: Arc<dyn Script>, log: Log) {
    // Each write of a script is to be one segment.
    let _ = socket.set_nodelay(true);
    let mut buffer = BytesMut::new();
    for on_connection in 0.. {
        let Ok(Some(mut parts)) = read_head(&mut socket, &mut buffer).await else {
            return;
        };
        let early = script.answer_to_head(on_connection);
        if early.is_none() && (read_body(&mut socket, &mut buffer, &mut parts).await).is_err() {
            return;
        }
        let request = log.add(|n| parts.received(n, on_connection));
        let answer = early.unwrap_or_else(|| script.answer(&request));
        let ending = play(&mut socket, answer).await;
        request.ending.send_replace(Some(ending));
        if ending != Ending::Sent {
            return;
        }
    }
}

/// Writes an answer act by act.
async fn play(socket: &mut TcpStream, answer: Answer) -> Ending {
    let mut written = 0;
    let chunked = match &answer.head {
        Head::None => false,
        Head::Http {
            status,
            headers,
            chunked,
        } => {
            let head = head(*status, headers, *chunked, answer.body().len());
            if write(socket, head.as_bytes()).await.is_err() {
                return hung_up(written);
            }
            *chunked
        }
    };
    for act in answer.acts {
        match act {
            Act::Write(bytes) => {
                let piece = if chunked {
                    chunk(&bytes)
                } else {
                    bytes.to_vec()
                };
                if write(socket, &piece).await.is_err() {
                    return hung_up(written);
                }
                written += bytes.len();
            }
            Act::Pause(pause) => {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = left(socket) => return hung_up(written),
                }
            }
            Act::Stall => {
                left(socket).await;
                return hung_up(written);
            }
            Act::Cut => {
                let _ = socket.shutdown().await;
                return Ending::Broken;
            }
            Act::Reset => {
                let _ = socket.set_zero_linger();
                return Ending::Broken;
            }
        }
    }
    if chunked && write(socket, b"0\r\n\r\n").await.is_err() {
        return hung_up(written);
    }
    Ending::Sent
}

/// Ends when the client has closed or reset the connection. Clients do not pipeline, so readable means gone.
async fn left(socket: &TcpStream) {
    let mut probe = [0];
    loop {
        match socket.peek(&mut probe).await {
            Ok(0) | Err(_) => return,
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn hung_up(after_bytes: usize) -> Ending {
    Ending::HungUp {
        at: Instant::now(),
        after_bytes,
    }
}

async fn write(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    // A closed peer takes one more write without complaint: look first, so that a hang-up is not missed.
    let mut probe = [0];
    if let Ok(0) | Err(_) = try_peek(socket, &mut probe) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    socket.write_all(bytes).await?;
    // Lets the other side read this piece before the next one is there.
    tokio::task::yield_now().await;
    Ok(())
}

/// Bytes waiting; an open socket with nothing to read counts as one.
fn try_peek(socket: &TcpStream, probe: &mut [u8]) -> io::Result<usize> {
    let mut probe = tokio::io::ReadBuf::new(probe);
    let waker = std::task::Waker::noop();
    match socket.poll_peek(&mut std::task::Context::from_waker(waker), &mut probe) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => Ok(1),
    }
}

fn head(status: u16, headers: &[(String, String)], chunked: bool, length: usize) -> String {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("-"));
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    // A script may claim another length than it keeps to.
    let claimed = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if chunked {
        head.push_str("transfer-encoding: chunked\r\n");
    } else if !claimed {
        let _ = write!(head, "content-length: {length}\r\n");
    }
    head + "\r\n"
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}
