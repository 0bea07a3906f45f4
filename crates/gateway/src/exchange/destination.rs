//! Where a request goes: those that its name leads to, less those who cannot take it.
//!
//! What a request holds is only looked at as far as somebody's answer depends on it: most requests are neither searched
//! for pictures nor measured.

use std::cell::OnceCell;

use lingate_config::{Config, Images, Modality};
use lingate_route::{
    Candidate, Facts, Fitting, Resolution, Step, Table, Unfit, fitted, resolve_name,
};
use lingate_wire::bridge;
use lingate_wire::turn::{Failure, FailureKind};

use super::asked::Asked;
use super::upstream::resolution;
use crate::lane::calibration::Factors;
use crate::lane::estimate;
use crate::tokens::Size;

/// Fewer bytes than this many times a context never exceed it.
const LEAST_BYTES_PER_TOKEN: u64 = 2;

/// Who serves a request, in order, the way there, and who was left out.
///
/// # Errors
/// If nothing serves the model's name.
pub(crate) fn destination(
    config: &Config,
    table: &Table,
    learnt: &Factors,
    asked: &Asked,
) -> Result<Fitting, Failure> {
    let resolution = resolution(table, asked)?;
    let known = Known::of(config, learnt, asked);
    let profile = asked.profile.as_deref();
    Ok(fitted(table, profile, resolution, &known))
}

/// Who has room for a conversation that was refused as too long, last by the last of `refused`: others of its model with
/// a larger context, else the model of its `overflow`. `None` if nobody is known to.
pub(crate) fn roomier(
    config: &Config,
    table: &Table,
    learnt: &Factors,
    asked: &Asked,
    candidates: &[Candidate],
    refused: &[Candidate],
    overflow: &Failure,
) -> Option<Fitting> {
    let FailureKind::ContextOverflow { tokens, maximum } = overflow.kind else {
        return None;
    };
    let failed = refused.last()?;
    let known = Known::of(config, learnt, asked);
    let context = maximum.or_else(|| table.context(failed));
    let least = tokens.max(context);
    let mut steps = Vec::new();
    let larger = |candidate: &&Candidate| {
        let context = table.context(candidate);
        least.is_some() && context > least && !refused.contains(candidate)
    };
    let mut found: Vec<Candidate> = candidates.iter().filter(larger).cloned().collect();
    if found.is_empty() {
        let to = known.overflow(failed)?.to_owned();
        let elsewhere = resolve_name(table, asked.profile.as_deref(), &to).ok()?;
        steps.push(Step::Overflow { to });
        steps.extend(elsewhere.steps);
        found = elsewhere.candidates;
        // Settings may lead in circles.
        found.retain(|candidate| !refused.contains(candidate));
    }
    if found.is_empty() {
        return None;
    }
    let resolution = Resolution {
        steps,
        candidates: found,
    };
    let mut fitting = fitted(table, asked.profile.as_deref(), resolution, &known);
    let candidates = &mut fitting.resolution.candidates;
    candidates.retain(|candidate| !refused.contains(candidate));
    (!candidates.is_empty()).then_some(fitting)
}

/// What the configuration knows of targets, for one request.
struct Known<'a> {
    config: &'a Config,
    learnt: &'a Factors,
    asked: &'a Asked,
    size: OnceCell<Option<Size>>,
}

impl<'a> Known<'a> {
    fn of(config: &'a Config, learnt: &'a Factors, asked: &'a Asked) -> Self {
        Self {
            config,
            learnt,
            asked,
            size: OnceCell::new(),
        }
    }

    /// Whether the target is known not to read this.
    fn lacks(&self, candidate: &Candidate, modality: Modality) -> bool {
        let own = self.config.model_settings(candidate);
        let own = own.and_then(|own| own.input.as_deref());
        let input = own.or_else(|| {
            let provider = self.config.provider(&candidate.provider)?;
            let facts = provider.model_facts(&candidate.model)?;
            (!facts.input.is_empty()).then_some(&*facts.input)
        });
        input.is_some_and(|input| !input.contains(&modality))
    }

    /// The tool without which the request is nothing, if the target's wire does not have it.
    fn missing_tool(&self, candidate: &Candidate) -> Option<Unfit> {
        if !self.asked.has_only_hosted_tools() {
            return None;
        }
        let provider = self.config.provider(&candidate.provider)?;
        let wire = provider.wire_for(self.asked.wire);
        let decoded = self.asked.decoded().ok()?;
        let tool =
            bridge::unservable_tools(wire, &decoded.turn).filter(|_| wire != self.asked.wire)?;
        Some(Unfit::Tool {
            name: tool.name.decode().into_owned(),
        })
    }

    fn overlong(&self, candidate: &Candidate) -> Option<Unfit> {
        let context = self.config.routes.context(candidate)?;
        let bytes = self.asked.doc.body().len() as u64;
        if bytes <= context.saturating_mul(LEAST_BYTES_PER_TOKEN) {
            return None;
        }
        let size = self.size.get_or_init(|| {
            let decoded = self.asked.decoded().ok()?;
            Some(estimate::size(decoded))
        });
        let tokens = self
            .learnt
            .applied(&candidate.provider, &candidate.model, (*size)?);
        (tokens > context).then_some(Unfit::Context { tokens, context })
    }
}

impl Facts for Known<'_> {
    fn unfit(&self, candidate: &Candidate, is_alone: bool) -> Option<Unfit> {
        let has_choice = !is_alone;
        if has_choice && let Some(missing) = self.missing_tool(candidate) {
            return Some(missing);
        }
        let routes_images = self.images_route(candidate).is_some();
        if (has_choice || routes_images)
            && self.lacks(candidate, Modality::Image)
            && self.asked.has_image()
        {
            return Some(Unfit::Images);
        }
        if has_choice && self.lacks(candidate, Modality::Document) && self.asked.has_document() {
            return Some(Unfit::Documents);
        }
        if has_choice || self.overflow(candidate).is_some() {
            return self.overlong(candidate);
        }
        None
    }

    fn images_route(&self, candidate: &Candidate) -> Option<&str> {
        match &self.config.model_settings(candidate)?.images {
            Images::Route(to) => Some(to),
            Images::Omit => None,
        }
    }

    fn overflow(&self, candidate: &Candidate) -> Option<&str> {
        self.config.model_settings(candidate)?.overflow.as_deref()
    }
}
