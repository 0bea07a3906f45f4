//! A llama.cpp server with a small real model, as a provider and as an authority on its own token counts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use lingate_testkit::Process;
use lingate_testkit::client::get;
use serde_json::Value;

use crate::{Home, install};

/// A running server; ends when dropped.
pub struct LlamaCpp {
    process: Process,
    address: SocketAddr,
}

impl LlamaCpp {
    /// A ready server with these arguments more; none where it or its model is not installed.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(home: &Home, args: &[&str]) -> Option<LlamaCpp> {
        let (server, model) = (install::llama_server()?, install::smollm2()?);
        let libraries = server.parent().expect("libraries lie beside the server");
        // The server has no way to say which port it took: one that was free a moment ago must do.
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a free port");
        let mut command = home.command(&server);
        command
            .env("LD_LIBRARY_PATH", libraries)
            .arg("-m")
            .arg(model);
        command
            .args(["--host", "127.0.0.1", "--jinja", "--port"])
            .arg(address.port().to_string());
        command
            .args(["-t", "2", "-np", "1", "--temp", "0"])
            .args(args);
        let mut llama = LlamaCpp {
            process: Process::spawn(&mut command),
            address,
        };
        llama.is_ready().await;
        Some(llama)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn is_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let health = format!("{}/health", self.url());
        while !get(&health)
            .try_send()
            .await
            .is_ok_and(|answer| answer.status == 200)
        {
            assert!(
                self.process.runs() && Instant::now() < deadline,
                "llama.cpp's server did not get ready: {}",
                self.process.stderr()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// How many tokens the server at this address makes of a Chat request, its template and tools included. Blocks, so that
/// scripts of providers can ask.
///
/// # Panics
/// When it does not say.
pub fn prompt_tokens(server: SocketAddr, chat_request: &[u8]) -> u64 {
    let mut socket = TcpStream::connect(server).expect("the server accepts connections");
    let head = format!(
        "POST /v1/chat/completions/input_tokens HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        chat_request.len()
    );
    socket.write_all(head.as_bytes()).expect("the server reads");
    socket.write_all(chat_request).expect("the server reads");
    let mut answer = String::new();
    socket
        .read_to_string(&mut answer)
        .expect("the server answers");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["input_tokens"]
        .as_u64()
        .unwrap_or_else(|| panic!("no count: {answer}"))
}
