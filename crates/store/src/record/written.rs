//! Details as the JSON that is stored of them.
//!
//! Byte for byte what `serde` makes of them, which a test holds it to: reading them back is left to it. Nearly every exchange
//! has the same members, and writing these one by one takes less than half the time.

use lingate_wire::json::Writer;
use serde::Serialize;

use super::details::{Attempt, Details, Header, Mark};

impl Details {
    /// Appends all of them to `to`, with the secrets that they may hold.
    pub(crate) fn write_json(&self, to: Vec<u8>) -> Vec<u8> {
        let mut json = Writer::append_to(to);
        let out = &mut json;
        out.begin_object().key("client_request_headers");
        list(out, &self.client_request_headers, header);
        list(
            out.key("client_response_headers"),
            &self.client_response_headers,
            header,
        );
        list(out.key("attempts"), &self.attempts, attempt);
        list(out.key("hits"), &self.hits, by_serde);
        list(out.key("noticed"), &self.noticed, string);
        list(out.key("losses"), &self.losses, string);
        list(out.key("timings"), &self.timings, mark);
        option(out.key("usage_raw"), self.usage_raw.as_ref(), string);
        option(out.key("price"), self.price.as_ref(), by_serde);
        if !self.stood.is_empty() {
            by_serde(out.key("stood"), &self.stood);
        }
        out.end_object();
        json.into_bytes()
    }
}

fn attempt(out: &mut Writer, own: &Attempt) {
    out.begin_object();
    out.key("number").u64(own.number.into());
    out.key("provider").str(&own.provider);
    out.key("model").str(&own.model);
    out.key("wire").str(&own.wire);
    out.key("lane").str(&own.lane);
    option(out.key("key"), own.key.as_ref(), string);
    out.key("url").str(&own.url);
    list(out.key("request_headers"), &own.request_headers, header);
    option(out.key("status"), own.status.as_ref(), |out, status| {
        out.u64((*status).into());
    });
    list(out.key("response_headers"), &own.response_headers, header);
    out.key("reason").str(&own.reason);
    out.key("outcome").str(&own.outcome);
    option(out.key("error"), own.error.as_ref(), string);
    out.key("started_us").u64(own.started_us);
    option(out.key("ended_us"), own.ended_us.as_ref(), |out, ended| {
        out.u64(*ended);
    });
    out.end_object();
}

fn header(out: &mut Writer, Header(name, value): &Header) {
    out.begin_array().str(name).str(value).end_array();
}

fn mark(out: &mut Writer, own: &Mark) {
    out.begin_object().key("what").str(&own.what);
    out.key("at_us").u64(own.at_us).end_object();
}

#[expect(clippy::ptr_arg, reason = "called with references to fields")]
fn string(out: &mut Writer, own: &String) {
    out.str(own);
}

/// What few exchanges have.
fn by_serde<T: Serialize>(out: &mut Writer, own: &T) {
    // Into memory, and of members whose names are texts, nothing fails.
    out.raw(&serde_json::to_string(own).unwrap_or_default());
}

fn list<T>(out: &mut Writer, all: &[T], each: impl Fn(&mut Writer, &T)) {
    out.begin_array();
    all.iter().for_each(|own| each(out, own));
    out.end_array();
}

fn option<T>(out: &mut Writer, own: Option<&T>, write: impl Fn(&mut Writer, &T)) {
    match own {
        Some(own) => write(out, own),
        None => drop(out.null()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Fault, Hit, Met, MetTarget, Price, Stood};

    #[track_caller]
    fn check(details: &Details) {
        let json = String::from_utf8(details.write_json(Vec::new())).unwrap();
        assert_eq!(json, serde_json::to_string(details).unwrap());
        let back: Details = serde_json::from_str(&json).unwrap();
        assert_eq!(back, *details);
    }

    /// Texts with something to escape in them.
    fn text(name: &str) -> String {
        format!("{name} \"quoted\" \\ \n \u{1} é \u{2028} 字")
    }

    fn headers() -> Vec<Header> {
        let header = |name| Header(text(name).into(), text("value").into());
        ["one", "two"].map(header).into()
    }

    fn attempts() -> Vec<Attempt> {
        let first = Attempt {
            number: 1,
            provider: text("provider").into(),
            model: text("model").into(),
            wire: text("wire").into(),
            lane: text("lane").into(),
            key: Some(text("key")),
            url: text("url"),
            request_headers: headers(),
            status: Some(529),
            response_headers: headers(),
            reason: text("reason").into(),
            outcome: text("outcome").into(),
            error: Some(text("error")),
            started_us: 7,
            ended_us: Some(u64::MAX),
        };
        vec![first, Attempt::default()]
    }

    fn stood() -> Stood {
        let met = Met {
            attempt: 1,
            target: Some(MetTarget {
                profile: Some(text("profile")),
                model: text("model"),
                index: 3,
            }),
            fault: Some(Fault::default()),
            ..Met::default()
        };
        Stood {
            query: Some(text("query")),
            attempts: vec![met, Met::default()],
            ..Stood::default()
        }
    }

    #[test]
    fn it_is_what_serde_makes_of_them() {
        check(&Details::default());
        let all = Details {
            client_request_headers: headers(),
            client_response_headers: headers(),
            attempts: attempts(),
            hits: vec![
                Hit::default(),
                Hit {
                    quirk: text("quirk"),
                    place: Some(text("place")),
                    ..Hit::default()
                },
            ],
            noticed: vec![text("noticed"), String::new()],
            losses: vec![text("loss"), text("other")],
            timings: ["sent", "headers"]
                .map(|what| Mark {
                    what: text(what).into(),
                    at_us: 9,
                })
                .into(),
            usage_raw: Some(text("usage")),
            price: Some(Price {
                table: text("table"),
                input: Some(3),
                ..Price::default()
            }),
            stood: stood(),
        };
        check(&all);
        // Each by itself, so that none is written only beside another.
        check(&Details {
            client_response_headers: headers(),
            ..Details::default()
        });
        check(&Details {
            attempts: attempts(),
            ..Details::default()
        });
        check(&Details {
            usage_raw: all.usage_raw.clone(),
            ..Details::default()
        });
        check(&Details {
            price: all.price,
            ..Details::default()
        });
        check(&Details {
            stood: all.stood,
            ..Details::default()
        });
    }
}
