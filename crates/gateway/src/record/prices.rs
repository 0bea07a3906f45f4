//! The price table that the user keeps: read beside everything else, checked whole, and only then used.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Uri};
use lingate_config::presets;
use lingate_price::{Names, Table, read};

use crate::generations::{Generations, InForce};
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

/// Keeps the prices up to date, and with the configuration, until the gateway is stopping. A table that cannot be read
/// leaves the one before in use.
pub(crate) async fn keep(generations: Arc<Generations>) {
    let stopping = generations.process.stopping.clone();
    tokio::select! {
        () = stopping.cancelled() => {}
        () = follow(&generations) => {}
    }
}

async fn follow(generations: &Generations) {
    let process = &generations.process;
    let mut told = generations.told();
    let mut has_table = false;
    loop {
        let source = told.borrow_and_update().config.record.prices.clone();
        let mut pause = EVERY;
        if let Some(source) = &source {
            match load(&generations.current(), source).await {
                Ok(table) => {
                    tracing::info!(models = table.len(), "prices are from {}", table.version);
                    let n_models = i64::try_from(table.len()).unwrap_or(i64::MAX);
                    process.books.set_table(Some(table));
                    process.metrics.price_models.set(n_models);
                    has_table = true;
                }
                Err(why) => {
                    let place = place(source);
                    tracing::warn!(
                        "`record.prices` {place}: {why}; the prices known before stay in use"
                    );
                    pause = AGAIN;
                }
            }
        } else if std::mem::take(&mut has_table) {
            process.books.set_table(None);
            process.metrics.price_models.set(0);
        }
        // Other changes of the configuration are none of the prices.
        let is_other = |now: &InForce| now.config.record.prices != source;
        tokio::select! {
            changed = told.wait_for(is_other) => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// A source as it may be told: an address without its query and a password, which may be keys.
fn place(source: &str) -> String {
    match source.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() => {
            format!("{}{}", uri.host().unwrap_or_default(), uri.path())
        }
        _ => source.to_owned(),
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
    let place = place(source);
    let read = tokio::task::spawn_blocking(move || read(&text, &names(), &place));
    let table = read.await.map_err(|error| error.to_string())?;
    table.map_err(|error| error.to_string())
}

async fn fetch(shared: &Shared, uri: Uri) -> Result<String, String> {
    let client = (shared
        .clients
        .get(&Way::plain(shared.config.proxy.as_ref())))
    .ok_or("no connection pool for it")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_without_keys() {
        let check = |source: &str, expected: &str| assert_eq!(place(source), expected);
        check("https://h.example/t.json", "h.example/t.json");
        check(
            "https://u:SECRET@h.example:8443/t.json?token=SECRET",
            "h.example/t.json",
        );
        check("http://h.example?SECRET", "h.example/");
        check("/etc/lingate/prices.json", "/etc/lingate/prices.json");
        check("prices.json", "prices.json");
    }
}
