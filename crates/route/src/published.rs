//! The list of models a client may be shown.

use std::collections::BTreeSet;

use crate::alias::Alias;
use crate::resolution::{Candidate, Resolution};
use crate::resolve::{PUBLISHED_PREFIX, resolve_name};
use crate::table::{KnownModel, Model, Scope, Table};

/// One entry of `GET /v1/models`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedModel {
    /// The id to ask for; resolves.
    pub id: String,
    /// What a picker shows.
    pub display_name: String,
    /// Context window in tokens: the smallest of what may serve it, none if one is unknown.
    pub context: Option<u64>,
    /// Output limit in tokens, on the same terms.
    pub max_output: Option<u64>,
    /// Whether all that may serve it are known to think when asked.
    pub thinks: bool,
    /// Whether all that may serve it are known to read pictures.
    pub has_images: bool,
}

/// What `profile` may ask for, in the order of the file: configured models and literal aliases, the current Claude
/// ids where a route serves them, and each model that is not Claude's also as `anthropic/NAME`. Every id resolves.
#[must_use]
pub fn published(table: &Table, profile: Option<&str>) -> Vec<PublishedModel> {
    let own = profile.and_then(|profile| table.profiles.get(profile));
    let scopes: Vec<&Scope> = own.into_iter().chain([&table.global]).collect();

    let mut list = List {
        table,
        profile,
        seen: BTreeSet::new(),
        models: Vec::new(),
    };
    for model in scopes.iter().flat_map(|scope| &scope.models) {
        list.add(&model.name, model.display_name.as_deref());
    }
    for alias in scopes
        .iter()
        .flat_map(|scope| &scope.aliases)
        .filter_map(Alias::literal)
    {
        list.add(alias, None);
    }
    for claude in &table.claude {
        list.add(&claude.id, claude.display_name.as_deref());
    }
    let foreign: Vec<PublishedModel> = list
        .models
        .iter()
        .filter(|model| !is_claude(&model.id))
        .cloned()
        .collect();
    for model in foreign {
        let id = format!("{PUBLISHED_PREFIX}{}", model.id);
        // An id that already is `anthropic/...` reaches the picker as it is. One that means something else under the prefix
        // (a provider of that id) is not published.
        let candidates = |name: &str| {
            resolve_name(table, profile, name)
                .map(|found| found.candidates)
                .ok()
        };
        if !model.id.starts_with(PUBLISHED_PREFIX)
            && candidates(&id) == candidates(&model.id)
            && list.seen.insert(id.clone())
        {
            list.models.push(PublishedModel { id, ..model });
        }
    }
    list.models
}

/// The client's own naming rule: ids that hold this word are Claude's to it.
fn is_claude(id: &str) -> bool {
    id.to_ascii_lowercase().contains("claude")
}

struct List<'t> {
    table: &'t Table,
    profile: Option<&'t str>,
    seen: BTreeSet<String>,
    models: Vec<PublishedModel>,
}

impl List<'_> {
    /// Adds `id` if it resolves and is new.
    fn add(&mut self, id: &str, display_name: Option<&str>) {
        let Ok(resolution) = resolve_name(self.table, self.profile, id) else {
            return;
        };
        if !self.seen.insert(id.to_owned()) {
            return;
        }
        let configured = self.configured(&resolution);
        let display_name = display_name
            .or_else(|| configured.and_then(|model| model.display_name.as_deref()))
            .unwrap_or(id)
            .to_owned();
        let context = configured.and_then(|model| model.context);
        let max_output = configured.and_then(|model| model.max_output);
        self.models.push(PublishedModel {
            id: id.to_owned(),
            display_name,
            context: context
                .or_else(|| self.smallest(&resolution, |candidate| self.table.context(candidate))),
            max_output: max_output.or_else(|| {
                self.smallest(&resolution, |candidate| self.fact(candidate)?.max_output)
            }),
            thinks: self.all(&resolution, |fact| fact.thinks),
            has_images: self.all(&resolution, |fact| fact.has_images),
        });
    }

    fn configured(&self, resolution: &Resolution) -> Option<&Model> {
        let target = resolution.candidates.first()?.target.as_ref()?;
        self.scope(target.profile.as_deref())?
            .models
            .iter()
            .find(|model| model.name == target.model)
    }

    fn scope(&self, profile: Option<&str>) -> Option<&Scope> {
        match profile {
            None => Some(&self.table.global),
            Some(profile) => self.table.profiles.get(profile),
        }
    }

    /// None if one candidate's limit is unknown: a guess would be too large for it.
    fn smallest(
        &self,
        resolution: &Resolution,
        limit: impl Fn(&Candidate) -> Option<u64>,
    ) -> Option<u64> {
        let limits: Option<Vec<u64>> = resolution.candidates.iter().map(limit).collect();
        limits?.into_iter().min()
    }

    fn all(&self, resolution: &Resolution, holds: impl Fn(&KnownModel) -> bool) -> bool {
        let mut candidates = resolution.candidates.iter();
        candidates.all(|candidate| self.fact(candidate).is_some_and(&holds))
    }

    fn fact(&self, candidate: &Candidate) -> Option<&KnownModel> {
        let known = self.table.known.get(&*candidate.provider)?;
        known.iter().find(|known| *known.id == *candidate.model)
    }
}
