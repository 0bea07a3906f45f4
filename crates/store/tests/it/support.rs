//! A record in a folder of its own, and exchanges to put into it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use lingate_store::{
    Body, BodyKind, Details, End, Exchange, Filter, Options, Page, Reader, Recorder, Store,
};
use lingate_wire::Wire;
use lingate_wire::turn::Usage;
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-11-21T00:00:00Z.
pub(crate) const START_MS: i64 = 1_795_219_200_000;

/// Longer than any write takes here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Kept {
    pub dir: TempDir,
    store: Option<Store>,
}

impl Kept {
    pub(crate) fn new(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), options, at(0)).unwrap();
        Self {
            dir,
            store: Some(store),
        }
    }

    pub(crate) fn recorder(&self) -> Recorder {
        self.store.as_ref().unwrap().recorder()
    }

    /// Records exchanges and waits until they are there.
    pub(crate) fn put(&self, exchanges: impl IntoIterator<Item = Exchange>) {
        for exchange in exchanges {
            self.put_with(exchange, Vec::new());
        }
        self.flush();
    }

    pub(crate) fn put_with(&self, exchange: Exchange, bodies: Vec<Body>) {
        self.recorder().close(exchange, Details::default(), bodies);
    }

    pub(crate) fn flush(&self) {
        assert!(
            self.recorder().flush(PATIENCE),
            "{:?}",
            self.recorder().state()
        );
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    /// Ends in order; the folder stays.
    pub(crate) fn end(&mut self) {
        self.store = None;
    }

    pub(crate) fn begin(&mut self, options: Options) {
        self.store = Some(Store::open(self.dir.path(), options, at(3_600_000)).unwrap());
    }
}

/// So many milliseconds after the start.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(START_MS + ms).unwrap()
}

/// The id of an exchange accepted then; `number` tells those of one millisecond apart.
pub(crate) fn id(ms: i64, number: u64) -> Uuid {
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&number.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis((START_MS + ms) as u64, &rest).into_uuid()
}

/// An exchange that went well, accepted a second after the one before.
pub(crate) fn exchange(number: u64) -> Exchange {
    let ms = number as i64 * 1000;
    Exchange {
        id: id(ms, number),
        time: at(ms),
        ended: Some(at(ms + 800)),
        end: Some(End::Answered),
        client_wire: Some(Wire::Anthropic),
        upstream_wire: Some(Wire::Chat),
        lane: Some("translated".to_owned()),
        path: "/v1/messages".to_owned(),
        model: "kimi".to_owned(),
        upstream_model: Some("kimi-k2".to_owned()),
        provider: Some("moonshot".to_owned()),
        status: Some(200),
        attempts: 1,
        stream: true,
        usage: Usage {
            input: Some(100),
            cache_read: Some(1000),
            output: Some(50),
            ..Usage::default()
        },
        cost_micro_usd: Some(1234),
        duration_ms: Some(800),
        ttft_ms: Some(300),
        overhead_us: Some(90),
        commit_ms: Some(310),
        session: Some("s-1".to_owned()),
        class: Some("main".to_owned()),
        stop: Some("end_turn".to_owned()),
        preview: Some("Hello".to_owned()),
        ..Exchange::default()
    }
}

/// What is known of it when it is accepted.
pub(crate) fn accepted(exchange: &Exchange) -> Exchange {
    Exchange {
        id: exchange.id,
        time: exchange.time,
        client_wire: exchange.client_wire,
        path: exchange.path.clone(),
        model: exchange.model.clone(),
        stream: exchange.stream,
        session: exchange.session.clone(),
        ..Exchange::default()
    }
}

pub(crate) fn body(kind: BodyKind, bytes: impl Into<Vec<u8>>) -> Body {
    let attempt = match kind {
        BodyKind::ClientRequest | BodyKind::ClientResponse => 0,
        BodyKind::ProviderRequest | BodyKind::ProviderResponse => 1,
    };
    Body::whole(kind, attempt, bytes.into())
}

/// Bytes that nothing compresses, other ones for each number.
pub(crate) fn noise(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(step).collect()
}

/// Everything there is, newest first.
pub(crate) fn all(reader: &Reader) -> Vec<Exchange> {
    let mut page = Page {
        before: None,
        limit: 1000,
        skip: 0,
    };
    let mut items = Vec::new();
    loop {
        let listing = reader.list(&Filter::default(), page).unwrap();
        items.extend(listing.items);
        page.before = listing.next;
        if page.before.is_none() {
            return items;
        }
    }
}

/// Every file of a record.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Bytes of all files whose names end so.
pub(crate) fn size(dir: &Path, ending: &str) -> u64 {
    let files = files(dir)
        .into_iter()
        .filter(|path| path.to_str().unwrap().ends_with(ending));
    // One that was just deleted is none.
    files
        .map(|path| path.metadata().map_or(0, |file| file.len()))
        .sum()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// Starts an ignored test of this program as a process of its own. It is told the folder on its standard input.
pub(crate) fn spawn(test: &str, dir: &Path) -> Child {
    // `sh` only so that the child ignores the signal that comes with the limit on file sizes.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", dir.display()).unwrap();
    child
}

/// The folder that [`spawn`] told; `None` if somebody else started the test.
pub(crate) fn told() -> Option<PathBuf> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let line = line.trim();
    (!line.is_empty()).then(|| PathBuf::from(line))
}
