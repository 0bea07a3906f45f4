//! Other settings while the record is written: they hold from there on, and nothing is lost or left open.

use std::time::Duration;

use lingate_store::{Bodies, BodyKind, Exchange, Mask, Options, Settings};

use crate::support::{Kept, accepted, all, at, body, exchange};

const SECRET: &str = "corp-renewed-1";

fn change(kept: &Kept, change: impl FnOnce(&mut Settings), now_ms: i64) {
    let mut settings = Settings::from(&Options::default());
    change(&mut settings);
    kept.recorder().change(settings, at(now_ms));
}

/// Records one with a body that has the secret in it; what was kept of the body.
fn recorded(kept: &Kept, number: u64) -> Option<String> {
    let text = format!("{number} {SECRET}");
    kept.put_with(
        exchange(number),
        vec![body(BodyKind::ClientRequest, text.as_bytes())],
    );
    kept.flush();
    let kept = kept
        .reader()
        .body(exchange(number).id, BodyKind::ClientRequest, None)
        .unwrap()?;
    Some(String::from_utf8(kept.bytes.to_vec()).unwrap())
}

#[test]
fn each_setting_holds_from_there_on() {
    let kept = Kept::new(Options::default());
    assert_eq!(recorded(&kept, 0), Some(format!("0 {SECRET}")));
    change(&kept, |settings| settings.mask = Mask::new([SECRET]), 1000);
    assert_eq!(recorded(&kept, 1).as_deref(), Some("1 **************"));
    change(
        &kept,
        |settings| settings.bodies = Some(Bodies::Metadata),
        2000,
    );
    assert_eq!(recorded(&kept, 2), None);
    assert_eq!(kept.recorder().bodies(), Bodies::Metadata);
    assert_eq!(all(&kept.reader()).len(), 3);
    change(
        &kept,
        |settings| settings.bodies = Some(Bodies::Errors),
        3000,
    );
    assert_eq!(recorded(&kept, 3), None, "it went well");
    change(
        &kept,
        |settings| settings.keep = Duration::from_secs(1),
        4000,
    );
    kept.recorder().tick(at(60_000));
    for _ in 0..1000 {
        if all(&kept.reader()).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{:?}", kept.recorder().state());
}

#[test]
fn what_is_turned_off_records_nothing_more() {
    let mut kept = Kept::new(Options {
        fail_closed: true,
        ..Options::default()
    });
    let recorder = kept.recorder();
    recorder.open(accepted(&exchange(1)), Vec::new());
    change(
        &kept,
        |settings| {
            settings.bodies = None;
            settings.fail_closed = true;
        },
        5000,
    );
    assert!(!recorder.open(accepted(&exchange(6)), Vec::new()));
    assert_eq!(recorded(&kept, 6), None, "accepted later");
    assert_eq!(recorded(&kept, 1), None, "its body");
    assert_eq!(recorder.refuses(), None, "nothing is missing");
    let ends = |kept: &Kept| -> Vec<_> {
        let rows = all(&kept.reader());
        rows.iter()
            .map(|row: &Exchange| (row.id, row.end))
            .collect()
    };
    let before = vec![(exchange(1).id, exchange(1).end)];
    assert_eq!(ends(&kept), before, "accepted before, it has its end");
    change(&kept, |settings| settings.bodies = Some(Bodies::Full), 7000);
    assert!(recorded(&kept, 8).is_some(), "on again");
    kept.end();
    assert_eq!(ends(&kept).len(), 2);
}
