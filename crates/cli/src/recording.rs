//! The record as `serve` opens it, and as a reload changes it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use lingate_config::{Bodies, Config, Provider, presets};
use lingate_store::{Mask, Options, Reader, Recorder, Settings, Spent, Store, headers};

use crate::failure::Failure;
use crate::log_mask;

/// How often the record is told the time.
const TICK: Duration = Duration::from_secs(60);
/// So many conversations' sums are taken over from the record.
const SESSIONS: usize = 10_000;

/// The record of this process. Dropping it writes what waits.
pub(crate) struct Recording {
    /// `None` if nothing is recorded.
    store: Option<Store>,
    dir: Option<PathBuf>,
    /// Every secret of every configuration so far: what is recorded may still hold one of an earlier.
    known: BTreeSet<String>,
}

impl Recording {
    /// Opens the record that the configuration asks for.
    ///
    /// One that cannot be opened keeps nobody from working: the gateway says so and goes on without, unless the
    /// configuration wants nothing to go unrecorded.
    ///
    /// # Errors
    /// With `record.fail_closed`, if it cannot be opened.
    pub(crate) fn open(config: &Config) -> Result<Self, Failure> {
        let record = &config.record;
        let mut recording = Self {
            store: None,
            dir: record.dir.clone(),
            known: BTreeSet::new(),
        };
        let settings = recording.settings(config);
        log_mask::hide(settings.mask.clone());
        let Some(bodies) = settings.bodies else {
            return Ok(recording);
        };
        let opened = match &record.dir {
            None => Err("there is no home directory to keep it in".to_owned()),
            Some(dir) => {
                let options = Options {
                    bodies,
                    keep: settings.keep,
                    keep_bytes: settings.keep_bytes,
                    fail_closed: settings.fail_closed,
                    mask: settings.mask,
                    version: crate::commands::VERSION,
                    ..Options::default()
                };
                Store::open(dir, options, jiff::Timestamp::now()).map_err(|error| error.to_string())
            }
        };
        match opened {
            Ok(store) => recording.store = Some(store),
            Err(why) if record.fail_closed => {
                return Err(
                    Failure::problem(format!("the record cannot be opened: {why}"))
                        .hint("`record.dir` says where it is kept")
                        .hint("with `record.fail_closed = false` the gateway serves without it"),
                );
            }
            Err(why) => tracing::warn!("nothing is recorded: {why} (`record.dir`)"),
        }
        Ok(recording)
    }

    /// The handle to record with; `None` if nothing is recorded.
    pub(crate) fn recorder(&self) -> Option<Recorder> {
        self.store.as_ref().map(Store::recorder)
    }

    /// What was spent before, as far as it is recorded.
    pub(crate) fn spent(&self) -> Spent {
        let reader = self.dir.as_deref().and_then(|dir| Reader::open(dir).ok());
        let spent = reader.and_then(|reader| reader.spent(jiff::Timestamp::now(), SESSIONS).ok());
        spent.unwrap_or_default()
    }

    /// Another configuration is in force. What needs a restart is said.
    pub(crate) fn follow(&mut self, config: &Config) {
        let settings = self.settings(config);
        log_mask::hide(settings.mask.clone());
        let Some(recorder) = self.recorder() else {
            if settings.bodies.is_some() {
                tracing::warn!("nothing is recorded: to turn the record on needs a restart");
            }
            return;
        };
        if config.record.dir != self.dir {
            tracing::warn!("`record.dir` is another: that needs a restart");
        }
        recorder.change(settings, jiff::Timestamp::now());
    }

    /// What the configuration says, its secrets added to those that are known.
    fn settings(&mut self, config: &Config) -> Settings {
        let record = &config.record;
        self.known.extend(config.providers.iter().flat_map(secrets));
        let prefixes = presets()
            .iter()
            .flat_map(|preset| preset.redirect_keys.keys());
        Settings {
            bodies: match record.bodies {
                Bodies::Off => None,
                Bodies::Full => Some(lingate_store::Bodies::Full),
                Bodies::Errors => Some(lingate_store::Bodies::Errors),
                Bodies::Metadata => Some(lingate_store::Bodies::Metadata),
            },
            keep: Duration::from_secs(u64::from(record.keep_days) * 24 * 3600),
            keep_bytes: record.keep_bytes,
            fail_closed: record.fail_closed,
            mask: Mask::with_prefixes(
                self.known.iter().map(String::as_str),
                prefixes.map(String::as_str),
            ),
        }
    }
}

/// Hides what a record of this configuration hides.
pub(crate) fn mask(config: &Config) -> Mask {
    let mut recording = Recording {
        store: None,
        dir: None,
        known: BTreeSet::new(),
    };
    recording.settings(config).mask
}

/// Every secret of a provider, in all the forms it may be met in: as it is and inside JSON.
fn secrets(provider: &Provider) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for key in &provider.keys {
        let key = key.secret.expose();
        secrets.insert(key.to_owned());
        // A credential that is a document is never met as a whole.
        if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(key) {
            let named = ["private_key", "refresh_token", "client_secret"];
            let values = named.iter().filter_map(|name| members.get(*name)?.as_str());
            secrets.extend(values.map(str::to_owned));
        }
    }
    for (name, value) in &provider.headers {
        if let Ok(value) = value.to_str()
            && !headers::kept(name.as_str())
        {
            secrets.insert(value.to_owned());
            // Behind the word that says of what kind it is.
            secrets.extend(value.split_once(' ').map(|(_, secret)| secret.to_owned()));
        }
    }
    secrets.extend(provider.address_secrets().map(str::to_owned));
    let proxy = provider.proxy.as_ref();
    secrets.extend(proxy.and_then(|proxy| proxy.password()).map(str::to_owned));
    let spelled: Vec<String> = secrets.iter().flat_map(|secret| in_json(secret)).collect();
    secrets.extend(spelled);
    // Local servers take any key, often their own name: that is no secret, and would be masked everywhere.
    let is_name = |secret: &String| {
        *secret == provider.id || (provider.preset).is_some_and(|preset| *secret == preset.name)
    };
    secrets.retain(|secret| !is_name(secret));
    secrets
}

/// What writers of JSON escape besides what they must: Go, .NET (upper case), Gson, and whoever escapes all there is.
const ESCAPED: [&str; 6] = ["", "+", "<>&", "+<>&'`", "<>&='", "+/=<>&'`"];

/// A text as it stands within a JSON string, as the writers of JSON spell it.
fn in_json(text: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(text).unwrap_or_default();
    let plain = json.strip_prefix('"').unwrap_or(&json);
    let plain = plain.strip_suffix('"').unwrap_or(plain);
    let mut spelled = BTreeSet::new();
    for escaped in ESCAPED {
        for is_upper in [false, true] {
            // PHP has a backslash before a slash.
            for slash in ["/", "\\/"] {
                let spell = |letter: char| match letter {
                    _ if escaped.contains(letter) && is_upper => {
                        format!("\\u{:04X}", u32::from(letter))
                    }
                    _ if escaped.contains(letter) => format!("\\u{:04x}", u32::from(letter)),
                    '/' => slash.to_owned(),
                    _ => letter.to_string(),
                };
                spelled.insert(plain.chars().map(spell).collect());
            }
        }
    }
    spelled
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

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    fn config(text: &str) -> Config {
        Config::from_text(
            None,
            text,
            &LoadOptions::default(),
            &FixedEnvironment::new([]),
        )
        .map_err(|problems| problems.to_string())
        .unwrap()
    }

    fn provider(members: &str) -> String {
        let address = match members.starts_with("base_url") {
            true => "",
            false => "base_url = \"http://127.0.0.1:9/v1\"\n",
        };
        format!("[record]\nbodies = \"off\"\n[providers.lm]\n{address}{members}\n")
    }

    /// Whether each text is masked once these configurations were in force, one after the other.
    fn check(configurations: &[&str], expected: &[(&str, bool)]) {
        let mut recording = Recording::open(&config(&provider(configurations[0]))).unwrap();
        let mut mask = Mask::default();
        for members in configurations {
            mask = recording.settings(&config(&provider(members))).mask;
        }
        for (text, is_masked) in expected {
            let shown = mask.text(text);
            assert_eq!(&*shown != *text, *is_masked, "{text}: {shown}");
        }
    }

    #[test]
    fn every_secret_is_known_in_every_form() {
        check(
            &[
                "api_key = \"first-corp-key\"",
                "api_key = \"next-corp-key\"",
            ],
            &[
                ("first-corp-key", true),
                ("next-corp-key", true),
                ("other-corp-key", false),
            ],
        );
        check(
            &[
                "headers = { \"x-gateway-pass\" = \"Basic open-sesame\", \"anthropic-version\" = \"2023-06-01\" }",
            ],
            &[("open-sesame", true), ("2023-06-01", false)],
        );
        check(
            &[
                "api_key = '{\"private_key\":\"-----BEGIN\\nabc-----\",\"refresh_token\":\"1//refresh\"}'",
            ],
            &[
                ("1//refresh", true),
                ("-----BEGIN\nabc-----", true),
                ("\"-----BEGIN\\nabc-----\"", true),
                ("private_key", false),
            ],
        );
        check(
            &["base_url = \"http://127.0.0.1:9/v1?api-version=2026-11-21&sig=corp-address-sig\""],
            &[("corp-address-sig", true), ("2026-11-21", false)],
        );
        // As others write JSON.
        check(
            &["api_key = \"corp/key+of=base64\""],
            &[
                (r"corp\/key+of=base64", true),
                (r"corp/key\u002bof=base64", true),
                (r"corp/key\u002Bof=base64", true),
                (r"corp\/key\u002Bof=base64", true),
                (r"corp/key+of\u003dbase64", true),
                (r"corp\u002Fkey\u002Bof\u003Dbase64", true),
                (r"corp/key-of=base64", false),
            ],
        );
        // What a local server is given for a key.
        check(
            &["api_key = \"12345678\""],
            &[("\"at_us\":12345678", false)],
        );
    }
}
