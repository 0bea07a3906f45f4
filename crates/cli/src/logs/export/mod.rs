//! `lingate logs export`: exchanges with their bodies, as lines for other programs or as a cassette to play back.
//!
//! What was masked when it was recorded is masked again with the keys that are configured today, and what will be in the
//! file is said before anybody passes it on.

mod cassette;
mod chosen;
mod lines;
mod preview;

use lingate_config::Environment;
use lingate_store::{Error, Mask, Reader};
use uuid::Uuid;

use self::preview::Preview;
use super::damaged::Damaged;
use super::list::nothing;
use super::{open, place};
use crate::args::LogsExport;
use crate::cassette::{Content, Lines, redacted};
use crate::failure::Failure;
use crate::output;
use crate::recording;

/// Ends with a problem if there is nothing to export.
pub(super) fn run(args: &LogsExport, environment: &dyn Environment) -> Result<(), Failure> {
    let (config, _) = place(&args.file, environment)?;
    let reader = open(&args.file, environment)?;
    let ids = chosen::ids(&reader, args)?;
    if ids.is_empty() {
        return Err(Failure::problem(nothing(args.filter.is_empty())));
    }
    let export = Export {
        reader: &reader,
        mask: recording::mask(&config),
        is_redacted: args.redact_texts,
        damaged: Damaged::default(),
    };
    output::say(&Preview::of(&reader, &ids)?.text(args.redact_texts));
    let mut target = match args.cassette.as_ref().or(args.output.as_ref()) {
        Some(path) => Target::File(Lines::create(path)?),
        None => Target::Stdout,
    };
    match args.cassette {
        Some(_) => cassette::write(&export, &ids, &mut target)?,
        None => lines::write(&export, &ids, &mut target)?,
    }
    if let (Target::File(file), Some(path)) =
        (target, args.cassette.as_ref().or(args.output.as_ref()))
    {
        let length = file.finish()?;
        output::say(&format!(
            "wrote `{}`, {length} bytes; look at it before you share it",
            path.display()
        ));
    }
    export.damaged.end()
}

/// Where it goes.
enum Target {
    File(Lines),
    Stdout,
}

/// What is done to everything that leaves the record.
struct Export<'r> {
    reader: &'r Reader,
    mask: Mask,
    is_redacted: bool,
    damaged: Damaged,
}

impl Export<'_> {
    /// A body as it may leave.
    fn content(&self, bytes: &[u8]) -> Content {
        let masked = self.mask.bytes(bytes);
        Content::of(match self.is_redacted {
            true => redacted(&masked),
            false => masked.into_owned(),
        })
    }

    /// Writes an object; what is not a body is masked here.
    fn line(&self, value: &impl serde::Serialize, target: &mut Target) -> Result<(), Failure> {
        let line = serde_json::to_vec(value)
            .map_err(|error| Failure::problem(format!("cannot write JSON: {error}")))?;
        let line = self.mask.bytes(&line);
        match target {
            Target::File(file) => file.line(&line),
            Target::Stdout => output::write_bytes(&[&*line, b"\n"].concat()),
        }
    }

    /// An exchange with its bodies; none if it is gone, or damaged.
    fn read(&self, id: Uuid) -> Result<Option<Whole>, Failure> {
        self.damaged.pass(id, self.whole(id))
    }

    fn whole(&self, id: Uuid) -> Result<Option<Whole>, Error> {
        let Some(record) = self.reader.get(id)? else {
            return Ok(None);
        };
        let mut bodies = Vec::new();
        for info in &record.bodies {
            let body = self.reader.body(id, info.kind, Some(info.attempt));
            bodies.extend(body?);
        }
        Ok(Some(Whole { record, bodies }))
    }
}

/// All that is known of an exchange.
struct Whole {
    record: lingate_store::Record,
    bodies: Vec<lingate_store::KeptBody>,
}
