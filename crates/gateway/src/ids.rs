//! The one place that draws random ids. All else that is minted derives from an exchange's id.

use uuid::Uuid;

/// A new exchange's id: a UUIDv7, so ids sort by time.
#[expect(clippy::disallowed_methods, reason = "the one place that mints ids")]
pub(crate) fn exchange() -> Uuid {
    Uuid::now_v7()
}

/// Tells this process of the gateway from every other.
#[expect(clippy::disallowed_methods, reason = "the one place that mints ids")]
pub(crate) fn instance() -> String {
    Uuid::now_v7().simple().to_string()
}
