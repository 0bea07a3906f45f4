//! The calls of a reply, whether they were read out of text or came structured: named, streamed, and each once.

pub(super) mod duplicates;

use std::sync::Arc;

use bytestring::ByteString;
use lingate_wire::json::Text;
use lingate_wire::turn::{Delta, Event, Opening, Slot};

use super::asked::Asked;
use super::names::Name;
use super::output::Output;
use duplicates::Duplicates;

/// Most bytes of arguments kept back to find out which tool is meant.
const MOST_UNNAMED: usize = 1024 * 1024;

/// Where a format puts the calls it reads.
///
/// One call is open at a time. Once its name is known its arguments go out as they are written; a call that has to be
/// named by its arguments, or that may repeat a structured one, goes out when it closes.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(super) out: Output,
    pub(super) duplicates: Duplicates,
    asked: Arc<Asked>,
    open: Option<OpenCall>,
    n_opened: u32,
    n_accepted: u32,
    was_cut: bool,
}

#[derive(Debug)]
struct OpenCall {
    /// `None`: the arguments will tell.
    name: Option<ByteString>,
    is_kept_back: bool,
    /// Set once it is open downstream.
    slot: Option<Slot>,
    arguments: String,
    n_sent: usize,
}

impl Calls {
    pub(super) fn new(quirk: &'static str, asked: Arc<Asked>) -> Self {
        Self {
            out: Output::new(quirk),
            duplicates: Duplicates::default(),
            asked,
            open: None,
            n_opened: 0,
            n_accepted: 0,
            was_cut: false,
        }
    }

    /// What the reply answers: the declared tools and their schemas.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Begins a call: the text before it ends here.
    pub(crate) fn open(&mut self, name: Name) {
        self.out.close_block();
        self.out.hit();
        let name = match name {
            Name::Known(name) => Some(ByteString::from(name)),
            Name::BySchema => None,
        };
        self.n_opened += 1;
        self.n_accepted += u32::from(name.is_some());
        let is_kept_back = name
            .as_ref()
            .is_none_or(|name| self.duplicates.may_repeat_structured(name));
        self.open = Some(OpenCall {
            name,
            is_kept_back,
            slot: None,
            arguments: String::new(),
            n_sent: 0,
        });
    }

    /// Writes more of the open call's arguments, as JSON.
    pub(crate) fn write<T>(&mut self, write: impl FnOnce(&mut String) -> T) -> T {
        match &mut self.open {
            Some(call) => {
                let result = write(&mut call.arguments);
                if call.name.is_none() && call.arguments.len() > MOST_UNNAMED {
                    // Too much to keep for a call that nobody may take.
                    call.arguments = String::new();
                }
                result
            }
            None => write(&mut String::new()),
        }
    }

    /// Ends the open call. One that no declared tool can be meant by is dropped.
    pub(crate) fn close(&mut self) {
        let Some(mut call) = self.open.take() else {
            return;
        };
        if call.name.is_none() {
            let Some(name) = self.asked.accepting(&call.arguments) else {
                return self.diag("unresolved_call_dropped");
            };
            self.diag("name_inferred_from_schema");
            self.n_accepted += 1;
            call.name = Some(name);
        }
        let name = call.name.clone().unwrap_or_default();
        if call.slot.is_none() && self.duplicates.repeats_structured(&name, &call.arguments) {
            return self.diag("duplicate_call_dropped");
        }
        call.send(&mut self.out);
        if let Some(slot) = call.slot {
            self.out.pass(Event::Close { slot });
        }
        self.duplicates.found(name, call.arguments);
    }

    /// Ends the open call because the reply ends inside its arguments: only the token limit excuses that.
    pub(crate) fn cut(&mut self) {
        self.was_cut = true;
        let Some(mut call) = self.open.take() else {
            return;
        };
        if call.name.is_none() || call.arguments.is_empty() {
            return;
        }
        call.send(&mut self.out);
        if let Some(slot) = call.slot {
            self.out.pass(Event::Close { slot });
        }
    }

    /// Notes something odd about the reply.
    pub(crate) fn diag(&mut self, name: &'static str) {
        self.out.diag(name);
    }

    /// Whether a call is open.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// How many calls have been begun, named or not.
    pub(super) fn n_opened(&self) -> u32 {
        self.n_opened
    }

    /// How many calls have been taken out of the text.
    pub(super) fn n_accepted(&self) -> u32 {
        self.n_accepted
    }

    /// Whether the reply ended inside a call.
    pub(super) fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Sends what may be sent of the open call.
    pub(super) fn flush(&mut self) {
        if let Some(call) = self.open.as_mut().filter(|call| !call.is_kept_back) {
            call.send(&mut self.out);
        }
    }
}

impl OpenCall {
    /// Puts out what has come since the last time; nothing opens before there are arguments.
    fn send(&mut self, out: &mut Output) {
        let piece = self.arguments.get(self.n_sent..).unwrap_or_default();
        if piece.is_empty() {
            return;
        }
        let slot = *self.slot.get_or_insert_with(|| {
            let slot = out.own_slot();
            out.pass(Event::Open {
                slot,
                block: Opening::ToolUse {
                    // The model's own ids are counted or copied; the stage behind gives each call a new one.
                    id: Text::default(),
                    name: Text::from(self.name.clone().unwrap_or_default()),
                    namespace: None,
                    is_freeform: false,
                    extra: Vec::new(),
                },
            });
            slot
        });
        out.pass(Event::Delta {
            slot,
            delta: Delta::Input(Text::from(piece)),
        });
        self.n_sent = self.arguments.len();
    }
}
