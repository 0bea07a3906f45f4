//! `--output curl`: commands that a shell can run, without a secret in them.

use std::process::ExitCode;

use lingate_config::SystemEnvironment;
use lingate_store::{Header, Reader};

use super::request::Request;
use super::{Chosen, online};
use crate::args::LogsReplay;
use crate::failure::Failure;
use crate::output;

/// Where a gateway listens unless it is told otherwise.
const USUAL: &str = "http://127.0.0.1:8484";

pub(super) fn print(
    args: &LogsReplay,
    reader: &Reader,
    mut chosen: Chosen,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let to = online::address(args, environment);
    let to = to.map_or_else(|_| USUAL.to_owned(), |to| to.to_string());
    while let Some(id) = chosen.next(reader)? {
        match Request::read(args, reader, id)? {
            None => {}
            Some(Ok(request)) => output::write(&command(&to, &request))?,
            Some(Err(why)) => output::say(&format!("{id}: {why}")),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The command. The key is a variable of the shell that runs it.
fn command(to: &str, request: &Request) -> String {
    let mut text = format!(
        "# {}\ncurl -sS -N {}",
        request.id,
        quoted(&format!("{to}{}", request.target))
    );
    for Header(name, value) in &request.headers {
        text.push_str(&format!(
            " \\\n  -H {}",
            quoted(&format!("{name}: {value}"))
        ));
    }
    text.push_str(" \\\n  ${LINGATE_KEY:+-H \"x-lingate-key: $LINGATE_KEY\"}");
    // Arguments have a limit that bodies exceed, and a heredoc has none.
    let mark = mark(&request.body);
    text.push_str(&format!(
        " \\\n  --data-binary @- <<'{mark}'\n{}\n{mark}\n",
        request.body
    ));
    text
}

/// As one word of any shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A line that the body does not hold.
fn mark(body: &str) -> String {
    let mut mark = "BODY".to_owned();
    while body.lines().any(|line| line == mark) {
        mark.push('_');
    }
    mark
}

#[cfg(test)]
mod tests {
    use lingate_store::Exchange;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn nothing_of_a_request_is_a_shells_to_read() {
        let request = Request {
            id: Uuid::nil(),
            target: "/v1/messages?a='$(b)'".to_owned(),
            headers: vec![Header("user-agent".to_owned(), "it's `me`".to_owned())],
            body: "{\"a\":\"$(x) `y` 'z'\"}\nBODY\nmore".into(),
            row: Exchange::default(),
        };
        let text = command("http://127.0.0.1:1", &request);
        assert_eq!(
            text,
            "# 00000000-0000-0000-0000-000000000000\n\
             curl -sS -N 'http://127.0.0.1:1/v1/messages?a='\\''$(b)'\\''' \\\n  \
             -H 'user-agent: it'\\''s `me`' \\\n  \
             ${LINGATE_KEY:+-H \"x-lingate-key: $LINGATE_KEY\"} \\\n  \
             --data-binary @- <<'BODY_'\n{\"a\":\"$(x) `y` 'z'\"}\nBODY\nmore\nBODY_\n"
        );
    }
}
