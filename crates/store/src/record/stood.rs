//! What a replay has to know of an exchange besides its bodies: what stood then, and can be read nowhere else.
//!
//! A replay runs the same requests and replies through the gateway of today. Everything that the gateway minted derives
//! from the exchange's id; here is the rest: what it had learnt, where it stood, and how the network behaved. Members that
//! are usual are left out of the JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stood then. Empty in records of older versions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stood {
    /// Of the query, the pairs that decide how the answer is framed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What the attempts met, by their numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Met>,
    /// Why no attempt was made, or none any more, when it was no attempt's fault: no room, no budget, nobody well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Fault>,
    /// Seconds until the first limit of all who could be asked was over, where the client was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_s: Option<u64>,
}

/// What an attempt met.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Met {
    /// Its number, from 1.
    pub attempt: u16,
    /// The configured target it went to; none for `provider/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<MetTarget>,
    /// The model's name in the configuration, where it is sent under another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Repairs that the upstream was known to need, as `name` or `name:number`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<String>,
    /// The conversation was known to have moved here without the thinking of another upstream.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Input tokens by bytes alone, and as corrected by what was learnt, where that is another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<(u64, u64)>,
    /// When its request began to be sent, in microseconds since accept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_us: Option<u64>,
    /// When the reply's head was there, in microseconds since accept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_us: Option<u64>,
    /// Where a redirect led to, without its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// When the reply's body had ended, in microseconds since accept; none if nobody saw its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_us: Option<u64>,
    /// Why no head came, or, behind a head, how the body broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A target of a configured model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MetTarget {
    /// The profile that holds the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The model's name.
    pub model: String,
    /// The target's place in its list.
    pub index: usize,
}

/// A failure that the state of things raised, and no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fault {
    /// The class of it, as in the row's `error_kind`.
    pub kind: String,
    /// What was told.
    pub message: String,
    /// The upstream's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds until trying again can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Whether the client may try again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub should_retry: Option<bool>,
    /// Microseconds since accept.
    pub at_us: u64,
}

impl Stood {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stood: &Stood, expected: &str) {
        let json = serde_json::to_string(stood).unwrap();
        assert_eq!(json, expected);
        let back: Stood = serde_json::from_str(&json).unwrap();
        assert_eq!(back, *stood);
    }

    #[test]
    fn what_is_usual_takes_no_room() {
        check(&Stood::default(), "{}");
        assert!(Stood::default().is_empty());
        let met = Met {
            attempt: 1,
            head_us: Some(7),
            end_us: Some(9),
            ..Met::default()
        };
        let stood = Stood {
            attempts: vec![met],
            ..Stood::default()
        };
        assert!(!stood.is_empty());
        check(
            &stood,
            r#"{"attempts":[{"attempt":1,"head_us":7,"end_us":9}]}"#,
        );
    }

    #[test]
    fn members_of_other_versions_are_no_fault() {
        let stood: Stood = serde_json::from_str(r#"{"of_tomorrow":1}"#).unwrap();
        assert!(stood.is_empty());
    }
}
