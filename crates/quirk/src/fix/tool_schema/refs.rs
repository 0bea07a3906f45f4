//! References inside a schema, and what bounds the work on one.

use super::tree::{Json, Members};

/// How many schemas may be inside each other by reference; deeper ones are cut.
const MAX_INLINED: usize = 8;

/// What a schema's parts share while it is rewritten.
pub(super) struct Context<'s> {
    /// The whole schema as the client sent it.
    root: &'s Members,
    /// Pointers that are being put in place of their reference, to notice cycles.
    inlining: Vec<String>,
    /// How many parts may still be rewritten. Branches repeat what their parent says, so a hostile schema could grow
    /// without end.
    budget: usize,
}

/// What a reference leads to.
pub(super) enum Target {
    /// A definition, under the only spelling that is accepted.
    Definition(String),
    /// Another part of the document, to be put in place.
    Part(Json),
    /// Nothing in this document, or itself.
    Nothing,
}

impl<'s> Context<'s> {
    /// For one schema.
    pub(super) fn new(root: &'s Members) -> Self {
        Self {
            root,
            inlining: Vec::new(),
            budget: 4096 + 2 * size(root),
        }
    }

    /// Whether one more part may be rewritten.
    pub(super) fn spend(&mut self) -> bool {
        self.budget = self.budget.saturating_sub(1);
        self.budget > 0
    }

    /// Where `reference` leads.
    pub(super) fn target(&self, reference: &str) -> Target {
        if reference == "#" {
            return Target::Definition("#".to_owned());
        }
        let name = ["#/$defs/", "#/definitions/"]
            .iter()
            .find_map(|head| reference.strip_prefix(head));
        if let Some(name) = name
            && !name.contains('/')
            && self.definition(name).is_some()
        {
            return Target::Definition(format!("#/$defs/{name}"));
        }
        self.part(reference)
            .map_or(Target::Nothing, |part| Target::Part(part.clone()))
    }

    /// The schema that `reference` leads to, over any number of steps.
    pub(super) fn resolved(&self, reference: &str) -> Option<&'s Members> {
        let mut reference = reference.to_owned();
        for _ in 0..MAX_INLINED {
            let members = self.part(&reference)?.as_members()?;
            match members.get("$ref").and_then(Json::as_text) {
                Some(next) => reference = next,
                None => return Some(members),
            }
        }
        None
    }

    /// Runs `work` on the part that `reference` leads to; `None` inside itself or too deep.
    pub(super) fn inside<R>(
        &mut self,
        reference: &str,
        work: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        if self.inlining.len() >= MAX_INLINED || self.inlining.iter().any(|open| open == reference)
        {
            return None;
        }
        self.inlining.push(reference.to_owned());
        let result = work(self);
        self.inlining.pop();
        Some(result)
    }

    /// Every definition by name.
    pub(super) fn definitions(&self) -> impl Iterator<Item = (&'s str, &'s Json)> + use<'s> {
        let root = self.root;
        ["$defs", "definitions"]
            .into_iter()
            .filter_map(|place| root.get(place)?.as_members())
            .flat_map(Members::iter)
            .filter(|(name, _)| !name.contains(['/', '~', '%']))
    }

    fn definition(&self, name: &str) -> Option<&'s Json> {
        self.definitions()
            .find(|(found, _)| *found == name)
            .map(|(_, schema)| schema)
    }

    /// Follows a JSON Pointer in a URI fragment (RFC 6901).
    fn part(&self, reference: &str) -> Option<&'s Json> {
        let mut steps = reference.strip_prefix("#/")?.split('/');
        let unescaped = |step: &str| step.replace("~1", "/").replace("~0", "~");
        let mut found = self.root.get(&unescaped(steps.next()?))?;
        for step in steps {
            found = match found {
                Json::Object(members) => members.get(&unescaped(step))?,
                Json::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                Json::Scalar(_) => return None,
            };
        }
        matches!(found, Json::Object(_)).then_some(found)
    }
}

fn size(members: &Members) -> usize {
    fn of(value: &Json) -> usize {
        match value {
            Json::Object(members) => 1 + size(members),
            Json::Array(items) => 1 + items.iter().map(of).sum::<usize>(),
            Json::Scalar(_) => 0,
        }
    }
    members.iter().map(|(_, value)| of(value)).sum()
}
