//! Who may administer a gateway.
//!
//! Its owner, who shows the instance id; whoever shows a client key that `server.admin_keys` names; and, where no client
//! keys are configured, whoever is on this machine. What a proxy has forwarded is not of this machine.

use std::net::SocketAddr;

use http::HeaderMap;
use lingate_config::Config;
use lingate_wire::turn::{Failure, FailureKind};

use crate::front::control::Control;
use crate::front::keys::{self, Caller};

/// Set by proxies.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Refuses who may not.
pub(crate) fn check(
    config: &Config,
    control: &Control,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<(), Failure> {
    if control.is_owner(headers) {
        return Ok(());
    }
    let is_here = peer.ip().to_canonical().is_loopback()
        && !FORWARDED.iter().any(|name| headers.contains_key(*name));
    match keys::caller(config, headers)? {
        Caller::Anybody if is_here => Ok(()),
        Caller::Key(key) if config.server.admin_keys.contains(&key.name) => Ok(()),
        Caller::Anybody | Caller::Key(_) => Err(Failure::new(
            FailureKind::Permission,
            "this takes a client key that `server.admin_keys` names, or a command of `lingate` by the user who runs it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    /// SHA-256 of `abc`, and of `def`.
    const KEYED: &str = r#"
        [server]
        admin_keys = ["ops"]
        [keys.ops]
        secret = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        [keys.dev]
        secret = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"
    "#;

    #[track_caller]
    fn check_all(file: &str, peer: &str, shown: &[(&'static str, &'static str)], is_let_in: bool) {
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, file, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let control = Control::new("0", Some("me".to_owned()));
        let headers = shown.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let headers: HeaderMap = headers.collect();
        let got = check(&config, &control, &headers, peer.parse().unwrap());
        assert_eq!(got.is_ok(), is_let_in, "{peer} {shown:?} {got:?}");
    }

    #[test]
    fn the_owner_an_admin_key_or_this_machine() {
        let (here, there) = ("127.0.0.1:1", "192.0.2.1:1");
        let owner = ("x-lingate-instance", "me");
        check_all("", here, &[], true);
        check_all("", "[::1]:1", &[], true);
        check_all("", "[::ffff:127.0.0.1]:1", &[], true);
        check_all("", there, &[], false);
        check_all("", there, &[owner], true);
        check_all("", there, &[("x-lingate-instance", "you")], false);
        check_all("", here, &[("x-forwarded-for", "192.0.2.1")], false);
        check_all("", here, &[("forwarded", "for=192.0.2.1")], false);
        check_all(KEYED, here, &[], false);
        check_all(KEYED, here, &[owner], true);
        for peer in [here, there] {
            check_all(KEYED, peer, &[("x-lingate-key", "abc")], true);
            check_all(KEYED, peer, &[("authorization", "Bearer abc")], true);
            check_all(KEYED, peer, &[("x-lingate-key", "def")], false);
            check_all(KEYED, peer, &[("x-lingate-key", "xyz")], false);
        }
    }
}
