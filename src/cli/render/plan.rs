//! A plan as a user reads it.

use std::fmt::Write as _;

use super::Render;
use super::text::wrap;
use crate::cli::next::Place;
use crate::operation::Kind;
use crate::plan::Summary;

impl Render for Summary {
    fn table(&self, _: &Place) -> String {
        plan(self)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.release)]
    }
}

/// Returns a plan in words.
pub fn plan(summary: &Summary) -> String {
    let mut text = String::new();
    let verb = match summary.operation {
        Kind::Jobs => "change the jobs of",
        kind => kind.verb(),
    };
    let _ = match summary.from_revision {
        Some(from) if from != summary.to_revision => {
            writeln!(text, "Plan: {verb} {} (revision {from} → {})", summary.release, summary.to_revision)
        }
        _ => writeln!(text, "Plan: {verb} {} (revision {})", summary.release, summary.to_revision),
    };
    let _ = writeln!(text, "  package   {}, layout {}", summary.package, summary.layout);
    if summary.operation != Kind::Uninstall {
        let pods = match (&summary.from_generation, summary.new_pods) {
            (Some(from), true) => format!("new: generation {from} is replaced by {}", summary.to_generation),
            (None, true) => format!("new: generation {}", summary.to_generation),
            _ => format!("the same: generation {}", summary.to_generation),
        };
        let _ = writeln!(text, "  Pods      {pods}");
        if let Some(strategy) = summary.strategy {
            let words = match &summary.meanwhile {
                Some(more) => {
                    format!("{strategy}: both are up until the jobs have moved, for which it needs {more}")
                }
                None => {
                    format!("{strategy}: stop, replace, start; the jobs are down while the new Pods start")
                }
            };
            let words =
                summary.strategy_reason.as_ref().map_or(words.clone(), |why| format!("{words} ({why})"));
            let _ = writeln!(text, "  strategy  {}", wrap(&words, 68, "            "));
        }
    }
    let counts = [
        (summary.objects.create.len(), "new"),
        (summary.objects.change.len(), "changed"),
        (summary.objects.delete.len(), "deleted"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let _ = writeln!(
        text,
        "  objects   {}",
        if counts.is_empty() { "unchanged".to_owned() } else { counts.join(", ") }
    );
    if summary.jobs.is_empty() {
        let _ = writeln!(text, "  jobs      none is stopped or started");
    }
    for job in &summary.jobs {
        let _ = writeln!(text, "  job       {}: {}", job.name, job.action);
        if let Some(state) = &job.state {
            let _ = writeln!(text, "            {state}");
        }
        if let Some(downtime) = &job.downtime {
            let _ = writeln!(text, "            {}", wrap(&downtime.to_string(), 68, "            "));
        }
    }
    let _ = writeln!(text, "  failure   {}", wrap(&summary.on_failure, 68, "            "));
    for change in summary.diff.iter().flatten() {
        let _ = write!(text, "\n{}\n{}", change.object, change.diff);
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::cli::render::testing::{every_format, planned};

    #[test]
    fn every_format_has_it() {
        assert_eq!(every_format(&planned()), ["release/demo"]);
    }
}
