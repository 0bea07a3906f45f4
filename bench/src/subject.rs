//! What is measured: the gateway, the bare forwarder, nginx when it is installed, and no proxy at all.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::Process;
use crate::wire::Wire;

/// A running subject.
pub(crate) struct Subject {
    /// As it is called in the report.
    pub kind: Kind,
    /// Where to send requests.
    pub address: SocketAddr,
    /// `None` without a proxy.
    pub process: Option<Process>,
}

/// The kinds of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The gateway, recording nothing: what any proxy does.
    Lingate,
    /// The gateway as it comes, with every body kept.
    Recording,
    /// The bare forwarder, the measure of all.
    Forwarder,
    /// nginx as a reverse proxy.
    Nginx,
    /// Straight to the upstream.
    Direct,
}

/// How subjects are started: a directory for their files, a program to run them under, and the upstream.
pub(crate) struct Stage<'a> {
    /// The gateway's binary.
    pub lingate: &'a Path,
    /// Empty and our own.
    pub directory: &'a Path,
    /// Where all of them send requests on to.
    pub upstream: SocketAddr,
    /// A program that runs another, with its arguments; empty to run subjects by themselves.
    pub under: &'a [String],
}

impl Kind {
    /// All kinds that this machine has.
    pub(crate) fn available() -> Vec<Self> {
        let all = [
            Self::Lingate,
            Self::Recording,
            Self::Forwarder,
            Self::Nginx,
            Self::Direct,
        ];
        all.into_iter()
            .filter(|kind| *kind != Self::Nginx || nginx().is_some())
            .collect()
    }

    /// As it is called in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lingate => "lingate",
            Self::Recording => "lingate, recording",
            Self::Forwarder => "bare forwarder",
            Self::Nginx => "nginx",
            Self::Direct => "direct",
        }
    }

    /// Starts it.
    pub(crate) fn start(self, stage: &Stage<'_>) -> anyhow::Result<Subject> {
        let (process, address) = match self {
            Self::Lingate | Self::Recording => {
                let bodies = if self == Self::Recording {
                    "full"
                } else {
                    "off"
                };
                let mut command = lingate(stage, bodies)?;
                Process::start(&mut command).map(|(process, at)| (Some(process), at))?
            }
            Self::Forwarder => {
                Process::start(&mut forwarder(stage)?).map(|(process, at)| (Some(process), at))?
            }
            Self::Nginx => {
                let address = free_address()?;
                let mut command = nginx_command(stage, address)?;
                (Some(Process::start_at(&mut command, address)?), address)
            }
            Self::Direct => (None, stage.upstream),
        };
        Ok(Subject {
            kind: self,
            address,
            process,
        })
    }
}

impl Stage<'_> {
    fn command(&self, program: &Path) -> Command {
        let mut command = match self.under {
            [] => Command::new(program),
            [outer, arguments @ ..] => {
                let mut command = Command::new(outer);
                command.args(arguments).arg(program);
                command
            }
        };
        // Nothing of the user's: no keys, no configuration, no gateway that runs already.
        command
            .env_clear()
            .env("HOME", self.directory)
            .env("PATH", "/usr/bin:/bin");
        command.stderr(Stdio::null());
        command
    }
}

/// The gateway, log line of each exchange included. A provider for what passes, one for each wire, and one
/// whose text is read for calls.
fn lingate(stage: &Stage<'_>, bodies: &str) -> anyhow::Result<Command> {
    let file = stage.directory.join(format!("record-{bodies}.toml"));
    let upstream = stage.upstream;
    let mut text = format!(
        "default = \"bench-same/bench-model\"\n[record]\nbodies = \"{bodies}\"\nkeep_bytes = \"1GiB\"\n"
    );
    let by_wire = Wire::ALL.map(|wire| (wire.name(), wire.name(), ""));
    let others = [
        ("same", "anthropic", ""),
        (
            "text",
            "chat",
            "quirks = [\"kimi-call-names\", \"kimi-k2-text\"]\n",
        ),
    ];
    for (provider, wire, rest) in by_wire.into_iter().chain(others) {
        text += &format!(
            "[providers.bench-{provider}]\nbase_url = \"http://{upstream}\"\nspeaks = [\"{wire}\"]\n\
             api_key = \"bench\"\n{rest}"
        );
    }
    fs::write(&file, text)?;
    let mut command = stage.command(stage.lingate);
    command
        .arg("serve")
        .args(["--port", "0"])
        .arg("--config")
        .arg(file);
    Ok(command)
}

fn forwarder(stage: &Stage<'_>) -> anyhow::Result<Command> {
    let mut command = stage.command(&std::env::current_exe()?);
    command.args(["forward", &stage.upstream.to_string()]);
    Ok(command)
}

fn nginx_command(stage: &Stage<'_>, address: SocketAddr) -> anyhow::Result<Command> {
    let file = stage.directory.join("nginx.conf");
    let (upstream, directory) = (stage.upstream, stage.directory.display());
    fs::write(
        &file,
        format!(
            "daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n access_log off; client_body_buffer_size 1m; client_body_temp_path {directory}/body;\n\
             proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u;\n\
             scgi_temp_path {directory}/s; keepalive_requests 1000000;\n\
             upstream up {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://up; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n"
        ),
    )?;
    let mut command = stage.command(&nginx().unwrap_or_default());
    command.arg("-c").arg(file).arg("-p").arg(stage.directory);
    Ok(command)
}

fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.find_map(|place| {
        let program = place.join("nginx");
        program.is_file().then_some(program)
    })
}

/// A port that was free a moment ago: nginx cannot say which one it took.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
