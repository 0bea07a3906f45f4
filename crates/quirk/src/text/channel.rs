//! Prose of one of the upstream's two channels, content or reasoning: white space beside removed markers goes (R0),
//! tags around thoughts are taken at their word (R8), filler at the head goes (R9), and so does what follows a call (R6).

use lingate_wire::json::Text;

use super::mark::Role;
use super::output::{Kind, Output};

/// Most white space kept back, in bytes; more is not the kind that stands beside a marker.
const MOST_SPACE: usize = 1024;

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    /// What the upstream says it is.
    own: Kind,
    /// What it is at present: content may hold thoughts.
    now: Kind,
    /// Nothing has been said since it became what it is now.
    is_at_head: bool,
    /// White space kept back until it is known whether a marker follows.
    space: String,
    /// A marker was removed here: white space that follows is dropped.
    is_trimming: bool,
    /// A tag was removed in front of `space`, which counts only if more follows.
    is_space_by_tag: bool,
    /// A call came: the rest is noise.
    is_behind_call: bool,
    /// Thoughts came before the text.
    has_thoughts: bool,
    /// A tag that opens was left in the text, so that one that closes belongs to it.
    has_literal_open: bool,
    /// A tag that closes and belongs to nothing may be removed, once.
    may_absorb_close: bool,
    /// What looked like a call was prose: stray markers behind it belong to that.
    is_behind_restored: bool,
    last: u8,
}

impl Channel {
    /// A channel; `starts_as` differs from `own` where the prompt ends inside thoughts.
    pub(super) fn new(own: Kind, starts_as: Kind) -> Self {
        Self {
            own,
            now: starts_as,
            is_at_head: true,
            space: String::new(),
            is_trimming: false,
            is_space_by_tag: false,
            is_behind_call: false,
            has_thoughts: false,
            has_literal_open: false,
            may_absorb_close: true,
            is_behind_restored: false,
            last: b' ',
        }
    }

    /// What its prose is at present.
    pub(super) fn now(&self) -> Kind {
        self.now
    }

    /// Whether text without markers passes, and nothing is to be done but to keep white space at its end back.
    pub(super) fn is_flowing(&self) -> bool {
        !(self.is_at_head || self.is_behind_call || self.is_trimming || self.is_space_by_tag)
    }

    /// Whether such text passes as it is, for what the channel says it is.
    pub(super) fn is_passing(&self) -> bool {
        self.is_flowing() && self.space.is_empty() && self.now == self.own
    }

    /// Text has passed as it is, up to this byte, which is not white space.
    pub(super) fn passed(&mut self, last: u8) {
        self.last = last;
    }

    /// Text without markers that does not end in white space, as it is to be handed on: the same, if nothing was kept back.
    pub(super) fn flow(&mut self, text: Text, last: u8) -> Option<Text> {
        self.last = last;
        Some(if self.space.is_empty() {
            text
        } else {
            self.behind_space(&text.decode())
        })
    }

    /// Whether white space may come without being too much.
    pub(super) fn has_room(&self, n_bytes: usize) -> bool {
        self.space.len() + n_bytes <= MOST_SPACE
    }

    /// Text without markers that may end in white space, as far as it is to be handed on.
    pub(super) fn flow_to_space(&mut self, text: &Text) -> Option<Text> {
        let plain = text.to_plain();
        let (body, space) = split_space(&plain);
        let flowing = body.bytes().last().map(|last| {
            self.last = last;
            if self.space.is_empty() {
                Text::plain(plain.slice_ref(body))
            } else {
                self.behind_space(body)
            }
        });
        self.space.push_str(space);
        flowing
    }

    fn behind_space(&mut self, text: &str) -> Text {
        let mut whole = String::with_capacity(self.space.len() + text.len());
        whole.push_str(&self.space);
        whole.push_str(text);
        self.space.clear();
        Text::from(whole)
    }

    /// Whether filler would be recognised.
    pub(super) fn is_at_head(&self) -> bool {
        self.is_at_head
    }

    /// The upstream's reasoning has come in its own channel: content does not begin inside it.
    pub(super) fn follows_thoughts(&mut self) {
        if self.is_at_head && !self.has_thoughts {
            self.now = self.own;
        }
        self.has_thoughts = true;
    }

    /// Says text in which no marker counts.
    pub(super) fn text(&mut self, text: &str, out: &mut Output) {
        if self.is_behind_call {
            if !text.bytes().all(is_space) {
                out.changed("text_after_calls_dropped");
            }
            return;
        }
        let text = if self.is_trimming {
            trim_start(text)
        } else {
            text
        };
        let (body, space) = split_space(text);
        let Some(last) = body.bytes().last() else {
            self.keep(space, out);
            return;
        };
        self.is_trimming = false;
        out.say(self.now, &std::mem::take(&mut self.space));
        out.say(self.now, body);
        self.is_at_head = false;
        self.has_thoughts |= self.now == Kind::Thinking;
        self.last = last;
        self.is_space_by_tag = false;
        self.keep(space, out);
    }

    /// What was read as a call is prose as it stands.
    pub(super) fn restore(&mut self, text: &str, out: &mut Output) {
        if self.is_behind_call {
            out.changed("dangling_begin_dropped");
            return;
        }
        self.is_behind_restored = true;
        self.text(text, out);
    }

    /// A marker is removed here, together with the white space around it.
    pub(super) fn removed(&mut self) {
        self.space.clear();
        self.is_trimming = true;
        self.is_behind_restored = false;
    }

    /// A call came out of here.
    pub(super) fn called(&mut self) {
        self.space.clear();
        self.is_behind_call = true;
    }

    /// What follows is of this kind.
    pub(super) fn becomes(&mut self, kind: Kind) {
        self.removed();
        self.now = kind;
        self.is_at_head = true;
    }

    /// A marker that is not the format's to read.
    pub(super) fn mark(&mut self, mark: &str, role: Role, out: &mut Output) {
        if self.is_behind_call {
            return;
        }
        let is_quoted =
            self.space.is_empty() && matches!(self.last, b'`' | b'"' | b'\'') && !self.is_at_head;
        match role {
            Role::Filler if self.is_at_head => {
                self.removed();
                out.changed("no_content_stripped");
            }
            Role::Stray if !is_quoted && !self.is_behind_restored => {
                self.removed();
                out.changed("stray_marker_dropped");
            }
            Role::ThinkOpen if self.is_at_head => self.think(out),
            Role::ThinkClose if !is_quoted && !self.has_literal_open => self.unthink(mark, out),
            Role::ThinkOpen => {
                self.has_literal_open = true;
                self.text(mark, out);
            }
            Role::Filler | Role::Stray | Role::ThinkClose | Role::Call | Role::Header => {
                self.text(mark, out);
            }
        }
    }

    /// The upstream's block ends: what was kept back counts.
    pub(super) fn end(&mut self, out: &mut Output) {
        let space = std::mem::take(&mut self.space);
        if !self.is_space_by_tag {
            out.say(self.now, &space);
        }
    }

    fn think(&mut self, out: &mut Output) {
        out.hit();
        if self.now == Kind::Thinking {
            out.diag("dup_think_open");
            self.removed();
        } else {
            self.becomes(Kind::Thinking);
        }
    }

    fn unthink(&mut self, mark: &str, out: &mut Output) {
        if self.own == Kind::Text && self.now == Kind::Thinking {
            out.hit();
            return self.becomes(Kind::Text);
        }
        let is_stray = self.is_at_head || !self.has_thoughts || self.own == Kind::Thinking;
        if !is_stray || !self.may_absorb_close {
            return self.text(mark, out);
        }
        self.may_absorb_close = false;
        out.changed(if self.has_thoughts {
            "dup_think_close"
        } else {
            "stray_think_close"
        });
        if self.own == Kind::Thinking && !self.is_at_head {
            // Between two thoughts only the tag goes.
            self.is_space_by_tag = true;
        } else {
            self.removed();
        }
    }

    /// Keeps white space back.
    fn keep(&mut self, space: &str, out: &mut Output) {
        for letter in space.chars() {
            if self.space.len() >= MOST_SPACE {
                out.say(self.now, &std::mem::take(&mut self.space));
            }
            self.space.push(letter);
        }
    }
}

/// JSON's white space; other blanks are letters of a text.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// A text without the white space in front.
pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\r', '\t'])
}

fn split_space(text: &str) -> (&str, &str) {
    let body = text.trim_end_matches([' ', '\n', '\r', '\t']);
    (body, text.get(body.len()..).unwrap_or_default())
}
