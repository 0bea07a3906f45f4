//! `.env` files: `NAME=value` lines, with comments, quotes and `export`.

/// The variables, in the order of the file. A line that is none is left out.
pub(super) fn variables(text: &str) -> Vec<(String, String)> {
    text.lines().filter_map(variable).collect()
}

fn variable(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = value.get(1..).unwrap_or_default();
            let inner = inner.rfind(quote).and_then(|end| inner.get(..end));
            let inner = inner.unwrap_or(value);
            if quote == '"' {
                inner.replace("\\n", "\n").replace("\\\"", "\"")
            } else {
                inner.to_owned()
            }
        }
        _ => value
            .split_once(" #")
            .map_or(value, |(value, _)| value.trim_end())
            .to_owned(),
    };
    Some((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, expected) in [
            ("A=b", Some(("A", "b"))),
            (" export A = b c # d", Some(("A", "b c"))),
            ("A=\"b # c\" # d", Some(("A", "b # c"))),
            ("A='b\\n'", Some(("A", "b\\n"))),
            ("A=\"b\\nc\"", Some(("A", "b\nc"))),
            ("A=", Some(("A", ""))),
            ("A={\"x\":\"y=z\"}", Some(("A", "{\"x\":\"y=z\"}"))),
            ("# A=b", None),
            ("A b", None),
            ("A-B=c", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(variable(line), expected, "{line}");
        }
    }
}
