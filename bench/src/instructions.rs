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

const SHORT: usize = 10;
const LONG: usize = 40;
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
        counted.push(Counted {
            case,
            lingate: per_request(Kind::Lingate, lingate, &case).await?,
            forwarder: per_request(Kind::Forwarder, lingate, &case).await?,
        });
    }
    Ok(counted)
}

async fn per_request(kind: Kind, lingate: &Path, case: &Case) -> anyhow::Result<u64> {
    let short = total(kind, lingate, case, SHORT).await?;
    let long = total(kind, lingate, case, LONG).await?;
    Ok(long.saturating_sub(short) / (LONG - SHORT) as u64)
}

async fn total(kind: Kind, lingate: &Path, case: &Case, requests: usize) -> anyhow::Result<u64> {
    total_of(kind, lingate, case.answer(), &case.question()?, requests).await
}

/// Instructions of a subject's whole life, in which it answers so many requests.
pub(crate) async fn total_of(
    kind: Kind,
    lingate: &Path,
    answer: Answer,
    question: &Question,
    requests: usize,
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
    load::run(subject.address, question, 1, Until::Count(requests)).await?;
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
