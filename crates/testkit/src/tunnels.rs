//! A proxy that stands between a client and the hosts it asks for: HTTP's CONNECT and SOCKS 5, on one port.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::loopback;

/// A proxy on a loopback port that connects everybody to one address, whatever host was asked for: so that hosts may have
/// names that nobody else knows. Dropping it closes its listener and every connection.
pub struct Tunnels {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<TunnelAsked>>>,
    _server: JoinSet<()>,
}

/// What a client asked of [`Tunnels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelAsked {
    /// `CONNECT` or `SOCKS`.
    pub by: &'static str,
    /// Host and port, as they were written.
    pub to: String,
    /// What `Proxy-Authorization` said, or `user:password`.
    pub credentials: Option<String>,
}

#[derive(Clone)]
struct Rules {
    to: SocketAddr,
    required: Option<String>,
    asked: Arc<Mutex<Vec<TunnelAsked>>>,
}

impl Tunnels {
    /// Connects to `to` whoever shows the `required` credentials, written as in [`TunnelAsked`].
    pub async fn start(to: SocketAddr, required: Option<&str>) -> Tunnels {
        let (listener, address) = loopback::listen().await;
        let asked = Arc::default();
        let rules = Rules {
            to,
            required: required.map(str::to_owned),
            asked: Arc::clone(&asked),
        };
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let rules = rules.clone();
                connections.spawn(async move { drop(serve(client, rules).await) });
            }
        });
        Tunnels {
            address,
            asked,
            _server: server,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Everything that was asked so far, refused or not.
    pub fn asked(&self) -> Vec<TunnelAsked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

async fn serve(mut client: TcpStream, rules: Rules) -> io::Result<()> {
    let first = client.read_u8().await?;
    let is_let_in = match first {
        5 => socks(&mut client, &rules).await?,
        _ => connect(&mut client, &rules).await?,
    };
    if is_let_in {
        let mut server = TcpStream::connect(rules.to).await?;
        copy_bidirectional(&mut client, &mut server).await?;
    }
    Ok(())
}

/// A request for a tunnel, behind its first byte (RFC 9110, 9.3.6).
async fn connect(client: &mut TcpStream, rules: &Rules) -> io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let credentials = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_meant = name.eq_ignore_ascii_case("proxy-authorization");
        is_meant.then(|| value.trim().to_owned())
    });
    let is_let_in = rules.is_let_in(credentials.as_deref());
    rules.note(TunnelAsked {
        by: "CONNECT",
        to: head.split(' ').nth(1).unwrap_or_default().to_owned(),
        credentials,
    });
    let answer = match is_let_in {
        true => "HTTP/1.1 200 Connection established\r\n\r\n",
        false => "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
    };
    client.write_all(answer.as_bytes()).await?;
    Ok(is_let_in)
}

/// A greeting, behind its first byte, and the request that follows (RFC 1928, RFC 1929).
async fn socks(client: &mut TcpStream, rules: &Rules) -> io::Result<bool> {
    let methods = counted(client).await?;
    let with_password = methods.contains(&2);
    client
        .write_all(&[5, if with_password { 2 } else { 0 }])
        .await?;
    let mut credentials = None;
    if with_password {
        let _version = client.read_u8().await?;
        let (user, password) = (counted(client).await?, counted(client).await?);
        let shown = [&*user, b":", &*password].concat();
        credentials = Some(String::from_utf8_lossy(&shown).into_owned());
        client.write_all(&[1, 0]).await?;
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        _ => String::from_utf8_lossy(&counted(client).await?).into_owned(),
    };
    let port = client.read_u16().await?;
    let is_let_in = rules.is_let_in(credentials.as_deref());
    rules.note(TunnelAsked {
        by: "SOCKS",
        to: format!("{host}:{port}"),
        credentials,
    });
    // 2: not allowed by the rules.
    let verdict = if is_let_in { 0 } else { 2 };
    client
        .write_all(&[5, verdict, 0, 1, 0, 0, 0, 0, 0, 0])
        .await?;
    Ok(is_let_in)
}

/// As many bytes as the one before them says.
async fn counted(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = client.read_u8().await?;
    let mut bytes = vec![0; usize::from(length)];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

impl Rules {
    fn is_let_in(&self, shown: Option<&str>) -> bool {
        self.required
            .as_deref()
            .is_none_or(|required| shown == Some(required))
    }

    fn note(&self, asked: TunnelAsked) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(asked);
    }
}
