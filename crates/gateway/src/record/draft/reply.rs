//! What a reply amounted to.

use super::Draft;
use crate::metrics::ToolCallLabels;
use crate::relay::chain::Tally;
use crate::relay::policing::JudgedCall;
use crate::tokens::Size;

impl Draft {
    /// Calls of a reply were held against their tools' schemas.
    pub(crate) fn judged_calls(&self, calls: &[JudgedCall]) {
        for call in calls {
            let labels = ToolCallLabels {
                provider: self.provider(),
                valid: match (&call.complaint, call.was_invalid) {
                    (Some(_), _) => "no",
                    (None, true) => "repaired",
                    (None, false) => "yes",
                },
            };
            self.metrics.tool_calls.get_or_create(&labels).inc();
        }
    }

    /// What the reply amounted to.
    pub(crate) fn tally(&self, tally: &Tally) {
        let mut details = self.details();
        let wire = details.upstream_wire;
        if let Some(gathered) = &mut details.gathered {
            gathered.replied(tally, wire);
        }
        if !tally.gaps.is_empty() {
            self.series(&mut details).gaps.add(&tally.gaps);
        }
        details.usage = tally.usage.believable();
        details.summary.stop = tally.stop.or(details.summary.stop);
        let has_said = !tally.said.preview.is_empty() || !tally.said.tools.is_empty();
        if has_said && details.gathered.is_some() {
            details.summary.said = tally.said.clone();
        }
        for quirk in &tally.hits {
            if !details.quirks.iter().any(|own| own == quirk) {
                details.quirks.push((*quirk).to_owned());
            }
        }
        for case in &tally.noticed {
            if !details.noticed.contains(case) {
                details.noticed.push(case);
            }
        }
        details.losses.append(tally.losses.clone());
    }

    /// Input tokens as estimated before the upstream tells.
    pub(crate) fn set_input_estimate(&self, tokens: Size) {
        let mut details = self.details();
        details.raw_estimate = tokens;
        details.input_estimate =
            self.calibration
                .bytes
                .applied(&details.provider, &details.upstream_model, tokens);
    }
}
