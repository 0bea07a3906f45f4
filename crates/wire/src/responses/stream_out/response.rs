//! The reply as an object: what the first and the last events of a stream hold, and what a client is given that asked for none.

use super::{Ending, StreamOut, usage};
use crate::json::Writer;

impl StreamOut {
    /// The reply without its output and usage.
    pub(super) fn response_json(&self, status: &str, ending: impl FnOnce(&mut Writer)) -> String {
        let mut w = Writer::default();
        self.write_response(
            status,
            ending,
            |w| {
                w.begin_array().end_array();
            },
            |w| {
                w.null();
            },
            &mut w,
        );
        String::from_utf8(w.into_bytes()).unwrap_or_default()
    }

    fn write_response(
        &self,
        status: &str,
        ending: impl FnOnce(&mut Writer),
        output: impl FnOnce(&mut Writer),
        usage: impl FnOnce(&mut Writer),
        w: &mut Writer,
    ) {
        w.begin_object();
        match &self.followed.reply {
            Some((id, _)) => w.key("id").text(id),
            None => w.key("id").str(&format!("resp_{}", self.seed)),
        };
        w.key("object").str("response");
        let created = self.followed.reply.as_ref().and_then(|(_, at)| *at);
        w.key("created_at")
            .u64(created.unwrap_or(self.context.created));
        w.key("status").str(status);
        ending(w);
        w.key("instructions").null();
        w.key("metadata").begin_object().end_object();
        w.key("model").text(&self.context.model);
        w.key("output");
        output(w);
        w.key("parallel_tool_calls").bool(true);
        w.key("temperature").null();
        w.key("tool_choice").str("auto");
        w.key("tools").begin_array().end_array();
        w.key("top_p").null();
        w.key("usage");
        usage(w);
        w.end_object();
    }

    /// Writes the reply as it is at the end.
    pub(super) fn final_response(&self, w: &mut Writer) {
        let status = match self.end {
            Ending::Completed => "completed",
            Ending::Incomplete(_) => "incomplete",
        };
        self.write_response(
            status,
            |w| {
                w.key("error").null();
                w.key("incomplete_details");
                match self.end {
                    Ending::Completed => w.null(),
                    Ending::Incomplete(reason) => {
                        w.begin_object().key("reason").str(reason).end_object()
                    }
                };
            },
            |w| {
                w.begin_array();
                if !self.output.is_empty() {
                    w.raw(&self.output);
                }
                w.end_array();
            },
            |w| usage::write(&self.usage, w),
            w,
        );
    }
}
