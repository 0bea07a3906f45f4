//! Who may administer a gateway.
//!
//! Its owner, who shows the instance id; whoever shows a client key that `server.admin_keys` names; and, where no client
//! keys are configured, whoever is on this machine. What a proxy has forwarded is not of this machine.

use std::net::SocketAddr;

use http::HeaderMap;
use lingate_wire::turn::{Failure, FailureKind};

use crate::front::keys::{self, Caller};
use crate::shared::Shared;

/// Set by proxies.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Refuses who may not.
pub(crate) fn check(shared: &Shared, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Failure> {
    if shared.control.is_owner(headers) {
        return Ok(());
    }
    let is_here = peer.ip().to_canonical().is_loopback()
        && !FORWARDED.iter().any(|name| headers.contains_key(*name));
    match keys::caller(shared, headers, peer)? {
        Caller::Anybody if is_here => Ok(()),
        Caller::Key(key) if shared.config.server.admin_keys.contains(&key.name) => Ok(()),
        Caller::Anybody | Caller::Key(_) => Err(Failure::new(
            FailureKind::Permission,
            "this takes a client key that `server.admin_keys` names, or a command of `lingate` by the user who runs it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderName, HeaderValue};
    use lingate_config::{Config, FixedEnvironment, LoadOptions};

    use super::*;
    use crate::gateway::Options;
    use crate::shared::Process;

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
        let process = Process::new(
            &config,
            &Options {
                instance: Some("me".to_owned()),
                ..Options::default()
            },
        );
        let shared = Shared::first(Arc::new(process), Arc::new(config), String::new()).unwrap();
        let headers = shown.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let headers: HeaderMap = headers.collect();
        let got = check(&shared, &headers, peer.parse().unwrap());
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

    #[test]
    fn wrong_keys_are_limited_and_right_ones_are_not() {
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, KEYED, &LoadOptions::default(), &environment).unwrap();
        let options = Options {
            instance: Some("me".to_owned()),
            ..Options::default()
        };
        let process = Arc::new(Process::new(&config, &options));
        let shared = Shared::first(process, Arc::new(config), String::new()).unwrap();
        let ask = |peer: &str, name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            check(&shared, &headers, peer.parse().unwrap()).map_err(|failure| failure.kind)
        };
        let (guesser, other) = ("192.0.2.1:1", "192.0.2.2:1");
        for _ in 0..1000 {
            let asked = check(&shared, &HeaderMap::new(), guesser.parse().unwrap());
            assert_eq!(asked.unwrap_err().kind, FailureKind::Authentication);
        }
        let mut n_tried = 0;
        while ask(guesser, "x-lingate-key", "wrong") == Err(FailureKind::Authentication) {
            n_tried += 1;
        }
        assert_eq!(n_tried, 60, "showing nothing is no guess");
        assert_eq!(
            ask(guesser, "x-lingate-key", "wrong"),
            Err(FailureKind::RateLimit)
        );
        assert_eq!(
            ask(guesser, "x-lingate-key", "abc"),
            Ok(()),
            "nobody locks another one out"
        );
        assert_eq!(ask(guesser, "x-lingate-instance", "me"), Ok(()));
        assert_eq!(ask(other, "x-lingate-key", "abc"), Ok(()));

        let all = ["x-lingate-key", "x-api-key", "x-goog-api-key"];
        let mut headers: HeaderMap = all
            .map(|name| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static("wrong"),
                )
            })
            .into_iter()
            .collect();
        headers.insert("authorization", HeaderValue::from_static("Bearer wrong"));
        let ask_four = || check(&shared, &headers, "192.0.2.3:1".parse().unwrap());
        let mut n_tried = 0;
        while ask_four().unwrap_err().kind == FailureKind::Authentication {
            n_tried += 1;
        }
        assert_eq!(n_tried, 15, "every key that is shown counts");
    }
}
