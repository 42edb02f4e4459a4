//! The refusal of a change that needs a choice about state which nobody has made.

use crate::failure::{Cause, Failure};
use crate::operation::Kind;
use crate::plan::Plan;

pub(super) fn refuse_missing_choice(plan: &Plan) -> Result<(), Failure> {
    if plan.summary.choice_needed.is_empty() {
        return Ok(());
    }
    let name = &plan.options.name;
    let with_savepoint = "--with-savepoint   # a new savepoint; nothing lost, nothing repeated";
    let stateless = "--stateless   # the state is dropped";
    let moved = |command: String| {
        vec![
            format!("{command} {with_savepoint}"),
            format!("{command} --from-savepoint recorded|PATH   # records since then are reprocessed"),
            format!("{command} --from-checkpoint latest   # for a job that can take no savepoint"),
            format!("{command} {stateless}"),
        ]
    };
    let jobs = plan.summary.choice_needed.join(", ");
    let (why, next) = match plan.summary.operation {
        Kind::Uninstall => {
            let command = format!("kubectl flink uninstall {name}");
            let next = vec![format!("{command} {with_savepoint}"), format!("{command} {stateless}")];
            (format!("the uninstall must stop {jobs}"), next)
        }
        Kind::Jobs => (
            format!("state of {jobs} is on record"),
            vec![
                format!(
                    "the same command with --from-savepoint recorded|PATH   # its name was used before in release {name}"
                ),
                "the same command with another --name   # it starts with empty state".to_owned(),
            ],
        ),
        Kind::Install => {
            let command = format!("kubectl flink install {name} …");
            (
                format!("state of {jobs} is on record, from an uninstalled release of this name"),
                vec![
                    format!(
                        "{command} --from-savepoint recorded   # the state that the release of this name had"
                    ),
                    format!("{command} --stateless   # it starts with empty state; what is recorded stays"),
                    format!("kubectl flink savepoint list {name}"),
                ],
            )
        }
        Kind::Rollback => {
            let revision = plan.returns_to.map(|revision| format!(" {revision}")).unwrap_or_default();
            (
                format!("the rollback must stop {jobs}"),
                moved(format!("kubectl flink rollback {name}{revision}")),
            )
        }
        Kind::Upgrade => {
            (format!("the upgrade must stop {jobs}"), moved(format!("kubectl flink upgrade {name} …")))
        }
    };
    Err(Failure::refused(Cause::ChoiceNeeded { why }).next(next))
}
