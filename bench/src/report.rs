//! The results as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::instructions::Counted;
use crate::rounds::{Measured, Window};
use crate::subject::Kind;

/// Tables of everything measured.
pub(crate) fn markdown(measured: &Measured, instructions: &[Counted]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _infallible = write(&mut out, measured, instructions);
    out
}

fn write(out: &mut String, measured: &Measured, instructions: &[Counted]) -> std::fmt::Result {
    writeln!(
        out,
        "| exchange | connections | subject | CPU per request, us | to the bare forwarder | aim | p50, us | p99, us | requests/s |"
    )?;
    writeln!(
        out,
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for (case, subjects) in &measured.cases {
        let forwarder = subjects.iter().find(|(kind, _)| *kind == Kind::Forwarder);
        let forwarder = forwarder.map_or(&[][..], |(_, windows)| windows);
        for (kind, windows) in subjects {
            let us = |value: fn(&Window) -> Duration| {
                median(windows.iter().map(|window| micros(value(window))))
            };
            let aim = case.target().filter(|_| *kind == Kind::Lingate);
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                case.exchange(),
                case.connections,
                kind.name(),
                or_dash(
                    median(windows.iter().filter_map(|window| window.cpu.map(micros))),
                    1
                ),
                or_dash(ratio(windows, forwarder), 2),
                or_dash(aim, 2),
                or_dash(us(|window| window.p50), 0),
                or_dash(us(|window| window.p99), 0),
                or_dash(median(windows.iter().map(|window| window.rate)), 0),
            )?;
        }
    }
    let footprint = &measured.footprint;
    writeln!(
        out,
        "\n| of the gateway | measured | aim |\n| --- | ---: | ---: |"
    )?;
    writeln!(
        out,
        "| ready, ms | {:.1} | 50 |",
        micros(footprint.ready) / 1000.0
    )?;
    let mib = |kilobytes: u64| kilobytes as f64 / 1024.0;
    writeln!(
        out,
        "| resident when idle, MiB | {:.1} | 12 |",
        mib(footprint.idle.resident)
    )?;
    writeln!(
        out,
        "| peak under the large load, MiB | {:.1} | 40 |",
        mib(footprint.loaded.peak)
    )?;
    if !instructions.is_empty() {
        writeln!(
            out,
            "\n| exchange | lingate, thousand instructions | bare forwarder | ratio | 32 at once | recording | ratio |"
        )?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    }
    for counted in instructions {
        let (lingate, forwarder) = (counted.lingate as f64, counted.forwarder as f64);
        let recording = counted.recording.map(|both| both.map(|count| count as f64));
        writeln!(
            out,
            "| {} | {:.0} | {:.0} | {:.2} | {} | {} | {} |",
            counted.case.exchange(),
            lingate / 1000.0,
            forwarder / 1000.0,
            lingate / forwarder,
            or_dash(recording.map(|[off, _]| off / 1000.0), 0),
            or_dash(recording.map(|[_, on]| on / 1000.0), 0),
            or_dash(recording.map(|[off, on]| on / off), 2),
        )?;
    }
    Ok(())
}

/// The median of the ratios of CPU per request within each round.
fn ratio(windows: &[Window], forwarder: &[Window]) -> Option<f64> {
    let pairs = windows.iter().zip(forwarder);
    median(pairs.filter_map(|(own, forwarder)| Some(micros(own.cpu?) / micros(forwarder.cpu?))))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (
        values.get(values.len().checked_sub(1)? / 2)?,
        values.get(values.len() / 2)?,
    );
    Some((low + high) / 2.0)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn or_dash(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cpu_us: u64) -> Window {
        Window {
            cpu: Some(Duration::from_micros(cpu_us)),
            p50: Duration::ZERO,
            p99: Duration::ZERO,
            rate: 0.0,
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_it() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 2.0, 9.0], Some(3.0)),
        ] {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let own = [window(20), window(300), window(40)];
        let forwarder = [window(10), window(100), window(10)];
        assert_eq!(ratio(&own, &forwarder), Some(3.0));
        assert_eq!(ratio(&own, &[]), None);
    }
}
