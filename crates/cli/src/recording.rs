//! The record as `serve` opens it.

use std::time::Duration;

use lingate_config::{Bodies, Config, presets};
use lingate_store::{Mask, Options, Recorder, Store};

use crate::failure::Failure;

/// How often the record is told the time.
const TICK: Duration = Duration::from_secs(60);

/// Opens the record that the configuration asks for.
///
/// One that cannot be opened keeps nobody from working: the gateway says so and goes on without, unless the configuration
/// wants nothing to go unrecorded.
///
/// # Errors
/// With `record.fail_closed`, if it cannot be opened.
pub(crate) fn open(config: &Config) -> Result<Option<Store>, Failure> {
    let record = &config.record;
    let bodies = match record.bodies {
        Bodies::Off => return Ok(None),
        Bodies::Full => lingate_store::Bodies::Full,
        Bodies::Errors => lingate_store::Bodies::Errors,
        Bodies::Metadata => lingate_store::Bodies::Metadata,
    };
    let opened = match &record.dir {
        None => Err("there is no home directory to keep it in".to_owned()),
        Some(dir) => {
            let options = Options {
                bodies,
                keep: Duration::from_secs(u64::from(record.keep_days) * 24 * 3600),
                keep_bytes: record.keep_bytes,
                fail_closed: record.fail_closed,
                mask: mask(config),
                version: crate::commands::VERSION,
                ..Options::default()
            };
            Store::open(dir, options, jiff::Timestamp::now()).map_err(|error| error.to_string())
        }
    };
    match opened {
        Ok(store) => Ok(Some(store)),
        Err(why) if record.fail_closed => Err(Failure::problem(format!(
            "the record cannot be opened: {why}"
        ))
        .hint("`record.dir` says where it is kept")
        .hint("with `record.fail_closed = false` the gateway serves without it")),
        Err(why) => {
            tracing::warn!("nothing is recorded: {why} (`record.dir`)");
            Ok(None)
        }
    }
}

/// Finds every secret of the configuration in what is kept.
fn mask(config: &Config) -> Mask {
    let keys = config.providers.iter().flat_map(|provider| &provider.keys);
    let prefixes = presets().iter().flat_map(|preset| preset.redirect_keys.keys());
    Mask::with_prefixes(
        keys.map(|key| key.secret.expose()),
        prefixes.map(String::as_str),
    )
}

/// Tells the record the time while nobody calls, so that what is too old goes.
pub(crate) async fn tick(recorder: Option<Recorder>) {
    let Some(recorder) = recorder else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        recorder.tick(jiff::Timestamp::now());
    }
}
