//! `docs/generated/metrics.md`: what `/metrics` serves.

use std::fmt::Write as _;

use anyhow::Context;

/// One metric, as its lines in the OpenMetrics text tell it.
struct Metric<'t> {
    name: &'t str,
    /// `counter`, `gauge`, `histogram`.
    kind: &'t str,
    help: &'t str,
    labels: Vec<&'t str>,
}

/// The page for an OpenMetrics text with at least one sample of each metric.
///
/// # Errors
/// If the text is not of that form.
pub(super) fn render(text: &str) -> anyhow::Result<String> {
    let mut page = String::from(
        "# Metrics\n\n\
         What `GET /metrics` serves, in the OpenMetrics text format. A histogram has the series `_bucket` (label \
         `le`), `_sum` and `_count`. Labels hold names of the configuration and words of lingate's own, never what a \
         client or an upstream sent.\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in parse(text)? {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        // A counter's series has an ending that its declaration has not.
        let ending = if metric.kind == "counter" {
            "_total"
        } else {
            ""
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}{ending}` | {} | {} | {} |",
            metric.name,
            metric.kind,
            labels.join(", "),
            metric.help.trim_end_matches('.')
        );
    }
    Ok(page)
}

fn parse(text: &str) -> anyhow::Result<Vec<Metric<'_>>> {
    let mut metrics: Vec<Metric<'_>> = Vec::new();
    for line in text.lines() {
        let declared = |keyword| line.strip_prefix(keyword)?.split_once(' ');
        if let Some((name, help)) = declared("# HELP ") {
            let labels = Vec::new();
            metrics.push(Metric {
                name,
                kind: "",
                help,
                labels,
            });
            continue;
        }
        let Some(metric) = metrics.last_mut() else {
            continue;
        };
        if let Some((_, kind)) = declared("# TYPE ") {
            metric.kind = kind;
        } else if !line.starts_with('#') && metric.labels.is_empty() {
            metric.labels = labels(line).with_context(|| format!("no sample: {line}"))?;
        }
    }
    Ok(metrics)
}

/// The label names of a sample; the values hold no quotes or commas.
fn labels(sample: &str) -> Option<Vec<&str>> {
    let Some((_, rest)) = sample.split_once('{') else {
        return sample.contains(' ').then(Vec::new);
    };
    let (pairs, _) = rest.split_once('}')?;
    let names = pairs.split(',').map(|pair| Some(pair.split_once('=')?.0));
    let names: Vec<&str> = names.collect::<Option<_>>()?;
    Some(names.into_iter().filter(|name| *name != "le").collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_row_is_what_the_text_declares() {
        let check = |text: &str, row: &str| {
            let page = super::render(text).unwrap();
            assert_eq!(page.lines().last(), Some(row));
        };
        check(
            "# HELP up Things.\n# TYPE up counter\nup_total{wire=\"\",lane=\"x\"} 1\n# EOF\n",
            "| `up_total` | counter | `wire`, `lane` | Things |",
        );
        check(
            "# HELP now Busy.\n# TYPE now gauge\nnow 0\n# EOF\n",
            "| `now` | gauge |  | Busy |",
        );
        check(
            "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n# UNIT t_seconds seconds\nt_seconds_sum 0.0\n\
             t_seconds_bucket{le=\"1\"} 0\n# EOF\n",
            "| `t_seconds` | histogram |  | Time |",
        );
        assert!(super::render("# HELP now Busy.\nnonsense\n").is_err());
    }
}
