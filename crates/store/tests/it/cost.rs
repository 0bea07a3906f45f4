//! What recording costs, measured: `cargo test --release -p lingate-store cost -- --ignored --nocapture`.

use std::fmt::Write as _;
use std::time::Duration;

use lingate_store::{Arrival, Body, BodyKind, Bytes, Details, Options};
use rustix::time::{ClockId, clock_gettime};

use crate::support::{Kept, accepted, exchange};

/// Processor time of this process, in microseconds.
fn processor_us() -> u64 {
    let time: Duration = clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap();
    time.as_micros() as u64
}

#[test]
#[ignore = "a measurement"]
fn an_agents_exchange() {
    // 124 kB: a system prompt, thirty tools, a conversation; one turn is added each time.
    let text = include_str!("../../../../docs/configuration.md").repeat(4);
    let mut head = String::from("{\"model\":\"kimi\",\"tools\":[");
    for number in 0..30 {
        let _ = write!(
            head,
            "{{\"name\":\"t{number}\",\"description\":{:?},\"input_schema\":{{\"type\":\"object\",\"properties\":{{\"a\":{{\"type\":\"string\"}}}}}}}},",
            &text[number * 100..number * 100 + 2000]
        );
    }
    head.push_str("{}],\"messages\":[");
    let message = |number: usize| {
        format!(
            "{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":{:?}}}]}}",
            &text[number * 10 % 9000..number * 10 % 9000 + 1500]
        )
    };
    let kept = Kept::new(Options::default());
    let mut reply = String::new();
    let mut arrivals = Vec::new();
    for event in 0..300_u64 {
        let _ = write!(
            reply,
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"word{event} \"}}}}\n\n"
        );
        arrivals.push(Arrival {
            end: reply.len() as u64,
            at_us: event * 20_000,
        });
    }
    const COUNT: u64 = 2000;
    let mut bodies = Vec::new();
    for turn in 0..40 {
        let messages: Vec<String> = (0..turn + 10).map(message).collect();
        bodies.push(Bytes::from(format!("{head}{}]}}", messages.join(","))));
    }
    let begin = processor_us();
    let mut pushing = 0;
    for number in 0..COUNT {
        let request = bodies[(number % 40) as usize].clone();
        let before = processor_us();
        kept.recorder()
            .open(accepted(&exchange(number)), Vec::new());
        let stream = |kind, attempt| Body {
            kind,
            attempt,
            pieces: vec![Bytes::from(reply.clone())],
            arrivals: arrivals.clone(),
        };
        let all = vec![
            Body::whole(BodyKind::ClientRequest, 0, request.clone()),
            Body::whole(BodyKind::ProviderRequest, 1, request),
            stream(BodyKind::ProviderResponse, 1),
            stream(BodyKind::ClientResponse, 0),
        ];
        kept.recorder()
            .close(exchange(number), Details::default(), all);
        pushing += processor_us() - before;
        if number % 20 == 19 {
            kept.flush();
        }
    }
    kept.flush();
    let state = kept.recorder().state();
    println!(
        "{} bytes a request, {} us an exchange, {} us of it in the caller; {:?}",
        bodies[20].len(),
        (processor_us() - begin) / COUNT,
        pushing / COUNT,
        state.counts
    );
    assert_eq!(state.counts.bodies_shed, 0);
}
