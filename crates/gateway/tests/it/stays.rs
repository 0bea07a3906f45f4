//! Sessions stay: what a prompt cache at each upstream saves when many sessions share three of them, beside what one
//! upstream would save and what taking turns would.
//!
//! Twenty sessions of the shape that Claude Code 2.1.329 was recorded with (sizes of tools, system prompt and turns;
//! subagents with tools and prompts of their own, under the session's id), interleaved by chance of a fixed seed. Each
//! upstream keeps the prefixes of the prompts it has read, in blocks, as providers do, and tells how much of a prompt it
//! knew. In the middle one upstream refuses for five turns of every session, then the gateway reads another
//! configuration, then it is started anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lingate_config::{FixedEnvironment, Problems};
use lingate_gateway::{Loaded, Options, Outcome, Source, Trigger};
use lingate_route::health::{Draw, fingerprint};
use lingate_testkit::{Answer, Misbehaviour, Received, Reply, Script, Upstream, Usage};
use serde_json::{Value, json};

use crate::harness::{Lingate, configuration};

const SESSIONS: usize = 20;
/// Turns of a session's main conversation.
const TURNS: std::ops::Range<usize> = 10..13;
/// The turns in which one upstream refuses: of each session, counted over its conversations.
const OUTAGE: std::ops::Range<usize> = 4..9;
const RELOADED_AT: usize = 10;
const RESTARTED_AT: usize = 12;
/// Bytes of a prompt that are cached or not as one.
const BLOCK: usize = 512;
const NOBODY: usize = usize::MAX;

/// What an agent brings: bytes of its tools, its system prompt, and the notes that follow the first message.
const MAIN: [usize; 3] = [30_600, 7_100, 9_800];
const SUBAGENTS: [[usize; 3]; 2] = [[15_700, 3_200, 7_600], [20_100, 3_200, 7_700]];

/// Words of about so many bytes, the same for the same name.
fn filler(name: &str, bytes: usize) -> String {
    let mut draw = Draw::new(fingerprint([name]));
    let mut text = String::with_capacity(bytes + 17);
    while text.len() < bytes {
        text.push_str(&format!("{:016x} ", draw.bits()));
    }
    text
}

/// One conversation of a session.
struct Talk {
    agent: Option<String>,
    tools: Value,
    system: Value,
    messages: Vec<Value>,
}

impl Talk {
    fn new(session: usize, agent: Option<usize>) -> Self {
        let kind = agent.map_or(0, |agent| 1 + agent % SUBAGENTS.len());
        let [tools, system, notes] = [MAIN, SUBAGENTS[0], SUBAGENTS[1]][kind];
        let name = format!("{session}-{agent:?}");
        let tool = |n: usize| {
            let description = filler(&format!("tool {kind} {n}"), tools / 12 - 120);
            json!({"name": format!("Tool{n}"), "description": description, "input_schema": {"type": "object"}})
        };
        let system = [
            "You are an agent.".to_owned(),
            filler(&format!("system {kind}"), system),
        ];
        let said = [
            filler(&format!("notes {kind}"), notes),
            filler(&format!("task {name}"), 600),
        ];
        let texts = |texts: [String; 2]| -> Value {
            texts
                .map(|text| json!({"type": "text", "text": text}))
                .into()
        };
        Self {
            agent: agent.map(|agent| format!("{session}a{agent}")),
            tools: (0..12).map(tool).collect(),
            system: texts(system),
            messages: vec![json!({"role": "user", "content": texts(said)})],
        }
    }

    fn body(&self, session: &str) -> Value {
        json!({
            "model": "m",
            "messages": self.messages,
            "system": self.system,
            "tools": self.tools,
            "metadata": {"user_id": json!({"session_id": session}).to_string()},
            "max_tokens": 1000,
            "stream": false,
        })
    }

    /// The model has called a tool, and the client has run it.
    fn go_on(&mut self, draw: &mut Draw) {
        let n = self.messages.len();
        let id = format!("call_{n}");
        let call = json!({"type": "tool_use", "id": id, "name": "Tool1", "input": {"path": filler(&id, 150)}});
        let bytes = 200 + draw.below(4_000);
        let name = format!(
            "{} {n} {}",
            self.agent.as_deref().unwrap_or_default(),
            draw.bits()
        );
        let result =
            json!({"type": "tool_result", "tool_use_id": id, "content": filler(&name, bytes)});
        self.messages
            .push(json!({"role": "assistant", "content": [call]}));
        self.messages
            .push(json!({"role": "user", "content": [result]}));
    }
}

/// Whose turn it is, step by step: `(session, conversation)`, with the conversations numbered as they begin.
fn schedule() -> Vec<(usize, usize)> {
    let mut draw = Draw::new(20);
    let mut steps: Vec<Vec<usize>> = Vec::new();
    for _ in 0..SESSIONS {
        let turns = TURNS.start + draw.below(TURNS.len());
        let mut own = Vec::new();
        let mut agents = 0;
        for turn in 0..turns {
            own.push(0);
            // A subagent works while the conversation waits for its report.
            if turn == 2 || turn == 8 {
                agents += 1;
                own.extend(std::iter::repeat_n(agents, 2 + draw.below(3)));
            }
        }
        own.reverse();
        steps.push(own);
    }
    let mut schedule = Vec::new();
    while steps.iter().any(|own| !own.is_empty()) {
        let session = draw.below(SESSIONS);
        schedule.extend(steps[session].pop().map(|talk| (session, talk)));
    }
    schedule
}

/// What one upstream has read, and who is down.
struct Cached {
    number: usize,
    known: Mutex<HashSet<u64>>,
    down: Arc<AtomicUsize>,
    /// Bytes of the last prompt, and how many of them were known.
    last: Arc<Mutex<(usize, usize)>>,
}

impl Script for Cached {
    fn answer(&self, request: &Received) -> Answer {
        if self.down.load(Ordering::SeqCst) == self.number {
            return Misbehaviour::Overloaded.answer(request);
        }
        // As it is put before the model: tools, system prompt, conversation.
        let body = request.json();
        let prompt = ["tools", "system", "messages"].map(|member| body[member].to_string());
        let prompt = prompt.concat();
        let mut known = self.known.lock().unwrap();
        let (mut hash, mut hit, mut is_hit) = (0, 0, true);
        for block in prompt.as_bytes().chunks(BLOCK) {
            let text = String::from_utf8_lossy(block);
            hash = fingerprint([&*format!("{hash:x}"), &*text]);
            let was_known = !known.insert(hash);
            is_hit = is_hit && was_known;
            hit += if is_hit { block.len() } else { 0 };
        }
        *self.last.lock().unwrap() = (prompt.len(), hit);
        let usage = Usage {
            prompt: prompt.len() as u64 / 4,
            cached: hit as u64 / 4,
            output: 20,
        };
        Reply {
            usage,
            ..Reply::text("Go on.")
        }
        .answer(request)
    }
}

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
        Ok(Loaded {
            config: configuration(&text, &FixedEnvironment::new([]))?,
            hash: text,
            files: Vec::new(),
        })
    }
}

/// One request: who served it, bytes of its prompt, and how many of those were in the cache there.
#[derive(Clone, Copy)]
struct Served {
    by: usize,
    size: usize,
    hit: usize,
    /// Its conversation was at the upstream that is down.
    was_forced: bool,
}

/// How the sessions are run.
#[derive(Clone, Copy)]
struct Run {
    name: &'static str,
    strategy: &'static str,
    n_upstreams: usize,
    /// The upstream that refuses for a while.
    down: usize,
    /// What the gateway knew is there again after its restart.
    remembers: bool,
}

/// Runs all sessions.
async fn run(how: Run) -> Vec<Served> {
    let Run {
        strategy,
        n_upstreams,
        ..
    } = how;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let down = Arc::new(AtomicUsize::new(NOBODY));
    let last = Arc::new(Mutex::new((0, 0)));
    let mut upstreams = Vec::new();
    for number in 0..n_upstreams {
        let cached = Cached {
            number,
            known: Mutex::default(),
            down: Arc::clone(&down),
            last: Arc::clone(&last),
        };
        upstreams.push(Upstream::start(cached).await);
    }
    let targets: Vec<String> = (0..n_upstreams).map(|n| format!("\"u{n}/m\"")).collect();
    let mut config = format!(
        "default = \"m\"\n[models.m]\ntargets = [{}]\nstrategy = \"{strategy}\"\n",
        targets.join(", ")
    );
    for (n, upstream) in upstreams.iter().enumerate() {
        let url = upstream.url();
        config.push_str(&format!(
            "[providers.u{n}]\nbase_url = \"{url}\"\nspeaks = [\"anthropic\"]\nauth = \"none\"\n"
        ));
    }
    let text = Arc::new(Text::default());
    config.clone_into(&mut text.0.lock().unwrap());
    let start = || {
        let options = Options {
            source: Some(Arc::clone(&text) as Arc<dyn Source>),
            config_hash: config.clone(),
            state: how.remembers.then(|| state.clone()),
            ..Options::default()
        };
        Lingate::start_as(&config, &[], options)
    };
    let mut lingate = start().await;

    let mut talks: HashMap<(usize, usize), (Talk, Draw)> = HashMap::new();
    let mut places: HashMap<(usize, usize), usize> = HashMap::new();
    let mut turns = [0; SESSIONS];
    let mut served = Vec::new();
    let (mut is_reloaded, mut is_restarted) = (false, false);
    for at @ (session, talk) in schedule() {
        let slowest = turns.iter().min().copied().unwrap_or(0);
        let is_down = n_upstreams > 1 && OUTAGE.contains(&slowest);
        down.store(if is_down { how.down } else { NOBODY }, Ordering::SeqCst);
        if !is_reloaded && slowest >= RELOADED_AT {
            is_reloaded = true;
            text.0
                .lock()
                .unwrap()
                .push_str("[models.other]\ntargets = [\"u0/m\"]\n");
            let reload = lingate.handle.reload(Trigger::Api).await;
            let reload = reload.last.expect("a reload");
            assert_eq!(reload.outcome, Outcome::Applied, "{:?}", reload.problems);
        }
        if !is_restarted && slowest >= RESTARTED_AT {
            is_restarted = true;
            if how.remembers {
                // What is there may be from earlier; what it leaves at its end is waited for.
                drop(std::fs::remove_file(&state));
                lingate.stop();
                for _ in 0..2000 {
                    if state.exists() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                assert!(state.exists());
            }
            lingate = start().await;
        }
        let (own, draw) = talks.entry(at).or_insert_with(|| {
            let agent = (talk > 0).then_some(talk);
            let seed = fingerprint([&*format!("{session} {talk}")]);
            (Talk::new(session, agent), Draw::new(seed))
        });
        let id = format!("session-{session}");
        let mut request = lingate
            .post("/v1/messages", &own.body(&id))
            .header("x-claude-code-session-id", &id);
        if let Some(agent) = &own.agent {
            request = request.header("x-claude-code-agent-id", agent);
        }
        let response = request.send().await;
        assert_eq!(response.status, 200);
        let by: usize = response.header("x-lingate-provider")[1..].parse().unwrap();
        drop(response.text().await);
        let (size, hit) = *last.lock().unwrap();
        let before = places.insert(at, by);
        served.push(Served {
            by,
            size,
            hit,
            was_forced: is_down && before == Some(how.down),
        });
        own.go_on(draw);
        turns[session] += 1;
    }
    assert!(is_reloaded && is_restarted);
    served
}

fn sum(served: &[Served], of: impl Fn(&Served) -> usize) -> usize {
    served.iter().map(of).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_keep_their_prompt_caches() {
    let of = |name, strategy, down, remembers| Run {
        name,
        strategy,
        n_upstreams: 3,
        down,
        remembers,
    };
    let alone = Run {
        n_upstreams: 1,
        ..of("one upstream", "ordered", 0, false)
    };
    let one = run(alone).await;
    let total = sum(&one, |own| own.size);
    let best = sum(&one, |own| own.hit);
    println!("{} requests, {} MB", one.len(), total / 1_000_000);
    println!(
        "{:>20} {:>9} {:>10} {:>6} {:>11} {:>12}",
        "", "hit rate", "missed kB", "forced", "unavoidable", "of the best"
    );
    let row = |name: &str, hit: usize, forced: usize, unavoidable: usize| {
        let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole as f64;
        println!(
            "{name:>20} {:>7.1} % {:>10} {forced:>6} {:>8} kB {:>10.1} %",
            percent(hit, total),
            (total - hit) / 1000,
            unavoidable / 1000,
            percent(hit, best - unavoidable),
        );
    };
    row(alone.name, best, 0, 0);
    let mut hits = BTreeMap::new();
    for how in [
        of("spread", "spread", 1, true),
        of("spread, forgetting", "spread", 1, false),
        of("ordered", "ordered", 0, true),
        of("round_robin", "round_robin", 1, true),
    ] {
        let served = run(how).await;
        let name = how.name;
        assert_eq!(
            sum(&served, |own| own.size),
            total,
            "{name}: the same prompts"
        );
        let hit = sum(&served, |own| own.hit);
        let keeps = how.strategy != "round_robin";
        // What those lost who could not stay: what one upstream would have known, and theirs did not.
        let forced = served.iter().zip(&one);
        let forced: Vec<usize> = forced
            .filter(|(own, _)| keeps && own.was_forced)
            .map(|(own, one)| one.hit.saturating_sub(own.hit))
            .collect();
        let unavoidable: usize = forced.iter().sum();
        row(name, hit, forced.len(), unavoidable);
        if keeps {
            assert!(
                !forced.is_empty(),
                "{name}: nobody was at the upstream that refused"
            );
            assert!(
                hit * 100 >= (best - unavoidable) * 95,
                "{name}: {hit} of {best}"
            );
        }
        if how.strategy == "spread" {
            let used: HashSet<usize> = served.iter().map(|own| own.by).collect();
            assert_eq!(used.len(), 3, "{name}");
        }
        hits.insert(name, hit);
    }
    assert!(hits["round_robin"] < hits["spread"], "{hits:?}");
}

/// Upstreams `u0`, which refuses its second request, and `u1` behind one model; who serves each of these requests, by
/// session, agent and first words.
async fn places(asked: &[(&str, &str, &str)]) -> String {
    let refuses_once = |request: &Received| match request.n {
        1 => Misbehaviour::Overloaded.answer(request),
        _ => Reply::text("Go on.").answer(request),
    };
    let first = Upstream::start(refuses_once).await;
    let second = Upstream::start(|request: &Received| Reply::text("Go on.").answer(request)).await;
    let mut config = "default = \"m\"\n[models.m]\ntargets = [\"u0/m\", \"u1/m\"]\n".to_owned();
    for (n, upstream) in [&first, &second].into_iter().enumerate() {
        let url = upstream.url();
        config.push_str(&format!(
            "[providers.u{n}]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n"
        ));
    }
    let lingate = Lingate::start(&config).await;
    let mut served = Vec::new();
    for (session, agent, words) in asked {
        let body = json!({"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": words}]});
        let mut request = lingate.post("/v1/messages", &body);
        if !session.is_empty() {
            request = request.header("x-claude-code-session-id", session);
        }
        if !agent.is_empty() {
            request = request.header("x-claude-code-agent-id", agent);
        }
        let response = request.send().await;
        assert_eq!(response.status, 200);
        served.push(response.header("x-lingate-provider")[1..].to_owned());
        drop(response.text().await);
    }
    served.concat()
}

/// After a move to the second upstream: who goes on is there, who begins is at the first.
#[tokio::test]
async fn a_conversation_is_a_session_s_agent() {
    let moved = ("s", "", "hello");
    let check = async |next: (&str, &str, &str), expected: &str| {
        let served = places(&[moved, moved, moved, next, next]).await;
        assert_eq!(served, expected, "{next:?}");
    };
    check(moved, "01111").await;
    // Compaction: the same session with another first message.
    check(("s", "", "a summary of what was said"), "01111").await;
    // A subagent shares no prefix with it.
    check(("s", "a1", "DELEGATED"), "01100").await;
    // `/clear`: the client begins a new session.
    check(("t", "", "hello"), "01100").await;

    let nameless = ("", "", "hello");
    let served = places(&[
        nameless,
        nameless,
        nameless,
        ("", "", "other words"),
        nameless,
    ])
    .await;
    assert_eq!(served, "01101");
}
