//! Providers behind a proxy: a provider's own for all its hosts, the environment's for what goes over TLS elsewhere.

use lingate_testkit::canary::plant;
use lingate_testkit::{Misbehaviour, TlsFront, TunnelAsked, Tunnels, Upstream};

use crate::harness::{Lingate, messages};

const PASSWORD: &str = "pr0xy-canary-7731";
/// `user` and the password, as HTTP has them.
const BASIC: &str = "Basic dXNlcjpwcjB4eS1jYW5hcnktNzczMQ==";
const SOCKS: &str = "user:pr0xy-canary-7731";

fn configuration(upstream: &str, proxy: &str, rest: &str) -> String {
    format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{upstream}\"\nspeaks = [\"anthropic\"]\napi_key = \"sk-up\"\n\
         proxy = \"{proxy}\"\n{rest}\n[failover]\nattempts = 1\n"
    )
}

/// Asks once; gives the answer's status and text.
async fn ask(lingate: &Lingate) -> (u16, String) {
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    (response.status, response.text().await)
}

#[tokio::test]
async fn a_providers_own_proxy_connects_to_it() {
    plant(PASSWORD);
    let cases = [
        ("http://", None, "CONNECT", None),
        (
            "http://user:pr0xy-canary-7731@",
            Some(BASIC),
            "CONNECT",
            Some(BASIC),
        ),
        ("socks5://", None, "SOCKS", None),
        (
            "socks5h://user:pr0xy-canary-7731@",
            Some(SOCKS),
            "SOCKS",
            Some(SOCKS),
        ),
    ];
    for (begin, required, by, credentials) in cases {
        let upstream = Upstream::start(Misbehaviour::Healthy).await;
        let tunnels = Tunnels::start(upstream.address(), required).await;
        let proxy = format!("{begin}{}", tunnels.authority());
        let lingate = Lingate::start(&configuration(&upstream.url(), &proxy, "")).await;
        for _ in 0..2 {
            let (status, text) = ask(&lingate).await;
            assert_eq!(status, 200, "{begin}: {text}");
        }
        // The second request goes over the connection of the first.
        let asked = TunnelAsked {
            by,
            to: upstream.address().to_string(),
            credentials: credentials.map(str::to_owned),
        };
        assert_eq!(tunnels.asked(), [asked], "{begin}");
        assert_eq!(upstream.requests().len(), 2, "{begin}");
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_named_and_nothing_goes_past_it() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let check = async |proxy: &str, shown: &str, reason: &str| {
        let lingate = Lingate::start(&configuration(&upstream.url(), proxy, "")).await;
        let (status, text) = ask(&lingate).await;
        assert!(status >= 500, "{proxy}: {status} {text}");
        assert!(
            text.contains(&format!("proxy {shown}: ")),
            "{proxy}: {text}"
        );
        assert!(text.contains(reason), "{proxy}: {text}");
        assert!(!text.contains("wrong-canary"), "{text}");
    };
    plant("wrong-canary-8812");
    let refusing = Tunnels::start(upstream.address(), Some("nobody")).await;
    let at = refusing.authority();
    for scheme in ["http", "socks5h"] {
        let shown = format!("{scheme}://{at}");
        let reason = match scheme {
            "http" => "authorization required",
            _ => "connection not allowed",
        };
        let proxy = format!("{scheme}://user:wrong-canary-8812@{at}");
        check(&proxy, &shown, reason).await;
    }
    // A listener that nobody accepts from connects, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", silent.local_addr().unwrap());
    let limits = "timeouts = { connect = \"200ms\" }";
    let lingate = Lingate::start(&configuration(&upstream.url(), &proxy, limits)).await;
    let (_, text) = ask(&lingate).await;
    assert!(
        text.contains("no connection within 0.2 s (`timeouts.connect`)"),
        "{text}"
    );
    drop(refusing);
    check(&format!("http://{at}"), &format!("http://{at}"), "refused").await;
    assert_eq!(upstream.requests().len(), 0);
}

/// The environment's is for hosts over TLS that are not excepted; a certificate is held against the host, not the proxy.
#[tokio::test]
async fn the_environments_proxy_is_for_tls_elsewhere() {
    const HOST: &str = "provider.test";
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let front = TlsFront::start(&upstream, HOST).await;
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, front.certificate()).unwrap();
    let ca_file = format!("ca_file = \"{}\"", ca_file.display());
    let tunnels = Tunnels::start(front.address(), None).await;
    let proxy = format!("http://{}", tunnels.authority());
    let ask_at = async |url: &str| {
        let environment = [("HTTPS_PROXY", &*proxy), ("NO_PROXY", "elsewhere.test")];
        let text = configuration(url, "", &ca_file);
        ask(&Lingate::start_with(&text, &environment).await).await
    };
    let url = format!("https://{HOST}/");

    let (status, text) = ask_at(&url).await;
    assert_eq!(status, 200, "{text}");
    let asked = tunnels.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].to, format!("{HOST}:443"));

    let (status, text) = ask_at("https://another.test/").await;
    assert!(
        status >= 500 && text.contains("certificate"),
        "{status} {text}"
    );
    assert_eq!(tunnels.asked().len(), 2);

    // Loopback is never behind it, nor is what is not encrypted.
    let port = front.address().port();
    let (status, text) = ask_at(&format!("https://localhost:{port}/")).await;
    assert!(
        status >= 500 && text.contains("certificate"),
        "{status} {text}"
    );
    let (status, text) = ask_at(&upstream.url()).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(tunnels.asked().len(), 2);
}
