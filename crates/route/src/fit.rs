//! Who of those that a name leads to can take the request: what it brings, held against what is known of each target.
//!
//! Unknown counts as enough, because an upstream knows itself better than we do. A target that cannot take the request
//! is left out with the reason; if none can, the request goes where the model's settings say (`images = "route:MODEL"`,
//! `overflow`), and where they say nothing it goes out as it is: the upstream's own words, or a placeholder, tell the
//! client more than a guess of ours.

use std::fmt;

use crate::ask::Ask;
use crate::resolution::{Candidate, Resolution, Step, Unresolved};
use crate::resolve::{resolve, resolve_name};
use crate::table::Table;

/// What a target cannot take of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It reads no images.
    Images,
    /// It reads no documents.
    Documents,
    /// A tool that only its own provider runs, and nothing else to call.
    Tool {
        /// The tool's name.
        name: String,
    },
    /// The conversation is longer than its context.
    Context {
        /// Input tokens as estimated.
        tokens: u64,
        /// The target's context in tokens.
        context: u64,
    },
}

/// What is known of targets, and where their models' settings send what they cannot take.
pub trait Facts {
    /// What a target cannot take of the request, if anything. `is_alone`: nobody else is considered, so that only what a
    /// model's settings have a remedy for need be looked at.
    fn unfit(&self, candidate: &Candidate, is_alone: bool) -> Option<Unfit>;
    /// The model that gets images in its place (`images = "route:MODEL"`).
    fn images_route(&self, candidate: &Candidate) -> Option<&str>;
    /// The model that gets what does not fit its context (`overflow`).
    fn overflow(&self, candidate: &Candidate) -> Option<&str>;
}

/// Who serves a request, and who does not although its name leads there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitting {
    /// The way, and those who can take the request; never empty.
    pub resolution: Resolution,
    /// Those who cannot, in the order in which they were considered.
    pub left_out: Vec<LeftOut>,
}

/// A target that the request is kept from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The target.
    pub candidate: Candidate,
    /// What it cannot take.
    pub unfit: Unfit,
}

impl Unfit {
    /// The word for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Documents => "documents",
            Self::Tool { .. } => "tool",
            Self::Context { .. } => "context",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images => f.write_str("the request holds images, which it does not read"),
            Self::Documents => f.write_str("the request holds documents, which it does not read"),
            Self::Tool { name } => {
                write!(
                    f,
                    "the request is for the tool `{name}`, which it does not have"
                )
            }
            Self::Context { tokens, context } => {
                write!(
                    f,
                    "about {tokens} tokens do not fit its context of {context}"
                )
            }
        }
    }
}

/// Resolves the model a request asked for, to those who can take the request.
///
/// # Errors
/// If nothing serves the name; names the nearest ones.
pub fn resolve_fitting(
    table: &Table,
    ask: &Ask<'_>,
    facts: &dyn Facts,
) -> Result<Fitting, Unresolved> {
    Ok(fitted(table, ask.profile, resolve(table, ask)?, facts))
}

/// Of those that a name leads to, the ones who can take the request; if there are none, those of the model that stands
/// in for them.
#[must_use]
pub fn fitted(
    table: &Table,
    profile: Option<&str>,
    mut resolution: Resolution,
    facts: &dyn Facts,
) -> Fitting {
    let mut left_out = Vec::new();
    // Each model stands in once: settings may lead in circles.
    let mut gone_to: Vec<String> = Vec::new();
    loop {
        let is_alone = resolution.candidates.len() == 1;
        if let [only] = &*resolution.candidates
            && facts.unfit(only, is_alone).is_none()
        {
            break;
        }
        let judged: Vec<(Candidate, Option<Unfit>)> = resolution
            .candidates
            .drain(..)
            .map(|candidate| {
                let unfit = facts.unfit(&candidate, is_alone);
                (candidate, unfit)
            })
            .collect();
        if judged.iter().any(|(_, unfit)| unfit.is_none()) {
            keep(judged, Option::is_none, &mut resolution, &mut left_out);
            break;
        }
        let elsewhere = stand_in(&judged, facts).and_then(|step| {
            let to = step.destination()?.to_owned();
            let is_new = !gone_to.contains(&to);
            let found = resolve_name(table, profile, &to).ok().filter(|_| is_new)?;
            Some((step, to, found))
        });
        let Some((step, to, found)) = elsewhere else {
            // Without its only tool the model would answer as if it had used it; everything else has a lesser remedy.
            let is_tool = |unfit: &Option<Unfit>| matches!(unfit, Some(Unfit::Tool { .. }));
            let all_tools = judged.iter().all(|(_, unfit)| is_tool(unfit));
            let keeps = |unfit: &Option<Unfit>| all_tools || !is_tool(unfit);
            keep(judged, keeps, &mut resolution, &mut left_out);
            break;
        };
        keep(judged, |_| false, &mut resolution, &mut left_out);
        gone_to.push(to);
        resolution.steps.push(step);
        resolution.steps.extend(found.steps);
        resolution.candidates = found.candidates;
    }
    // What went in a circle is back where it was left out.
    left_out.retain(|left| !resolution.candidates.contains(&left.candidate));
    Fitting {
        resolution,
        left_out,
    }
}

/// Where the settings of the first that says so send what nobody here can take.
fn stand_in(judged: &[(Candidate, Option<Unfit>)], facts: &dyn Facts) -> Option<Step> {
    let images = judged.iter().find_map(|(candidate, unfit)| {
        let to = facts.images_route(candidate)?;
        matches!(unfit, Some(Unfit::Images)).then(|| Step::Images { to: to.to_owned() })
    });
    images.or_else(|| {
        judged.iter().find_map(|(candidate, unfit)| {
            let to = facts.overflow(candidate)?;
            let is_context = matches!(unfit, Some(Unfit::Context { .. }));
            is_context.then(|| Step::Overflow { to: to.to_owned() })
        })
    })
}

fn keep(
    judged: Vec<(Candidate, Option<Unfit>)>,
    keeps: impl Fn(&Option<Unfit>) -> bool,
    resolution: &mut Resolution,
    left_out: &mut Vec<LeftOut>,
) {
    for (candidate, unfit) in judged {
        match unfit {
            Some(unfit) if !keeps(&Some(unfit.clone())) => {
                left_out.push(LeftOut { candidate, unfit });
            }
            Some(_) | None => resolution.candidates.push(candidate),
        }
    }
}
