//! Instructions per request, counted by callgrind: what the clock's noise hides, this shows. A long run minus a short one
//! leaves out the start.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::answers::Answer;
use crate::case::Case;
use crate::load::{self, Until};
use crate::question::Question;
use crate::rounds::Plan;
use crate::subject::{Kind, Stage};
use crate::upstream::Upstream;

/// Whatever a start leaves to do is done by then, in a short run as in a long one.
const STARTING: Duration = Duration::from_secs(1);
/// Requests of a short and a long run, and how many at once.
const ONE_BY_ONE: [usize; 3] = [10, 40, 1];
/// The same where it matters that exchanges share a group of the record: as many at once as are timed. A group takes what
/// comes within 25 ms; as everything else takes fifty times as long, few come within them.
const AT_ONCE: [usize; 3] = [96, 288, 32];
/// No case is begun after so long: under callgrind everything takes fifty times as long, and a busy machine adds to it.
const LIMIT: Duration = Duration::from_secs(180);

/// Instructions per request of one case, without the kernel's.
pub(crate) struct Counted {
    /// The case; its one connection stands for all.
    pub case: Case,
    /// Of the gateway.
    pub lingate: u64,
    /// Of the bare forwarder.
    pub forwarder: u64,
    /// Of the gateway without and with the record, several exchanges at once; of an agent's streams only.
    pub recording: Option<[u64; 2]>,
}

/// Counts every case of the plan once per exchange, as many as there is time for. Empty where valgrind is missing.
pub(crate) async fn run(lingate: &Path, plan: &Plan) -> anyhow::Result<Vec<Counted>> {
    if std::process::Command::new("valgrind")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("valgrind is not installed: no instruction counts");
        return Ok(Vec::new());
    }
    let mut cases = plan.cases();
    cases.iter_mut().for_each(|case| case.connections = 1);
    let mut counted: Vec<Counted> = Vec::new();
    let begin = Instant::now();
    for case in cases {
        if counted.iter().any(|counted| counted.case == case) {
            continue;
        }
        if begin.elapsed() > LIMIT {
            eprintln!(
                "no time is left for the instructions of {}",
                case.exchange()
            );
            continue;
        }
        eprintln!("instructions: {}", case.exchange());
        let recording = if case.is_agents_stream() {
            Some([
                per_request(Kind::Lingate, lingate, &case, AT_ONCE).await?,
                per_request(Kind::Recording, lingate, &case, AT_ONCE).await?,
            ])
        } else {
            None
        };
        counted.push(Counted {
            case,
            lingate: per_request(Kind::Lingate, lingate, &case, ONE_BY_ONE).await?,
            forwarder: per_request(Kind::Forwarder, lingate, &case, ONE_BY_ONE).await?,
            recording,
        });
    }
    Ok(counted)
}

async fn per_request(
    kind: Kind,
    lingate: &Path,
    case: &Case,
    [short, long, at_once]: [usize; 3],
) -> anyhow::Result<u64> {
    let (answer, question) = (case.answer(), case.question()?);
    let few = total_at_once(kind, lingate, answer.clone(), &question, short, at_once).await?;
    let many = total_at_once(kind, lingate, answer, &question, long, at_once).await?;
    Ok(many.saturating_sub(few) / (long - short) as u64)
}

/// Instructions of a subject's whole life, in which it answers so many requests.
pub(crate) async fn total_of(
    kind: Kind,
    lingate: &Path,
    answer: Answer,
    question: &Question,
    requests: usize,
) -> anyhow::Result<u64> {
    total_at_once(kind, lingate, answer, question, requests, 1).await
}

async fn total_at_once(
    kind: Kind,
    lingate: &Path,
    answer: Answer,
    question: &Question,
    requests: usize,
    at_once: usize,
) -> anyhow::Result<u64> {
    let upstream = Upstream::start(answer).await?;
    let directory = tempfile::tempdir()?;
    let out = directory.path().join("callgrind.out");
    let under = ["valgrind", "--tool=callgrind"].map(str::to_owned);
    let under = [
        under.as_slice(),
        &[format!("--callgrind-out-file={}", out.display())],
    ]
    .concat();
    let stage = Stage {
        lingate,
        directory: directory.path(),
        upstream: upstream.address,
        under: &under,
    };
    let subject = kind.start(&stage)?;
    tokio::time::sleep(STARTING).await;
    load::run(
        subject.address,
        question,
        at_once,
        Until::Count(requests / at_once),
    )
    .await?;
    subject.process.context("it is a process")?.end()?;
    sum_of(&fs::read_to_string(&out)?)
}

/// The total of a callgrind file.
fn sum_of(text: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"));
    Ok(line
        .context("callgrind's file has no totals")?
        .trim()
        .parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_callgrinds_file() {
        assert_eq!(
            sum_of("summary: 1\nfn=(1)\ntotals: 12345\n").unwrap(),
            12345
        );
        assert!(sum_of("fn=(1)\n").is_err());
    }
}
