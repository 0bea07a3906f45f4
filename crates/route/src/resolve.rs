//! From the asked name to the upstreams that may serve it, in order.

use crate::alias::Alias;
use crate::ask::{Ask, Class};
use crate::nearest::nearest;
use crate::resolution::{Candidate, Cause, Resolution, Step, TargetRef, Unresolved};
use crate::table::{Model, Scope, Table};

/// Resolves the model a request asked for.
///
/// # Errors
/// If nothing serves the name; names the nearest ones.
pub fn resolve(table: &Table, ask: &Ask<'_>) -> Result<Resolution, Unresolved> {
    let mut search = Search::new(table, ask.profile, ask.model);
    if let Some((index, rule)) = (0..)
        .zip(&table.rules)
        .find(|(_, rule)| rule.when.matches(ask))
    {
        search.steps.push(Step::Rule {
            number: index + 1,
            to: rule.to.clone(),
        });
        return search.follow(&rule.to);
    }
    if let Some(small) = search.small()
        && (ask.class)() == Class::Auxiliary
    {
        search.steps.push(Step::Small {
            to: small.to_owned(),
        });
        return search.follow(small);
    }
    search.asked()
}

/// Resolves a bare name as a request without headers or tools would: what configuration checks, `overflow` and
/// `images = "route:MODEL"` use. Rules are not looked at.
///
/// # Errors
/// If nothing serves the name.
pub fn resolve_name(
    table: &Table,
    profile: Option<&str>,
    name: &str,
) -> Result<Resolution, Unresolved> {
    Search::new(table, profile, name).asked()
}

/// Whether what a rule, an alias, `default`, `small` or `overflow` says leads to something. A `*` that an alias
/// fills in is tried with a made-up name.
///
/// # Errors
/// If it leads to nothing, or in circles.
pub fn check_destination(
    table: &Table,
    profile: Option<&str>,
    to: &str,
) -> Result<Resolution, Unresolved> {
    let to_any = if to.ends_with("/*") {
        to.to_owned()
    } else {
        to.replace('*', "x")
    };
    Search::new(table, profile, to).follow(&to_any)
}

/// Claude Code adds this to a model's id to say that its window is a million tokens; no API knows it.
const WINDOW_SUFFIX: &str = "[1m]";
/// The prefix under which models that are not Claude's are published to Claude Code's picker.
pub(crate) const PUBLISHED_PREFIX: &str = "anthropic/";
/// What Claude Code asks for in the background; `small` serves it like an alias of this pattern.
const SMALL_PREFIX: &str = "claude-haiku-";
/// Aliases of aliases: deeper than anyone needs, and a bound whatever the table holds.
const MAX_HOPS: usize = 8;

/// One resolution under way.
struct Search<'t> {
    table: &'t Table,
    profile: Option<(&'t str, &'t Scope)>,
    asked: &'t str,
    steps: Vec<Step>,
}

impl<'t> Search<'t> {
    fn new<'a: 't>(table: &'t Table, profile: Option<&str>, asked: &'a str) -> Self {
        let profile = profile.and_then(|profile| table.profiles.get_key_value(profile));
        Self {
            table,
            profile: profile.map(|(name, scope)| (name.as_str(), scope)),
            asked,
            steps: Vec::new(),
        }
    }

    /// The profile's own entries first, then the global ones; other profiles' never.
    fn scopes(&self) -> impl Iterator<Item = (Option<&'t str>, &'t Scope)> + use<'t> {
        let own = self.profile.map(|(name, scope)| (Some(name), scope));
        own.into_iter().chain([(None, &self.table.global)])
    }

    fn small(&self) -> Option<&'t str> {
        self.scopes().find_map(|(_, scope)| scope.small.as_deref())
    }

    /// Resolves the asked name itself, down to the default.
    fn asked(mut self) -> Result<Resolution, Unresolved> {
        if let Some(candidates) = self.named(self.asked)? {
            return Ok(self.done(candidates));
        }
        if let Some((pattern, to)) = self.alias(self.asked) {
            self.steps.push(Step::Alias {
                pattern,
                to: to.clone(),
            });
            return self.follow(&to);
        }
        if self.asked.starts_with(SMALL_PREFIX)
            && let Some(small) = self.small()
        {
            self.steps.push(Step::Small {
                to: small.to_owned(),
            });
            return self.follow(small);
        }
        match self
            .scopes()
            .find_map(|(_, scope)| scope.default.as_deref())
        {
            Some(default) => {
                self.steps.push(Step::Default {
                    to: default.to_owned(),
                });
                self.follow(default)
            }
            None => Err(self.fail(Cause::Unknown)),
        }
    }

    /// Resolves what a rule, an alias or the default stands for. The default is not tried again: a dead end is a
    /// mistake in the table, not another unknown name.
    fn follow(mut self, to: &str) -> Result<Resolution, Unresolved> {
        let mut name = to.to_owned();
        for _ in 0..MAX_HOPS {
            if let Some(provider) = name.strip_suffix("/*") {
                let kept = bare(self.asked).to_owned();
                let kept = kept
                    .strip_prefix(&format!("{provider}/"))
                    .unwrap_or(&kept)
                    .to_owned();
                name = format!("{provider}/{kept}");
            }
            if let Some(candidates) = self.named(&name)? {
                return Ok(self.done(candidates));
            }
            let Some((pattern, next)) = self.alias(&name) else {
                return Err(self.fail(Cause::DeadEnd(name)));
            };
            self.steps.push(Step::Alias {
                pattern,
                to: next.clone(),
            });
            name = next;
        }
        Err(self.fail(Cause::Loop(name)))
    }

    /// A configured model, or `provider/model`. `Ok(None)` if the name is neither.
    fn named(&mut self, name: &str) -> Result<Option<Vec<Candidate>>, Unresolved> {
        if let Some((profile, model)) = self.model(name) {
            self.steps.push(Step::Model {
                name: model.name.clone(),
            });
            let candidates = self.targets(profile, model);
            if candidates.is_empty() {
                return Err(self.failure(Cause::Disabled));
            }
            return Ok(Some(candidates));
        }
        let Some((provider, model)) = name.split_once('/') else {
            return Ok(None);
        };
        let Some(provider) = self
            .table
            .providers
            .iter()
            .find(|known| *known.id == *provider)
        else {
            return Ok(None);
        };
        self.steps.push(Step::Direct {
            provider: provider.id.clone(),
        });
        if !provider.enabled {
            return Err(self.failure(Cause::Disabled));
        }
        Ok(Some(vec![Candidate {
            provider: provider.id.clone(),
            model: bare(model).into(),
            weight: 1,
            target: None,
        }]))
    }

    fn model(&self, name: &str) -> Option<(Option<&'t str>, &'t Model)> {
        let published = name.strip_prefix(PUBLISHED_PREFIX);
        let spellings = [Some(name), Some(bare(name)), published, published.map(bare)];
        spellings.into_iter().flatten().find_map(|spelling| {
            self.scopes().find_map(|(profile, scope)| {
                let model = scope.models.iter().find(|model| *model.name == *spelling)?;
                Some((profile, model))
            })
        })
    }

    /// The most specific alias of the first scope that has a matching one. A literal alias also under its published name,
    /// which no pattern may take from it.
    fn alias(&self, name: &str) -> Option<(String, String)> {
        let published = bare(name).strip_prefix(PUBLISHED_PREFIX);
        let of_published = published.and_then(|name| {
            let aliases = self.scopes().flat_map(|(_, scope)| &scope.aliases);
            let mut literal = aliases.filter(|alias| alias.literal() == Some(name));
            let alias = literal.next()?;
            Some((
                alias.pattern(),
                best_alias(std::slice::from_ref(alias), name)?.1,
            ))
        });
        of_published.or_else(|| self.alias_of(name))
    }

    fn alias_of(&self, name: &str) -> Option<(String, String)> {
        [name, bare(name)].into_iter().find_map(|name| {
            self.scopes().find_map(|(_, scope)| {
                let (alias, to) = best_alias(&scope.aliases, name)?;
                Some((alias.pattern(), to))
            })
        })
    }

    fn targets(&self, profile: Option<&str>, model: &Model) -> Vec<Candidate> {
        let enabled = |id: &str| {
            self.table
                .providers
                .iter()
                .any(|known| *known.id == *id && known.enabled)
        };
        (0..)
            .zip(&model.targets)
            .filter(|(_, target)| enabled(&target.provider))
            .map(|(index, target)| Candidate {
                provider: target.provider.clone(),
                model: target.model.clone(),
                weight: target.weight,
                target: Some(TargetRef {
                    profile: profile.map(str::to_owned),
                    model: model.name.clone(),
                    index,
                }),
            })
            .collect()
    }

    fn done(self, candidates: Vec<Candidate>) -> Resolution {
        Resolution {
            steps: self.steps,
            candidates,
        }
    }

    fn fail(self, cause: Cause) -> Unresolved {
        self.failure(cause)
    }

    fn failure(&self, cause: Cause) -> Unresolved {
        let names: Vec<&str> = self
            .scopes()
            .flat_map(|(_, scope)| {
                let models = scope.models.iter().map(|model| &*model.name);
                models.chain(scope.aliases.iter().filter_map(Alias::literal))
            })
            .collect();
        let published = self.asked.strip_prefix(PUBLISHED_PREFIX);
        let nearest = nearest(bare(published.unwrap_or(self.asked)), names);
        Unresolved {
            asked: self.asked.to_owned(),
            cause,
            nearest: nearest.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The name without the client's window suffix.
fn bare(name: &str) -> &str {
    name.strip_suffix(WINDOW_SUFFIX).unwrap_or(name)
}

fn best_alias<'a>(aliases: &'a [Alias], name: &str) -> Option<(&'a Alias, String)> {
    let mut best: Option<(&Alias, String)> = None;
    for alias in aliases {
        let Some(to) = alias.apply(name) else {
            continue;
        };
        if best
            .as_ref()
            .is_none_or(|(best, _)| alias.specificity() > best.specificity())
        {
            best = Some((alias, to));
        }
    }
    best
}
