//! Which quirks one upstream gets, and running them.

use std::sync::Arc;

use lingate_wire::turn::{Event, Failure, Params, Turn};

use crate::changes::Watch;
use crate::fix::{
    forced_call, mandatory_reasoning, output_limit_retry, reasoning_history, tool_names,
};
use crate::list::LIST;
use crate::prompt_tools;
use crate::quirk::{EventStage, Quirk, Repair, Target};
use crate::shape;
use crate::state::State;
use crate::text::Asked;

/// Finds the quirks of one upstream among the `declared` names of quirks and groups.
///
/// A quirk's own name always brings it; a group brings those of its quirks that are meant for the model. Both only on
/// the quirk's wire.
#[must_use]
pub fn select(declared: &[String], target: &Target<'_>) -> Selection {
    let is_declared = |name: &str| declared.iter().any(|declared| declared == name);
    let is_selected = |quirk: &&Quirk| {
        quirk.wire == target.wire
            && (is_declared(quirk.name)
                || (quirk.groups.iter().any(|group| is_declared(group)) && (quirk.applies)(target)))
    };
    let is_known = |name: &String| {
        LIST.iter()
            .any(|quirk| quirk.name == name || quirk.groups.contains(&name.as_str()))
    };
    Selection {
        quirks: LIST.iter().copied().filter(is_selected).collect(),
        unknown: declared
            .iter()
            .filter(|name| !is_known(name))
            .cloned()
            .collect(),
        target: OwnedTarget {
            provider: target.provider.to_owned(),
            host: target.host.to_owned(),
            model: target.model.to_owned(),
            wire: target.wire,
        },
    }
}

/// The quirks of one upstream, in the order of the list.
#[derive(Debug, Clone)]
pub struct Selection {
    quirks: Vec<&'static Quirk>,
    unknown: Vec<String>,
    target: OwnedTarget,
}

#[derive(Debug, Clone)]
struct OwnedTarget {
    provider: String,
    host: String,
    model: String,
    wire: lingate_wire::Wire,
}

impl Selection {
    /// Declared names that are neither a quirk nor a group.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The selected quirks.
    pub fn quirks(&self) -> impl Iterator<Item = &'static Quirk> {
        self.quirks.iter().copied()
    }

    /// Whether any of them changes requests or replies, or reads failures, so that even a request on the upstream's own wire
    /// is decoded.
    /// Spellings and retries after failures only matter to what is translated anyway.
    #[must_use]
    pub fn has_repairs(&self) -> bool {
        self.quirks.iter().any(|quirk| {
            let changes = quirk.request.is_some() || quirk.stage.is_some();
            (changes && !quirk.matters_to_translated_only) || quirk.recover.is_some()
        })
    }

    /// Makes a decoded request fit for the upstream: first the host's spelling, then the settings, which overrule it,
    /// then the repairs.
    pub fn apply(&self, turn: &mut Turn, params: &mut Params, state: &mut State) {
        for spelling in self.quirks.iter().filter_map(|quirk| quirk.spelling) {
            spelling(&mut state.dialect, &self.target.borrowed());
        }
        shape::apply(turn, params, state);
        let changes_requests = |quirk: &&Quirk| quirk.request.is_some();
        let is_watched = state.changes.is_some()
            && (self.quirks.iter().any(changes_requests) || state.settings.has_tools_in_prompt);
        let mut watch = is_watched.then(|| Watch::of(turn, params));
        for quirk in &self.quirks {
            if quirk
                .request
                .is_some_and(|request| request(turn, params, state))
            {
                state.hits.push(quirk.name);
                if let (Some(watch), Some(changes)) = (&mut watch, &mut state.changes) {
                    watch.changed(quirk.name, turn, params, changes);
                }
            }
        }
        state.max_tokens = params.max_tokens;
        let reads = |quirk: &&Quirk| quirk.stage.is_some() || quirk.recover.is_some();
        if self.quirks.iter().any(reads) || state.settings.has_tools_in_prompt {
            state.asked = Arc::new(Asked::of(turn, params, &state.dialect));
        }
        if prompt_tools::write(turn, params, state)
            && let (Some(watch), Some(changes)) = (&mut watch, &mut state.changes)
        {
            watch.changed(prompt_tools::NAME, turn, params, changes);
        }
    }

    /// The stages for one reply, in the order in which events pass them.
    #[must_use]
    pub fn stages(&self, state: &State) -> Vec<EventStage> {
        let mut stages: Vec<EventStage> = self
            .quirks
            .iter()
            .filter_map(|quirk| quirk.stage)
            .map(|stage| stage(state))
            .collect();
        stages.extend(prompt_tools::stage(state));
        // Last: whatever found a call knows it by the name that was sent.
        if !state.renamed.is_empty() {
            stages.push(Box::new(tool_names::Restore::new(state.renamed.clone())));
        }
        stages
    }

    /// The reply that `failure` holds after all, as events, and the name of the quirk that found it.
    #[must_use]
    pub fn recovered(
        &self,
        failure: &Failure,
        state: &State,
    ) -> Option<(Vec<Event>, &'static str)> {
        self.quirks.iter().find_map(|quirk| {
            let events = quirk.recover?(failure, &self.target.borrowed(), state)?;
            Some((events, quirk.name))
        })
    }

    /// What one retry should do differently after `failure`; `None` if nothing would help.
    #[must_use]
    pub fn on_failure(&self, failure: &Failure, state: &State) -> Option<Repair> {
        self.quirks
            .iter()
            .filter_map(|quirk| quirk.on_failure)
            .find_map(|on_failure| on_failure(failure, state))
            .or_else(|| reasoning_history::asked_for(failure, state))
            .or_else(|| output_limit_retry::repair(failure, state))
            .or_else(|| mandatory_reasoning::asked_for(failure, state))
            .or_else(|| forced_call::asked_for(failure, state))
    }
}

impl OwnedTarget {
    fn borrowed(&self) -> Target<'_> {
        Target {
            provider: &self.provider,
            host: &self.host,
            model: &self.model,
            wire: self.wire,
        }
    }
}
