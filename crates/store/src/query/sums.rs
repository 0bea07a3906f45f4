//! Sums for those who wait: taken window by window, newest first, for as long as there is patience.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value;
use uuid::Uuid;

use crate::Error;
use crate::filter::Filter;

use super::clauses;
use super::list::{MAX_PAGE, Page};
use super::plan::{Plan, plan};
use super::stats::{Group, GroupBy, SUMS, Stats, group};
use super::{Inner, Reader};

/// Rows summed up between two questions whether time is up.
const WINDOW: i64 = 5_000;

/// Groups held while sums are taken; of what would be one more, only the total tells.
const MAX_GROUPS: usize = 50_000;

impl Reader {
    /// Like [`Reader::stats`], but of what was accepted before `page.before`, and ends once `expired` says that time is up.
    /// Then `next` says where the rest begins; sums of both may be added. The total of what was called is once for an
    /// exchange, whatever it called.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stats_until(
        &self,
        filter: &Filter,
        by: GroupBy,
        utc_offset_s: i64,
        page: Page,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Stats, Error> {
        let inner = self.inner();
        let plan = plan(&inner.connection, clauses::of(filter, &inner.connection)?)?;
        let mut sums = Sums {
            by,
            utc_offset_s,
            total: Group::default(),
            groups: HashMap::new(),
            is_full: false,
        };
        let mut before = page.before.unwrap_or(Uuid::max());
        let next = loop {
            let floor = if plan.is_narrow || plan.is_nothing {
                None
            } else {
                inner.floor(before, WINDOW)?
            };
            inner.sum_up(&plan, before, floor.unwrap_or(Uuid::nil()), &mut sums)?;
            match floor {
                None => break None,
                Some(floor) if expired() => break Some(floor),
                Some(floor) => before = floor,
            }
        };
        Ok(sums.told(page.limit.clamp(1, MAX_PAGE), next))
    }
}

/// Sums so far.
struct Sums {
    by: GroupBy,
    utc_offset_s: i64,
    total: Group,
    groups: HashMap<Option<String>, Group>,
    is_full: bool,
}

impl Sums {
    fn add(&mut self, more: Group) {
        if let Some(group) = self.groups.get_mut(&more.group) {
            group.add(&more);
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.insert(more.group.clone(), more);
        } else {
            self.is_full = true;
        }
    }

    /// In order: times newest first; else what costs most first, then what is most.
    fn told(self, limit: usize, next: Option<Uuid>) -> Stats {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        if self.by.is_time() {
            groups.sort_by(|one, other| other.group.cmp(&one.group));
        } else {
            groups.sort_by(|one, other| {
                (other.cost_micro_usd, other.exchanges)
                    .cmp(&(one.cost_micro_usd, one.exchanges))
                    .then_with(|| one.group.cmp(&other.group))
            });
        }
        let truncated = self.is_full || groups.len() > limit;
        groups.truncate(limit);
        Stats {
            total: self.total,
            groups,
            truncated,
            next,
        }
    }
}

impl Inner {
    fn sum_up(&self, plan: &Plan, before: Uuid, floor: Uuid, sums: &mut Sums) -> Result<(), Error> {
        let rows = format!("{} AND exchanges.id < ? AND exchanges.id >= ?", plan.sql);
        let blob = |id: Uuid| Value::Blob(id.as_bytes().to_vec());
        let mut values = plan.values.clone();
        values.extend([blob(before), blob(floor)]);
        let mut first = Vec::new();
        if sums.by.is_time() {
            first.push(Value::Integer(sums.utc_offset_s));
        }
        let rows_of_groups = match sums.by.tag() {
            None => rows.clone(),
            Some(kind) => {
                first.push(Value::Text(kind.to_owned()));
                // Backwards from the rows to their tags: that is an index, too.
                format!(
                    "FROM (SELECT * {rows}) AS e CROSS JOIN tags AS tag INDEXED BY tags_id ON tag.id = e.id AND tag.kind = ?"
                )
            }
        };
        let sql = format!(
            "SELECT {}, {SUMS} {rows_of_groups} GROUP BY 1",
            sums.by.sql()
        );
        let mut query = self.connection.prepare_cached(&sql)?;
        let parameters = match sums.by.tag() {
            // What a row is joined with stands behind it.
            Some(_) => values.iter().cloned().chain(first).collect::<Vec<_>>(),
            None => first.into_iter().chain(values.iter().cloned()).collect(),
        };
        let groups = query.query_map(params_from_iter(parameters), |row| group(row, 1))?;
        for found in groups {
            let found = found?;
            if sums.by.tag().is_none() {
                sums.total.add(&found);
            }
            sums.add(found);
        }
        if sums.by.tag().is_some() {
            let sql = format!("SELECT {SUMS} {rows}");
            let mut query = self.connection.prepare_cached(&sql)?;
            let total = query.query_row(params_from_iter(values), |row| group(row, 0))?;
            sums.total.add(&total);
        }
        Ok(())
    }
}
