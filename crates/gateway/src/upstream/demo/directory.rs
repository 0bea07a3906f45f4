//! The client's working directory, as agents tell their models about it.

/// What stands before the path, most explicit first: each agent has its own wording.
const LEADS: [&str; 6] = [
    "working directory:",
    "working in the directory:",
    "working directory is",
    "<cwd>",
    "workspace directories:",
    "workspace directory:",
];

/// The working directory that `text` names, if it names one by an absolute path.
pub(super) fn named_in(text: &str) -> Option<String> {
    // ASCII lower case keeps every byte where it is, so positions hold in both.
    let lower = text.to_ascii_lowercase();
    LEADS.iter().find_map(|lead| {
        lower.match_indices(lead).find_map(|(at, lead)| {
            let after = text.get(at + lead.len()..)?;
            absolute_path(after)
        })
    })
}

/// `directory` and `file` as one path, in the spelling the directory has.
pub(super) fn joined(directory: &str, file: &str) -> String {
    let separator = if directory.contains('\\') { '\\' } else { '/' };
    format!("{}{separator}{file}", directory.trim_end_matches(separator))
}

/// The path that `text` begins with, behind white space and the marks of a list, of emphasis or of a quotation.
fn absolute_path(text: &str) -> Option<String> {
    let path = text.trim_start_matches([' ', '\t', '\r', '\n', '-', '*', '`', '"', '\'']);
    let quote = text
        .get(..text.len() - path.len())?
        .chars()
        .next_back()
        .filter(|mark| matches!(mark, '`' | '"' | '\''));
    if !is_absolute(path) {
        return None;
    }
    let line = path.lines().next()?;
    let end = match quote {
        Some(mark) => line.find(mark),
        None => line.find('<').or_else(|| line.find(". ")),
    };
    let path = line.get(..end.unwrap_or(line.len()))?.trim_end();
    let path = if quote.is_none() {
        path.trim_end_matches(['.', ','])
    } else {
        path
    };
    Some(path.to_owned())
}

fn is_absolute(path: &str) -> bool {
    match path.as_bytes() {
        [b'/', ..] => true,
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_is_understood() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(named_in(text).as_deref(), expected, "{text}")
        };
        check(
            "# Environment\n - Primary working directory: /home/a/my code\n - Shell: bash",
            Some("/home/a/my code"),
        );
        check(
            "<env>\n  Working directory: /srv/x\n  Is directory a git repo: no\n</env>",
            Some("/srv/x"),
        );
        check(
            "I'm currently working in the directory: /srv/x\nHere is",
            Some("/srv/x"),
        );
        check(
            "The current working directory is `/srv/x.y`. Use it.",
            Some("/srv/x.y"),
        );
        check(
            "The current working directory is /srv/x. Use it.",
            Some("/srv/x"),
        );
        check(
            "<environment_context>\n  <cwd>/srv/x</cwd>\n",
            Some("/srv/x"),
        );
        check("- **Workspace Directories:**\n  - /srv/x\n", Some("/srv/x"));
        check(
            "Working directory: C:\\Users\\a\nPlatform: win32",
            Some("C:\\Users\\a"),
        );
        check(
            "The working directory is kept between commands. /tmp is not.",
            None,
        );
        check("Additional working directories:\n - /srv/y", None);
        check("Working directory: ../up", None);
        check("", None);
    }

    #[test]
    fn a_file_goes_into_it() {
        assert_eq!(joined("/srv/x", "f.md"), "/srv/x/f.md");
        assert_eq!(joined("/srv/x/", "f.md"), "/srv/x/f.md");
        assert_eq!(joined("/", "f.md"), "/f.md");
        assert_eq!(joined("C:\\a", "f.md"), "C:\\a\\f.md");
    }
}
