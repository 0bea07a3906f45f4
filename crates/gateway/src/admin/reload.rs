//! `/api/reload`: has the configuration read again, and tells what became of it the last time.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::front::respond::{self, Body};
use crate::generations::{Generations, InForce, Outcome, Trigger};

/// `GET /api/reload`
pub(crate) fn get(generations: &Generations) -> Response<Body> {
    let told = generations.told().borrow().clone();
    respond::json(StatusCode::OK, document(&told).to_string())
}

/// `POST /api/reload`: 200 with what is in force now, 422 with what is wrong if it is the same as before for that.
pub(crate) async fn post(generations: &Generations) -> Response<Body> {
    let told = generations.reload(Trigger::Api).await;
    let outcome = told.last.as_ref().map(|last| last.outcome);
    let status = match outcome {
        Some(Outcome::Refused) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Outcome::Applied | Outcome::Unchanged) | None => StatusCode::OK,
    };
    respond::json(status, document(&told).to_string())
}

fn document(told: &InForce) -> Value {
    let reload = told.last.as_ref().map(|last| {
        json!({
            "at": format!("{:.0}", last.at),
            "trigger": last.trigger.name(),
            "outcome": last.outcome.name(),
            "problems": last.problems,
        })
    });
    json!({
        "generation": told.generation,
        "config": told.hash,
        "reload": reload,
    })
}
