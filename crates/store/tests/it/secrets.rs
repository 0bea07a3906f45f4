//! Nothing that is a secret reaches a file, and nobody else may read the files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lingate_store::{Attempt, BodyKind, Details, Exchange, Header, Hit, Mask, Options, Settings};

use crate::support::{Kept, accepted, at, body, exchange, files};

const KNOWN: &str = "canary-value-of-a-key-0001";
const SHAPED: &str = "sk-canary0123456789abcdefghijkl";

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn canaries_are_in_no_file_and_no_answer() {
    let mut kept = Kept::new(Options {
        mask: Mask::new([KNOWN]),
        ..Options::default()
    });
    let leaky = format!("text {KNOWN} and {SHAPED} end");
    let given = Exchange {
        error: Some(leaky.clone()),
        preview: Some(leaky.clone()),
        path: leaky.clone(),
        model: leaky.clone(),
        ..exchange(1)
    };
    let details = Details {
        client_request_headers: vec![Header("user-agent".into(), leaky.clone().into())],
        attempts: vec![Attempt {
            url: leaky.clone(),
            error: Some(leaky.clone()),
            ..Attempt::default()
        }],
        hits: vec![Hit {
            before: Some(leaky.clone()),
            after: Some(leaky.clone()),
            ..Hit::default()
        }],
        losses: vec![leaky.clone()],
        usage_raw: Some(leaky.clone()),
        ..Details::default()
    };
    let json = serde_json::json!({"messages": [{"role": "user", "content": format!("{leaky}{}", "x".repeat(300))}]});
    let bodies = BodyKind::ALL
        .map(|kind| body(kind, json.to_string()))
        .to_vec();
    kept.recorder().open(accepted(&given), bodies.clone());
    kept.recorder().close(given.clone(), details, bodies);
    kept.flush();
    let reader = kept.reader();
    let record = reader.get(given.id).unwrap().unwrap();
    let shown = serde_json::to_string(&record).unwrap();
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("and sk-*****"), "{shown}");
    for kind in BodyKind::ALL {
        let read = reader.body(given.id, kind, None).unwrap().unwrap();
        assert!(!contains(&read.bytes, "canary"));
        assert_eq!(read.bytes.len(), json.to_string().len(), "offsets stay");
        serde_json::from_slice::<serde_json::Value>(&read.bytes).unwrap();
    }
    let scan = |kept: &Kept| {
        for path in files(kept.dir.path()) {
            let bytes = fs::read(&path).unwrap();
            for secret in [KNOWN, SHAPED] {
                assert!(!contains(&bytes, secret), "{}", path.display());
            }
        }
    };
    scan(&kept);
    kept.end();
    scan(&kept);
}

#[test]
fn a_key_that_becomes_known_is_masked_in_what_was_written_before_too() {
    let kept = Kept::new(Options::default());
    // A turn, and the next one: it would be made of what is there.
    let asked = |turns: usize| {
        let turn = format!(
            r#"{{"role":"user","content":"{KNOWN} {}"}}"#,
            "x".repeat(300)
        );
        format!(r#"{{"messages":[{}]}}"#, vec![turn; turns].join(","))
    };
    let put = |number, turns| {
        kept.put_with(
            exchange(number),
            vec![body(BodyKind::ClientRequest, asked(turns))],
        );
        kept.flush();
        let id = exchange(number).id;
        let read = kept.reader().body(id, BodyKind::ClientRequest, None);
        contains(&read.unwrap().unwrap().bytes, KNOWN)
    };
    assert!(put(1, 3));
    assert!(put(2, 4));
    let mut settings = Settings::from(&Options::default());
    settings.mask = Mask::new([KNOWN]);
    kept.recorder().change(settings, at(0));
    assert!(!put(3, 4));
    assert!(!put(4, 5));
}

#[test]
fn a_key_is_masked_wherever_a_long_text_is_cut() {
    const CUT: usize = 128 << 10;
    let base64 = "canary/of+base64/key==";
    let spaced = "canary with some spaces";
    let kept = Kept::new(Options {
        mask: Mask::new([base64, spaced]),
        ..Options::default()
    });
    let mut number = 0;
    for secret in [base64, spaced, "Bearer canary0123456789abcdef"] {
        for before in (0..=secret.len()).step_by(2) {
            let text = format!("{}{secret} more", "word ".repeat(CUT / 5 + 1));
            let text = &text[text.len() - secret.len() - 5 - (CUT - before)..];
            kept.put_with(exchange(number), vec![body(BodyKind::ClientRequest, text)]);
            number += 1;
        }
    }
    kept.flush();
    for number in 0..number {
        let id = exchange(number).id;
        let read = kept.reader().body(id, BodyKind::ClientRequest, None);
        let bytes = read.unwrap().unwrap().bytes;
        assert!(bytes.len() > CUT);
        let end = String::from_utf8_lossy(&bytes[CUT - 50..]);
        let words = [
            "cana", "anary", "base64", "key=", "spaces", "56789ab", "cdef",
        ];
        assert!(words.iter().all(|word| !end.contains(word)), "{end}");
    }
}

#[test]
fn only_the_owner_reads() {
    let kept = Kept::new(Options::default());
    kept.put_with(exchange(1), vec![body(BodyKind::ClientRequest, "{}")]);
    kept.flush();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let record = kept.dir.path().join("record");
    for dir in [record.clone(), record.join("segments"), record.join("runs")] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    let files = files(&record);
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_folder_that_was_open_is_closed() {
    let mut kept = Kept::new(Options::default());
    kept.end();
    let record = kept.dir.path().join("record");
    fs::set_permissions(&record, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(record.join("record.db"), fs::Permissions::from_mode(0o644)).unwrap();
    kept.begin(Options::default());
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&record), 0o700);
    assert_eq!(mode(&record.join("record.db")), 0o600);
}
