//! This machine: the port, the way to it past a proxy, room on the disk.

use std::net::SocketAddr;
use std::path::Path;

use lingate_config::Environment;
use serde_json::Value;
use tokio::net::TcpListener;

use super::finding::Finding;
use crate::background::{self, Entry};
use crate::port_owner::port_owner;

/// Below this, a session's log or record may not fit.
const ENOUGH: u64 = 1 << 30;
/// Below this, nothing much fits.
const TOO_LITTLE: u64 = 64 << 20;

/// The gateways that run, and whether the configured port is theirs or free.
pub(super) async fn port(listen: SocketAddr, gateways: &[Entry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in gateways {
        let check = format!("gateway {}", entry.url());
        findings.push(match background::health(entry).await {
            Ok(health) => Finding::fine(check, format!("{}, process {}", health.status, entry.pid)),
            Err(error) => Finding::problem(check, format!("does not answer: {error}")).because(
                format!("process {} is there but stuck, or stopped", entry.pid),
                format!(
                    "`lingate stop --now`, or end process {} if that does not help",
                    entry.pid
                ),
            ),
        });
    }
    let is_ours = gateways.iter().any(|entry| entry.address == listen);
    if listen.port() != 0 && !is_ours {
        findings.push(free(listen).await);
    }
    findings
}

async fn free(listen: SocketAddr) -> Finding {
    let error = match TcpListener::bind(listen).await {
        Ok(_) => return Finding::fine("port", format!("{listen} is free")),
        Err(error) => error,
    };
    let owner = port_owner(listen).map_or_else(
        || error.to_string(),
        |owner| format!("{owner} listens there"),
    );
    Finding::problem("port", format!("`lingate serve` cannot listen on {listen}")).because(
        owner,
        "end that process, or choose another port with `--port N` or `server.listen`; `lingate run` finds one by itself",
    )
}

/// What the gateways that run have against their providers.
pub(super) async fn live(gateways: &[Entry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in gateways {
        let providers = background::providers(entry).await.unwrap_or_default();
        findings.extend(
            providers
                .iter()
                .filter_map(|own| standing(&entry.url(), own)),
        );
    }
    findings
}

/// One that a gateway leaves alone, in part or as a whole.
fn standing(url: &str, provider: &Value) -> Option<Finding> {
    let text = |name: &str| {
        provider
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let state = text("state");
    if matches!(state, "ok" | "disabled") {
        return None;
    }
    let list = |name: &str| provider.get(name).and_then(Value::as_array);
    let parts = list("keys").into_iter().chain(list("targets")).flatten();
    let reasons = parts.filter_map(|own| {
        let name = own.get("label").or_else(|| own.get("model"))?.as_str()?;
        let limits = own.get("limits").and_then(Value::as_array);
        let all = std::iter::once(own).chain(limits.into_iter().flatten());
        let reasons: Vec<String> = all
            .map(background::because)
            .filter(|own| !own.is_empty())
            .collect();
        (!reasons.is_empty()).then(|| format!("{name}: {}", reasons.join("; ")))
    });
    let reasons: Vec<String> = reasons.collect();
    let id = text("id");
    let cause = match (state, reasons.is_empty()) {
        ("drained", _) => "an operator took it out".to_owned(),
        (_, true) => "its last requests failed".to_owned(),
        (_, false) => reasons.join(", "),
    };
    let check = format!("provider {id} at {url}");
    Some(Finding::warning(check, state.to_owned()).because(
        cause,
        format!("it is asked again by itself when the time is over; `lingate providers enable {id}` does not wait"),
    ))
}

/// A proxy that clients would ask for the gateway's own address.
pub(super) fn proxy(environment: &dyn Environment) -> Option<Finding> {
    let set = |names: &[&'static str]| {
        let found = names.iter().find(|name| environment.var(name).is_some());
        found.copied()
    };
    let proxy = set(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])?;
    let exceptions = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .find_map(|name| environment.var(name))
        .unwrap_or_default();
    let is_excepted = |wanted: &str| {
        let mut hosts = exceptions.split([',', ' ']).map(str::trim);
        hosts.any(|host| host == wanted || host == "*")
    };
    if is_excepted("127.0.0.1") {
        let message = format!("{proxy} is set, and the loopback is excepted");
        return Some(Finding::fine("proxy", message));
    }
    let message = format!("clients that are started by hand ask {proxy} for lingate's address");
    Some(Finding::warning("proxy", message).because(
        "NO_PROXY does not name 127.0.0.1",
        "export NO_PROXY=127.0.0.1,localhost,::1 (`lingate run` and `lingate env` set it themselves)",
    ))
}

/// Room where lingate writes, which need not exist yet.
pub(super) fn disk(what: &str, path: &Path) -> Finding {
    let check = format!("disk, {what}");
    let Some(existing) = path.ancestors().find(|path| path.exists()) else {
        return Finding::problem(check, format!("`{}` cannot be made", path.display())).because(
            "nothing of its path exists",
            "set `HOME` to a directory that does",
        );
    };
    match rustix::fs::statvfs(existing) {
        Err(error) => Finding::problem(
            check,
            format!("`{}` cannot be looked at: {error}", existing.display()),
        )
        .because(
            "its file system does not answer",
            "see to the file system, or move the directory",
        ),
        Ok(stat) => room(check, path, stat.f_bavail.saturating_mul(stat.f_frsize)),
    }
}

fn room(check: String, path: &Path, bytes: u64) -> Finding {
    let (path, mib) = (path.display(), bytes >> 20);
    let message = format!("{mib} MiB free for `{path}`");
    let grade = match bytes {
        ENOUGH.. => return Finding::fine(check, message),
        TOO_LITTLE.. => Finding::warning,
        _ => Finding::problem,
    };
    grade(check, message).because(
        "the file system is almost full",
        "make room, or keep less: `record.keep_days`, `record.keep_bytes`",
    )
}

#[cfg(test)]
mod tests {
    use lingate_config::FixedEnvironment;

    use super::super::finding::Level;
    use super::*;

    #[tokio::test]
    async fn a_port_is_free_or_has_an_owner() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = port(address, &[]).await;
        assert_eq!(found[0].level, Level::Problem);
        let cause = found[0].cause.clone().unwrap();
        assert!(cause.contains(&std::process::id().to_string()), "{cause}");
        drop(listener);
        assert_eq!(port(address, &[]).await[0].level, Level::Fine);
    }

    #[tokio::test]
    async fn a_gateway_that_is_gone_from_its_address_is_a_problem() {
        let entry = Entry {
            instance: "i".to_owned(),
            pid: 7,
            address: "127.0.0.1:1".parse().unwrap(),
            version: "0".to_owned(),
            fingerprint: "f".to_owned(),
            config: None,
            background: true,
            log: None,
        };
        let found = port("127.0.0.1:1".parse().unwrap(), &[entry]).await;
        assert_eq!(found.len(), 1, "its port is not looked at twice");
        assert_eq!(found[0].level, Level::Problem);
    }

    #[test]
    fn a_proxy_must_except_the_loopback() {
        let check = |variables: &[(&str, &str)], expected: Option<Level>| {
            let found = proxy(&FixedEnvironment::new(variables.iter().copied()));
            assert_eq!(found.map(|found| found.level), expected, "{variables:?}");
        };
        let set = ("HTTP_PROXY", "http://p:1");
        check(&[], None);
        check(&[set], Some(Level::Warning));
        check(&[set, ("NO_PROXY", "intranet")], Some(Level::Warning));
        check(&[set, ("no_proxy", "x, 127.0.0.1")], Some(Level::Fine));
        check(&[set, ("NO_PROXY", "*")], Some(Level::Fine));
    }

    #[test]
    fn little_room_is_said() {
        let level = |bytes| room("disk".to_owned(), Path::new("/x"), bytes).level;
        assert_eq!(level(u64::MAX), Level::Fine);
        assert_eq!(level(ENOUGH), Level::Fine);
        assert_eq!(level(ENOUGH - 1), Level::Warning);
        assert_eq!(level(TOO_LITTLE - 1), Level::Problem);
        let missing = std::env::temp_dir().join("lingate-no-such/deep");
        assert!(disk("state", &missing).message.contains("MiB free"));
    }

    #[test]
    fn a_provider_that_is_left_alone_says_why() {
        let provider = |state: &str| {
            serde_json::json!({"id": "up", "state": state,
                "keys": [{"label": "up#1", "reason": "quota", "until": "T", "limits": []}],
                "targets": [{"model": "m", "reason": null, "until": null}]})
        };
        assert!(standing("http://g", &provider("ok")).is_none());
        let down = standing("http://g", &provider("down")).unwrap();
        assert_eq!(
            (down.check.as_str(), down.message.as_str()),
            ("provider up at http://g", "down")
        );
        assert_eq!(down.cause.as_deref(), Some("up#1: quota, until T"));
        let drained = standing("http://g", &provider("drained")).unwrap();
        assert_eq!(drained.cause.as_deref(), Some("an operator took it out"));
        assert!(drained.fix.unwrap().contains("lingate providers enable up"));
    }
}
