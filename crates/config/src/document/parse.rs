//! TOML text to a tree with line numbers.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expand::expand;
use super::{Node, dotted};
use crate::environment::Environment;
use crate::report::Report;

/// Reads `source`; what cannot be read is reported and left out. None if it is not TOML: what could be made of the
/// rest would only raise problems that are none.
pub(crate) fn parse(
    source: &str,
    environment: &dyn Environment,
    report: &mut Report,
) -> Option<Node> {
    let lines = LineIndex::new(source);
    let (table, errors) = DeTable::parse_recoverable(source);
    for error in errors {
        // The error's own rendering quotes the source line, which may hold a key.
        let span = error.span().unwrap_or_default();
        let mut message = error.message().trim().replace('\n', ", ");
        if message == "duplicate key"
            && let Some(key) = source.get(span.clone())
        {
            message = format!("duplicate key `{key}`");
        }
        report.error_at_line(lines.line(span.start), message, None);
    }
    if report.has_problems() {
        return None;
    }
    let mut reader = Reader {
        lines,
        environment,
        report,
    };
    Some(reader.table(table.get_ref(), &[]))
}

struct Reader<'r> {
    lines: LineIndex,
    environment: &'r dyn Environment,
    report: &'r mut Report,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &[&str]) -> Node {
        let entries = table.iter().map(|(key, value)| {
            let name = key.get_ref().to_string();
            let path = [path, &[name.as_str()]].concat();
            self.report
                .set_line(&path, self.lines.line(key.span().start));
            let node = self.value(value, &path);
            (name, node)
        });
        Node::Table(entries.collect())
    }

    fn list(&mut self, items: &[Spanned<DeValue<'_>>], path: &[&str]) -> Node {
        let mut nodes = Vec::new();
        for item in items {
            let index = nodes.len().to_string();
            let path = [path, &[index.as_str()]].concat();
            self.report
                .set_line(&path, self.lines.line(item.span().start));
            let node = self.value(item, &path);
            // An optional key of a pool: `"${SECOND_KEY:-}"`.
            if !matches!(&node, Node::Text(text) if text.expanded.is_empty()) {
                nodes.push(node);
            }
        }
        Node::List(nodes)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &[&str]) -> Node {
        match value.get_ref() {
            DeValue::String(text) => {
                match expand(text, self.environment, &mut |value, reference| {
                    self.report.conceal(value.to_owned(), reference.to_owned());
                }) {
                    Ok(text) => Node::Text(text),
                    Err(error) => {
                        let message = format!("`{}`: {error}", dotted(path));
                        self.report.error_in_document(path, message, error.hint());
                        self.report.leave_out(path);
                        Node::Broken
                    }
                }
            }
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(
                    |_| self.unreadable(path, "the number is too large"),
                    Node::Integer,
                ),
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Node::Float(number),
                _ => self.unreadable(path, "not a finite number"),
            },
            DeValue::Boolean(value) => Node::Bool(*value),
            DeValue::Datetime(_) => self.unreadable(path, "no key takes a date"),
            DeValue::Array(items) => self.list(items, path),
            DeValue::Table(table) => self.table(table, path),
        }
    }

    fn unreadable(&mut self, path: &[&str], message: &str) -> Node {
        let message = format!("`{}`: {message}", dotted(path));
        self.report.error_in_document(path, message, None);
        self.report.leave_out(path);
        Node::Broken
    }
}

/// Byte offsets of the line starts.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn new(source: &str) -> Self {
        let ends = source.match_indices('\n').map(|(at, _)| at + 1);
        Self([0].into_iter().chain(ends).collect())
    }

    /// The line of a byte offset, from 1.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}
