//! Thoughts between tags and no calls: for models of any family whose prompt ends inside the thoughts. Calls are left to
//! the family's own format, which reads behind this one.

use super::calls::Calls;
use super::format::{Format, Step};
use super::mark::{Mark, Role};

const PROSE: &[Mark] = &[
    Mark::new("<think>", Role::ThinkOpen),
    Mark::new("</think>", Role::ThinkClose),
];

/// Tags alone.
#[derive(Debug)]
pub(crate) struct ThinkTags;

impl Format for ThinkTags {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn begin(&mut self, _mark: &'static str, _calls: &mut Calls) -> Step {
        Step::Restore
    }

    fn marks(&self) -> &'static [&'static str] {
        &[]
    }

    fn text(&mut self, _text: &str, _calls: &mut Calls) -> (usize, Step) {
        (0, Step::Restore)
    }

    fn mark(&mut self, _mark: &'static str, _calls: &mut Calls) -> Step {
        Step::Restore
    }

    fn end(&mut self, _calls: &mut Calls) -> Step {
        Step::Restore
    }
}
