//! What is made of the answers of a real Flink 2.3.0, recorded in `testdata/`: each request of
//! [`Rest`] that one is there for, and the protocols that decide about state. The statuses are
//! those that Flink sent with them.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::StatusCode;

use super::transport::{Answer, Request, TransportError};
use super::{
    CheckpointConfig, Client, Content, Features, FlinkError, JobState, Program, Refusal, Rest, RunRequest,
    SavepointStatus, StopError, StopRequest, Transport, Waiting, health, savepoint,
};
use crate::id::{Id, JobId, TriggerId};
use crate::operation::SavepointFormat;

/// A recording's name with the status it came with.
macro_rules! recordings {
    ($($status:literal: $($name:literal)+;)+) => {
        const RECORDINGS: &[(&str, u16, &str)] =
            &[$($(($name, $status, include_str!(concat!("testdata/", $name, ".json")))),+),+];
    };
}

recordings! {
    200: "checkpoints" "checkpoints-config" "checkpoints-config-off" "checkpoints-off" "checkpoints-restored"
        "checkpoints-stopped" "config" "exceptions" "exceptions-initialization" "exceptions-none" "jars" "jars-upload"
        "job" "job-failed" "job-finished" "jobs-overview" "jobs-overview-empty" "jobs-overview-initializing"
        "jobs-overview-many" "overview" "plan" "restarts" "run" "savepoint-completed" "savepoint-failed"
        "savepoint-failed-while-stopping" "savepoint-in-progress" "savepoint-job-gone" "status";
    202: "stop-accepted";
    400: "run-await" "run-duplicate" "run-no-savepoint" "run-throws";
    404: "cancel-unknown" "checkpoints-initializing" "job-unknown" "savepoint-unknown-trigger";
    409: "cancel-ended";
    500: "plan-no-class" "plan-throws" "run-no-jar" "status-unknown";
}

/// A Flink that knows these answers, by request, and says of all else that it does not know it.
struct Recorded(Vec<(String, &'static str)>);

impl Transport for Recorded {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>> {
        let asked = request.to_string();
        let known = self.0.iter().find(|(request, _)| *request == asked).map(|(_, name)| {
            RECORDINGS.iter().find(|(one, ..)| one == name).unwrap_or_else(|| panic!("no recording {name}"))
        });
        let (status, body) = known.map_or_else(
            || (404, format!(r#"{{"errors":["Not found: {}"]}}"#, request.path)),
            |(_, status, body)| (*status, (*body).to_owned()),
        );
        let status = StatusCode::from_u16(status).unwrap();
        Box::pin(async move { Ok(Answer { status, body: Bytes::from(body) }) })
    }

    fn describe(&self) -> String {
        "a recording".to_owned()
    }
}

/// A client of a Flink that gives these recordings as its answers to these requests.
fn flink<S: Into<String>, const N: usize>(answers: [(S, &'static str); N]) -> Client {
    Client::new(Recorded(answers.map(|(request, name)| (request.into(), name)).into()))
}

/// The id that ends in these digits.
fn id(end: &str) -> Id {
    format!("{end:0>32}").parse().unwrap()
}

fn job() -> JobId {
    id("a01")
}

fn trigger() -> TriggerId {
    id("12")
}

fn on_job(method: &str, rest: &str) -> String {
    format!("{method} /jobs/{}{rest}", job())
}

const SAVEPOINT: &str = "file:/flink-storage/savepoints/1-t2/savepoint-000000-ff4650a6b3a7";
const WHILE_STOPPING: &str = "file:/flink-storage/savepoints/1-t8/savepoint-000000-e4c8a53edf40";
const NO_SUCH_STATE: &str = "FileNotFoundException: Cannot find checkpoint or savepoint file/directory \
    'file:///flink-storage/savepoints/none' on file system 'file'.";

#[test]
fn every_recording_is_known() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/flink/testdata");
    let mut there: Vec<String> = fs_err::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap().replace(".json", ""))
        .collect();
    let mut known: Vec<_> = RECORDINGS.iter().map(|(name, ..)| *name).collect();
    there.sort();
    known.sort_unstable();
    assert_eq!(there, known);
}

#[tokio::test]
async fn the_cluster() {
    let client = flink([("GET /overview", "overview"), ("GET /config", "config"), ("GET /jars", "jars")]);
    let overview = client.overview().await.unwrap();
    assert_eq!((overview.taskmanagers, overview.slots_total, overview.slots_available), (1, 4, 4));
    assert_eq!(overview.flink_version, "2.3.0");
    let config = client.config().await.unwrap();
    assert_eq!((config.flink_version.as_str(), config.refresh_interval), ("2.3.0", 3000));
    assert_eq!(config.features, Features { web_submit: true, web_cancel: true });
    let jars = client.jars().await.unwrap();
    assert_eq!(jars.len(), 1);
    assert_eq!(jars[0].id, "112386f5-6976-48b9-af25-b48bcefffc70_probe.jar");
    assert_eq!((jars[0].name.as_str(), jars[0].uploaded), ("probe.jar", 1_795_250_100_959));
}

#[tokio::test]
async fn an_uploaded_jar_is_known_by_the_last_part_of_its_path() {
    let client = flink([("POST /jars/upload", "jars-upload")]);
    let uploaded = client.upload("probe.jar", Content::Bytes(Bytes::from_static(b"PK"))).await.unwrap();
    assert_eq!(uploaded, "112386f5-6976-48b9-af25-b48bcefffc70_probe.jar");
}

#[tokio::test]
async fn jobs_as_they_are_listed() {
    use JobState::{Canceled, Failed, Finished, Restarting, Running};
    // The end of the id, the state, tasks in all and running, whether it has ended, whether it can
    // take a savepoint.
    type Row = (&'static str, JobState, u32, u32, bool, bool);
    let table: [(&str, &[Row]); 4] = [
        ("jobs-overview-empty", &[]),
        // RUNNING, while every task still restores its state: no savepoint could be taken.
        ("jobs-overview-initializing", &[("a01", Running, 4, 0, false, false)]),
        ("jobs-overview", &[("a01", Running, 4, 4, false, true)]),
        (
            "jobs-overview-many",
            &[
                ("a06", Restarting, 2, 0, false, false),
                ("a05", Failed, 0, 0, true, false), // it never had a task
                ("a04", Canceled, 2, 0, true, false),
                ("a02", Canceled, 2, 0, true, false),
                ("a01", Finished, 4, 0, true, false),
            ],
        ),
    ];
    for (recording, expected) in table {
        let jobs = flink([("GET /jobs/overview", recording)]).jobs().await.unwrap();
        let rows = jobs.iter().map(|job| {
            let (tasks, ended) = (job.tasks, job.end_time.is_some());
            (job.id, job.state, tasks.total, tasks.running, ended, job.is_fully_running())
        });
        let expected = expected.iter().map(|row| (id(row.0), row.1, row.2, row.3, row.4, row.5));
        assert!(rows.eq(expected), "{recording}: {jobs:#?}");
    }
    let client = flink([("GET /jobs/overview", "jobs-overview-initializing")]);
    assert_eq!(client.find(job()).await.unwrap().unwrap().tasks.initializing, 4);
    assert!(client.find(id("abc")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_s_details() {
    let table = [
        ("job", job(), JobState::Running, 4, 2, None),
        // Asked for after its end: this answer is up to 3 s old, and `job_state` alone is fresh.
        ("job-finished", job(), JobState::Running, 4, 2, None),
        ("job-failed", id("a05"), JobState::Failed, 0, 0, Some(1_795_250_160_709)),
    ];
    for (recording, job, state, planned, vertices, end) in table {
        let client = flink([(format!("GET /jobs/{job}"), recording)]);
        let detail = client.job(job).await.unwrap();
        assert_eq!((detail.id, detail.state, detail.end_time), (job, state, end), "{recording}");
        assert_eq!((detail.planned_tasks(), detail.vertices.len()), (planned, vertices), "{recording}");
    }
    let detail = flink([(on_job("GET", ""), "job")]).job(job()).await.unwrap();
    let source = &detail.vertices[0];
    assert_eq!(
        (source.name.as_str(), source.status.as_str()),
        ("Source: Sequence Source -> slow", "RUNNING")
    );
    assert_eq!((source.parallelism, source.max_parallelism), (2, 128));
    assert_eq!(source.slot_sharing_group.as_deref(), Some("6cc1a6f843f8054e9cf5e4f0726cfa55"));
}

#[tokio::test]
async fn a_job_s_state() {
    let client = flink([(on_job("GET", "/status"), "status")]);
    assert_eq!(client.job_state(job()).await.unwrap(), JobState::Finished);
}

#[tokio::test]
async fn what_flink_does_not_know_is_not_found_whatever_the_status() {
    let gone = id("abc");
    let errors = [
        flink([(on_job("GET", ""), "job-unknown")]).job(job()).await.err(),
        flink([(format!("GET /jobs/{gone}/status"), "status-unknown")]).job_state(gone).await.err(), // a 500
        flink([(on_job("GET", "/checkpoints"), "checkpoints-initializing")]).checkpoints(job()).await.err(),
        flink([(savepoint_of(trigger()), "savepoint-unknown-trigger")])
            .savepoint(job(), trigger())
            .await
            .err(),
        flink([(on_job("PATCH", "?mode=cancel"), "cancel-unknown")]).cancel(job()).await.err(),
    ];
    let words = [
        "Job 00000000000000000000000000000a01 not found",
        "Could not find Flink job (00000000000000000000000000000abc)",
        "Job 00000000000000000000000000000a01 not found",
        "There is no savepoint operation with triggerId=0000000000000000000000000000ffff for job \
         00000000000000000000000000000a01.",
        "Job could not be found.",
    ];
    for (error, words) in errors.into_iter().zip(words) {
        let Some(FlinkError::NotFound { message, .. }) = &error else { panic!("{words}: {error:?}") };
        assert_eq!(message, words);
        assert!(error.is_some_and(|error| !error.may_have_acted() && !error.is_passing()), "{words}");
    }
}

#[tokio::test]
async fn checkpoints() {
    const OWN: &str = "file:/flink-storage/checkpoints/00000000000000000000000000000a01/chk-";
    let chk = |number: u32| Some(format!("{OWN}{number}"));
    let of_another = "file:/flink-storage/checkpoints/00000000000000000000000000000a02/chk-9".to_owned();
    let path = || Some(SAVEPOINT.to_owned());
    let table = [
        // Completed, failed; the newest checkpoint; the newest savepoint; what it was restored
        // from.
        ("checkpoints-off", (0, 0), None, None, None),
        ("checkpoints", (3, 2), chk(3), None, None),
        // The savepoint that ended the job is no completed checkpoint, though it counts as one.
        ("checkpoints-stopped", (6, 2), chk(5), path(), None),
        ("checkpoints-restored", (3, 1), Some(of_another), None, path()),
    ];
    for (recording, counts, completed, taken, restored) in table {
        let client = flink([(on_job("GET", "/checkpoints"), recording)]);
        let found = client.checkpoints(job()).await.unwrap();
        assert_eq!((found.counts.completed, found.counts.failed), counts, "{recording}");
        assert_eq!(found.begun_and_failed(), 0, "{recording}: what counts as failed was never begun");
        let latest = found.latest;
        assert_eq!(latest.completed.and_then(|one| one.external_path), completed, "{recording}");
        assert_eq!(latest.savepoint.and_then(|one| one.external_path), taken, "{recording}");
        assert_eq!(latest.restored.and_then(|one| one.external_path), restored, "{recording}");
    }
    let latest = flink([(on_job("GET", "/checkpoints"), "checkpoints-stopped")]).checkpoints(job()).await;
    let latest = latest.unwrap().latest;
    let (checkpoint, taken) = (latest.completed.unwrap(), latest.savepoint.unwrap());
    assert!(checkpoint.discarded && !checkpoint.is_savepoint, "Flink deleted it when the job finished");
    assert!(!taken.discarded && taken.is_savepoint);
    assert_eq!((taken.id, taken.state_size, taken.end_to_end_duration), (6, 1474, 74));
}

#[tokio::test]
async fn how_checkpoints_are_taken() {
    let on = CheckpointConfig { enabled: true, interval_ms: Some(2000), timeout_ms: 600_000, retained: true };
    // Without checkpointing Flink says Long.MAX_VALUE.
    let off = CheckpointConfig { enabled: false, interval_ms: None, ..on.clone() };
    for (recording, expected) in [("checkpoints-config", on), ("checkpoints-config-off", off)] {
        let client = flink([(on_job("GET", "/checkpoints/config"), recording)]);
        assert_eq!(client.checkpoint_config(job()).await.unwrap(), expected, "{recording}");
    }
}

#[tokio::test]
async fn failures() {
    let no_state = format!("Could not start the JobMaster: {NO_SUCH_STATE}");
    let told = "IllegalStateException: the probe was told to fail";
    let task = "Source: Sequence Source -> slow (1/1) - execution #1";
    let table = [
        ("exceptions-none", 0, None),
        // The newest comes first.
        ("exceptions", 2, Some((1_795_250_165_015, told, Some(task)))),
        ("exceptions-initialization", 1, Some((1_795_250_160_709, no_state.as_str(), None))),
    ];
    for (recording, count, newest) in table {
        let failures = flink([(on_job("GET", "/exceptions"), recording)]).failures(job()).await.unwrap();
        assert_eq!(failures.count, count, "{recording}");
        let found = failures
            .newest
            .as_ref()
            .map(|one| (one.at.unwrap(), one.first_line.as_str(), one.task.as_deref()));
        assert_eq!(found, newest, "{recording}");
    }
}

#[tokio::test]
async fn a_metric_that_is_not_gathered_yet_is_no_number() {
    let client = flink([(on_job("GET", "/metrics?get=numRestarts"), "restarts")]);
    assert_eq!(client.restarts(job()).await.unwrap(), None);
}

#[tokio::test]
async fn one_look_at_a_job() {
    let client = flink([
        ("GET /jobs/overview".to_owned(), "jobs-overview"),
        (on_job("GET", ""), "job"),
        (on_job("GET", "/checkpoints"), "checkpoints-restored"),
        (on_job("GET", "/exceptions"), "exceptions"),
        (on_job("GET", "/metrics?get=numRestarts"), "restarts"),
    ]);
    let seen = health::look(&client, job()).await.unwrap();
    assert!(seen.is_fully_running());
    assert_eq!(seen.restored.as_deref(), Some(SAVEPOINT));
    assert_eq!((seen.completed_checkpoints, seen.last_checkpoint), (3, Some(1_795_250_157_740)));
    assert_eq!(seen.restarts, 2, "the history counts where the metric is not gathered");
    // Its checkpoints are not known yet, and its tasks restore their state.
    let client = flink([
        ("GET /jobs/overview".to_owned(), "jobs-overview-initializing"),
        (on_job("GET", ""), "job"),
        (on_job("GET", "/checkpoints"), "checkpoints-initializing"),
    ]);
    let seen = health::look(&client, job()).await.unwrap();
    assert!(!seen.is_fully_running());
    assert_eq!((seen.completed_checkpoints, seen.restored), (0, None));
}

fn savepoint_of(trigger: TriggerId) -> String {
    on_job("GET", &format!("/savepoints/{trigger}"))
}

#[tokio::test]
async fn what_became_of_a_savepoint() {
    let not_running = "Checkpoint triggering task Source: Sequence Source -> slow (1/2) of job \
        00000000000000000000000000000a01 is not being executed at the moment. Aborting checkpoint. \
        Failure reason: Not all required tasks are currently running.";
    let stopping = format!(
        "A savepoint has been created at: {WHILE_STOPPING}, but the corresponding job \
         00000000000000000000000000000a08 failed during stopping. The savepoint is consistent, but might have \
         uncommitted transactions. If you want to commit the transaction please restart a job from this savepoint."
    );
    let failed = |cause: &str, location: Option<&str>| SavepointStatus::Failed {
        cause: cause.to_owned(),
        location: location.map(str::to_owned),
    };
    let table = [
        ("savepoint-in-progress", SavepointStatus::InProgress),
        ("savepoint-completed", SavepointStatus::Completed { location: SAVEPOINT.to_owned() }),
        // COMPLETED, all three: the operation, not the savepoint.
        ("savepoint-failed", failed(not_running, None)),
        ("savepoint-failed-while-stopping", failed(&stopping, Some(WHILE_STOPPING))),
        // Flink takes a stop of a job that it does not know, and says so under the trigger only.
        ("savepoint-job-gone", failed("Could not find Flink job (00000000000000000000000000000a01)", None)),
    ];
    for (recording, expected) in table {
        let client = flink([(savepoint_of(trigger()), recording)]);
        assert_eq!(client.savepoint(job(), trigger()).await.unwrap(), expected, "{recording}");
    }
}

fn stop_request(directory: &str) -> StopRequest {
    let format = SavepointFormat::Canonical;
    StopRequest { trigger: trigger(), directory: directory.to_owned(), format, drain: false }
}

#[tokio::test]
async fn a_trigger_that_is_accepted_says_nothing_yet() {
    let client =
        flink([(on_job("POST", "/stop"), "stop-accepted"), (on_job("POST", "/savepoints"), "stop-accepted")]);
    let request = stop_request("file:///flink-storage/savepoints/1-t2");
    client.stop(job(), &request).await.unwrap();
    client.trigger_savepoint(job(), &request).await.unwrap();
}

/// Returns what comes of a stop, where Flink accepts it and answers like this from then on.
async fn stop_told(answers: &[(String, &'static str)]) -> Result<String, StopError> {
    let mut all = vec![(on_job("POST", "/stop"), "stop-accepted")];
    all.extend_from_slice(answers);
    let client = Client::new(Recorded(all));
    let request = stop_request("file:///flink-storage/savepoints/1-t2");
    let mut tick = |_: &Waiting| ();
    let stopped = savepoint::stop_with_savepoint(&client, job(), &request, &mut tick);
    tokio::time::timeout(Duration::from_mins(1), stopped).await.expect("it goes on without end")
}

#[tokio::test(start_paused = true)]
async fn how_a_stop_ends() {
    let answer = |recording| vec![(savepoint_of(trigger()), recording)];
    assert_eq!(stop_told(&answer("savepoint-completed")).await.unwrap(), SAVEPOINT);

    let error = stop_told(&answer("savepoint-failed-while-stopping")).await.unwrap_err();
    assert!(!error.leaves_job_running());
    let StopError::FailedWhileStopping { location, .. } = error else { panic!("{error:?}") };
    assert_eq!(location, WHILE_STOPPING);

    for recording in ["savepoint-failed", "savepoint-job-gone"] {
        let error = stop_told(&answer(recording)).await.unwrap_err();
        assert!(matches!(&error, StopError::Failed { .. }), "{recording}: {error:?}");
        assert!(error.leaves_job_running(), "{recording}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_flink_has_forgotten() {
    let unknown = (savepoint_of(trigger()), "savepoint-unknown-trigger");
    let checkpoints = |recording| (on_job("GET", "/checkpoints"), recording);
    let status = (on_job("GET", "/status"), "status");

    // The job's statistics name a savepoint in the trigger's directory.
    let told = stop_told(&[unknown.clone(), checkpoints("checkpoints-stopped")]).await;
    assert_eq!(told.unwrap(), SAVEPOINT);

    // They name none, or Flink does not know the job either.
    let table = [
        (vec![unknown.clone(), checkpoints("checkpoints"), status], Some(JobState::Finished)),
        (vec![unknown, checkpoints("checkpoints-initializing")], None),
    ];
    for (answers, expected) in table {
        let error = stop_told(&answers).await.unwrap_err();
        assert!(!error.leaves_job_running(), "{error:?}");
        let StopError::Forgotten { state, .. } = error else { panic!("{error:?}") };
        assert_eq!(state, expected);
    }
}

#[tokio::test]
async fn a_job_that_has_ended_cannot_be_cancelled() {
    let error = flink([(on_job("PATCH", "?mode=cancel"), "cancel-ended")]).cancel(job()).await.unwrap_err();
    let FlinkError::Refused { status, message, .. } = error else { panic!("{error:?}") };
    assert_eq!(status, 409); // by this `Source::cancel` knows it
    let words =
        "Job cancellation failed because the job has already reached another terminal state (FINISHED).";
    assert_eq!(message, words);
}

fn run_request() -> RunRequest {
    let (savepoint, program) = (Some("file:///flink-storage/savepoints/none".to_owned()), Program::default());
    RunRequest { job: job(), program, savepoint, allow_non_restored_state: false, application: false }
}

#[tokio::test]
async fn a_job_is_run() {
    flink([("POST /jars/probe.jar/run", "run")]).run("probe.jar", &run_request()).await.unwrap();
}

#[tokio::test]
async fn an_error_of_run_leaves_open_whether_the_job_runs() {
    let main = |words: &str| format!("The main method caused an error: {words}");
    let table = [
        // The job runs: only its main() has failed, as it waited for the result.
        (
            "run-await",
            400,
            Refusal::Other,
            main("The Job Result cannot be fetched through the Job Client when in Web Submission."),
        ),
        (
            "run-duplicate",
            400,
            Refusal::DuplicateId,
            main("Failed to execute job 'probe': Application has already been submitted."),
        ),
        ("run-throws", 400, Refusal::Other, main("the probe was told to throw in main")),
        (
            "run-no-savepoint",
            400,
            Refusal::Other,
            main(&format!("Failed to execute job 'probe': {NO_SUCH_STATE}")),
        ),
        (
            "run-no-jar",
            500,
            Refusal::Other,
            "Jar file /flink-storage/upload/flink-web-upload/nope.jar does not exist".to_owned(),
        ),
    ];
    for (recording, expected, expected_kind, words) in table {
        let client = flink([("POST /jars/probe.jar/run", recording)]);
        let error = client.run("probe.jar", &run_request()).await.unwrap_err();
        assert!(error.may_have_acted() && !error.is_passing(), "{recording}");
        let FlinkError::Refused { status, kind, message, .. } = error else { panic!("{error:?}") };
        assert_eq!((status, kind, message), (expected, expected_kind, words), "{recording}");
    }
}

#[tokio::test]
async fn a_program_is_checked() {
    let path = "POST /jars/probe.jar/plan";
    let plan = flink([(path, "plan")]).plan("probe.jar", &Program::default()).await.unwrap();
    assert_eq!(plan.name, "probe");
    let nodes: Vec<_> = plan.nodes.iter().map(|node| (node.parallelism, node.description.as_str())).collect();
    assert_eq!(
        nodes,
        [(2, "count<br/>+- Sink: Writer<br/>"), (2, "Source: Sequence Source<br/>+- slow<br/>")]
    );
    let table = [
        ("plan-no-class", "The program's entry point class 'Nope' was not found in the jar file."),
        ("plan-throws", "The main method caused an error: the probe was told to throw in main"),
    ];
    for (recording, words) in table {
        let error = flink([(path, recording)]).plan("probe.jar", &Program::default()).await.unwrap_err();
        let FlinkError::Refused { message, .. } = error else { panic!("{recording}: {error:?}") };
        assert_eq!(message, words);
    }
}

/// Flink answers about a disposal in the form in which it answers about a savepoint.
#[tokio::test]
async fn a_savepoint_is_disposed_of() {
    let client = flink([("POST /savepoint-disposal", "stop-accepted")]);
    assert_eq!(client.dispose(SAVEPOINT).await.unwrap(), trigger());
    let ask = format!("GET /savepoint-disposal/{}", trigger());
    let table = [("savepoint-in-progress", false), ("savepoint-completed", true)];
    for (recording, expected) in table {
        let client = flink([(ask.clone(), recording)]);
        assert_eq!(client.disposal(trigger()).await.unwrap(), expected, "{recording}");
    }
    let error = flink([(ask, "savepoint-failed")]).disposal(trigger()).await.unwrap_err();
    assert!(matches!(error, FlinkError::Refused { .. }), "COMPLETED with a cause is a failure: {error:?}");
}

/// Each error and each failure becomes one line of bounded length, without a frame of a stack or a
/// class's package.
#[test]
fn a_trace_becomes_one_short_line() {
    let mut lines = 0;
    let mut check = |name: &str, line: &str| {
        lines += 1;
        assert!((10..500).contains(&line.chars().count()), "{name}: {line}");
        assert!(!line.contains(['\n', '\t']) && !line.contains("org.apache"), "{name}: {line}");
    };
    for (name, status, body) in RECORDINGS {
        if *status >= 400 {
            let line = super::cause::of_body(body.as_bytes());
            check(name, &line.unwrap_or_else(|| panic!("{name} is no error of Flink's")));
            continue;
        }
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let history = body["exceptionHistory"]["entries"].as_array().into_iter().flatten();
        let traces = history.map(|entry| &entry["stacktrace"]);
        for trace in traces.chain([&body["operation"]["failure-cause"]["stack-trace"]]) {
            if let Some(trace) = trace.as_str() {
                check(name, &super::cause::headline(trace));
            }
        }
    }
    assert_eq!(lines, 19, "traces in the recordings");
}
