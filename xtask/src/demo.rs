//! `cargo xtask demo`: the story of the product on a real cluster, told as it goes.
//!
//! What is shown is what happens: the commands are run as users type them, and after each change of
//! the job the checker of the job's own output says what was lost and what was repeated. Where a
//! step does not hold, the demo fails. Everything lives in one namespace of the demo's own, which
//! is removed at the start and at the end.

mod count;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::plugin;
use crate::progress::{duration, say};
use crate::stage::Stage;
use crate::target::Target;
use count::{Count, State};

/// The namespace.
const NAMESPACE: &str = "kubectl-flink-demo";
/// The release and its job.
const RELEASE: &str = "counter";
/// The exit code of an operation that failed and was undone.
const UNDONE: i32 = 5;

/// The user's values. The requests are small, so that the demo fits on a laptop.
const VALUES: &str = "\
image: {repository: flink-test, tag: 1.20.5}
job:
  jar: local:///opt/flink/usrlib/counter.jar
  entryClass: tally.Counter
  args: [--rate, \"20\"]          # numbers a second, for each of 4 keys
checkpointing: {interval: 2s}
jobManager: {cpu: 100m, memory: 1g}
taskManager: {replicaCount: 1, cpu: 100m, memory: 1g}
storage: {claim: {size: 1Gi}}
";
/// How a job is moved here. People wait half a minute until it has proved itself.
const MOVE: &str = "--with-savepoint --stability-period 5s --timeout 15m";

#[derive(clap::Args)]
pub struct Options {
    /// A context of your kubeconfig to use, instead of a cluster on this machine
    #[arg(long)]
    context: Option<String>,
}

pub fn run(project: &Path, options: &Options) -> Result<()> {
    say("The story takes 3 to 5 minutes, once the cluster is up and the plugin is built.");
    let target = Target::open(project, options.context.as_deref())?;
    plugin::build(project)?;
    let begun = Instant::now();
    let stage = Stage::set(&target, NAMESPACE)?;
    stage.require_image("flink-test:1.20.5")?;
    stage.write("counter.yaml", VALUES)?;
    let mut count = Count::new(&stage, RELEASE);

    install(&stage, &mut count)?;
    upgrade(&stage, &mut count)?;
    rollback(&stage, &mut count)?;
    other_flink(&stage, &mut count)?;
    bad_image(&stage, &mut count)?;
    bad_state(&stage, &mut count)?;
    let end = uninstall(&stage, &count)?;

    stage.clear()?;
    say(format_args!(
        "\nThe job was moved three times and brought back once; {end}.\nThe story took {}.",
        duration(begun.elapsed().as_secs())
    ));
    Ok(())
}

fn install(stage: &Stage, count: &mut Count) -> Result<()> {
    stage.tell(
        "A Flink job that counts. It has state: the next number of each of four keys. It writes every number down twice,
as it is emitted, outside of Flink's state, and through an exactly-once sink. So it can be told afterwards whether a
number was lost or repeated. These are the settings, and this is the installation.",
    );
    stage.type_in("cat counter.yaml")?;
    stage.type_in("kubectl flink install counter flink --layout job -f counter.yaml --timeout 15m")?;
    stage.type_in("kubectl flink list")?;
    count.watch("It counts.")
}

fn upgrade(stage: &Stage, count: &mut Count) -> Result<()> {
    stage.tell(
        "More memory: new Pods are needed, so the job must stop. What happens to its state is never decided silently.",
    );
    let change = "--set taskManager.memory=1100m";
    stage.type_in_and_fail(&format!("kubectl flink upgrade counter {change}"), 3)?;
    stage.tell(
        "With a savepoint, then. The new Flink cluster comes up beside the old one, and is tried out while the job runs on. Only
then the job moves: that is the one moment in which it does not count.",
    );
    stage.type_in(&format!("kubectl flink upgrade counter {change} {MOVE}"))?;
    count.watch("The count goes on where it was:")?;
    count.judge(State::Running)?;
    stage.type_in("kubectl flink status counter")
}

fn rollback(stage: &Stage, count: &mut Count) -> Result<()> {
    stage.tell("Back to revision 1 and its memory, with today's state.");
    stage.type_in(&format!("kubectl flink rollback counter 1 {MOVE}"))?;
    count.watch("It counts on:")?;
    count.judge(State::Running)?;
    let values = stage.json("kubectl flink get values counter")?;
    if values["taskManager"]["memory"] != "1g" {
        bail!("after the rollback to revision 1 the values are not its values: {values}");
    }
    expect_history(stage, &["superseded", "superseded", "deployed"])
}

fn other_flink(stage: &Stage, count: &mut Count) -> Result<()> {
    stage.tell("Another Flink, from 1.20 to 2.3 in one move. It is an upgrade like any other.");
    stage.type_in(&format!("kubectl flink upgrade counter --set image.tag=2.3.0 {MOVE}"))?;
    count.watch("It counts on:")?;
    count.judge(State::Running).map(drop)
}

fn bad_image(stage: &Stage, count: &mut Count) -> Result<()> {
    stage.tell("An image that does not exist. That shows while the new Pods come up: the job that runs is never stopped.");
    stage
        .type_in_and_fail(&format!("kubectl flink upgrade counter --set image.tag=no-such {MOVE}"), UNDONE)?;
    count.watch("It counts, and did so all the time:")?;
    count.judge(State::Running).map(drop)
}

fn bad_state(stage: &Stage, count: &mut Count) -> Result<()> {
    stage.tell(
        "A bad version: its operator keeps its state in another type, so the job fails as it restores. That shows only
after the good job was stopped. The upgrade is undone by itself: the old job starts again where it was, on the old
Flink cluster, from the savepoint that was just taken.",
    );
    stage.type_in_and_fail(
        &format!(
            "kubectl flink upgrade counter --set job.entryClass=tally.StateChanged,taskManager.memory=1100m {MOVE}"
        ),
        UNDONE,
    )?;
    count.watch("It is back, and counts on:")?;
    count.judge(State::Running)?;
    expect_history(stage, &["superseded", "superseded", "superseded", "deployed", "failed", "failed"])?;
    stage.tell("Every revision is on record, the failed ones too, and so is each savepoint.");
    stage.type_in("kubectl flink history counter")
}

/// Uninstalls; the checker's last line.
fn uninstall(stage: &Stage, count: &Count) -> Result<String> {
    stage.tell(
        "The end, with a last savepoint. The record and the volume stay as long as a savepoint lives there.",
    );
    stage.type_in("kubectl flink uninstall counter --with-savepoint")?;
    stage.tell(
        "Now that the job has ended everything must be committed, exactly once, over all of its moves:",
    );
    let end = count.judge(State::Ended)?;
    stage.tell("Whoever wants could start it from there. We are done: the savepoints are named once more, then all is gone.");
    stage.type_in("kubectl flink uninstall counter --purge --yes")?;
    stage.type_in("kubectl get all,pvc,secret")?;
    let left = stage.output("kubectl get all,pvc,secret -o name")?;
    if !left.trim().is_empty() {
        bail!("something was left behind:\n{left}");
    }
    Ok(end)
}

/// Holds the statuses of all revisions against what the story says.
fn expect_history(stage: &Stage, expected: &[&str]) -> Result<()> {
    let history = stage.json(&format!("kubectl flink history {RELEASE}"))?;
    let statuses: Vec<&str> =
        history.as_array().into_iter().flatten().filter_map(|row| row["status"].as_str()).collect();
    if statuses != expected {
        bail!("the revisions are {statuses:?}, expected {expected:?}");
    }
    let savepoints = |row: &Value| row["savepoints"].as_array().is_some_and(|paths| !paths.is_empty());
    if !history[0].is_null() && !savepoints(&history[0]) {
        bail!("revision 1 was ended with a savepoint, and its record names none: {history}");
    }
    Ok(())
}
