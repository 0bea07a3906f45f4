//! The one place that draws random ids. All else that is minted derives from an exchange's id.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

use crate::clock;

/// A new exchange's id: a UUIDv7, so ids sort by time. The first 12 bits behind the millisecond are its fraction (RFC 9562,
/// 6.2, method 3); the rest is a count under a key that the system drew once, for asking the system costs a call each time.
pub(crate) fn exchange() -> Uuid {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanoseconds = u64::try_from(clock::wall().as_nanosecond()).unwrap_or_default();
    let fraction = (nanoseconds % 1_000_000) * 4096 / 1_000_000;
    let drawn = KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut rest = [0; 10];
    let (high, low) = rest.split_at_mut(2);
    high.copy_from_slice(&(fraction as u16).to_be_bytes());
    low.copy_from_slice(&drawn.to_be_bytes());
    Builder::from_unix_timestamp_millis(nanoseconds / 1_000_000, &rest).into_uuid()
}

/// Tells this process of the gateway from every other.
#[expect(clippy::disallowed_methods, reason = "the one place that mints ids")]
pub(crate) fn instance() -> String {
    Uuid::now_v7().simple().to_string()
}
