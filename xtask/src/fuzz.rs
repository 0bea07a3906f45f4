//! `cargo xtask fuzz [--seconds N] [TARGET [FILE]]`: builds the targets of `fuzz/` with coverage and runs them.
//!
//! Without a target all run, as many at a time as there are processors. Inputs that found new ways through the code are
//! kept in `target/fuzz/corpus` and are where the next run begins; an input that breaks a promise is written to
//! `target/fuzz/findings`, and `cargo xtask fuzz TARGET FILE` runs it again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, bail, ensure};

/// Compiles the counters in that libFuzzer reads.
const COVERAGE: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// How long each target runs unless told otherwise, in seconds.
const SECONDS: u32 = 60;

/// Runs the targets.
///
/// # Errors
/// A build that fails, an unknown target, or a finding.
pub fn run(options: &[&str]) -> anyhow::Result<()> {
    let (seconds, rest) = match options {
        ["--seconds", seconds, rest @ ..] => (seconds.parse().context("--seconds")?, rest),
        rest => (SECONDS, rest),
    };
    let all = targets()?;
    let binaries = build()?;
    match rest {
        [] => run_all(&all, &binaries, seconds),
        [target] if all.iter().any(|known| known == target) => fuzz(target, &binaries, seconds),
        [target, file] if all.iter().any(|known| known == target) => {
            finish(Command::new(binaries.join(target)).arg(file))
        }
        _ => bail!(
            "usage: cargo xtask fuzz [--seconds N] [TARGET [FILE]]; targets: {}",
            all.join(", ")
        ),
    }
}

fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(crate::root().join("fuzz/targets"))? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// Builds every target; returns the folder they are in.
fn build() -> anyhow::Result<PathBuf> {
    let host = host()?;
    let target_dir = home().join("build");
    // Naming the target keeps the counters out of build scripts and macros.
    finish(
        Command::new("cargo")
            .args([
                "build",
                "--release",
                "--quiet",
                "--manifest-path",
                "fuzz/Cargo.toml",
            ])
            .args(["--target", &host, "--target-dir"])
            .arg(&target_dir)
            .env("RUSTFLAGS", COVERAGE)
            .current_dir(crate::root()),
    )?;
    Ok(target_dir.join(host).join("release"))
}

fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

fn run_all(targets: &[String], binaries: &Path, seconds: u32) -> anyhow::Result<()> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    let failed: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            while let Some(target) = next() {
                if let Err(error) = fuzz(target, binaries, seconds) {
                    failed.push(format!("{target}: {error}"));
                }
            }
            failed
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = running
            .into_iter()
            .map(|worker| worker.join().unwrap_or_default());
        ended.flatten().collect()
    });
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn fuzz(target: &str, binaries: &Path, seconds: u32) -> anyhow::Result<()> {
    let corpus = home().join("corpus").join(target);
    let findings = home().join("findings");
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&findings)?;
    let n_seeds = seed(target, &corpus)?;
    let log = home().join(format!("{target}.log"));
    let mut command = Command::new(binaries.join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-max_len=20000",
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ])
        .arg(format!("-artifact_prefix={}/{target}-", findings.display()))
        .arg(format!(
            "-dict={}",
            crate::root().join("fuzz/words.dict").display()
        ))
        .arg(&corpus)
        .stderr(fs::File::create(&log)?);
    let status = command.status().with_context(|| format!("{command:?}"))?;
    // The log quotes inputs, which are any bytes.
    let text: String = fs::read(&log)?
        .into_iter()
        .map(|byte| {
            if byte.is_ascii() {
                char::from(byte)
            } else {
                '?'
            }
        })
        .collect();
    if !status.success() {
        let tail: Vec<&str> = text.lines().rev().take(40).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{status}; {}\n{}", log.display(), tail.join("\n"));
    }
    let runs = text
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let report = format!(
        "fuzz {target}: {} inputs, {n_seeds} seeds, {seconds} s\n",
        runs.map_or("?", str::trim)
    );
    std::io::stdout().write_all(report.as_bytes())?;
    Ok(())
}

/// Puts the fixtures of the wires into the corpus, each behind the bytes that choose a wire and the cuts.
fn seed(target: &str, corpus: &Path) -> anyhow::Result<usize> {
    let mut files = Vec::new();
    for folder in ["crates/wire/testdata", "crates/quirk/testdata"] {
        collect(&crate::root().join(folder), &mut files)?;
    }
    files.sort();
    let mut n_seeds = 0;
    for file in files {
        let bytes = fs::read(&file)?;
        let is_lines = file
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        let pieces: Vec<&[u8]> = if is_lines {
            bytes.split(|byte| *byte == b'\n').collect()
        } else {
            vec![&bytes]
        };
        for piece in pieces
            .into_iter()
            .filter(|piece| (1..20_000).contains(&piece.len()))
        {
            for wire in 0..4 {
                let head: &[u8] = match target {
                    "json" => &[],
                    "stream" | "text" => &[wire, 7, 0],
                    _ => &[wire],
                };
                let name = corpus.join(format!("seed-{n_seeds:05}"));
                fs::write(name, [head, piece].concat())?;
                n_seeds += 1;
            }
        }
    }
    Ok(n_seeds)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn home() -> PathBuf {
    crate::root().join("target/fuzz")
}

fn finish(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
