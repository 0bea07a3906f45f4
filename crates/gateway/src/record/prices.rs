//! The price table that the user keeps: read beside everything else, checked whole, and only then used.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Uri};
use lingate_config::presets;
use lingate_price::{Names, Table, read};

use crate::generations::Generations;
use crate::shared::Shared;
use crate::upstream::body::{UpstreamBody, chain_of};
use crate::upstream::client::Way;
use crate::upstream::decoding::Decoding;
use crate::upstream::headers::OWN_AGENT;
use crate::upstream::payload::Payload;

/// How often a table is read again.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// The same after it could not be read.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// How long a table may take to arrive.
const LIMIT: Duration = Duration::from_secs(60);
/// Most bytes of a table.
const CAP: usize = 32 * 1024 * 1024;

/// Keeps the prices up to date, and with the configuration, until the gateway ends. A table that cannot be read leaves the
/// one before in use.
pub(crate) async fn keep(generations: Arc<Generations>) {
    let stopping = generations.process.stopping.clone();
    let mut told = generations.told();
    let mut used = None;
    loop {
        let shared = generations.current();
        let source = shared.config.record.prices.clone();
        let mut pause = EVERY;
        if let Some(source) = &source {
            match load(&shared, source).await {
                Ok(table) => {
                    tracing::info!(models = table.len(), "prices are from {}", table.version);
                    let n_models = i64::try_from(table.len()).unwrap_or(i64::MAX);
                    shared.books.set_table(Some(table));
                    shared.metrics.price_models.set(n_models);
                    used = Some(source.clone());
                }
                Err(why) => {
                    tracing::warn!(
                        "`record.prices` {source}: {why}; the prices known before stay in use"
                    );
                    pause = AGAIN;
                }
            }
        } else if used.take().is_some() {
            shared.books.set_table(None);
            shared.metrics.price_models.set(0);
        }
        drop(shared);
        tokio::select! {
            () = stopping.cancelled() => return,
            changed = told.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Reads a table from a file or over HTTP.
async fn load(shared: &Shared, source: &str) -> Result<Table, String> {
    let text = match source.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() => {
            let fetched = tokio::time::timeout(LIMIT, fetch(shared, uri)).await;
            fetched.map_err(|_elapsed| format!("no answer within {} s", LIMIT.as_secs()))??
        }
        _ => {
            let read = tokio::fs::read_to_string(Path::new(source)).await;
            read.map_err(|error| error.to_string())?
        }
    };
    // A large table takes long enough to be in the way of requests.
    let source = source.to_owned();
    let read = tokio::task::spawn_blocking(move || read(&text, &names(), &source));
    let table = read.await.map_err(|error| error.to_string())?;
    table.map_err(|error| error.to_string())
}

async fn fetch(shared: &Shared, uri: Uri) -> Result<String, String> {
    let client = (shared.clients.get(&Way::plain())).ok_or("no connection pool for it")?;
    let mut request = Request::new(Payload::default());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    request
        .headers_mut()
        .insert(http::header::USER_AGENT, OWN_AGENT);
    let response = client.request(request).await;
    let (head, body) = response.map_err(|error| chain_of(&error))?.into_parts();
    if !head.status.is_success() {
        return Err(format!("its host answers {}", head.status));
    }
    let decoding = Decoding::of(&head.headers).map_err(|failure| failure.message)?;
    let body = UpstreamBody::http(body, decoding).whole(CAP).await;
    let body = body.map_err(|failure| failure.message)?;
    String::from_utf8(body.into()).map_err(|_| "it is not UTF-8".to_owned())
}

/// What tables of others call the providers of our presets.
fn names() -> Names {
    let pairs = presets().iter().flat_map(|preset| {
        let names = preset.price_names.iter();
        names.map(|name| (name.clone(), preset.name.clone()))
    });
    Names(pairs.collect())
}
