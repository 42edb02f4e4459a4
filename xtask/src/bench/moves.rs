//! The downtime of `kubectl flink upgrade --with-savepoint`, beside the order that a person follows
//! by hand.
//!
//! A job that counts is moved in each way in turn, on the same cluster: by the plugin, warm and
//! recreate, as a release; and the same job on the same objects, made by `kubectl flink template`
//! and `kubectl apply`, by the two scripts in `benches/`. What a move changes is an environment
//! variable of all Pods, which stands for a new image that is on the node already. The downtime is
//! the job's own record: the largest gap between two numbers of a key, less their usual interval.
//! Fails where a warm upgrade takes a tenth of the time by hand or more, or more than three times
//! the bare requests.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

use super::median;
use crate::progress::{duration, say};
use crate::stage::Stage;
use crate::tally::{Expect, State, Tally};
use crate::target::Target;

const NAMESPACE: &str = "kubectl-flink-bench";
/// The most that a warm upgrade may take of the time by hand, and of that of the bare requests.
const OF_BY_HAND: f64 = 0.1;
const OF_BARE: f64 = 3.0;
/// The job, its keys and its slots.
const CLASS: &str = "tally.Counter";
const KEYS: usize = 4;
const SLOTS: u32 = 2;
/// Numbers of each key that the job gets on by after a move, before the next: some seconds, and
/// some checkpoints.
const FURTHER: u64 = 300;
const PATIENCE: Duration = Duration::from_mins(2);

/// The release, the objects that are moved by hand, and how both jobs are called.
const RELEASE: &str = "release";
const BY_HAND: &str = "by-hand";

/// The user's values. `BUILD` is what a move changes.
fn values(job: &str, build: &str) -> String {
    format!(
        "\
image: {{repository: flink-test, tag: 2.3.0}}
job:
  name: {job}
  jar: local:///opt/flink/usrlib/counter.jar
  entryClass: {CLASS}
  args: [--name, {job}, --rate, \"50\"]
parallelism: {SLOTS}
checkpointing: {{interval: 2s}}
jobManager: {{cpu: 100m, memory: 1g}}
taskManager: {{replicaCount: 1, slots: {SLOTS}, cpu: 100m, memory: 1g}}
storage: {{claim: {{size: 1Gi}}}}
terminationGracePeriodSeconds: 5
env: [{{name: BUILD, value: \"{build}\"}}]
"
    )
}

/// A way of moving the job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Warm,
    Recreate,
    ByHand,
    /// Onto a cluster that has just come up and has planned the job once, like a warm generation.
    Bare,
    /// Back onto one that has run the job before.
    BareUsed,
}

impl Way {
    const ALL: [Self; 5] = [Self::Warm, Self::ByHand, Self::Bare, Self::BareUsed, Self::Recreate];

    fn name(self) -> &'static str {
        match self {
            Self::Warm => "kubectl flink upgrade --with-savepoint (warm)",
            Self::Recreate => "kubectl flink upgrade --with-savepoint --strategy recreate",
            Self::ByHand => "by hand (benches/by-hand.sh)",
            Self::Bare => "stop and submit by REST, JVM new (benches/bare.sh)",
            Self::BareUsed => "stop and submit by REST, JVM used",
        }
    }
}

/// Moves a job that many times in each way and prints the medians.
pub fn run(project: &Path, plugin: &Path, moves: u32, context: Option<&str>) -> Result<()> {
    crate::plugin::build(project)?;
    let target = Target::open(project, context)?;
    let stage = Stage::set(&target, NAMESPACE)?;
    stage.put_first(plugin)?;
    stage.require_image("flink-test:2.3.0")?;
    let scripts = project.join("benches");
    let mut bench = Bench::begin(&stage, &scripts)?;
    let mut gaps = Way::ALL.map(|_| Vec::new());
    for round in 1..=moves {
        say(format_args!("==> round {round} of {moves}"));
        for (way, gaps) in Way::ALL.into_iter().zip(&mut gaps) {
            let (gap, profile) = bench.gap(way, round).with_context(|| way.name())?;
            say(format_args!("  {:7.0} ms  {}: {profile}", milliseconds(gap), way.name()));
            gaps.push(gap);
        }
    }
    let interval = bench.interval()?;
    stage.clear()?;

    println!(
        "downtime, by the job's own record (the largest gap less the usual interval of {interval} ms), median of {moves} moves each, in turn:"
    );
    let medians = gaps.map(|mut gaps| {
        gaps.sort_unstable();
        let span = (gaps.first().copied(), gaps.last().copied());
        (median(gaps), span)
    });
    for (way, (median, (least, most))) in Way::ALL.iter().zip(&medians) {
        let [least, most] = [least, most].map(|gap| milliseconds(gap.unwrap_or_default()));
        println!("  {:<58} {:7.0} ms   ({least:.0} to {most:.0})", way.name(), milliseconds(*median));
    }
    let of = |way: Way| {
        Way::ALL.iter().position(|other| *other == way).map_or(f64::NAN, |i| medians[i].0.as_secs_f64())
    };
    let (hand, bare) = (of(Way::Warm) / of(Way::ByHand), of(Way::Warm) / of(Way::Bare));
    println!("warm takes {hand:.3} of the time by hand, {bare:.2} of the bare requests");
    say(format_args!(
        "targets: less than {OF_BY_HAND} of the time by hand, at most {OF_BARE} of the bare requests"
    ));
    if !(hand < OF_BY_HAND && bare <= OF_BARE) {
        bail!("a target is missed");
    }
    Ok(())
}

/// The two jobs that are moved.
struct Bench<'a> {
    stage: &'a Stage<'a>,
    scripts: &'a Path,
    /// Flink's id of the job that is moved by hand. It runs on generation 1 but for the moment
    /// between two bare moves.
    job: String,
}

impl<'a> Bench<'a> {
    /// Installs the release, and the same by hand.
    fn begin(stage: &'a Stage<'a>, scripts: &'a Path) -> Result<Self> {
        say("==> installing the job twice, as a release and by hand");
        stage.write("release.yaml", &values(RELEASE, "0"))?;
        stage.output("kubectl flink install release flink --layout job -f release.yaml --timeout 10m")?;
        let mut bench = Self { stage, scripts, job: String::new() };
        bench.write_manifests("g1.yaml", "1", "0")?;
        stage.output("kubectl apply -f g1.yaml")?;
        bench.job = bench.script(&format!("bare.sh - - by-hand-g1 {CLASS} {SLOTS}"))?;
        Ok(bench)
    }

    /// Moves the job that way; for how long it was silent, and in which parts.
    fn gap(&mut self, way: Way, round: u32) -> Result<(Duration, String)> {
        // The bare move back follows on its forerunner at once: what is in between belongs to
        // neither.
        let job = if matches!(way, Way::Warm | Way::Recreate) { RELEASE } else { BY_HAND };
        if way == Way::Bare {
            self.write_manifests("g2.yaml", "2", &round.to_string())?;
            self.stage.output("kubectl apply -f g2.yaml")?;
            for role in ["jobmanager", "taskmanager"] {
                self.stage
                    .output(&format!("kubectl rollout status deployment/by-hand-g2-{role} --timeout 5m"))?;
            }
        }
        self.await_further(job)?;
        let since = now();
        match way {
            Way::Warm => self.upgrade("warm", round)?,
            Way::Recreate => self.upgrade("recreate", round)?,
            Way::ByHand => {
                self.write_manifests("g1.yaml", "1", &round.to_string())?;
                self.job =
                    self.script(&format!("by-hand.sh by-hand-g1 {} g1.yaml {CLASS} {SLOTS}", self.job))?;
            }
            Way::Bare => self.bare("by-hand-g1", "by-hand-g2")?,
            Way::BareUsed => self.bare("by-hand-g2", "by-hand-g1")?,
        }
        self.await_further(job)?;
        if way == Way::BareUsed {
            self.remove_second()?;
        }
        let tally = self.tally(job)?;
        let gap = tally.largest_gap(since).saturating_sub(tally.usual_gap());
        Ok((Duration::from_millis(gap), profile(&tally)?))
    }

    fn upgrade(&self, strategy: &str, round: u32) -> Result<()> {
        self.stage.write("release.yaml", &values(RELEASE, &format!("{strategy} {round}")))?;
        let state = "--with-savepoint --stability-period 1s --timeout 10m";
        let line = format!("kubectl flink upgrade release -f release.yaml --strategy {strategy} {state}");
        self.stage.output(&line).map(drop)
    }

    fn bare(&mut self, old: &str, new: &str) -> Result<()> {
        self.job = self.script(&format!("bare.sh {old} {} {new} {CLASS} {SLOTS}", self.job))?;
        Ok(())
    }

    /// The objects of the job that is moved by hand, as generation 1 or 2.
    fn write_manifests(&self, file: &str, generation: &str, build: &str) -> Result<()> {
        self.stage.write("by-hand.yaml", &values(BY_HAND, build))?;
        let template =
            format!("kubectl flink template by-hand flink --layout job -f by-hand.yaml -n {NAMESPACE}");
        let manifests = self.stage.output(&template)?;
        let manifests = manifests.replace("by-hand-g1", &format!("by-hand-g{generation}")).replace(
            "flink.kubectl/generation: \"1\"",
            &format!("flink.kubectl/generation: \"{generation}\""),
        );
        self.stage.write(file, &manifests)
    }

    /// Removes generation 2 with its high-availability data in Kubernetes.
    fn remove_second(&self) -> Result<()> {
        let of = "flink.kubectl/release=by-hand,flink.kubectl/generation=2";
        self.stage.output(&format!("kubectl delete deployment,service,configmap -l {of}"))?;
        let pods = "app.kubernetes.io/instance=by-hand,flink.kubectl/generation=2";
        self.stage.output(&format!("kubectl wait pod -l {pods} --for=delete --timeout=2m"))?;
        self.stage.output("kubectl delete configmap -l app=by-hand-g2").map(drop)
    }

    /// Runs a script; the last line that it prints. What it says goes on to the person.
    fn script(&self, line: &str) -> Result<String> {
        let printed = self.stage.told(&format!("{}/{line}", self.scripts.display()))?;
        printed.lines().last().map(ToOwned::to_owned).context("the script printed no job")
    }

    /// Waits until each key has got further by some seconds, so that the JVM has run the job for a
    /// while.
    fn await_further(&self, job: &str) -> Result<()> {
        let begun = std::time::Instant::now();
        let first = self.tally(job)?.position();
        loop {
            let position = self.tally(job)?.position();
            let further = |key| position.get(key).copied() >= first.get(key).map(|at| at + FURTHER);
            if first.len() == KEYS && first.keys().all(further) {
                return Ok(());
            }
            if first.len() < KEYS && position.len() == KEYS {
                return self.await_further(job);
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "the job {job} does not count on: {first:?}, {} later {position:?}",
                    duration(PATIENCE.as_secs())
                );
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// The usual interval of a key's numbers in milliseconds, once nothing was lost or repeated in
    /// either job.
    fn interval(&self) -> Result<u64> {
        for job in [RELEASE, BY_HAND] {
            let verdict = self.tally(job)?.judge(State::Running);
            say(format_args!("  {job}: {verdict}"));
            let differences =
                verdict.differences(State::Running, &Expect { keys: KEYS, ..Expect::default() });
            if !differences.is_empty() {
                bail!("the tally of {job} is not clean: {}", differences.join("; "));
            }
        }
        Ok(self.tally(RELEASE)?.usual_gap())
    }

    fn tally(&self, job: &str) -> Result<Tally> {
        let folder = self.stage.tally(job, true)?;
        Ok(Tally::read(&[Path::new(&folder)], job)?)
    }
}

/// Where the time of the last move went: up to the start of the new job's tasks, and from there to
/// its first number.
fn profile(tally: &Tally) -> Result<String> {
    let [.., old, new] = tally.runs.as_slice() else {
        bail!("the job was not moved");
    };
    let ((_, last), (first, _)) = old.time.zip(new.time).context("a run emitted nothing")?;
    Ok(format!(
        "{} ms until the new tasks open, {} ms to their first number",
        new.opened.saturating_sub(last),
        first.saturating_sub(new.opened)
    ))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn milliseconds(gap: Duration) -> f64 {
    gap.as_secs_f64() * 1000.0
}
