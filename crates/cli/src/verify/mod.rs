//! `lingate verify`: how well a provider serves a model's tool calls, and what the gateway makes of them.
//!
//! Cases are request bodies (`cases.rs`); each is asked once (`lingate_gateway::Verifier`), gives a record (`record.rs`)
//! that is kept as soon as it is there (`results.rs`), and all of them give numbers (`measures.rs`) against a reference
//! (`reference.rs`), for people, programs and thresholds (`report.rs`).

mod cases;
mod measures;
mod record;
mod reference;
mod report;
mod results;

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use bytestring::ByteString;
use futures_util::StreamExt as _;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use lingate_config::SystemEnvironment;
use lingate_gateway::Verifier;

use self::cases::Case;
use self::measures::Summary;
use self::record::{Record, Side, Status};
use self::reference::Reference;
use self::results::Results;
use crate::args::Verify;
use crate::configuration::{Listen, load};
use crate::failure::Failure;

/// Asks every case and prints what came of it. Code 1 if nothing is answered or a threshold is missed.
pub(crate) async fn run(args: Verify, environment: SystemEnvironment) -> Result<ExitCode, Failure> {
    let file = args.report.file.config.as_deref();
    let config = load(file, Listen::default(), &environment)?.config;
    let verifier =
        Verifier::new(&config, &args.model).map_err(|error| Failure::usage(error.to_string()))?;
    let cases = cases(&args)?;
    let reference = reference(&args, &cases)?;
    let mut results = match &args.out {
        Some(path) => Some(Results::open(path, &verifier.target())?),
        None => None,
    };

    let records = ask(&verifier, &args, &cases, results.as_mut()).await?;
    let summary = Summary::of(&verifier.target(), &records, reference.as_ref());
    if args.report.format.json {
        report::json_lines(&records, &summary)?;
    } else {
        report::table(&summary)?;
    }
    report::judged(&summary, &records, &args)?;
    Ok(ExitCode::SUCCESS)
}

impl Verify {
    /// Which view of the replies counts.
    fn side(&self) -> Side {
        if self.raw { Side::Raw } else { Side::Repaired }
    }
}

fn cases(args: &Verify) -> Result<Vec<Case>, Failure> {
    let text = args.cases.as_deref().map(text).transpose()?;
    let file = text.as_ref().map(|(name, text)| (&**name, &**text));
    cases::read(file, &args.model, args.stream, args.requests)
}

fn reference(args: &Verify, cases: &[Case]) -> Result<Option<Reference>, Failure> {
    let reference = match args.reference.as_deref().map(text).transpose()? {
        Some((name, text)) => Some(Reference::results(&name, &text, cases)?),
        None => Reference::expectations(cases),
    };
    if reference.is_none() && args.min_f1.is_some() {
        return Err(
            Failure::usage("`--min-f1` needs something to measure against")
                .hint("give `--reference FILE`, the results of another run with the same cases"),
        );
    }
    Ok(reference)
}

/// A file's name, as messages quote it, and its text.
fn text(path: &Path) -> Result<(String, String), Failure> {
    let name = format!("`{}`", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Failure::usage(format!("cannot read {name}: {error}"))),
    }
}

/// The results of all cases, in their order.
async fn ask(
    verifier: &Verifier<'_>,
    args: &Verify,
    cases: &[Case],
    mut results: Option<&mut Results>,
) -> Result<Vec<Record>, Failure> {
    let side = args.side();
    let mut records: Vec<(usize, Record)> = Vec::new();
    let mut missing: Vec<(usize, &Case)> = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        let known = results
            .as_ref()
            .and_then(|results| results.known(&case.hash));
        match known.cloned() {
            Some(mut record) => {
                record.data_index = case.index;
                record.count(side);
                records.push((place, record));
            }
            None => missing.push((place, case)),
        }
    }
    let bar = bar(cases.len(), records.len());
    let asking = missing.into_iter().map(|(place, case)| async move {
        let at = verifier.now();
        let result = verifier.ask(&ByteString::from(case.body.as_str())).await;
        (place, Record::of(case, verifier.target(), at, result, side))
    });
    bar.tick();
    let mut asking = stream::iter(asking).buffer_unordered(args.concurrency);
    let mut n_failed = 0_usize;
    while let Some((place, record)) = asking.next().await {
        if let Some(results) = &mut results {
            results.add(&record)?;
        }
        n_failed += usize::from(record.status == Status::Failed);
        if n_failed > 0 {
            bar.set_message(format!(", {n_failed} failed"));
        }
        bar.inc(1);
        records.push((place, record));
    }
    bar.finish_and_clear();
    records.sort_by_key(|(place, _)| *place);
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

/// On a terminal only: in a pipe or a log it is noise.
fn bar(n_cases: usize, n_known: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(n_cases as u64).with_position(n_known as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} cases{msg}, {eta} left");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
