//! The refusal of a change that needs a choice about state which nobody has made.

use crate::failure::{Cause, Failure, NextStep};
use crate::operation::Kind;
use crate::plan::Plan;

pub(super) fn refuse_missing_choice(plan: &Plan) -> Result<(), Failure> {
    if plan.summary.choice_needed.is_empty() {
        return Ok(());
    }
    let name = &plan.options.name;
    let with_savepoint = |command: NextStep| {
        command.args(["--with-savepoint"]).remark("a new savepoint; nothing lost, nothing repeated")
    };
    let stateless = |command: NextStep| command.args(["--stateless"]).remark("the state is dropped");
    let moved = |command: NextStep| {
        let recorded = command.clone().args(["--from-savepoint"]).placeholder("recorded|PATH");
        let latest = command.clone().args(["--from-checkpoint", "latest"]);
        vec![
            with_savepoint(command.clone()),
            recorded.remark("records since then are reprocessed"),
            latest.remark("for a job that can take no savepoint"),
            stateless(command),
        ]
    };
    let jobs = plan.summary.choice_needed.join(", ");
    let (why, next) = match plan.summary.operation {
        Kind::Uninstall => {
            let command = NextStep::flink(["uninstall", name]);
            let next = vec![with_savepoint(command.clone()), stateless(command)];
            (format!("the uninstall must stop {jobs}"), next)
        }
        Kind::Jobs => (
            format!("state of {jobs} is on record"),
            vec![
                NextStep::again(["--from-savepoint"])
                    .placeholder("recorded|PATH")
                    .remark(format!("its name was used before in release {name}")),
                NextStep::again([]).placeholder("another --name").remark("it starts with empty state"),
            ],
        ),
        Kind::Install => {
            let command = NextStep::flink(["install", name]).placeholder("…");
            (
                format!("state of {jobs} is on record, from an uninstalled release of this name"),
                vec![
                    command
                        .clone()
                        .args(["--from-savepoint", "recorded"])
                        .remark("the state that the release of this name had"),
                    command
                        .args(["--stateless"])
                        .remark("it starts with empty state; what is recorded stays"),
                    NextStep::flink(["savepoint", "list", name]),
                ],
            )
        }
        Kind::Rollback => {
            let revision = plan.returns_to.map(|revision| revision.to_string());
            let command = NextStep::flink(["rollback", name]).args(revision.as_deref());
            (format!("the rollback must stop {jobs}"), moved(command))
        }
        Kind::Upgrade => {
            let command = NextStep::flink(["upgrade", name]).placeholder("…");
            (format!("the upgrade must stop {jobs}"), moved(command))
        }
    };
    Err(Failure::refused(Cause::ChoiceNeeded { why }).next(next))
}
