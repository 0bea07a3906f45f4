//! Which exchanges are exported.

use lingate_store::{MAX_PAGE, Page, Reader, Search};
use uuid::Uuid;

use super::super::select::is_id;
use super::super::{failed, filter, named};
use crate::args::LogsExport;
use crate::failure::Failure;
use crate::output;

/// The ids that are named, or the newest that fit, the oldest first.
pub(super) fn ids(reader: &Reader, args: &LogsExport) -> Result<Vec<Uuid>, Failure> {
    let (ids, words): (Vec<String>, Vec<String>) =
        args.filter.iter().cloned().partition(|word| is_id(word));
    let mut chosen = Vec::new();
    for id in &ids {
        chosen.push(named(reader, id)?);
    }
    if ids.is_empty() {
        chosen = fitting(reader, &words, args.limit)?;
    } else if !words.is_empty() {
        return Err(Failure::usage("give ids or a filter, not both"));
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn fitting(reader: &Reader, words: &[String], limit: usize) -> Result<Vec<Uuid>, Failure> {
    let mut search = Search {
        filter: filter(words)?,
        kinds: Vec::new(),
        page: Page::default(),
    };
    let mut ids = Vec::new();
    loop {
        search.page.limit = MAX_PAGE.min(limit - ids.len());
        let hits = reader
            .search(&search, &mut || false)
            .map_err(|error| failed(&error))?;
        ids.extend(hits.items.iter().map(|found| found.exchange.id));
        search.page.before = hits.next;
        if ids.len() >= limit && hits.next.is_some() {
            output::say(&format!("only the newest {limit}: `--limit` takes more"));
        }
        if ids.len() >= limit || hits.next.is_none() {
            return Ok(ids);
        }
    }
}
