//! What filters find, each on one small record.

use lingate_store::filter::WordField;
use lingate_store::{End, Exchange, Filter, Options, Page, Reader, Valued};
use lingate_wire::Wire;
use lingate_wire::turn::Usage;

use crate::support::{Kept, accepted, at, exchange};

/// Ten exchanges, a second apart; the last still runs.
fn record() -> Kept {
    let kept = Kept::new(Options::default());
    let base = exchange;
    kept.put([
        Exchange {
            model: "Kimi-K2".into(),
            ..base(0)
        },
        Exchange {
            status: Some(404),
            error_kind: Some("not_found".into()),
            error: Some("no such model".into()),
            ..base(1)
        },
        Exchange {
            status: Some(529),
            provider: Some("other".into()),
            attempts: 3,
            ..base(2)
        },
        Exchange {
            end: Some(End::ClientGone),
            status: None,
            cost_micro_usd: None,
            ..base(3)
        },
        Exchange {
            tools: vec!["Bash".into(), "BashOutput".into()],
            session: Some("s-2".into()),
            ..base(4)
        },
        Exchange {
            tools: vec!["Read".into()],
            quirks: vec!["think-tags".into()],
            losses: 2,
            ..base(5)
        },
        Exchange {
            cost_micro_usd: Some(100_001),
            duration_ms: Some(65_000),
            stream: false,
            ..base(6)
        },
        Exchange {
            cost_micro_usd: Some(100_000),
            ttft_ms: Some(5000),
            class: Some("subagent".into()),
            ..base(7)
        },
        Exchange {
            client_wire: Some(Wire::Gemini),
            upstream_model: Some("glm-5[1m]".into()),
            usage: Usage {
                input: Some(9000),
                cache_write_1h: Some(1000),
                output: Some(2000),
                ..Usage::default()
            },
            key: Some("alice".into()),
            lane: Some("passthrough".into()),
            ..base(8)
        },
    ]);
    kept.recorder().open(accepted(&base(9)), Vec::new());
    kept.flush();
    kept
}

fn found(reader: &Reader, filter: &str) -> Vec<i64> {
    let filter = Filter::parse(filter, at(10_000)).unwrap();
    let listing = reader.list(&filter, Page::default()).unwrap();
    let seconds = |exchange: &Exchange| (exchange.time - at(0)).get_seconds();
    listing.items.iter().rev().map(seconds).collect()
}

#[test]
fn each_word_finds_its_rows() {
    let kept = record();
    let reader = kept.reader();
    let check = |filter: &str, expected: &[i64]| {
        assert_eq!(found(&reader, filter), expected, "{filter}");
    };
    check("", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check("status:404", &[1]);
    check("status:5xx", &[2]);
    check("status:>=400", &[1, 2]);
    check("-status:2xx", &[1, 2, 3, 9]);
    check("model:kimi", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check("model:k2", &[0]);
    check("model:=kimi", &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check("model:\"Kimi-K2\"", &[0]);
    check("model:*-k2", &[0]);
    check("-model:k2 -status:200", &[1, 2, 3, 9]);
    check("model:nobody", &[]);
    check("upstream:glm", &[8]);
    check("upstream:glm*[1m]", &[8]);
    check("provider:other", &[2]);
    check("-provider:moonshot", &[2, 9]);
    check("session:s-2", &[4]);
    check("session:s", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check("session:*2", &[4]);
    check("tool:Bash", &[4]);
    check("tool:=bash", &[]);
    check("tool:=Bash", &[4]);
    check("tool:r*d", &[5]);
    check("-tool:*", &[0, 1, 2, 3, 6, 7, 8, 9]);
    check("quirk:think", &[5]);
    check("cost:>0.1", &[6]);
    check("cost:>=0.1", &[6, 7]);
    check("cost:<0.01 is:ok", &[0, 4, 5, 8]);
    check("duration:>1m", &[6]);
    check("ttft:>=5s", &[7]);
    check("tokens:>=12k", &[8]);
    check("input:9000", &[8]);
    check("output:>1k", &[8]);
    check("attempts:3", &[2]);
    check("losses:>0", &[5]);
    check("is:error", &[1, 2, 3]);
    check("is:ok", &[0, 4, 5, 6, 7, 8]);
    check("-is:ok", &[1, 2, 3, 9]);
    check("is:open", &[9]);
    check("-is:stream", &[6]);
    check("is:unpriced", &[3]);
    check("end:client_gone", &[3]);
    check("class:subagent", &[7]);
    check("key:alice", &[8]);
    check("wire:gemini", &[8]);
    check("upstream-wire:chat -wire:anthropic", &[8]);
    check("lane:pass", &[8]);
    check("path:=/v1/messages status:404", &[1]);
    check("stop:end* is:error", &[1, 2, 3]);
    check("error:\"no such model\"", &[1]);
    check("error:SUCH", &[1]);
    check("preview:hell status:404", &[1]);
    check("since:4s", &[6, 7, 8, 9]);
    check("until:8s", &[0, 1]);
    check("since:7s until:5s", &[3, 4]);
    check(
        "status:200 model:kimi tool:Bash session:s-2 since:2h cost:>0.001",
        &[4],
    );
    check("status:200 tool:Bash quirk:think", &[]);
    check("model:%", &[]);
    check("error:_", &[]);
}

#[test]
fn values_to_choose_from() {
    let kept = record();
    let reader = kept.reader();
    assert_eq!(
        reader.values(Valued::Word(WordField::Model)).unwrap(),
        ["Kimi-K2", "kimi"]
    );
    assert_eq!(
        reader.values(Valued::Word(WordField::Provider)).unwrap(),
        ["moonshot", "other"]
    );
    assert_eq!(
        reader.values(Valued::Word(WordField::Session)).unwrap(),
        [""; 0]
    );
}
