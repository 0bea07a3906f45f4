//! What must not be lost again: instructions of each exchange, memory and start. `cargo xtask bench --hold` fails above them.
//!
//! Times and ratios of times are told and not held: they change by a tenth from one hour to the next.

use anyhow::ensure;

use crate::case::{Case, Lane, Shape, Size};
use crate::instructions::Counted;
use crate::rounds::Footprint;

/// Until a gateway is ready, in milliseconds.
const READY: f64 = 50.0;
/// Memory of a gateway that has just started, in MiB.
const IDLE: f64 = 12.0;
/// The most memory that the large load takes, in MiB.
const PEAK: f64 = 40.0;
/// Instructions with the record, to those without, of an agent's stream: what is aimed at, and for a translated one, which is
/// near it, what was measured beside other work.
fn recording(case: &Case) -> f64 {
    match case.lane {
        Lane::Passthrough => 1.3,
        Lane::Translate(..) => 1.33,
    }
}

/// Instructions of an exchange, in thousands: what was measured when it was last made better, and 3 % for another compiler.
fn instructions(case: &Case) -> Option<f64> {
    let measured = match (case.size, case.lane, case.shape) {
        (Size::Small, Lane::Passthrough, Shape::Json) => 131.0,
        (Size::Small, lane, Shape::Json) if lane.is_usual() => 145.0,
        (Size::Small, lane, Shape::Stream) if lane.is_usual() => 1231.0,
        (Size::Large, Lane::Passthrough, Shape::Json) => 186.0,
        (Size::Large, lane, Shape::Json) if lane.is_usual() => 308.0,
        _ => return None,
    };
    Some(measured * 1.03)
}

/// Compares what was measured of these cases.
///
/// # Errors
/// Each limit that was passed, with what was measured; a case that has a limit and was not counted.
pub(crate) fn hold(
    cases: &[Case],
    footprint: &Footprint,
    counted: &[Counted],
) -> anyhow::Result<()> {
    for case in cases {
        let is_held = instructions(case).is_some() || case.is_agents_stream();
        let name = case.exchange();
        ensure!(
            !is_held
                || counted
                    .iter()
                    .any(|counted| counted.case.exchange() == name),
            "the instructions of {name} were not counted: `--hold` needs valgrind and time; `--only` leaves cases out"
        );
    }
    let mib = |kilobytes: u64| kilobytes as f64 / 1024.0;
    let mut held = vec![
        (
            "ready, ms".to_owned(),
            footprint.ready.as_secs_f64() * 1e3,
            READY,
        ),
        (
            "resident when idle, MiB".to_owned(),
            mib(footprint.idle.resident),
            IDLE,
        ),
        (
            "peak under the large load, MiB".to_owned(),
            mib(footprint.loaded.peak),
            PEAK,
        ),
    ];
    for counted in counted {
        let exchange = counted.case.exchange();
        if let Some(limit) = instructions(&counted.case) {
            held.push((
                format!("{exchange}, thousand instructions"),
                counted.lingate as f64 / 1e3,
                limit,
            ));
        }
        if let Some([off, on]) = counted.recording {
            held.push((
                format!("{exchange}, recording to not recording"),
                on as f64 / off as f64,
                recording(&counted.case),
            ));
        }
    }
    let passed = passed(&held);
    ensure!(passed.is_empty(), "above their limits: {passed}");
    Ok(())
}

/// Names, what was measured and the limits of those that are above them.
fn passed(held: &[(String, f64, f64)]) -> String {
    let above = held.iter().filter(|(_, measured, limit)| measured > limit);
    let told: Vec<String> = above
        .map(|(name, measured, limit)| format!("{name} {measured:.2} (at most {limit:.2})"))
        .collect();
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::Memory;

    fn footprint(idle: u64) -> Footprint {
        let memory = |kilobytes| Memory {
            resident: kilobytes,
            peak: kilobytes,
        };
        Footprint {
            ready: Duration::from_millis(9),
            idle: memory(idle),
            loaded: memory(30_000),
        }
    }

    fn counted(name: &str, lingate: u64, recording: Option<[u64; 2]>) -> Counted {
        let case = crate::case::all()
            .into_iter()
            .find(|case| case.exchange() == name)
            .unwrap();
        Counted {
            case,
            lingate,
            forwarder: 48_000,
            recording,
        }
    }

    fn check(idle: u64, counted: &[Counted]) -> String {
        let cases: Vec<Case> = counted.iter().map(|counted| counted.case).collect();
        hold(&cases, &footprint(idle), counted)
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn what_is_above_a_limit_is_named() {
        let small = || counted("300 B JSON translated", 100_000, None);
        let stream = |on| counted("124 kB stream translated", 900_000, Some([1000, on]));
        assert_eq!(check(10_000, &[small(), stream(1329)]), "");
        assert_eq!(
            check(13_312, &[small()]),
            "above their limits: resident when idle, MiB 13.00 (at most 12.00)"
        );
        let dear = counted("300 B JSON translated", 900_000, None);
        assert!(
            check(10_000, &[dear]).contains("300 B JSON translated, thousand instructions 900")
        );
        assert!(
            check(10_000, &[small(), stream(1340)]).ends_with("not recording 1.34 (at most 1.33)")
        );
        let missing = hold(&[small().case], &footprint(10_000), &[]).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("300 B JSON translated were not counted")
        );
    }
}
