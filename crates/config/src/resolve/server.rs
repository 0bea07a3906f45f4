//! `[server]`, `[keys]`, `[budget]`, `[loops]` and `[record]`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Inputs;
use crate::config::{Budget, ClientKey, Loops, Record, Server};
use crate::document::home_expanded;
use crate::file::{BudgetEntry, File};
use crate::provider::{Kind, Provider};
use crate::report::{Report, did_you_mean};
use crate::value::{DEFAULT_LISTEN, parse_listen};

const DRAIN: Duration = Duration::from_secs(600);
const MAX_BODY: u64 = 32 << 20;

pub(super) fn client_keys(file: &File) -> Vec<ClientKey> {
    let keys = file.keys.iter().map(|(name, entry)| ClientKey {
        name: name.to_owned(),
        hash: entry.secret.0,
        models: entry.models.clone(),
        concurrency: entry.concurrency,
        budget: budget(&entry.budget),
    });
    keys.collect()
}

/// What may be spent, of everybody or of a key.
pub(super) fn budget(entry: &BudgetEntry) -> Budget {
    let (day, session) = entry.amounts();
    Budget { day, session }
}

pub(super) fn loops(file: &File) -> Loops {
    Loops {
        warn_after: NonZeroU32::new(file.loops.warn_after),
        stop_after: NonZeroU32::new(file.loops.stop_after),
    }
}

pub(super) fn server(
    file: &File,
    inputs: &Inputs<'_>,
    keys: &[ClientKey],
    providers: &[Provider],
    report: &mut Report,
) -> Server {
    let entry = &file.server;
    let listen = listen(file, inputs, report);
    let mut hosts = Vec::new();
    for (index, host) in entry.hosts.iter().enumerate() {
        let lower = host.to_ascii_lowercase();
        if is_host(&lower) {
            hosts.push(lower);
        } else {
            let hint = "write the name alone, as in `gateway.example.com`".to_owned();
            let message = format!("`server.hosts`: `{host}` is not a host name");
            report.error(
                &["server", "hosts", &index.to_string()],
                message,
                Some(hint),
            );
        }
    }
    if !listen.ip().is_loopback() {
        let path = ["server", "listen"];
        if keys.is_empty() && !report.mentions(&["keys"]) {
            let hint = "`lingate keys add NAME` makes one".to_owned();
            report.error(
                &path,
                format!("listening on {listen} needs client keys"),
                Some(hint),
            );
        }
        if hosts.is_empty() && entry.hosts.is_empty() {
            let hint =
                "list the names clients use: `hosts = [\"gateway.example.com\"]` under `[server]`"
                    .to_owned();
            report.error(
                &path,
                format!("listening on {listen} needs `server.hosts`"),
                Some(hint),
            );
        }
        if providers.iter().all(|provider| provider.kind == Kind::Demo) {
            let hint = "set a provider's key, or add a provider".to_owned();
            report.error(&path, "the demo is served on loopback only", Some(hint));
        }
    }
    let names = || keys.iter().map(|key| key.name.as_str());
    for (index, name) in entry.admin_keys.iter().enumerate() {
        if !report.mentions(&["keys", name]) {
            let hint =
                did_you_mean(name, names()).or_else(|| Some("name one of `[keys]`".to_owned()));
            report.error(
                &["server", "admin_keys", &index.to_string()],
                format!("no client key `{name}`"),
                hint,
            );
        }
    }
    Server {
        listen,
        hosts,
        drain: entry.drain.map_or(DRAIN, |drain| drain.0),
        max_body: entry.max_body.map_or(MAX_BODY, |size| size.0),
        admin_keys: entry.admin_keys.clone(),
    }
}

/// The command line over `LINGATE_LISTEN` and `LINGATE_PORT` over the file.
fn listen(file: &File, inputs: &Inputs<'_>, report: &mut Report) -> SocketAddr {
    let flag = inputs.options.listen.clone().map(|text| (text, "--listen"));
    let variable = || Some((inputs.environment.var("LINGATE_LISTEN")?, "LINGATE_LISTEN"));
    let outer = flag.or_else(variable);
    let mut listen = match outer {
        Some((text, source)) => parse_listen(&text).unwrap_or_else(|error| {
            report.error(
                &[],
                format!("{source}: `{text}` {}", error.message),
                error.hint,
            );
            DEFAULT_LISTEN
        }),
        // Its format was checked with the rest of the file.
        None => {
            let own = file
                .server
                .listen
                .as_deref()
                .and_then(|text| parse_listen(text).ok());
            own.unwrap_or(DEFAULT_LISTEN)
        }
    };
    // `--listen IP:PORT` says a port; the environment must not overrule it.
    let flag_names_port = inputs
        .options
        .listen
        .as_deref()
        .is_some_and(|text| text.parse::<SocketAddr>().is_ok());
    let port = inputs.options.port.or_else(|| {
        if flag_names_port {
            return None;
        }
        let text = inputs.environment.var("LINGATE_PORT")?;
        let port = text.parse().ok();
        if port.is_none() {
            report.error(&[], format!("LINGATE_PORT: `{text}` is not a port"), None);
        }
        port
    });
    if let Some(port) = port {
        listen.set_port(port);
    }
    listen
}

fn is_host(host: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    address.is_ok() || (!host.is_empty() && host.chars().all(valid))
}

pub(super) fn record(file: &File, inputs: &Inputs<'_>, report: &mut Report) -> Record {
    let entry = &file.record;
    let environment = inputs.environment;
    let chosen = entry.dir.as_deref().filter(|dir| !dir.is_empty());
    let data = || {
        let own = environment
            .var("XDG_DATA_HOME")
            .map(std::path::PathBuf::from);
        let own = own.filter(|path| path.is_absolute());
        let data = own.or_else(|| Some(environment.home()?.join(".local").join("share")))?;
        Some(data.join("lingate"))
    };
    let dir = chosen
        .map(|dir| home_expanded(dir, environment))
        .or_else(data);
    if let Some(dir) = dir.as_ref().filter(|dir| !dir.is_absolute()) {
        let hint = "write an absolute path, or one that starts with `~/`".to_owned();
        report.error(
            &["record", "dir"],
            format!("`record.dir`: `{}` is relative", dir.display()),
            Some(hint),
        );
    }
    Record {
        dir,
        bodies: entry.bodies,
        keep_days: entry.keep_days,
        keep_bytes: entry.keep_bytes.0,
        prices: (!entry.prices.is_empty()).then(|| entry.prices.clone()),
        fail_closed: entry.fail_closed,
    }
}
