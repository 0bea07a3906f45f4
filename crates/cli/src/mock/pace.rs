//! How fast what was recorded is played.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A speed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// So many times as fast as it came.
    Times(f64),
    /// Without any pause.
    Max,
}

impl Pace {
    /// What a pause of this length becomes.
    pub(super) fn of(self, pause: Duration) -> Duration {
        match self {
            Self::Times(times) => {
                Duration::try_from_secs_f64(pause.as_secs_f64() / times).unwrap_or(Duration::ZERO)
            }
            Self::Max => Duration::ZERO,
        }
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text
            .parse()
            .ok()
            .filter(|times| (0.001..=1e6).contains(times));
        times.map(Self::Times).ok_or_else(|| {
            "write 1 for the recorded speed, 10 for ten times that, or `max`".to_owned()
        })
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => times.fmt(f),
            Self::Max => f.write_str("max"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_at_every_speed() {
        for (text, expected) in [("1", 100), ("10", 10), ("0.5", 200), ("max", 0)] {
            let pace: Pace = text.parse().unwrap();
            assert_eq!(
                pace.of(Duration::from_millis(100)),
                Duration::from_millis(expected)
            );
            assert_eq!(pace.to_string(), text);
        }
        for text in ["0", "-1", "fast", "inf", ""] {
            text.parse::<Pace>().unwrap_err();
        }
    }
}
