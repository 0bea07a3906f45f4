//! Another configuration comes into force while the gateway runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lingate_config::{FixedEnvironment, Problems};
use lingate_gateway::{Loaded, Options, Outcome, Source, Trigger};
use lingate_testkit::{Answer, Misbehaviour, Received, Reply, Script, Upstream};
use lingate_wire::Wire;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::{Lingate, configuration, events, messages, text_of};

/// A configuration that the test rewrites.
#[derive(Default)]
struct Text(Mutex<String>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

impl Source for Text {
    fn load(&self) -> Result<Loaded, Problems> {
        let text = self.0.lock().unwrap().clone();
        let config = configuration(&text, &FixedEnvironment::new([]))?;
        Ok(Loaded {
            config,
            hash: text,
            files: Vec::new(),
        })
    }
}

impl Text {
    fn write(&self, text: &str) {
        text.clone_into(&mut self.0.lock().unwrap());
    }
}

/// A gateway, and its configuration.
async fn start(config: &str) -> (Lingate, Arc<Text>) {
    let text = Arc::new(Text::default());
    text.write(config);
    let options = Options {
        source: Some(Arc::clone(&text) as Arc<dyn Source>),
        config_hash: config.to_owned(),
        ..Options::default()
    };
    (Lingate::start_as(config, &[], options).await, text)
}

/// One provider of this id.
fn to(id: &str, url: &str) -> String {
    format!(
        r#"
        default = "{id}/m"
        [providers.{id}]
        base_url = "{url}"
        speaks = ["anthropic"]
        api_key = "sk-{id}"
        "#
    )
}

/// Says one letter many times, a piece at a time.
fn lettered(letter: &'static str) -> impl Script {
    move |request: &Received| {
        let mut reply = Reply::text("");
        for _ in 0..12 {
            reply = reply.say(letter);
        }
        reply.answer(request).paced(Duration::from_millis(2))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_reloads_under_fifty_streams() {
    reloads(300, 50).await;
}

/// The same for long; part of `make soak`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn soak_ten_thousand_reloads_under_fifty_streams() {
    reloads(10_000, 50).await;
}

/// No request fails, no reply is of two versions, every third configuration is bad and changes nothing.
async fn reloads(n_reloads: usize, n_clients: usize) {
    let (a, b) = (
        Upstream::start(lettered("a")).await,
        Upstream::start(lettered("b")).await,
    );
    let versions = [
        to("a", &a.url()),
        to("b", &b.url()),
        format!("{}\nnonsense = 1", to("b", &b.url())),
    ];
    let (lingate, text) = start(&versions[0]).await;
    let lingate = Arc::new(lingate);
    let is_over = Arc::new(AtomicBool::new(false));
    let replies = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..n_clients {
        let (lingate, is_over) = (Arc::clone(&lingate), Arc::clone(&is_over));
        let replies = Arc::clone(&replies);
        clients.spawn(async move {
            let mut seen = String::new();
            while !is_over.load(Ordering::Relaxed) {
                let response = lingate.post("/v1/messages", &messages(true)).send().await;
                assert_eq!(response.status, 200);
                let provider = response.header("x-lingate-provider").to_owned();
                let text = text_of(&events(Wire::Anthropic, response).await);
                assert_eq!(text, provider.repeat(12), "one version");
                seen.push_str(&provider);
                replies.fetch_add(1, Ordering::Relaxed);
            }
            seen
        });
    }
    for n in 1..=n_reloads {
        let next = &versions[n % 3];
        text.write(next);
        let told = lingate.handle.reload(Trigger::Api).await;
        let last = told.last.unwrap();
        let due = [Outcome::Applied, Outcome::Applied, Outcome::Refused][n % 3];
        assert_eq!(last.outcome, due, "{n}: {:?}", last.problems);
        // A generation lives long enough to be used.
        let before = replies.load(Ordering::Relaxed);
        while n % 10 == 0 && replies.load(Ordering::Relaxed) < before + n_clients / 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let seen = clients.join_all().await.concat();
    assert!(seen.contains('a') && seen.contains('b'), "{seen}");
    let metrics = lingate.get("/metrics").send().await.text().await;
    let n_refused = (1..=n_reloads).filter(|n| n % 3 == 2).count();
    for (outcome, count) in [("applied", n_reloads - n_refused), ("refused", n_refused)] {
        let line = format!("lingate_config_reloads_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("outcome=\"5xx\""), "{metrics}");
}

#[tokio::test]
async fn a_bad_configuration_changes_nothing_and_says_why() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let good = to("up", &upstream.url());
    let (lingate, text) = start(&good).await;
    let no_ca = "\n[providers.x]\nbase_url = \"http://127.0.0.1:1\"\nauth = \"none\"\nca_file = \"/no/such.pem\"";
    let own = format!(
        "\n[providers.own]\nbase_url = \"{}\"\nauth = \"none\"",
        lingate.url
    );
    for (bad, words) in [
        ("\n[server]\nlistne = 1", "did you mean `listen`"),
        ("\n[providers.broken", "lingate.toml:"),
        ("\n[server]\nlisten = \"127.0.0.2:0\"", "needs a restart"),
        (no_ca, "/no/such.pem"),
        (&own, "provider `own`"),
    ] {
        text.write(&format!("{good}{bad}"));
        let answer = reload(&lingate).await;
        assert_eq!(answer.0, 422, "{bad}");
        assert_eq!(answer.1["reload"]["outcome"], "refused");
        assert_eq!(answer.1["generation"], 1, "{bad}");
        assert_eq!(answer.1["config"], good, "{bad}");
        let problems = answer.1["reload"]["problems"].to_string();
        assert!(problems.contains(words), "{bad}: {problems}");
        let reply = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(reply.status, 200, "{bad}");
        let health = lingate.get("/health").send().await.json().await;
        assert_eq!(health["reload"]["outcome"], "refused");
        assert_eq!(health["status"], "ok");
    }
    text.write(&format!("{good}\n# better"));
    let answer = reload(&lingate).await;
    assert_eq!((answer.0, answer.1["generation"].as_u64()), (200, Some(2)));
    assert_eq!(answer.1["reload"]["problems"], json!([]));
}

async fn reload(lingate: &Lingate) -> (u16, serde_json::Value) {
    let response = lingate.post("/api/reload", &json!({})).send().await;
    (response.status, response.json().await)
}

#[tokio::test]
async fn what_runs_ends_as_it_began_and_its_connection_goes_on() {
    let slow = |request: &Received| {
        Reply::text("aaaa")
            .answer(request)
            .split_every(40)
            .paced(Duration::from_millis(20))
    };
    let (a, b) = (
        Upstream::start(slow).await,
        Upstream::start(lettered("b")).await,
    );
    let (lingate, text) = start(&to("a", &a.url())).await;
    let mut kept = KeptAlive::open(&lingate).await;
    assert!(kept.get("/health").await.contains("\"generation\":1"));
    let running = lingate.post("/v1/messages", &messages(true)).send().await;
    text.write(&to("b", &b.url()));
    assert_eq!(reload(&lingate).await.0, 200);
    assert_eq!(text_of(&events(Wire::Anthropic, running).await), "aaaa");
    let health = kept.get("/health").await;
    assert!(health.contains("\"generation\":2"), "{health}");
    let next = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(next.header("x-lingate-provider"), "b");
}

/// A client's connection that is used again.
struct KeptAlive(TcpStream);

impl KeptAlive {
    async fn open(lingate: &Lingate) -> Self {
        let address = lingate.url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut bytes = [0; 1024];
            let length = self.0.read(&mut bytes).await.unwrap();
            assert!(length > 0, "it was closed after {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        answer
    }
}

/// What is known of keys goes with the key, wherever it stands; a key that was exchanged is a new one.
#[tokio::test]
async fn a_bad_key_stays_bad_until_it_is_another() {
    let script = |request: &Received| match request.header("x-api-key") {
        "sk-bad" => Answer::json(401, &json!({"error": {"message": "no"}})),
        _ => Reply::text("Hello.").answer(request),
    };
    let upstream = Upstream::start(script).await;
    let keyed = |keys: &str, more: &str| {
        to("up", &upstream.url()).replace(
            "api_key = \"sk-up\"",
            &format!("api_keys = [{keys}]\n{more}"),
        )
    };
    let (lingate, text) = start(&keyed(r#""sk-bad", "sk-good""#, "")).await;
    let mut shown = 0;
    let mut check = async |expected: &str| {
        let response = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(response.status, 200);
        let requests = upstream.requests();
        let keys: Vec<&str> = requests[shown..]
            .iter()
            .map(|own| own.header("x-api-key"))
            .collect();
        assert_eq!(keys.join(" "), expected);
        shown = requests.len();
    };
    check("sk-bad sk-good").await;
    check("sk-good").await;
    for (keys, more, expected) in [
        (r#""sk-good", "sk-bad""#, "", "sk-good"),
        (r#""sk-bad", "sk-good""#, "", "sk-good"),
        (r#""sk-bad", "sk-new""#, "", "sk-new"),
        (r#""sk-other", "sk-bad""#, "", "sk-other"),
        // The same key shown in another way is tried again.
        (
            r#""sk-bad", "sk-good""#,
            "auth = \"x-api-key\"",
            "sk-bad sk-good",
        ),
    ] {
        text.write(&keyed(keys, more));
        assert_eq!(reload(&lingate).await.0, 200);
        check(expected).await;
    }
}

/// An open breaker stays open, unless another host stands behind the provider's name.
#[tokio::test]
async fn a_breaker_outlives_a_reload_of_the_same_host() {
    let failing = |_: &Received| Answer::json(500, &json!({"error": {"message": "no"}}));
    let broken = Upstream::start(failing).await;
    let healthy = Upstream::start(Misbehaviour::Healthy).await;
    let config = |first: &str, more: &str| {
        format!(
            r#"
            default = "m"
            [providers.first]
            base_url = "{first}"
            speaks = ["anthropic"]
            auth = "none"
            [providers.second]
            base_url = "{}"
            speaks = ["anthropic"]
            auth = "none"
            [models.m]
            targets = ["first/x", "second/x"]
            strategy = "first"
            {more}
            "#,
            healthy.url()
        )
    };
    let (lingate, text) = start(&config(&broken.url(), "")).await;
    let ask = async || {
        let response = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(response.status, 200);
        response.header("x-lingate-provider").to_owned()
    };
    for _ in 0..5 {
        assert_eq!(ask().await, "second");
    }
    let before = broken.requests().len();
    assert_eq!(
        (ask().await.as_str(), broken.requests().len()),
        ("second", before)
    );
    text.write(&config(&broken.url(), "max_output = 5000"));
    assert_eq!(reload(&lingate).await.0, 200);
    assert_eq!(
        (ask().await.as_str(), broken.requests().len()),
        ("second", before)
    );
    text.write(&config(&healthy.url(), ""));
    assert_eq!(reload(&lingate).await.0, 200);
    assert_eq!(ask().await, "first");
}

#[tokio::test]
async fn a_switched_default_stays_while_it_leads_somewhere() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let both = format!(
        "{}\n[models.one]\ntargets = [\"up/1\"]\n[models.two]\ntargets = [\"up/2\"]",
        to("up", &upstream.url())
    );
    let (lingate, text) = start(&both).await;
    let owner = |request: lingate_testkit::client::Request| {
        request.header("x-lingate-instance", &lingate.instance)
    };
    let switch = owner(lingate.post("/api/default", &json!({"model": "two"})));
    assert_eq!(switch.send().await.status, 200);
    for (config, default, is_switched) in [
        (both.replace("up/2", "up/3"), "two", true),
        (both.replace("models.two", "models.other"), "up/m", false),
        (both.clone(), "up/m", false),
    ] {
        text.write(&config);
        assert_eq!(reload(&lingate).await.0, 200);
        let now = owner(lingate.get("/api/default")).send().await.json().await;
        assert_eq!(
            (now["default"].as_str(), now["switched"].as_bool()),
            (Some(default), Some(is_switched))
        );
    }
}

/// Who was to be probed in an hour is probed soon when the interval is.
#[tokio::test]
async fn a_shorter_interval_of_probes_counts_at_once() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let every = |interval: &str| {
        let health = format!("health = {{ interval = \"{interval}\" }}");
        format!("{}{health}", to("up", &upstream.url()))
    };
    let (lingate, text) = start(&every("1h")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    text.write(&every("200ms"));
    lingate.handle.reload(Trigger::Api).await;
    let probes = upstream.wait_for(1, Duration::from_secs(20)).await;
    assert_eq!(probes[0].method, "GET");
}

/// A table of prices is fetched when the configuration names another one, and by no other reload.
#[tokio::test]
async fn prices_are_fetched_when_their_source_changes() {
    let host = Upstream::start(|_: &Received| {
        let models = json!({"m": {"input": "1", "output": "2"}});
        let table =
            json!({"format": "lingate-prices/1", "as_of": "today", "providers": {"p": models}});
        Answer::json(200, &table)
    })
    .await;
    let from = |path: &str, more: &str| {
        let prices = format!("[record]\nprices = \"{}{path}\"", host.url());
        format!("{}\n{prices}\n{more}", to("up", &host.url()))
    };
    let (lingate, text) = start(&from("/one", "")).await;
    let limit = Duration::from_secs(20);
    host.wait_for(1, limit).await;
    for more in ["# other", "nonsense = [", "# other", "# again"] {
        text.write(&from("/one", more));
        lingate.handle.reload(Trigger::File).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    text.write(&from("/two", ""));
    lingate.handle.reload(Trigger::File).await;
    let fetched = host.wait_for(2, limit).await;
    let paths: Vec<&str> = fetched.iter().map(Received::path).collect();
    assert_eq!(paths, ["/one", "/two"]);
}

/// A configuration of a file that names another one, which is saved once more just after it was read first.
#[derive(Debug)]
struct Growing {
    main: PathBuf,
    more: PathBuf,
    is_saved: AtomicBool,
}

impl Source for Growing {
    fn load(&self) -> Result<Loaded, Problems> {
        let mut text = std::fs::read_to_string(&self.main).unwrap();
        let mut files = vec![self.main.clone()];
        if text.contains("# more") {
            text += &std::fs::read_to_string(&self.more).unwrap();
            files.push(self.more.clone());
            if !self.is_saved.swap(true, Ordering::Relaxed) {
                std::fs::write(&self.more, "# second").unwrap();
            }
        }
        Ok(Loaded {
            config: configuration(&text, &FixedEnvironment::new([]))?,
            hash: text,
            files,
        })
    }
}

#[tokio::test]
async fn a_file_that_changes_before_it_is_watched_is_read_again() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (main, more) = (directory.path().join("main"), elsewhere.path().join("more"));
    let config = to("up", &upstream.url());
    std::fs::write(&main, &config).unwrap();
    std::fs::write(&more, "# first").unwrap();
    let source = Growing {
        main: main.clone(),
        more,
        is_saved: AtomicBool::new(false),
    };
    let options = Options {
        source: Some(Arc::new(source)),
        config_hash: config.clone(),
        files: vec![main.clone()],
        ..Options::default()
    };
    let lingate = Lingate::start_as(&config, &[], options).await;
    let mut in_force = lingate.handle.in_force();
    // The watch is set up within the gateway's first moments.
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::fs::write(&main, format!("{config}\n# more\n")).unwrap();
    let is_newest = in_force.wait_for(|now| now.hash.ends_with("# second"));
    let noticed = tokio::time::timeout(Duration::from_secs(20), is_newest).await;
    assert!(noticed.is_ok(), "the second version is never read");
}

/// The files of a configuration, as an editor and Kubernetes change them.
#[derive(Debug)]
struct Files(PathBuf);

impl Source for Files {
    fn load(&self) -> Result<Loaded, Problems> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let secret = self.0.with_file_name("key");
        let config = configuration(
            &text,
            &FixedEnvironment::new([]).with_file(
                secret.clone(),
                std::fs::read_to_string(&secret).unwrap_or_default(),
            ),
        )?;
        let key = config.providers[0].keys[0].secret.expose().to_owned();
        Ok(Loaded {
            config,
            hash: text + &key,
            files: vec![self.0.clone(), secret],
        })
    }
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lingate.toml");
    let (key, aside) = (path.with_file_name("key"), path.with_file_name("aside"));
    let config =
        to("up", &upstream.url()).replace("sk-up", &format!("${{file:{}}}", key.display()));
    std::fs::write(&key, "sk-one").unwrap();
    std::fs::write(&path, &config).unwrap();
    let source = Arc::new(Files(path.clone()));
    let loaded = source.load().unwrap();
    let options = Options {
        source: Some(source),
        config_hash: loaded.hash,
        files: loaded.files,
        ..Options::default()
    };
    let gateway = lingate_gateway::Gateway::bind(Arc::new(loaded.config), options)
        .await
        .unwrap();
    let mut in_force = gateway.handle().in_force();
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(gateway.run(stop.clone()));
    // The watch is set up within the gateway's first moments.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut check = async |outcome: Outcome, generation: u64| {
        let limit = Duration::from_secs(20);
        let changed = tokio::time::timeout(limit, in_force.changed()).await;
        changed.expect("it is noticed").unwrap();
        let now = in_force.borrow_and_update().clone();
        let last = now.last.unwrap();
        assert_eq!(
            (last.outcome, now.generation),
            (outcome, generation),
            "{:?}",
            last.problems
        );
        assert_eq!(last.trigger, Trigger::File);
    };
    // In place, in two steps that are one change.
    std::fs::write(&path, "nonsense = [").unwrap();
    std::fs::write(&path, format!("{config}\n# 2")).unwrap();
    check(Outcome::Applied, 2).await;
    // A new file renamed over the old one.
    std::fs::write(&aside, format!("{config}\n# 3")).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    check(Outcome::Applied, 3).await;
    std::fs::write(&key, "sk-two").unwrap();
    check(Outcome::Applied, 4).await;
    std::fs::write(&path, "nonsense = [").unwrap();
    check(Outcome::Refused, 4).await;
    std::fs::write(&path, format!("{config}\n# 3")).unwrap();
    check(Outcome::Unchanged, 4).await;
    // What else is in the directory, such as the log, does not count.
    std::fs::write(path.with_file_name("lingate.log"), "a line").unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let is_noticed = in_force.has_changed();
    assert!(!is_noticed.unwrap());
    stop.cancel();
    running.await.unwrap();
}
