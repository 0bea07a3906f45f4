//! Rounds of windows: in each round every subject gets one window of every case, in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::case::{self, Case, Lane, Size};
use crate::load::{self, Until};
use crate::process::Memory;
use crate::subject::{Kind, Stage, Subject};
use crate::upstream::Upstream;

/// How long and how often.
pub(crate) struct Plan {
    /// Windows of each case and subject.
    pub rounds: usize,
    /// Length of a window.
    pub window: Duration,
    /// Only cases whose name contains this.
    pub only: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rounds: 5,
            window: Duration::from_millis(400),
            only: None,
        }
    }
}

impl Plan {
    /// The cases to measure.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let is_wanted = |case: &Case| {
            self.only
                .as_ref()
                .is_none_or(|only| case.name().contains(only))
        };
        case::all().into_iter().filter(is_wanted).collect()
    }
}

/// Everything measured.
pub(crate) struct Measured {
    /// Every case, in order.
    pub cases: Vec<(Case, Windows)>,
    /// The gateway's start and memory.
    pub footprint: Footprint,
}

/// Each subject's windows, by round.
pub(crate) type Windows = Vec<(Kind, Vec<Window>)>;

/// One subject during one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// CPU time of the measured process per request; none without a process.
    pub cpu: Option<Duration>,
    /// Median time of a request.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Requests per second.
    pub rate: f64,
}

/// What the gateway needs to be there.
pub(crate) struct Footprint {
    /// Start to ready line, the median of several starts.
    pub ready: Duration,
    /// Before the first request.
    pub idle: Memory,
    /// After the large bodies over 32 connections.
    pub loaded: Memory,
}

/// Runs the plan.
pub(crate) async fn run(lingate: &Path, plan: &Plan) -> anyhow::Result<Measured> {
    let cases = plan.cases();
    let first = cases.first().context("no case has such a name")?;
    let upstream = Upstream::start(first.answer()).await?;
    let directory = tempfile::tempdir()?;
    let stage = Stage {
        lingate,
        directory: directory.path(),
        upstream: upstream.address,
        under: &[],
    };
    let (ready, idle) = starts(&stage).await?;
    let loaded = loaded(&stage, &upstream).await?;

    let kinds = Kind::available();
    let subjects: Vec<Subject> = kinds
        .iter()
        .map(|kind| kind.start(&stage))
        .collect::<Result<_, _>>()?;
    let mut measured: Vec<(Case, Windows)> = cases
        .iter()
        .map(|case| {
            (
                *case,
                kinds.iter().map(|kind| (*kind, Vec::new())).collect(),
            )
        })
        .collect();
    for round in 0..plan.rounds {
        for (case, windows) in &mut measured {
            upstream.set(case.answer());
            for (subject, (_, windows)) in subjects.iter().zip(windows) {
                if round == 0 {
                    check_lane(subject, case).await?;
                }
                windows.push(window(subject, case, plan.window).await?);
            }
        }
        eprintln!("round {} of {}", round + 1, plan.rounds);
    }
    Ok(Measured {
        cases: measured,
        footprint: Footprint {
            ready,
            idle,
            loaded,
        },
    })
}

async fn window(subject: &Subject, case: &Case, length: Duration) -> anyhow::Result<Window> {
    let question = case.question()?;
    load::run(
        subject.address,
        &question,
        case.connections,
        Until::Count(2),
    )
    .await?;
    let cpu = || {
        subject
            .process
            .as_ref()
            .map(|process| process.cpu())
            .transpose()
    };
    let before = cpu()?;
    let times = load::run(
        subject.address,
        &question,
        case.connections,
        Until::Elapsed(length),
    )
    .await?;
    let after = cpu()?;
    let count = u32::try_from(times.len())?;
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Window {
        cpu: before
            .zip(after)
            .map(|(before, after)| (after - before) / count),
        p50: at(0.5),
        p99: at(0.99),
        rate: f64::from(count) / length.as_secs_f64(),
    })
}

/// A case measures its lane and no other.
async fn check_lane(subject: &Subject, case: &Case) -> anyhow::Result<()> {
    if !matches!(subject.kind, Kind::Lingate | Kind::Recording) {
        return Ok(());
    }
    let head = load::head_of_one(subject.address, &case.question()?).await?;
    let lane = match case.lane {
        Lane::Passthrough => "x-lingate-lane: passthrough",
        Lane::Translate(..) => "x-lingate-lane: translate",
    };
    ensure!(
        head.contains(lane),
        "{}: not `{lane}` in\n{head}",
        case.name()
    );
    Ok(())
}

async fn starts(stage: &Stage<'_>) -> anyhow::Result<(Duration, Memory)> {
    let mut times = Vec::new();
    loop {
        let subject = Kind::Lingate.start(stage)?;
        let process = subject.process.context("the gateway is a process")?;
        times.push(process.ready_after);
        if times.len() >= 7 {
            // Whatever a start leaves to do is done by then.
            tokio::time::sleep(Duration::from_secs(1)).await;
            times.sort_unstable();
            return Ok((times[times.len() / 2], process.memory()?));
        }
    }
}

async fn loaded(stage: &Stage<'_>, upstream: &Upstream) -> anyhow::Result<Memory> {
    let subject = Kind::Lingate.start(stage)?;
    for case in case::all() {
        if case.size == Size::Large && case.connections == 32 {
            upstream.set(case.answer());
            load::run(
                subject.address,
                &case.question()?,
                32,
                Until::Elapsed(Duration::from_secs(2)),
            )
            .await?;
        }
    }
    subject
        .process
        .context("the gateway is a process")?
        .memory()
}
