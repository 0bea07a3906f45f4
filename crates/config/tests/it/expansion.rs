//! `${VAR}`, `${VAR:-default}`, `${file:PATH}` and `~/`.

use crate::support::{environment, load_in};

/// What `record.prices` becomes, a key that takes any text.
fn expanded(text: &str) -> Result<Option<String>, String> {
    let environment = environment(&[("A", "one"), ("B", "${A}"), ("EMPTY", "")])
        .with_file("/run/key", "from file\n")
        .with_file("/home/user/key", "from home");
    let text = format!("[record]\nprices = '{text}'\n");
    load_in(&text, &environment).map(|config| config.record.prices)
}

#[test]
fn references() {
    for (text, expected) in [
        ("plain", Some("plain")),
        ("${A}", Some("one")),
        ("x${A}y${A}", Some("xoneyone")),
        ("${NONE:-two}", Some("two")),
        ("${A:-two}", Some("one")),
        ("${EMPTY:-two}", Some("two")),
        ("${NONE:-}", None),
        ("${NONE:-${A}/x}", Some("one/x")),
        ("${NONE:-{}}", Some("{}")),
        // A value is taken as it is.
        ("${B}", Some("${A}")),
        ("${file:/run/key}", Some("from file")),
        ("${file:~/key}", Some("from home")),
        ("$${A}", Some("${A}")),
        ("$A {A} $", Some("$A {A} $")),
    ] {
        assert_eq!(
            expanded(text).map_err(|problems| panic!("{problems}")),
            Ok(expected.map(str::to_owned)),
            "{text}"
        );
    }
}

#[test]
fn references_that_fail() {
    for (text, expected) in [
        ("${NONE}", "environment variable `NONE` is not set"),
        ("${EMPTY}", "environment variable `EMPTY` is not set"),
        ("${NONE:-${ALSO}}", "environment variable `ALSO` is not set"),
        ("${A", "`${` without a closing `}`"),
        ("${}", "`` is not a variable's name"),
        ("${1A}", "`1A` is not a variable's name"),
        ("${file:/none}", "cannot read `/none`"),
    ] {
        let problems = expanded(text).expect_err(text);
        let expected = format!("lingate.toml:2: `record.prices`: {expected}");
        assert!(problems.starts_with(&expected), "{text}: {problems}");
    }
}

#[test]
fn home() {
    let environment = environment(&[("DATA", "/data")]);
    for (dir, expected) in [
        ("~/x", "/home/user/x"),
        ("${NONE:-~/x}/y", "/home/user/x/y"),
        ("${DATA}/x", "/data/x"),
        ("", "/home/user/.local/share/lingate"),
    ] {
        let config = load_in(&format!("[record]\ndir = \"{dir}\"\n"), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(
            config.record.dir.as_deref(),
            Some(expected.as_ref()),
            "{dir}"
        );
    }
}
