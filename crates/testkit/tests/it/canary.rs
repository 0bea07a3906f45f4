use std::panic::{AssertUnwindSafe, catch_unwind};

use lingate_testkit::canary::{self, Find};
use lingate_testkit::{Answer, Process, Upstream, client};
use serde_json::json;
use tokio::process::Command;

const KEY: &str = "canary value 0001";

fn places(found: &[Find]) -> Vec<&str> {
    found.iter().map(|find| find.place.as_str()).collect()
}

#[test]
fn files_and_what_is_packed_in_them() {
    canary::plant(KEY);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let deep = dir.join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(dir.join("clean.txt"), "canary value 0002").unwrap();
    assert_eq!(canary::found_below(dir, &[]), []);

    // Enough of a text that its letters are packed too.
    let lines: String = (0..500)
        .map(|n| format!("{n} lines of a log, and more\n"))
        .collect();
    let leaky = format!("{lines}{KEY}{lines}");
    std::fs::write(deep.join("log.txt"), &leaky).unwrap();
    std::fs::write(dir.join(KEY), "").unwrap();
    let packed = zstd::bulk::compress(leaky.as_bytes(), 3).unwrap();
    assert_eq!(canary::found_in("packed", &packed), []);
    let segment = [b"LgF1 head".as_slice(), &packed, b"rest"].concat();
    std::fs::write(dir.join("1.seg"), segment).unwrap();
    let found = canary::found_below(dir, &[]);
    let mut ends: Vec<&str> = places(&found);
    ends.sort_unstable_by_key(|place| place.len());
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(ends[0], "the name of a file");
    assert!(ends[1].ends_with("/a/b/log.txt"), "{ends:?}");
    assert!(ends[2].contains("1.seg, compressed at "), "{ends:?}");
    assert_eq!(canary::found_below(dir, &[dir.join("1.seg")]).len(), 2);
}

#[test]
fn databases() {
    canary::plant(KEY);
    let folder = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(folder.path().join("r.db")).unwrap();
    database
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER, b TEXT, c BLOB)")
        .unwrap();
    // Over the end of a page: in no file in one piece.
    let long = |at: usize| format!("{}{KEY}{}", "x".repeat(at), "y".repeat(5000));
    let packed = zstd::bulk::compress(long(10).as_bytes(), 3).unwrap();
    for at in 3900..4100 {
        let row = (at as i64, long(at), &packed);
        database
            .execute("INSERT INTO t VALUES (?1, ?2, ?3)", row)
            .unwrap();
    }
    let found = canary::found_below(folder.path(), &[]);
    let of = |column: &str| {
        places(&found)
            .iter()
            .filter(|place| place.contains(column))
            .count()
    };
    assert_eq!((of("t.b"), of("t.c, compressed at 0")), (200, 200));
}

#[tokio::test]
async fn answers_however_they_are_cut_and_outputs() {
    canary::plant(KEY);
    let frame = format!("data: {KEY}\n\n");
    let upstream = Upstream::start(vec![
        Answer::sse([frame]).split_every(3),
        Answer::json(400, &json!({"error": KEY})),
        Answer::json(200, &json!({})).header("x-told", KEY),
    ])
    .await;
    for what in ["a stream", "an error", "a header"] {
        let url = upstream.url();
        let read = async move { client::get(&url).send().await.bytes().await };
        let read = tokio::spawn(read).await;
        assert!(read.is_err_and(|error| error.is_panic()), "{what}");
    }
    for stream in ["1", "2"] {
        let script = format!("echo {KEY} >&{stream}");
        let process = Process::spawn(Command::new("sh").args(["-c", &script]));
        let said = || process.stdout() + &process.stderr();
        for _ in 0..1000 {
            if said().contains(KEY) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let ended = catch_unwind(AssertUnwindSafe(|| drop(process)));
        assert!(ended.is_err(), "{stream}");
    }
}

#[test]
fn what_a_configuration_holds() {
    let before = canary::planted();
    canary::plant_settings(
        "api_key = \"one-secret-of-them\"\napi_keys = [\"two-secrets-of\", 'three-secrets']\n\
         api_key = \"${A_VARIABLE_OF_IT}\"\nmy_api_key = \"no-member-of-it\"\napi_key = \"short\"\n\
         cred = '''{\"private_key\": \"-----\\nthe-longest-line\\n--\", \"refresh_token\":\"1//refresh\"}'''\n",
    );
    canary::plant_variable("SOME_API_KEY", "four-secrets");
    canary::plant_variable("SOME_PATH", "no-secret-at-all");
    let planted: Vec<String> = canary::planted()
        .into_iter()
        .filter(|own| !before.contains(own))
        .collect();
    let own = |secret: &&str| planted.iter().any(|planted| planted == secret);
    let all = [
        "one-secret-of-them",
        "two-secrets-of",
        "three-secrets",
        "the-longest-line",
        "1//refresh",
        "four-secrets",
    ];
    assert_eq!(
        all.iter().filter(|secret| own(secret)).count(),
        all.len(),
        "{planted:?}"
    );
    let none = [
        "${A_VARIABLE_OF_IT}",
        "no-member-of-it",
        "short",
        "no-secret-at-all",
    ];
    assert!(!none.iter().any(own), "{planted:?}");
}
