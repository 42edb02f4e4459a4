//! Questions to a user. Where there is no terminal none is asked: what needs an answer is refused.

use super::error::{CommandError, exit};
use super::output::Output;
use super::render;
use crate::operation::Kind;
use crate::plan::{Plan, StateChoice};

/// On a terminal, asks what happens to state where the plan needs it. Elsewhere the operation
/// itself refuses.
pub fn ask_choice(output: &Output, plan: &Plan) -> Result<Option<StateChoice>, CommandError> {
    if plan.summary.choice_needed.is_empty() || !output.can_ask() {
        return Ok(None);
    }
    output.ask_about(&render::plan(&plan.summary));
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
            code: exit::REFUSED,
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

/// Asks whether what was named may be deleted for good.
pub fn ask_delete(output: &Output) -> bool {
    output.can_ask() && output.ask("Delete them? Type yes: ").as_deref() == Some("yes")
}
