//! One exchange of a Google Cloud credential for an access token: RFC 7523 with an assertion that we sign (RS256), RFC 6749
//! with a refresh token, or the metadata server of the machine.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use lingate_config::{GcpCredential, Secret, ServiceAccount, User};
use lingate_wire::turn::{Failure, FailureKind};
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::clock;
use crate::upstream::body::{UpstreamBody, chain_of};
use crate::upstream::decoding::Decoding;
use crate::upstream::headers::OWN_AGENT;
use crate::upstream::payload::Payload;
use crate::upstream::pooled::HttpClient;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Longest time an assertion may count, in seconds.
const ASSERTION_LASTS: i64 = 3600;
/// Longest wait for the answer.
const LIMIT: Duration = Duration::from_secs(15);
/// Most bytes of the answer.
const CAP: usize = 64 * 1024;
/// A token's time where the answer does not say it, in seconds.
const USUAL: u64 = 3600;
/// Longest that a token is taken to count, whatever the answer says, in seconds.
const LONGEST: u64 = 24 * 3600;

/// What the exchange gave.
pub(super) struct Granted {
    pub(super) token: Secret,
    pub(super) lasts: Duration,
}

/// Asks for a token. A failure is the credential's ([`FailureKind::UpstreamCredential`]) or passes.
pub(super) async fn ask(
    client: &HttpClient,
    credential: &GcpCredential,
) -> Result<Granted, Failure> {
    let request = request(credential, clock::wall().as_second())?;
    let host = request.uri().host().unwrap_or_default().to_owned();
    let asked = async {
        let response = client.request(request).await.map_err(|error| {
            let words = chain_of(&error);
            Failure::new(
                FailureKind::Server,
                format!("{host} cannot be reached: {words}"),
            )
        })?;
        let (head, body) = response.into_parts();
        let mut body = UpstreamBody::http(body, Decoding::of(&head.headers)?);
        Ok((head.status.as_u16(), body.whole(CAP).await?))
    };
    let answered = tokio::time::timeout(LIMIT, asked).await;
    let (status, body) = answered.unwrap_or_else(|_elapsed| {
        let message = format!("{host} does not answer within {} s", LIMIT.as_secs());
        Err(Failure::new(FailureKind::Timeout, message))
    })?;
    granted(&host, status, &body)
}

fn request(credential: &GcpCredential, now: i64) -> Result<Request<Payload>, Failure> {
    let mut request = match credential {
        GcpCredential::ServiceAccount(account) => {
            let assertion = assertion(account, now)?;
            let members = [("grant_type", JWT_GRANT), ("assertion", &assertion)];
            posted(&account.token_uri, &members)?
        }
        GcpCredential::User(user) => {
            let User {
                client_id,
                client_secret,
                refresh_token,
                token_uri,
            } = user;
            let members = [
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("refresh_token", refresh_token.expose()),
            ];
            posted(token_uri, &members)?
        }
        GcpCredential::Metadata { host } => {
            let mut request = Request::new(Payload::default());
            *request.uri_mut() = uri(&format!("http://{host}{METADATA_PATH}"))?;
            let flavor = HeaderValue::from_static("Google");
            request.headers_mut().insert("metadata-flavor", flavor);
            request
        }
    };
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, OWN_AGENT);
    Ok(request)
}

fn posted(to: &str, members: &[(&str, &str)]) -> Result<Request<Payload>, Failure> {
    let mut form = String::new();
    for (name, value) in members {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        form_encode(value, &mut form);
    }
    let mut request = Request::new(Payload::from(Bytes::from(form)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(to)?;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(request)
}

fn uri(text: &str) -> Result<Uri, Failure> {
    text.parse()
        .map_err(|_| unusable(format!("`{text}` is not an address")))
}

/// What the account says of itself, signed: `head.claims.signature` (RFC 7515).
fn assertion(account: &ServiceAccount, now: i64) -> Result<String, Failure> {
    let mut head = json!({ "alg": "RS256", "typ": "JWT" });
    if let (Some(id), Value::Object(head)) = (&account.private_key_id, &mut head) {
        head.insert("kid".to_owned(), id.as_str().into());
    }
    let claims = json!({
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now,
        "exp": now + ASSERTION_LASTS,
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&head), encode(&claims));
    let signature = sign(account.private_key.expose(), signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Signs with the TLS library's RSA, which is the one there is.
fn sign(pem: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let unfit = |_| unusable("its `private_key` is no RSA key in PEM form".to_owned());
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(unfit)?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|_| unusable("its `private_key` cannot be used".to_owned()))?;
    let signer = key
        .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
        .ok_or_else(|| unusable("its `private_key` is no RSA key".to_owned()))?;
    let signed = signer.sign(message);
    signed.map_err(|_| unusable("its `private_key` does not sign".to_owned()))
}

/// `{"access_token", "expires_in"}`, or `{"error", "error_description"}` (RFC 6749, 5.2). The body is never shown whole: a
/// token may stand in it.
fn granted(host: &str, status: u16, body: &[u8]) -> Result<Granted, Failure> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if (200..300).contains(&status) {
        let Some(token) = text("access_token").filter(|token| !token.is_empty()) else {
            let message = format!("{host} answers without a token");
            return Err(Failure::new(FailureKind::Malformed, message));
        };
        let lasts = body.get("expires_in").and_then(Value::as_u64);
        return Ok(Granted {
            token: Secret::new(token.to_owned()),
            lasts: Duration::from_secs(lasts.unwrap_or(USUAL).min(LONGEST)),
        });
    }
    let words = [text("error"), text("error_description")];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    let words: String = words.join(": ").chars().take(300).collect();
    let message = format!("{host} answers HTTP {status}: {words}");
    let message = message.trim_end_matches([':', ' ']);
    let kind = match status {
        408 | 425 | 429 => FailureKind::Overloaded,
        // The metadata server has no account to speak of.
        400..=499 => FailureKind::UpstreamCredential,
        _ => FailureKind::Server,
    };
    Err(Failure::new(kind, message).with_status(status))
}

fn unusable(message: String) -> Failure {
    Failure::new(FailureKind::UpstreamCredential, message)
}

fn form_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: Result<u64, (FailureKind, &str)>) {
        let found = granted("h", status, body.as_bytes());
        let found = match &found {
            Ok(granted) => Ok(granted.lasts.as_secs()),
            Err(failure) => Err((failure.kind, failure.message.as_str())),
        };
        assert_eq!(found, expected, "{status} {body}");
    }

    #[test]
    fn answers() {
        use FailureKind::{Malformed, Overloaded, Server, UpstreamCredential};
        check(
            200,
            r#"{"access_token":"t","expires_in":3599,"token_type":"Bearer"}"#,
            Ok(3599),
        );
        check(200, r#"{"access_token":"t"}"#, Ok(3600));
        let forever = r#"{"access_token":"t","expires_in":18446744073709551615}"#;
        check(200, forever, Ok(86_400));
        check(
            200,
            r#"{"id_token":"secret"}"#,
            Err((Malformed, "h answers without a token")),
        );
        check(
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
            Err((
                UpstreamCredential,
                "h answers HTTP 400: invalid_grant: Invalid JWT Signature.",
            )),
        );
        check(404, "", Err((UpstreamCredential, "h answers HTTP 404")));
        check(429, "", Err((Overloaded, "h answers HTTP 429")));
        check(503, "<html>", Err((Server, "h answers HTTP 503")));
    }

    #[test]
    fn forms() {
        let mut out = String::new();
        form_encode("a-b_c.d/e f+g=&é", &mut out);
        assert_eq!(out, "a-b_c.d%2Fe%20f%2Bg%3D%26%C3%A9");
    }
}
