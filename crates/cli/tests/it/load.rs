//! Clients that ask without end, and remember what they were given.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lingate_testkit::client;
use lingate_testkit::{Answer, Received, Reply};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A reply that a client has read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The exchange, as the gateway calls it.
    pub id: String,
    /// The number in the request, which the upstream saw too.
    pub number: usize,
    /// The whole answer.
    pub body: String,
    /// When its last byte was there.
    pub at: Instant,
    /// From the request to the last byte.
    pub took: Duration,
}

/// Clients under way.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    given: Arc<Mutex<Vec<Given>>>,
    clients: JoinSet<()>,
}

/// What is asked with this number: a prompt that nobody else sends, with so many bytes of padding.
pub(crate) fn request(number: usize, padding: usize) -> Value {
    let text = format!(
        "number-{number}; {}",
        "some words of a prompt ".repeat(padding / 23)
    );
    json!({"model": "m", "max_tokens": 100, "stream": true, "messages": [{"role": "user", "content": text}]})
}

/// The number in a body that holds one.
pub(crate) fn number_in(body: &str) -> Option<usize> {
    let rest = body.split("number-").nth(1)?;
    rest.split(|byte: char| !byte.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Says the number of the request, in a stream of some events.
pub(crate) fn echo(request: &Received) -> Answer {
    let number = number_in(&request.text()).unwrap_or_default();
    let words = Reply::text("It is ")
        .say("number ")
        .say(&format!("number-{number}."));
    words.answer(request)
}

impl Load {
    /// Starts so many clients of this gateway. `numbers` goes on from load to load.
    pub(crate) fn start(
        url: &str,
        clients: usize,
        padding: usize,
        numbers: &Arc<AtomicUsize>,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let given = Arc::new(Mutex::new(Vec::new()));
        let mut running = JoinSet::new();
        for _ in 0..clients {
            let url = format!("{url}/v1/messages");
            let (is_over, given, numbers) = (
                Arc::clone(&is_over),
                Arc::clone(&given),
                Arc::clone(numbers),
            );
            running.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    // A gateway that is killed ends what it is doing: that is no reply, and no mistake.
                    if let Some(reply) = ask(&url, number, padding).await {
                        given.lock().unwrap().push(reply);
                    }
                }
            });
        }
        Self {
            is_over,
            given,
            clients: running,
        }
    }

    /// No client asks again; what was given to them.
    pub(crate) async fn end(mut self) -> Vec<Given> {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.given.lock().unwrap())
    }
}

/// One exchange to its end; `None` if it broke off.
pub(crate) async fn ask(url: &str, number: usize, padding: usize) -> Option<Given> {
    let begun = Instant::now();
    let Ok(mut response) = client::post(url, &request(number, padding))
        .try_send()
        .await
    else {
        // Whoever is gone is not asked again at once.
        tokio::time::sleep(Duration::from_millis(5)).await;
        return None;
    };
    assert_eq!(response.status, 200, "no request is refused");
    let id = response.header("x-lingate-id").to_owned();
    let mut body = Vec::new();
    while let Some(piece) = response.piece().await {
        body.extend_from_slice(&piece.ok()?);
    }
    let body = String::from_utf8(body).unwrap();
    body.contains("message_stop").then(|| Given {
        id,
        number,
        body,
        at: Instant::now(),
        took: begun.elapsed(),
    })
}

/// The middle of these.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
