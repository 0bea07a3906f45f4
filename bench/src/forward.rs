//! The bare forwarder: hyper on both sides and nothing between. What it costs is what any proxy on hyper costs.

use std::net::SocketAddr;

use http::{Request, Uri, header::HOST};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// Forwards to `upstream` from a free port, which the ready line names, until the process is ended.
pub(crate) fn run(upstream: SocketAddr) -> anyhow::Result<()> {
    // The runtime that the gateway has too.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(runtime.spawn(serve(upstream)))?
}

async fn serve(upstream: SocketAddr) -> anyhow::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Incoming> =
        Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("lingate-bench ready http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let client = client.clone();
        let service = service_fn(move |request| client.request(readdressed(request, upstream)));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection ended: {error}");
            }
        });
    }
}

fn readdressed(mut request: Request<Incoming>, upstream: SocketAddr) -> Request<Incoming> {
    let uri = Uri::builder()
        .scheme("http")
        .authority(upstream.to_string())
        .path_and_query(request.uri().path())
        .build();
    *request.uri_mut() = uri.unwrap_or_default();
    request.headers_mut().remove(HOST);
    request
}
