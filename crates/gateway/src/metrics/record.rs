//! How the record is doing.

use std::fmt;

use lingate_store::{Counts, Recorder, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads the record's own counts when metrics are asked for; without a record there is nothing to count.
#[derive(Debug)]
pub(super) struct RecordCollector(pub(super) Option<Recorder>);

impl Collector for RecordCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let state = self.0.as_ref().map_or_else(nothing, Recorder::state);
        let counts = &state.counts;
        let gauges = [
            (
                "record_degraded",
                "Whether something keeps the record from being written",
                i64::from(state.degraded.is_some()),
            ),
            (
                "record_queued_rows",
                "Rows that wait for the record's writer",
                i64::try_from(state.queued_rows).unwrap_or(i64::MAX),
            ),
            (
                "record_queued_bytes",
                "Bytes that wait for the record's writer",
                i64::try_from(state.queued_bytes).unwrap_or(i64::MAX),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let counters = [
            (
                "record_rows",
                "Ended exchanges that are on disk",
                counts.written,
            ),
            (
                "record_bodies_shed",
                "Exchanges whose bodies went because the queue was full",
                counts.bodies_shed,
            ),
            (
                "record_bodies_failed",
                "Exchanges whose bodies could not be written",
                counts.bodies_failed,
            ),
            (
                "record_rows_sampled",
                "Exchanges that went well and kept only their numbers, because the queue was filling up",
                counts.rows_sampled,
            ),
            (
                "record_rows_reduced",
                "Exchanges that kept only their numbers, because the queue was full",
                counts.rows_reduced,
            ),
            (
                "record_lost",
                "Exchanges of which nothing is kept",
                counts.lost,
            ),
            (
                "record_write_failures",
                "Writes of the record that failed and are tried again",
                counts.failures,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

fn nothing() -> State {
    State {
        degraded: None,
        queued_rows: 0,
        queued_bytes: 0,
        counts: Counts::default(),
    }
}
