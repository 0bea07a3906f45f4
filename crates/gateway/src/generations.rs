//! The generation in force, and how the next one takes its place.
//!
//! A reload reads the configuration anew and makes a whole generation of it. Only when nothing is wrong with it is it put
//! in force, by exchanging one pointer; a configuration that is refused leaves everything as it was. Connections of
//! clients are not touched: each request takes the generation that is in force when its head has come in.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use lingate_config::{Config, Problems};
use lingate_route::Unresolved;
use tokio::sync::watch;

use crate::clock;
use crate::metrics::ReloadLabels;
use crate::routes::Routes;
use crate::shared::{Process, Shared};

/// Where a gateway reads its configuration again.
pub trait Source: fmt::Debug + Send + Sync {
    /// Reads it. Called on a thread that may block.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn load(&self) -> Result<Loaded, Problems>;

    /// The files of the configuration that was read last, if it has this hash and everything it was read from says what it
    /// said then: reading it again would give the same. `None` also where that cannot be told. May block.
    fn unchanged(&self, hash: &str) -> Option<Vec<PathBuf>> {
        let _ = hash;
        None
    }
}

/// A configuration as it was read.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Names everything it was read from; the same hash is the same configuration.
    pub hash: String,
    /// The files it was read from, and those whose appearance would change it.
    pub files: Vec<PathBuf>,
}

/// What reading a configuration again found.
enum Read {
    /// The one that is in force, with the files it was read from.
    Known(Vec<PathBuf>),
    /// Another, or one that is to be put in force all the same.
    New(Box<Loaded>),
}

/// What asked for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A file changed. Nothing is done if it says the same as before.
    File,
    /// A signal.
    Signal,
    /// `POST /api/reload`.
    Api,
}

/// What became of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The configuration is in force.
    Applied,
    /// It is the one that was in force.
    Unchanged,
    /// It is not used: the last good one stays in force.
    Refused,
}

/// A reload, as it is told to those who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// When it ended.
    pub at: Timestamp,
    /// What asked for it.
    pub trigger: Trigger,
    /// What became of it.
    pub outcome: Outcome,
    /// What is wrong with the configuration; empty unless it was refused.
    pub problems: Vec<String>,
}

/// What is in force.
#[derive(Clone)]
pub struct InForce {
    /// The configuration.
    pub config: Arc<Config>,
    /// Names it.
    pub hash: String,
    /// Counts the configurations of this process, from 1.
    pub generation: u64,
    /// The last reload, if there was one.
    pub last: Option<Reload>,
}

/// The generation in force.
pub(crate) struct Generations {
    pub process: Arc<Process>,
    current: RwLock<Arc<Shared>>,
    /// Held while the next generation is made of the current one.
    making: Mutex<()>,
    source: Option<Arc<dyn Source>>,
    /// Held from reading a configuration to its end, so that an older one never replaces a newer one.
    reloading: tokio::sync::Mutex<()>,
    /// Where the gateway listens.
    address: SocketAddr,
    /// What is watched for changes.
    files: watch::Sender<Vec<PathBuf>>,
    told: watch::Sender<InForce>,
}

impl Generations {
    pub(crate) fn new(
        first: Shared,
        address: SocketAddr,
        source: Option<Arc<dyn Source>>,
        files: Vec<PathBuf>,
    ) -> Self {
        let told = InForce {
            config: Arc::clone(&first.config),
            hash: first.hash.clone(),
            generation: first.number,
            last: None,
        };
        Self {
            process: Arc::clone(&first.process),
            current: RwLock::new(Arc::new(first)),
            making: Mutex::new(()),
            source,
            reloading: tokio::sync::Mutex::new(()),
            address,
            files: watch::Sender::new(files),
            told: watch::Sender::new(told),
        }
    }

    /// What the next exchange begins with.
    pub(crate) fn current(&self) -> Arc<Shared> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// The files that the configuration was read from.
    pub(crate) fn files(&self) -> watch::Receiver<Vec<PathBuf>> {
        self.files.subscribe()
    }

    /// Follows what is in force.
    pub(crate) fn told(&self) -> watch::Receiver<InForce> {
        self.told.subscribe()
    }

    /// Makes `model` the default; `None` goes back to the configuration's.
    pub(crate) fn switch_default(&self, model: Option<&str>) -> Result<Arc<Shared>, Unresolved> {
        self.replace(|current| {
            let routes = match model {
                None => Routes::of(&current.config),
                Some(model) => Routes::switched_to(&current.config, model)?,
            };
            Ok(current.with_routes(routes))
        })
    }

    /// Reads the configuration again and puts it in force, if it is one that can be.
    pub(crate) async fn reload(&self, trigger: Trigger) -> InForce {
        let _one_at_a_time = self.reloading.lock().await;
        let known = (trigger == Trigger::File).then(|| self.current().hash.clone());
        let result = match self.load(known).await {
            Err(problems) => Err(problems),
            Ok(Read::Known(files)) => {
                self.files.send_replace(files);
                Ok(Outcome::Unchanged)
            }
            Ok(Read::New(loaded)) => self.adopt(*loaded).map(|()| Outcome::Applied),
        };
        let (outcome, problems) = match result {
            Ok(outcome) => (outcome, Vec::new()),
            Err(problems) => (Outcome::Refused, problems),
        };
        self.tell(Reload {
            at: clock::wall(),
            trigger,
            outcome,
            problems,
        })
    }

    /// Reads the configuration, which may be the `known` one.
    async fn load(&self, known: Option<String>) -> Result<Read, Vec<String>> {
        let Some(source) = self.source.clone() else {
            return Err(vec![
                "this gateway has nowhere to read a configuration from".to_owned(),
            ]);
        };
        let reading = self.process.tasks.spawn_blocking(move || {
            let known = known.as_deref();
            if let Some(files) = known.and_then(|hash| source.unchanged(hash)) {
                return Ok(Read::Known(files));
            }
            let loaded = source.load()?;
            Ok::<_, Problems>(if known == Some(loaded.hash.as_str()) {
                Read::Known(loaded.files)
            } else {
                Read::New(Box::new(loaded))
            })
        });
        match reading.await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(problems)) => Err(problems.0.iter().map(ToString::to_string).collect()),
            Err(error) => Err(vec![format!("the configuration cannot be read: {error}")]),
        }
    }

    /// Puts a configuration in force, if nothing is wrong with it.
    fn adopt(&self, loaded: Loaded) -> Result<(), Vec<String>> {
        let Loaded {
            config,
            hash,
            files,
        } = loaded;
        let config = Arc::new(config);
        // Also after a refusal: what is wrong may be in a file that was not read before.
        self.files.send_replace(files);
        config
            .refuse_own_listener(self.address)
            .map_err(|problems| vec![problems.to_string()])?;
        let mut before = None;
        self.replace(|current| {
            let (old, new) = (current.config.server.listen, config.server.listen);
            if old != new {
                return Err(vec![format!(
                    "`server.listen` is {new} and was {old}: that needs a restart, and nothing else of it is in force either"
                )]);
            }
            before = Some(Arc::clone(&current.config));
            let next = current.after(Arc::clone(&config), hash);
            next.map_err(|error| vec![error.to_string()])
        })?;
        if let Some(before) = before {
            self.process.health.follow(&before, &config);
        }
        Ok(())
    }

    fn replace<E>(
        &self,
        make: impl FnOnce(&Arc<Shared>) -> Result<Shared, E>,
    ) -> Result<Arc<Shared>, E> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(make(&self.current())?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::clone(&next);
        Ok(next)
    }

    /// Whether the last reload was refused for the same.
    fn is_known(&self, reload: &Reload) -> bool {
        let told = self.told.borrow();
        let last = told.last.as_ref();
        reload.trigger == Trigger::File
            && last.is_some_and(|last| {
                last.outcome == reload.outcome && last.problems == reload.problems
            })
    }

    fn tell(&self, reload: Reload) -> InForce {
        let current = self.current();
        let labels = ReloadLabels {
            outcome: reload.outcome.name(),
        };
        self.process.metrics.reloads.get_or_create(&labels).inc();
        match reload.outcome {
            Outcome::Applied => {
                tracing::info!(
                    config.generation = current.number,
                    config.hash = current.hash,
                    "the configuration was reloaded"
                );
                for warning in &current.config.warnings {
                    tracing::warn!("{warning}");
                }
            }
            // A file may be saved again with the same mistake in it.
            Outcome::Refused if self.is_known(&reload) => {
                tracing::debug!("the configuration is as wrong as before");
            }
            Outcome::Unchanged => tracing::debug!("the configuration says the same as before"),
            Outcome::Refused => tracing::error!(
                "the configuration was not reloaded, the last good one stays in force: {}",
                reload.problems.join("; ")
            ),
        }
        let told = InForce {
            config: Arc::clone(&current.config),
            hash: current.hash.clone(),
            generation: current.number,
            last: Some(reload),
        };
        self.told.send_replace(told.clone());
        told
    }
}

impl Outcome {
    /// The word for records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

impl Trigger {
    /// The word for records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Signal => "signal",
            Self::Api => "api",
        }
    }
}
