//! The providers: name, trust, key, models, and with `--spend` a streamed reply.

use futures_util::future::join_all;
use lingate_config::{Auth, Config, Kind, Provider};
use lingate_gateway::{ProbeAnswer, ProbeError, Prober};
use lingate_route::Candidate;

use super::super::routes;
use super::finding::Finding;

/// Further off than any clock of a network: signatures, logs and records will not agree.
const SKEW: i64 = 60;

/// Asks every provider in use, all at once.
pub(super) async fn all(config: &Config, spend: bool) -> Vec<Finding> {
    let prober = match Prober::new(config) {
        Ok(prober) => prober,
        Err(error) => {
            return vec![Finding::problem("TLS", error.to_string()).because(
                "certificates cannot be read",
                "see to the provider's `ca_file`, or the certificates of the system",
            )];
        }
    };
    let used = candidates(config);
    let asked = config
        .providers
        .iter()
        .filter(|provider| provider.enabled && provider.kind == Kind::Upstream)
        .map(|provider| one(&prober, config, provider, &used, spend));
    let answers = join_all(asked).await;
    let ahead = answers.iter().find_map(|(_, ahead)| *ahead);
    let mut findings: Vec<Finding> = answers
        .into_iter()
        .flat_map(|(findings, _)| findings)
        .collect();
    findings.extend(ahead.map(clock));
    findings
}

/// Every provider and model that some name leads to.
fn candidates(config: &Config) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for route in routes::all(config) {
        for target in route.targets.unwrap_or_default() {
            // `provider/*` stands for whatever is asked for.
            if !target.candidate.model.contains('*') && !candidates.contains(&target.candidate) {
                candidates.push(target.candidate);
            }
        }
    }
    candidates
}

/// What one provider says, and how far its clock is ahead.
async fn one(
    prober: &Prober,
    config: &Config,
    provider: &Provider,
    used: &[Candidate],
    spend: bool,
) -> (Vec<Finding>, Option<i64>) {
    let check = format!("provider {}", provider.id);
    let needs_key = !matches!(provider.auth, Auth::None | Auth::Client);
    if needs_key && provider.keys.is_empty() {
        let finding = Finding::problem(check, "there is no key for it").because(
            "neither the configuration nor the environment holds one",
            key_hint(provider),
        );
        return (vec![finding], None);
    }
    let used: Vec<&Candidate> = used
        .iter()
        .filter(|candidate| *candidate.provider == *provider.id)
        .collect();
    let answer = prober.models(provider).await;
    let ahead = answer.as_ref().ok().and_then(|answer| answer.ahead);
    let mut findings = listed(provider, &check, &used, &answer);
    // Without a connection there is nothing to spend on.
    let answers = matches!(answer, Ok(_) | Err(ProbeError::NoAddress));
    if spend
        && answers
        && provider.auth != Auth::Client
        && let Some(candidate) = used.first()
    {
        let check = format!("{check}, reply of {}", candidate.model);
        let reply = prober.reply(config, candidate).await;
        findings.push(replied(provider, check, &reply));
    }
    (findings, ahead)
}

fn listed(
    provider: &Provider,
    check: &str,
    used: &[&Candidate],
    answer: &Result<ProbeAnswer, ProbeError>,
) -> Vec<Finding> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return vec![unanswered(provider, check.to_owned(), error)],
    };
    let mut findings = vec![graded(provider, check.to_owned(), answer)];
    for candidate in used {
        let models = answer.models.as_deref().unwrap_or_default();
        if !models.is_empty() && !models.iter().any(|model| **model == *candidate.model) {
            let message = format!("its list of models does not hold `{}`", candidate.model);
            findings.push(Finding::warning(check, message).because(
                "the name is wrong, the key may not use it, or the list is not all there is",
                format!("compare with what it lists: {}", some_of(models)),
            ));
        }
    }
    findings
}

fn replied(provider: &Provider, check: String, reply: &Result<ProbeAnswer, ProbeError>) -> Finding {
    match reply {
        Ok(answer) if answer.status == 200 => Finding::fine(check, "streams"),
        Ok(answer) if matches!(answer.status, 400 | 404 | 405 | 422) => {
            Finding::problem(check, said(answer)).because(
                "the provider refuses the request: a wrong name of a model, or a setting it does not take",
                "`lingate explain` shows what is sent; compare with the provider's documentation",
            )
        }
        Ok(answer) => graded(provider, check, answer),
        Err(error) => unanswered(provider, check, error),
    }
}

/// What an answer's status says about the key and the address.
fn graded(provider: &Provider, check: String, answer: &ProbeAnswer) -> Finding {
    let origins: Vec<&str> = provider
        .keys
        .iter()
        .map(|key| key.origin.as_str())
        .collect();
    let first = origins.first().copied().unwrap_or("no key");
    let callers = provider.auth == Auth::Client;
    match answer.status {
        401 | 403 if callers => Finding::fine(check, "answers; takes the client's own key"),
        401 => Finding::problem(check, said(answer)).because(
            format!("it does not know the key from {first}"),
            key_hint(provider),
        ),
        403 => Finding::problem(check, said(answer)).because(
            format!("it knows the key from {first}, which may not be used for this: plan, region, or a block"),
            "look at the account's page at the provider",
        ),
        402 => Finding::problem(check, said(answer)).because(
            "the account has no money left",
            "top it up at the provider",
        ),
        429 => Finding::warning(check, said(answer)).because(
            "the account's limits are used up for now",
            "wait, or add a second key or provider to the model's targets",
        ),
        300..=399 => Finding::problem(check, said(answer)).because(
            "it sends requests elsewhere, and lingate follows no redirects",
            "set the provider's `base_url` to the address it redirects to",
        ),
        404 | 405 => Finding::fine(check, "answers; has no list of models"),
        500.. => Finding::warning(check, said(answer)).because(
            "it has trouble of its own",
            "look at its status page, or try later",
        ),
        200..=299 => {
            let models = answer.models.as_ref().map_or(0, Vec::len);
            let key = if provider.keys.is_empty() {
                String::new()
            } else {
                format!(", takes the key from {first}")
            };
            let models = if models == 0 {
                String::new()
            } else {
                format!(", lists {models} models")
            };
            Finding::fine(check, format!("answers{key}{models}"))
        }
        _ => Finding::warning(check, said(answer)).because(
            "it does not take the question for its models",
            "try `--spend`, which asks what a client would ask",
        ),
    }
}

fn unanswered(provider: &Provider, check: String, error: &ProbeError) -> Finding {
    let finding = Finding::problem(check, error.to_string());
    match error {
        ProbeError::NoAddress => finding.because(
            "its `base_url` gives no address for this question",
            "set the provider's `base_url`",
        ),
        ProbeError::Request(_) => finding.because(
            "the request cannot be made",
            "see to the key and the provider's settings",
        ),
        ProbeError::Dns { .. } => finding.because(
            "the name is misspelt, or this machine has no working name server",
            "see to the provider's `base_url`, the network and /etc/resolv.conf",
        ),
        ProbeError::Refused(_) if provider.is_local() => finding.because(
            "the local server does not run, or listens elsewhere",
            "start it, or set the provider's `base_url` to where it listens",
        ),
        ProbeError::Refused(_) => finding.because(
            "the port is wrong, or the service is down",
            "see to the provider's `base_url`, and its status page",
        ),
        ProbeError::Connect(_) => finding.because(
            "the host is down, a firewall stands between, or what listens there does not speak HTTP",
            "try the address with curl from this machine",
        ),
        ProbeError::Tls(_) => finding.because(
            "what listens there does not speak TLS, or none that is still safe",
            "see to the provider's `base_url`: `http://` for a local server",
        ),
        ProbeError::Untrusted(_) => finding.because(
            "its certificate is not trusted here: an inspecting proxy, a private authority, or a wrong clock",
            "set the provider's `ca_file` to the authority's certificate, or correct the clock",
        ),
        ProbeError::Silent(_) => finding.because(
            "it takes the connection and does not answer",
            "look at its status page, or try later",
        ),
        ProbeError::Broken(_) => finding.because(
            "what it sends is no answer: not the API, or a proxy's page",
            "see to the provider's `base_url` and `speaks`",
        ),
    }
}

fn said(answer: &ProbeAnswer) -> String {
    if answer.words.is_empty() {
        format!("answers {}", answer.status)
    } else {
        format!("answers {}: {}", answer.status, answer.words)
    }
}

fn key_hint(provider: &Provider) -> String {
    let preset = provider.preset;
    let variable = preset.and_then(|preset| preset.env.first());
    let set = variable.map_or_else(
        || format!("set `api_key` in [providers.{}]", provider.id),
        |variable| {
            format!(
                "set {variable}, or `api_key` in [providers.{}]",
                provider.id
            )
        },
    );
    match preset.and_then(|preset| preset.key_page.as_deref()) {
        Some(page) => format!("{set}; keys are made at {page}"),
        None => set,
    }
}

fn some_of(models: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = models.iter().take(SHOWN).map(String::as_str).collect();
    let more = models.len().saturating_sub(SHOWN);
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

fn clock(ahead: i64) -> Finding {
    let message = format!("{} s apart from the providers'", ahead.abs());
    if ahead.abs() <= SKEW {
        return Finding::fine("clock", message);
    }
    let direction = if ahead > 0 { "behind" } else { "ahead" };
    Finding::problem("clock", message).because(
        format!("this machine's clock is {direction}"),
        "turn on time synchronisation (`timedatectl set-ntp true`)",
    )
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::super::finding::Level;
    use super::*;

    fn config(file: &str) -> Config {
        let options = LoadOptions::default();
        let config = Config::from_text(None, file, &options, &FixedEnvironment::new([]));
        config.unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn answer(status: u16) -> ProbeAnswer {
        ProbeAnswer {
            status,
            is_page: false,
            ahead: None,
            models: None,
            words: "words".to_owned(),
        }
    }

    #[test]
    fn a_status_says_what_is_wrong() {
        let ours = config("[providers.moonshot]\napi_key = \"sk-canary\"");
        let theirs = config("[providers.moonshot]\nauth = \"client\"");
        let check = |config: &Config, status: u16, level: Level, cause: &str| {
            let provider = config.provider("moonshot").unwrap();
            let found = graded(provider, "p".to_owned(), &answer(status));
            assert_eq!(found.level, level, "{found}");
            let text = found.to_string();
            assert!(text.contains(cause) && !text.contains("canary"), "{text}");
        };
        check(&ours, 200, Level::Fine, "takes the key from");
        check(&ours, 401, Level::Problem, "does not know the key from");
        check(&ours, 403, Level::Problem, "may not be used");
        check(&ours, 402, Level::Problem, "no money");
        check(&ours, 429, Level::Warning, "limits");
        check(&ours, 308, Level::Problem, "`base_url`");
        check(&ours, 404, Level::Fine, "no list of models");
        check(&ours, 418, Level::Warning, "--spend");
        check(&ours, 503, Level::Warning, "trouble of its own");
        check(&theirs, 401, Level::Fine, "the client's own key");
    }

    #[test]
    fn each_silence_has_a_cause_and_a_fix() {
        let config = config("[providers.moonshot]\napi_key = \"k\"");
        let provider = config.provider("moonshot").unwrap();
        let words = || "words".to_owned();
        let errors = [
            ProbeError::NoAddress,
            ProbeError::Request(words()),
            ProbeError::Dns {
                host: words(),
                reason: words(),
            },
            ProbeError::Refused(words()),
            ProbeError::Connect(words()),
            ProbeError::Untrusted(words()),
            ProbeError::Tls(words()),
            ProbeError::Silent(std::time::Duration::from_secs(1)),
            ProbeError::Broken(words()),
        ];
        for error in errors {
            let found = unanswered(provider, "p".to_owned(), &error);
            assert_eq!(found.level, Level::Problem);
            assert!(found.cause.is_some() && found.fix.is_some(), "{found}");
        }
    }

    #[test]
    fn only_real_models_are_asked() {
        let config = config(
            "default = \"x/*\"\n[providers.x]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
             [models.a]\ntargets = [\"x/m\"]\n[models.b]\ntargets = [\"x/m\", \"x/n\"]",
        );
        let models: Vec<String> = candidates(&config)
            .into_iter()
            .filter(|candidate| &*candidate.provider == "x")
            .map(|candidate| candidate.model.to_string())
            .collect();
        assert!(models.contains(&"m".to_owned()) && models.contains(&"n".to_owned()));
        assert!(
            !models.iter().any(|model| model.contains('*')),
            "{models:?}"
        );
    }

    #[test]
    fn clocks_may_differ_a_little() {
        assert_eq!(clock(2).level, Level::Fine);
        assert_eq!(clock(-60).level, Level::Fine);
        let behind = clock(600);
        assert_eq!(behind.level, Level::Problem);
        assert!(behind.cause.unwrap().contains("behind"));
    }

    #[test]
    fn long_lists_are_cut() {
        let models: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(some_of(&models), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(some_of(&models[..2]), "0, 1");
    }
}
