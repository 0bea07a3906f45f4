//! Which tool a call means, whatever its header says (R3).

use super::asked::Asked;

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A name: declared, or at least well formed.
    Known(String),
    /// Nothing that names a tool: the arguments have to tell.
    BySchema,
}

/// Reads the header of a call: `functions.NAME:INDEX` by the book.
///
/// A declared name always wins. A well-formed one that nobody declared passes: the client tells the model that there is
/// no such tool, which corrects it. Without an index only declared names count, since ids of other makes look alike.
pub(crate) fn resolve(header: &str, asked: &Asked) -> Name {
    let header = header.trim();
    if asked.declares(header) {
        return Name::Known(header.to_owned());
    }
    let rest = header.strip_prefix("functions.").unwrap_or(header);
    if let Some(name) = declared(rest, asked) {
        return Name::Known(name.to_owned());
    }
    let numbered = rest
        .rsplit_once(':')
        .filter(|(name, index)| !name.is_empty() && is_number(index));
    if let Some((name, _)) = numbered {
        return match declared(name, asked) {
            Some(name) => Name::Known(name.to_owned()),
            None if is_foreign(name) => Name::BySchema,
            None => Name::Known(name.to_owned()),
        };
    }
    let other_index = rest
        .rsplit_once(['.', '_', '-'])
        .filter(|(name, index)| is_number(index) && asked.declares(name));
    match other_index {
        Some((name, _)) => Name::Known(name.to_owned()),
        None => Name::BySchema,
    }
}

/// Reads a name that stands alone, without an index, so that it may be undeclared as it is. `None`: no name looks like this.
pub(crate) fn spoken(name: &str, asked: &Asked) -> Option<Name> {
    let name = name.trim();
    if asked.declares(name) {
        return Some(Name::Known(name.to_owned()));
    }
    // What follows is a token that a host took for a part of the name: `Bash<|channel|>commentary`.
    let (name, _) = name.split_once("<|").unwrap_or((name, ""));
    if name.is_empty() || !name.chars().all(is_letter) {
        return None;
    }
    Some(match resolve(name, asked) {
        Name::BySchema if !is_foreign(bare(name)) => Name::Known(bare(name).to_owned()),
        meant => meant,
    })
}

/// A letter of a name, or of what stands for one.
pub(crate) fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':' | '/' | '-')
}

impl Name {
    /// The name, or nothing where the arguments have to tell.
    pub(crate) fn known(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::BySchema => "",
        }
    }
}

/// A header without what surrounds the name.
pub(crate) fn bare(header: &str) -> &str {
    let header = header.trim();
    let rest = header.strip_prefix("functions.").unwrap_or(header);
    match rest.rsplit_once(':') {
        Some((name, index)) if is_number(index) => name,
        _ => rest,
    }
}

/// The name itself, or what stands behind its last dot.
fn declared<'n>(name: &'n str, asked: &Asked) -> Option<&'n str> {
    let last = name.rsplit_once('.').map(|(_, last)| last);
    [Some(name), last]
        .into_iter()
        .flatten()
        .find(|name| asked.declares(name))
}

/// Ids of other makes, copied from the history, and numbers.
pub(crate) fn is_foreign(name: &str) -> bool {
    name.is_empty()
        || is_number(name)
        || ["call_", "toolu_", "chatcmpl-tool"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_tools_in_many_ways() {
        let asked = Asked::declaring("mcp__a-b__c.d", "{}");
        let check = |header: &str, expected: &str| {
            let found = match resolve(header, &asked) {
                Name::Known(name) => name,
                Name::BySchema => "?".to_owned(),
            };
            assert_eq!(found, expected, "{header}");
        };
        for header in [
            "mcp__a-b__c.d",
            "functions.mcp__a-b__c.d:12",
            " mcp__a-b__c.d:0\n",
        ] {
            check(header, "mcp__a-b__c.d");
        }
        check("functions.Other:0", "Other");
        check("functions.a:b:0", "a:b");
        for unnamed in [
            "",
            "15",
            ":0",
            "15:0",
            "functions.15:1",
            "call_1:0",
            "toolu_x",
            "Other",
            "Other.0",
            "Other:x",
        ] {
            check(unnamed, "?");
        }
        let asked = Asked::declaring("Read", "{}");
        let check = |header: &str| {
            assert_eq!(
                resolve(header, &asked),
                Name::Known("Read".to_owned()),
                "{header}"
            )
        };
        for header in [
            "Read",
            "functions.Read",
            "functions.Read.0",
            "Read_7",
            "Read-12",
            "default_api.Read:0",
            "a.Read",
        ] {
            check(header);
        }
    }
}
