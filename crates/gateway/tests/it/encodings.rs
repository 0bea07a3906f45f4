//! Content codings of requests: what goes on is what they decode to, within the limits of any other body.

use std::io::Write as _;

use lingate_testkit::client::Request;
use lingate_testkit::{Misbehaviour, Upstream};
use serde_json::json;

use crate::harness::{Lingate, completions, messages};

/// Undone as listed in `content-encoding`: the first was applied first.
pub(crate) fn coded(codings: &str, plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    for coding in codings.split(',').map(str::trim) {
        body = match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => {
                let fast = flate2::Compression::fast();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), fast);
                encoder.write_all(&body).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let fast = flate2::Compression::fast();
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), fast);
                encoder.write_all(&body).unwrap();
                encoder.finish().unwrap()
            }
            "raw" => {
                let fast = flate2::Compression::fast();
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), fast);
                encoder.write_all(&body).unwrap();
                encoder.finish().unwrap()
            }
            "zstd" => zstd::encode_all(&body[..], 1).unwrap(),
            "br" => {
                let mut out = Vec::new();
                let params = brotli::enc::BrotliEncoderParams {
                    quality: 3,
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &body[..], &mut out, &params).unwrap();
                out
            }
            "identity" | "" => body,
            other => panic!("{other}"),
        };
    }
    body
}

fn post(lingate: &Lingate, path: &str, encoding: &str, body: Vec<u8>) -> Request {
    Request::new("POST".parse().unwrap(), &format!("{}{path}", lingate.url))
        .header("content-type", "application/json")
        .header("content-encoding", encoding)
        .body(body)
}

#[tokio::test]
async fn a_coded_request_goes_on_decoded() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingates = [
        Lingate::to_anthropic(&upstream.url()).await,
        Lingate::to_chat(&upstream.url()).await,
    ];
    let encodings = [
        "gzip",
        "x-gzip",
        "GZIP",
        "deflate",
        "zstd",
        "br",
        "identity",
        "",
        "gzip, br",
        "zstd,gzip",
        "identity, gzip",
    ];
    let mut asked = 0;
    for (lingate, is_chat) in lingates.iter().zip([false, true]) {
        for (path, body) in [
            ("/v1/messages", messages(false)),
            ("/v1/chat/completions", completions(false)),
        ] {
            let plain = body.to_string();
            for encoding in encodings {
                let body = coded(encoding, plain.as_bytes());
                let response = post(lingate, path, encoding, body).send().await;
                assert_eq!(response.status, 200, "{encoding} {path}");
                let is_passed = response.header("x-lingate-lane") == "passthrough";
                response.bytes().await;
                asked += 1;
                let requests = upstream.requests();
                assert_eq!(requests.len(), asked);
                let received = requests.last().unwrap();
                assert_eq!(received.header("content-encoding"), "", "{encoding}");
                assert_eq!(received.json()["model"], "served-model", "{encoding}");
                assert_eq!(is_passed, is_chat == (path != "/v1/messages"));
                if is_passed {
                    let name = body_model(&plain);
                    let due = plain.replace(&name, "served-model");
                    assert_eq!(received.text(), due, "{encoding}");
                }
            }
        }
    }
    // What some clients mean by `deflate`.
    let body = coded("raw", messages(false).to_string().as_bytes());
    let response = post(&lingates[0], "/v1/messages", "deflate", body)
        .send()
        .await;
    assert_eq!(response.status, 200);
    let body = coded("gzip", messages(false).to_string().as_bytes());
    let counted = post(&lingates[1], "/v1/messages/count_tokens", "gzip", body);
    assert_eq!(counted.send().await.status, 200);
}

fn body_model(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["model"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused_and_says_why() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let config = format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\n[server]\nmax_body = \"4MiB\"",
        upstream.url()
    );
    let lingate = Lingate::start(&config).await;
    let mut large = messages(false);
    large["metadata"] = json!({"user_id": "u".repeat(100_000)});
    let plain = large.to_string().into_bytes();
    let cut = |encoding: &str, off: usize| {
        let mut body = coded(encoding, &plain);
        body.truncate(body.len() - off);
        body
    };
    let zeros = vec![b' '; 64 << 20];
    let broken = |encoding: &str| {
        let mut body = coded(encoding, &plain);
        body[0] ^= 0x55;
        body
    };
    let window = {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&plain).unwrap();
        encoder.finish().unwrap()
    };
    let members = coded("gzip", b"").repeat(20_000);
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("gzip", cut("gzip", 1), 400),
        ("gzip", cut("gzip", 20), 400),
        ("deflate", cut("deflate", 20), 400),
        ("deflate", b"x".to_vec(), 400),
        ("zstd", cut("zstd", 1), 400),
        ("br", cut("br", 1), 400),
        ("gzip, zstd", cut("gzip, zstd", 5), 400),
        ("gzip", Vec::new(), 400),
        ("zstd", b"{}".to_vec(), 400),
        ("br", plain.clone(), 400),
        ("gzip", plain.clone(), 400),
        ("gzip", coded("zstd", &plain), 400),
        ("gzip, br", coded("br, gzip", &plain), 400),
        ("gzip", broken("gzip"), 400),
        ("zstd", broken("zstd"), 400),
        ("zstd", window, 400),
        ("gzip", members, 400),
        // Bombs: over the cap, over the ratio, and in layers.
        ("gzip", coded("gzip", &zeros), 413),
        ("deflate", coded("deflate", &zeros), 413),
        ("zstd", coded("zstd", &zeros), 413),
        ("br", coded("br", &zeros), 413),
        ("zstd", coded("zstd", &zeros[..3 << 20]), 413),
        ("gzip, gzip", coded("gzip, gzip", &zeros), 413),
        ("zstd, gzip", coded("zstd, gzip", &zeros), 413),
        ("gzip", vec![0x1f; 5 << 20], 413),
        ("compress", plain.clone(), 415),
        ("snappy", plain.clone(), 415),
        ("gzip, snappy", coded("gzip", &plain), 415),
        ("gzip, gzip, gzip", coded("gzip,gzip,gzip", &plain), 415),
    ];
    let paths = ["/v1/messages", "/v1/chat/completions"];
    for (encoding, body, due) in cases {
        for path in paths {
            let what = format!("{encoding}, {} bytes, {path}", body.len());
            let response = post(&lingate, path, encoding, body.clone()).send().await;
            assert_eq!(response.status, due, "{what}");
            assert_eq!(
                response.header("accept-encoding"),
                if due == 415 {
                    "gzip, deflate, br, zstd"
                } else {
                    ""
                },
                "{what}"
            );
            let error = response.json().await["error"].clone();
            let message = error["message"].as_str().unwrap_or_default();
            let words = match due {
                400 if message.contains("JSON") => "JSON",
                400 => "`content-encoding`",
                413 => "`server.max_body`",
                _ => "use one of gzip",
            };
            assert!(message.contains(words), "{what}: {error}");
        }
    }
    assert!(upstream.requests().is_empty());
}
