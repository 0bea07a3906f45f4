//! The gateway under test: the real binary, with a config of the test's own.

use std::path::PathBuf;
use std::time::Duration;

use lingate_testkit::{Finished, Process, Upstream, Wire};
use rustix::process::Signal;

use crate::Home;

const READY: Duration = Duration::from_secs(10);

/// The `lingate` binary: `$LINGATE_BIN`, else the one built beside these tests.
///
/// # Panics
/// When there is none.
pub fn lingate() -> PathBuf {
    if let Some(path) = std::env::var_os("LINGATE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests are built below the profile's folder");
    let path = folder.join("lingate");
    assert!(
        path.exists(),
        "{} is missing: build it with `cargo build -p lingate` or set LINGATE_BIN",
        path.display()
    );
    path
}

/// One `[providers.scripted]` of a config, serving the model `mock`.
pub struct Provider<'a> {
    /// Its base URL.
    pub base_url: &'a str,
    /// A wire's name.
    pub speaks: &'a str,
    /// Further lines of its table.
    pub more: &'a str,
}

impl<'a> Provider<'a> {
    /// The key that the gateway holds for it, and that nobody else may ever see.
    pub const KEY: &'static str = "sk-scripted-0123456789";

    /// A provider of the Chat wire.
    pub fn chat(base_url: &'a str) -> Provider<'a> {
        Provider {
            base_url,
            speaks: "chat",
            more: "",
        }
    }

    /// A provider of this wire.
    pub fn of(wire: Wire, base_url: &'a str) -> Provider<'a> {
        Provider {
            base_url,
            speaks: wire.name(),
            more: "",
        }
    }

    /// A config in which this provider serves every model name.
    pub fn config(&self) -> String {
        let Provider {
            base_url,
            speaks,
            more,
        } = self;
        let key = Provider::KEY;
        format!(
            r#"default = "mock"
from_env = false

[server]
listen = "127.0.0.1:0"

[providers.scripted]
base_url = "{base_url}"
speaks = ["{speaks}"]
api_key = "{key}"
{more}

[models.mock]
name = "Scripted model"
targets = ["scripted/mock-1"]
context = 200000
max_output = 32000
input = ["text", "image"]
"#
        )
    }
}

/// A running `lingate serve`.
pub struct Gateway {
    process: Process,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The whole ready line.
    pub ready: String,
}

impl Gateway {
    /// Serves every model name from this upstream, over the Chat wire.
    pub async fn before(home: &Home, upstream: &Upstream) -> Gateway {
        Gateway::serve(home, &Provider::chat(&upstream.url()).config()).await
    }

    /// Starts `lingate serve` with this config and waits until it is ready.
    pub async fn serve(home: &Home, config: &str) -> Gateway {
        let file = home.write("lingate.toml", config);
        let mut command = home.command(&lingate());
        let mut process = Process::spawn(command.arg("serve").arg("--config").arg(file));
        let ready = process.line("lingate ready ", READY).await;
        let url = ready
            .split_whitespace()
            .nth(2)
            .expect("the ready line names an address")
            .to_owned();
        Gateway {
            process,
            url,
            ready,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.stdout() + &self.process.stderr()
    }

    /// Ends it as a service manager would, and waits for that.
    pub async fn stop(self) -> Finished {
        self.process.signal(Signal::TERM);
        self.process.finish(Duration::from_secs(30)).await
    }
}
