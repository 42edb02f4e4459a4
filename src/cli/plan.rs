//! A plan as the user reads it, and the questions that go with it.

use std::fmt::Write as _;

use super::render::Render;
use super::wrap::wrap;
use super::{CommandError, Output};
use crate::operation::Kind;
use crate::plan::{Plan, StateChoice, Summary};

impl Render for Summary {
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.release)]
    }

    fn table(&self) -> String {
        render(self)
    }
}

/// A plan in words.
pub fn render(summary: &Summary) -> String {
    let mut text = String::new();
    let verb = match summary.operation {
        Kind::Install => "install",
        Kind::Upgrade => "upgrade",
        Kind::Rollback => "rollback",
        Kind::Uninstall => "uninstall",
        Kind::Jobs => "change the jobs of",
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

/// On a terminal, asks what happens to state where the plan needs it. Elsewhere the operation itself refuses.
pub fn ask_choice(output: &Output, plan: &Plan) -> Result<Option<StateChoice>, CommandError> {
    if plan.summary.choice_needed.is_empty() || !output.can_ask() {
        return Ok(None);
    }
    output.ask_about(&render(&plan.summary));
    output.ask_about(&format!("What happens to the state of {}?", plan.summary.choice_needed.join(", ")));
    let kind = plan.summary.operation;
    let (runs, starts) = (kind != Kind::Install, kind != Kind::Uninstall);
    let choices = [
        (runs, "1  a new savepoint          (--with-savepoint)", StateChoice::Savepoint),
        (starts, "2  the recorded savepoint   (--from-savepoint recorded)", StateChoice::Recorded),
        (true, "3  it is dropped            (--stateless)", StateChoice::Stateless),
        (
            runs && starts,
            "4  its latest checkpoint    (--from-checkpoint latest)",
            StateChoice::LatestCheckpoint,
        ),
    ];
    let choices: Vec<_> = choices.into_iter().filter(|(offered, ..)| *offered).collect();
    for (_, text, _) in &choices {
        output.ask_about(&format!("  {text}"));
    }
    let answer = output.ask("Choice (nothing: leave all as it is): ").filter(|answer| answer.len() == 1);
    let chosen = answer.and_then(|answer| choices.into_iter().find(|(_, text, _)| text.starts_with(&answer)));
    match chosen {
        Some((.., choice)) => Ok(Some(choice)),
        _ => Err(CommandError {
            code: super::exit::REFUSED,
            lines: vec!["nothing was chosen, nothing was changed".to_owned()],
            left_behind: vec![],
            hints: vec![],
        }),
    }
}

/// Asks whether to go on by recreate, for which `--yes` is an answer too.
pub fn ask_recreate(output: &Output, yes: bool) -> bool {
    let question = "There is no room for two generations. Stop, replace and start, as this plan says? (y/N) ";
    yes || (output.can_ask() && matches!(output.ask(question).as_deref(), Some("y" | "Y" | "yes" | "Yes")))
}

/// Prints a plan as the result of a dry run.
pub fn print(plan: &Plan, output: &Output) -> Result<u8, CommandError> {
    output.print(&plan.summary)?;
    Ok(super::exit::DONE)
}

/// Shows a plan before it is carried out.
pub fn show(plan: &Plan, output: &Output) {
    if !plan.summary.unchanged {
        output.talk(render(&plan.summary).trim_end());
    }
}
