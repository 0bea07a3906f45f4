//! Where one request goes: the provider's endpoint, with what the wire and the client add to it.

use std::fmt::Write as _;

use http::Uri;
use http::uri::PathAndQuery;
use lingate_config::AnthropicApi;
use lingate_wire::Wire;

/// Asks for server-sent events; without it the Gemini API streams one array.
const EVENTS: &str = "alt=sse";

/// The address of a request. The Gemini wire, and the Anthropic one where `api` says so, name model and method in the path,
/// behind the list of models; `query` is the client's, where it is forwarded.
pub(crate) fn address(
    endpoint: &Uri,
    wire: Wire,
    api: AnthropicApi,
    model: &str,
    is_stream: bool,
    query: Option<&str>,
) -> Uri {
    let own = query.and_then(without_key);
    let is_asked_in_path =
        wire == Wire::Gemini || (wire == Wire::Anthropic && api == AnthropicApi::RawPredict);
    if own.is_none() && !is_asked_in_path {
        return endpoint.clone();
    }
    let mut path = endpoint.path().to_owned();
    let mut pairs: Vec<&str> = endpoint.query().into_iter().chain(own.as_deref()).collect();
    if wire == Wire::Gemini {
        let method = if is_stream {
            "streamGenerateContent"
        } else {
            "generateContent"
        };
        path = gemini_path(&path, model, method);
        if is_stream && !pairs.iter().any(|pair| pair.split('&').any(is_alt)) {
            pairs.push(EVENTS);
        }
    }
    if wire == Wire::Anthropic && api == AnthropicApi::RawPredict {
        let method = if is_stream {
            "streamRawPredict"
        } else {
            "rawPredict"
        };
        path = method_path(&path, model, method);
    }
    joined(endpoint, &path, &pairs)
}

/// Where an Anthropic provider counts a request's tokens.
pub(crate) fn anthropic_count_address(endpoint: &Uri, api: AnthropicApi) -> Uri {
    let path = match api {
        AnthropicApi::Messages => format!("{}/count_tokens", endpoint.path()),
        AnthropicApi::RawPredict => method_path(endpoint.path(), "count-tokens", "rawPredict"),
    };
    let query: Vec<&str> = endpoint.query().into_iter().collect();
    joined(endpoint, &path, &query)
}

/// Where a Gemini provider counts a request's tokens.
pub(crate) fn gemini_count_address(endpoint: &Uri, model: &str) -> Uri {
    let path = gemini_path(endpoint.path(), model, "countTokens");
    joined(
        endpoint,
        &path,
        &endpoint.query().into_iter().collect::<Vec<_>>(),
    )
}

fn gemini_path(list: &str, model: &str, method: &str) -> String {
    method_path(list, model.strip_prefix("models/").unwrap_or(model), method)
}

fn method_path(list: &str, model: &str, method: &str) -> String {
    format!("{list}/{}:{method}", path_encoded(model))
}

fn is_alt(pair: &str) -> bool {
    pair.starts_with("alt=") || pair.starts_with("$alt=") || pair.starts_with("%24alt=")
}

/// The client's query without `key`, in which Gemini clients show their credential.
fn without_key(query: &str) -> Option<String> {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| *pair != "key" && !pair.starts_with("key="))
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn joined(endpoint: &Uri, path: &str, pairs: &[&str]) -> Uri {
    if pairs.is_empty() && path == endpoint.path() {
        return endpoint.clone();
    }
    let mut text = path.to_owned();
    if !pairs.is_empty() {
        text.push('?');
        text.push_str(&pairs.join("&"));
    }
    let mut parts = endpoint.clone().into_parts();
    let Ok(path_and_query) = text.parse::<PathAndQuery>() else {
        return endpoint.clone();
    };
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).unwrap_or_else(|_| endpoint.clone())
}

/// A model's name as it may stand in a path; the slashes of a name are kept.
fn path_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(endpoint: &str, wire: Wire, model: &str, stream: bool, query: &str, expected: &str) {
        let endpoint: Uri = endpoint.parse().unwrap();
        let query = Some(query).filter(|query| !query.is_empty());
        let api = AnthropicApi::Messages;
        let found = address(&endpoint, wire, api, model, stream, query);
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn raw_predict_names_the_model_in_the_path() {
        let list: Uri = "https://h/v1/projects/p/locations/l/publishers/a/models"
            .parse()
            .unwrap();
        let api = AnthropicApi::RawPredict;
        for (is_stream, method) in [(false, "rawPredict"), (true, "streamRawPredict")] {
            let found = address(&list, Wire::Anthropic, api, "c-5@2026", is_stream, None);
            assert_eq!(found.to_string(), format!("{list}/c-5@2026:{method}"));
        }
        let found = anthropic_count_address(&list, api).to_string();
        assert_eq!(found, format!("{list}/count-tokens:rawPredict"));
        let messages: Uri = "http://h/v1/messages?x=1".parse().unwrap();
        let found = anthropic_count_address(&messages, AnthropicApi::Messages);
        assert_eq!(found.to_string(), "http://h/v1/messages/count_tokens?x=1");
    }

    #[test]
    fn queries_are_joined_and_credentials_left_out() {
        let to = "http://h/v1/messages";
        check(to, Wire::Anthropic, "m", true, "", to);
        check(to, Wire::Anthropic, "m", true, "key=secret", to);
        check(
            to,
            Wire::Anthropic,
            "m",
            true,
            "beta=true&key=secret&a=1",
            "http://h/v1/messages?beta=true&a=1",
        );
        check(
            "http://h/v1/chat/completions?api-version=2",
            Wire::Chat,
            "m",
            false,
            "x=1",
            "http://h/v1/chat/completions?api-version=2&x=1",
        );
    }

    #[test]
    fn gemini_names_model_and_method_in_the_path() {
        let to = "http://h/v1beta/models";
        let check = |model, stream, query, expected| {
            check(to, Wire::Gemini, model, stream, query, expected);
        };
        check(
            "g-2.5",
            false,
            "",
            "http://h/v1beta/models/g-2.5:generateContent",
        );
        check(
            "models/g-2.5",
            true,
            "",
            "http://h/v1beta/models/g-2.5:streamGenerateContent?alt=sse",
        );
        check(
            "a b?c#d",
            true,
            "key=k&alt=sse",
            "http://h/v1beta/models/a%20b%3Fc%23d:streamGenerateContent?alt=sse",
        );
        assert_eq!(
            gemini_count_address(&to.parse().unwrap(), "g").to_string(),
            "http://h/v1beta/models/g:countTokens"
        );
    }
}
