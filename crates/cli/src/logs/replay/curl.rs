//! `--output curl`: commands that a shell can run, without a secret in them.

use std::borrow::Cow;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lingate_config::SystemEnvironment;
use lingate_store::{Header, Reader};

use super::super::damaged::Damaged;
use super::request::Request;
use super::{Chosen, online};
use crate::args::LogsReplay;
use crate::failure::Failure;
use crate::output;

/// Where a gateway listens unless it is told otherwise.
const USUAL: &str = "http://127.0.0.1:8484";
/// Characters of base64 in a line.
const LINE: usize = 76;

pub(super) fn print(
    args: &LogsReplay,
    reader: &Reader,
    mut chosen: Chosen,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let to = online::address(args, environment);
    let to = to.map_or_else(|_| USUAL.to_owned(), |to| to.to_string());
    let damaged = Damaged::default();
    while let Some(id) = chosen.next(reader)? {
        if let Some(request) = Request::read(args, reader, id, &damaged)? {
            output::write(&command(&to, &request))?;
        }
    }
    damaged.end()?;
    Ok(ExitCode::SUCCESS)
}

/// The command, which sends the body to the byte. The key is a variable of the shell that runs it.
fn command(to: &str, request: &Request) -> String {
    let mut text = format!(
        "# {}\n{}\n  curl -sS -N {}",
        request.id,
        body(&request.body),
        quoted(&format!("{to}{}", request.target))
    );
    for Header(name, value) in &request.headers {
        text.push_str(&format!(
            " \\\n  -H {}",
            quoted(&format!("{name}: {value}"))
        ));
    }
    text.push_str(" \\\n  ${LINGATE_KEY:+-H \"x-lingate-key: $LINGATE_KEY\"}");
    text.push_str(" \\\n  --data-binary @-\n");
    text
}

/// What writes the body into a pipe. Arguments of programs have a limit that bodies exceed; those of what is built into a
/// shell, and heredocs, have none.
fn body(body: &str) -> String {
    if is_plain(body) {
        return format!("printf %s {} |", quoted(body));
    }
    let mut text = "base64 -d <<'BODY' |".to_owned();
    for (at, char) in STANDARD.encode(body).chars().enumerate() {
        if at % LINE == 0 {
            text.push('\n');
        }
        text.push(char);
    }
    text.push_str("\nBODY");
    text
}

/// As one word of any shell, whatever is in it; of bash, zsh and their like where a terminal would obey something in it.
fn quoted(text: &str) -> String {
    if is_plain(text) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = "$'".to_owned();
    for char in text.chars() {
        match char {
            '\'' | '\\' => word.extend(['\\', char]),
            ' '..='~' => word.push(char),
            _ => {
                let mut bytes = [0; 4];
                for byte in char.encode_utf8(&mut bytes).bytes() {
                    word.push_str(&format!("\\{byte:03o}"));
                }
            }
        }
    }
    word.push('\'');
    word
}

/// Whether a terminal obeys nothing in it but blanks and ends of lines.
fn is_plain(text: &str) -> bool {
    let mut parts = text.split(['\n', '\t']);
    parts.all(|part| matches!(output::plain(part), Cow::Borrowed(_)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use lingate_store::Exchange;
    use uuid::Uuid;

    use super::*;

    fn shown(target: &str, header: &str, body: &str) -> String {
        let request = Request {
            id: Uuid::nil(),
            target: target.to_owned(),
            headers: vec![Header("user-agent".into(), header.into())],
            body: body.into(),
            row: Exchange::default(),
        };
        command("http://127.0.0.1:1", &request)
    }

    #[test]
    fn nothing_of_a_request_is_a_shells_to_read() {
        let body = "{\"a\":\"$(x) `y` 'z'\"}\nBODY\nmore";
        assert_eq!(
            shown("/v1/messages?a='$(b)'", "it's `me`", body),
            "# 00000000-0000-0000-0000-000000000000\n\
             printf %s '{\"a\":\"$(x) `y` '\\''z'\\''\"}\nBODY\nmore' |\n  \
             curl -sS -N 'http://127.0.0.1:1/v1/messages?a='\\''$(b)'\\''' \\\n  \
             -H 'user-agent: it'\\''s `me`' \\\n  \
             ${LINGATE_KEY:+-H \"x-lingate-key: $LINGATE_KEY\"} \\\n  \
             --data-binary @-\n"
        );
    }

    #[test]
    fn nothing_of_a_request_is_a_terminals_to_obey() {
        for harm in ["\u{1b}]0;x\u{7}", "\r", "\u{9b}2J", "\u{202e}", "\u{7f}"] {
            let given = ["/a", "'b\\", "c"].map(|part| format!("{part}{harm}"));
            let [target, header, body] = &given;
            let text = shown(target, header, body);
            assert!(is_plain(&text) && text.contains("base64 -d"), "{text:?}");
        }
    }

    /// What a shell makes of a body and of a word is what it was, to the byte.
    #[test]
    fn shells_read_what_was_written() {
        let run = |shell: &str, script: &str| {
            let ran = Command::new(shell).args(["-c", script]).output().unwrap();
            String::from_utf8(ran.stdout).unwrap()
        };
        let long = "\u{1b}é".repeat(1000);
        let odd = "a\u{1b}'\\b\u{9b}\u{202e}1";
        for text in ["", "a", "a\n", "\n\ta'\\n%s\n\n", odd, &long] {
            let sent = run("sh", &format!("{}\ncat", body(text)));
            assert_eq!(sent, text, "{text:?}");
            let word = run("bash", &format!("printf %s {}", quoted(text)));
            assert_eq!(word, text, "{text:?}");
        }
    }
}
