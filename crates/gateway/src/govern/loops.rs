//! Conversations that go in circles: said, and stopped where the configuration asks for it.

use lingate_wire::rounds::{Repeated, repeated};
use lingate_wire::turn::{Failure, FailureKind};

use crate::exchange::asked::Asked;
use crate::metrics::LoopLabels;
use crate::record::Draft;
use crate::shared::Shared;

/// A tool's name is the client's text: so much of it is repeated in headers and messages.
const LONGEST_NAME: usize = 64;

/// Looks whether the request's history ends in a circle.
///
/// # Errors
/// A refusal, once that has gone on for `loops.stop_after` rounds.
pub(super) fn look(shared: &Shared, asked: &Asked, draft: &Draft) -> Result<(), Failure> {
    let loops = shared.config.loops;
    let Some(least) = [loops.warn_after, loops.stop_after]
        .into_iter()
        .flatten()
        .min()
    else {
        return Ok(());
    };
    let Some(Repeated { name, count }) = repeated(asked.wire, &asked.doc) else {
        return Ok(());
    };
    if count < least.get() {
        return Ok(());
    }
    let name = shown(&name);
    draft.warn("loop");
    draft.tell_warning(format!("loop {name} {count}"));
    // What is run again from the record brings its own refusals.
    let is_stopped =
        shared.script.is_none() && loops.stop_after.is_some_and(|stop| count >= stop.get());
    let labels = LoopLabels {
        action: if is_stopped { "stopped" } else { "warned" },
    };
    shared.metrics.loops.get_or_create(&labels).inc();
    let session = asked.session();
    tracing::warn!(
        exchange.id = %draft.id,
        session,
        tool = name,
        count,
        "the conversation goes in circles: `{name}` was called {count} times with the same arguments and the same result",
    );
    if !is_stopped {
        return Ok(());
    }
    let mut failure = Failure::new(
        FailureKind::Loop,
        format!(
            "stopped, because this conversation goes in circles: `{name}` was called {count} times with the same arguments \
             and gave the same result each time (`loops.stop_after`). Say something else to the agent, or start a new \
             session. Nothing was sent to a provider."
        ),
    );
    failure.should_retry = Some(false);
    draft.gather(|gathered| gathered.refused(&failure));
    Err(failure)
}

/// A name as it may stand in a header.
fn shown(name: &str) -> String {
    let fits = |character: char| match character {
        ' '..='~' => character,
        _ => '?',
    };
    name.chars().take(LONGEST_NAME).map(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_a_header() {
        assert_eq!(shown("Bash"), "Bash");
        assert_eq!(shown("a\nb\u{e9}"), "a?b?");
        assert_eq!(shown(&"x".repeat(100)).len(), LONGEST_NAME);
    }
}
