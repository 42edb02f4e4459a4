//! How new Pods take the place of old ones: as was asked for, unless something stands against it.

use serde_json::Value;

use super::capacity::Demand;
use super::{ChangeOptions, StrategyChoice};
use crate::context::Context;
use crate::failure::{Cause, Failure, NextStep};
use crate::flink::Access;
use crate::live::{Live, Situation};
use crate::operation::Strategy;

/// Returns what the user asks for, now or by `upgrade.strategy`.
pub(super) fn wanted_strategy(options: &ChangeOptions, values: &Value) -> StrategyChoice {
    options.strategy.unwrap_or(match values.pointer("/upgrade/strategy").and_then(Value::as_str) {
        Some("recreate") => StrategyChoice::Recreate,
        Some("auto") => StrategyChoice::Auto,
        _ => StrategyChoice::Warm,
    })
}

/// The strategy, and why it is another than the one that was asked for.
pub(super) async fn choose_strategy(
    context: &Context,
    options: &ChangeOptions,
    situation: &Situation,
    wanted: StrategyChoice,
    demand: &Demand,
    side_by_side: bool,
) -> Result<(Strategy, Option<String>), Failure> {
    let name = &options.name;
    if wanted == StrategyChoice::Recreate {
        return Ok((Strategy::Recreate, None));
    }
    if !side_by_side {
        let reason = "two generations of its layout cannot be up at once".to_owned();
        return Ok((Strategy::Recreate, Some(reason)));
    }
    if let Live::Unreachable(_) = situation.live {
        // Its jobs cannot be asked to stop: only without its Pods is it certain that they run no
        // more.
        let reason = "the JobManager does not answer: its generation goes first".to_owned();
        return Ok((Strategy::Recreate, Some(reason)));
    }
    if let Access::Direct(_) = context.access {
        let reason = "one --flink-url cannot lead to two generations".to_owned();
        return Ok((Strategy::Recreate, Some(reason)));
    }
    match demand.exceeds_quota(context).await {
        None => Ok((Strategy::Warm, None)),
        Some(reason) if wanted == StrategyChoice::Auto => Ok((Strategy::Recreate, Some(reason))),
        Some(reason) => Err(Failure::refused(Cause::NoRoom { reason }).next([
            NextStep::again(["--strategy", "recreate"])
                .remark("stop, replace, start: the job is down while Pods start"),
            NextStep::flink(["status", name]),
        ])),
    }
}
