//! What a provider can be told to get wrong: `NAME[=VALUE][:every=N][:first=N]`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

/// The faults, for `--help`.
pub(crate) const LIST: &str = "Faults, each NAME[=VALUE][:every=N][:first=N]:\n  \
    status=CODE      an error of that status in the wire's words; 429 and 529 with a retry-after\n  \
    rate-limit=S     429 with a retry-after of S seconds\n  \
    too-long         400: the prompt does not fit the context\n  \
    html             200 with a web page, as captive portals give\n  \
    empty            200 and not one byte of a reply\n  \
    json             one JSON document in answer to a request for a stream\n  \
    error            200, then an error as the first event of the stream\n  \
    error-after=N    an error event after N events\n  \
    cut-after=N      the connection ends after N events\n  \
    reset-after=N    the same, with a TCP reset\n  \
    stall-after=N    nothing more after N events, with the connection open\n  \
    silence          takes the request, says nothing\n  \
    reset            the connection ends before any answer\n  \
    slow=TIME        waits that long first: 10s, 500ms, 2m\n  \
    drip             one byte at a time\n  \
    gzip             compressed, although nobody asked for that\n\
    Of a body that is no stream `after` means half of it. `:every=3` is each third request, `:first=2` the first two; \
    several faults are applied in order.";

/// A fault, and which requests it meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(super) kind: Kind,
    every: Option<NonZeroU64>,
    first: Option<u64>,
    spec: String,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Status(u16),
    RateLimit(u64),
    TooLong,
    Html,
    Empty,
    Json,
    ErrorAfter(usize),
    CutAfter(usize),
    ResetAfter(usize),
    StallAfter(usize),
    Silence,
    Reset,
    Slow(Duration),
    Drip,
    Gzip,
}

impl Fault {
    /// Whether it meets the request of this number, from 1.
    pub(super) fn meets(&self, number: u64) -> bool {
        let every = self
            .every
            .is_none_or(|every| number.is_multiple_of(every.get()));
        every && self.first.is_none_or(|first| number <= first)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(spec: &str) -> Result<Self, String> {
        let mut parts = spec.split(':');
        let (name, value) = pair(parts.next().unwrap_or_default());
        let mut fault = Self {
            kind: kind(name, value)?,
            every: None,
            first: None,
            spec: spec.to_owned(),
        };
        for part in parts {
            let wrong =
                || format!("`{part}`: write `every=N` or `first=N` behind the colon, N from 1");
            let (name, value) = pair(part);
            let number = value
                .and_then(|value| value.parse::<NonZeroU64>().ok())
                .ok_or_else(wrong)?;
            match name {
                "every" => fault.every = Some(number),
                "first" => fault.first = Some(number.get()),
                _ => return Err(wrong()),
            }
        }
        Ok(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec)
    }
}

fn pair(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}

const NAMES: [&str; 16] = [
    "status",
    "rate-limit",
    "too-long",
    "html",
    "empty",
    "json",
    "error",
    "error-after",
    "cut-after",
    "reset-after",
    "stall-after",
    "silence",
    "reset",
    "slow",
    "drip",
    "gzip",
];

fn kind(name: &str, value: Option<&str>) -> Result<Kind, String> {
    let needs = |what: &str| format!("`{name}` needs {what}: `{name}={}`", example(name));
    let events = || {
        value
            .and_then(count)
            .ok_or_else(|| needs("a number of events"))
    };
    let kind = match name {
        "status" => {
            let code = value.and_then(|value| value.parse().ok());
            let code = code.filter(|code| (400..=599).contains(code));
            Kind::Status(code.ok_or_else(|| needs("a status from 400 to 599"))?)
        }
        "rate-limit" => {
            let seconds = value.and_then(|value| value.trim_end_matches('s').parse().ok());
            Kind::RateLimit(seconds.ok_or_else(|| needs("seconds"))?)
        }
        "error-after" => Kind::ErrorAfter(events()?),
        "cut-after" => Kind::CutAfter(events()?),
        "reset-after" => Kind::ResetAfter(events()?),
        "stall-after" => Kind::StallAfter(events()?),
        "slow" => Kind::Slow(value.and_then(time).ok_or_else(|| needs("a time"))?),
        "too-long" => Kind::TooLong,
        "html" => Kind::Html,
        "empty" => Kind::Empty,
        "json" => Kind::Json,
        "error" => Kind::ErrorAfter(0),
        "silence" => Kind::Silence,
        "reset" => Kind::Reset,
        "drip" => Kind::Drip,
        "gzip" => Kind::Gzip,
        _ => return Err(unknown(name)),
    };
    let takes_value = !example(name).is_empty();
    match value {
        Some(value) if !takes_value => {
            Err(format!("`{name}` takes no value, and `{value}` is given"))
        }
        _ => Ok(kind),
    }
}

const fn example(name: &str) -> &'static str {
    match name.as_bytes() {
        b"status" => "529",
        b"rate-limit" => "20",
        b"slow" => "10s",
        b"error-after" | b"cut-after" | b"reset-after" | b"stall-after" => "3",
        _ => "",
    }
}

fn unknown(name: &str) -> String {
    let nearest = NAMES.into_iter().max_by(|one, other| {
        strsim::jaro_winkler(name, one).total_cmp(&strsim::jaro_winkler(name, other))
    });
    let meant = nearest.filter(|nearest| strsim::jaro_winkler(name, nearest) > 0.75);
    let meant = meant
        .map(|meant| format!("; did you mean `{meant}`?"))
        .unwrap_or_default();
    format!(
        "`{name}` is no fault{meant}; there are {}",
        NAMES.join(", ")
    )
}

/// `3`, `3events`.
fn count(text: &str) -> Option<usize> {
    text.trim_end_matches("events")
        .trim_end_matches("event")
        .parse()
        .ok()
}

/// `10s`, `500ms`, `2m`.
fn time(text: &str) -> Option<Duration> {
    let unit = text.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_written_and_is_listed() {
        for name in NAMES {
            let spec = match example(name) {
                "" => name.to_owned(),
                value => format!("{name}={value}"),
            };
            let fault: Fault = spec
                .parse()
                .unwrap_or_else(|error| panic!("{spec}: {error}"));
            assert_eq!(fault.to_string(), spec);
            assert!(
                LIST.contains(&format!("\n  {name}")),
                "{name} is not in the list"
            );
        }
    }

    #[test]
    fn values() {
        for (spec, expected) in [
            ("status=529", Kind::Status(529)),
            ("rate-limit=20s", Kind::RateLimit(20)),
            ("cut-after=3events", Kind::CutAfter(3)),
            ("stall-after=0", Kind::StallAfter(0)),
            ("slow=500ms", Kind::Slow(Duration::from_millis(500))),
            ("slow=1.5s", Kind::Slow(Duration::from_millis(1500))),
            ("error", Kind::ErrorAfter(0)),
        ] {
            assert_eq!(spec.parse::<Fault>().unwrap().kind, expected, "{spec}");
        }
    }

    #[test]
    fn which_requests_it_meets() {
        for (spec, expected) in [
            ("html", &[1, 2, 3, 4, 5, 6][..]),
            ("html:every=3", &[3, 6]),
            ("html:first=2", &[1, 2]),
            ("html:every=2:first=4", &[2, 4]),
        ] {
            let fault: Fault = spec.parse().unwrap();
            let met: Vec<u64> = (1..=6).filter(|number| fault.meets(*number)).collect();
            assert_eq!(met, expected, "{spec}");
        }
    }

    #[test]
    fn what_is_wrong_says_so() {
        for (spec, expected) in [
            ("stats=500", "did you mean `status`?"),
            ("nonsense", "there are status"),
            ("status", "needs a status from 400 to 599: `status=529`"),
            ("status=200", "needs a status"),
            ("cut-after=soon", "needs a number of events"),
            ("slow=10", "needs a time: `slow=10s`"),
            ("html=1", "takes no value"),
            ("html:every=0", "N from 1"),
            ("html:often=1", "`every=N`"),
        ] {
            let error = spec.parse::<Fault>().unwrap_err();
            assert!(error.contains(expected), "{spec}: {error}");
        }
    }
}
