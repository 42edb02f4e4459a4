//! Why a Pod is not ready: scheduling, images, configuration, crashes with their exit code and last
//! words, volumes.

use super::{Fatal, Waiting, last_event};
use crate::cluster::pods::{self, LogOptions};
use crate::cluster::{Cluster, ClusterError};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};

/// Lines read of the log of a container that ended.
const LAST_LINES: u32 = 60;
/// The longest line shown, in characters.
const LONGEST_LINE: usize = 300;

/// Returns what a Pod waits for; `None` where it is ready, going, or has ended well.
pub(super) async fn waits(
    cluster: &Cluster,
    namespace: &str,
    pod: &Pod,
) -> Result<Option<Waiting>, ClusterError> {
    let status = pod.status.clone().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if pod.metadata.deletion_timestamp.is_some()
        || status.phase.as_deref() == Some("Succeeded")
        || condition(&status, "Ready").is_some_and(|(is, _)| is)
    {
        return Ok(None);
    }
    if let Some((false, message)) = condition(&status, "PodScheduled") {
        // Unschedulable is a verdict; SchedulerError is a conflict that the scheduler tries again
        // at once.
        let verdict = status.conditions.iter().flatten().any(|condition| {
            condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
        });
        return Ok(Some(if verdict { not_scheduled(&message) } else { Waiting::new("is being scheduled") }));
    }
    let containers =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    for container in containers {
        let Some(mut found) = container_waits(container) else {
            continue;
        };
        if let Some(run) = found.ended {
            let options = LogOptions {
                container: container.name.clone(),
                previous: run == Run::Previous,
                tail_lines: Some(LAST_LINES),
                ..LogOptions::default()
            };
            // A log that cannot be read (rights, or rotated away) leaves the reason without it.
            if let Ok(log) = pods::logs(cluster, namespace, name, &options).await
                && let Some(line) = last_words(&log)
            {
                found.waiting.reason = format!("{}: {line}", found.waiting.reason);
                found.waiting.trouble = Some(found.waiting.reason.clone());
            }
        }
        return Ok(Some(found.waiting));
    }
    if status.phase.as_deref() == Some("Failed") {
        let reason = status.message.or(status.reason).unwrap_or_else(|| "it failed".to_owned());
        return Ok(Some(Waiting::trouble(reason)));
    }
    // No container waits for anything that it says itself: volumes and networks are told by events.
    let event = last_event(cluster, namespace, "Pod", name).await?;
    Ok(Some(match event {
        Some((reason, message)) if reason.starts_with("Failed") => Waiting::trouble(message),
        // A probe's own words.
        Some((reason, message)) if reason == "Unhealthy" => {
            Waiting::new(format!("is running, and not ready yet: {message}"))
        }
        _ if status.container_statuses.iter().flatten().all(|container| container.started == Some(true)) => {
            Waiting::new("is running, and not ready yet")
        }
        _ => Waiting::new("is starting"),
    }))
}

/// What the scheduler says where other Pods are in the way, which may go. A node selector that no
/// node has is no lack of room.
const ROOM: &[&str] =
    &["Insufficient", "Too many pods", "free ports", "anti-affinity", "volume count", "volume limits"];

/// The scheduler's message without what it says of preemption. A claim that has no volume yet is
/// not a lack of room.
fn not_scheduled(message: &str) -> Waiting {
    if message.contains("unbound immediate PersistentVolumeClaims") {
        return Waiting::new("waits for its volume");
    }
    let end = [". no new claims", " no new claims", ". preemption:", " preemption:"]
        .iter()
        .filter_map(|mark| message.find(mark))
        .min()
        .unwrap_or(message.len());
    let reason = format!("cannot be scheduled: {}", message[..end].trim_end_matches(['.', ' ']));
    if ROOM.iter().any(|word| reason.contains(word)) {
        Waiting::no_room(reason)
    } else {
        Waiting::trouble(reason)
    }
}

fn condition(status: &PodStatus, name: &str) -> Option<(bool, String)> {
    let condition = status.conditions.iter().flatten().find(|condition| condition.type_ == name)?;
    Some((condition.status == "True", condition.message.clone().unwrap_or_default()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Current,
    Previous,
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    waiting: Waiting,
    /// Which run of the container has last words.
    ended: Option<Run>,
}

fn container_waits(container: &ContainerStatus) -> Option<Found> {
    let state = container.state.clone().unwrap_or_default();
    let plain = |waiting| Some(Found { waiting, ended: None });
    if let Some(waiting) = state.waiting {
        let reason = waiting.reason.unwrap_or_default();
        let message = waiting.message.unwrap_or_default();
        return match reason.as_str() {
            "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
                plain(Waiting::fatal(image(&container.image, &message), Fatal::Image))
            }
            // The first failure may be the registry's bad moment.
            "ErrImagePull" => plain(Waiting::trouble(image(&container.image, &message))),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                plain(Waiting::fatal(format!("cannot be started: {message}"), Fatal::Config))
            }
            "CrashLoopBackOff" => {
                let last = container.last_state.clone().unwrap_or_default().terminated.unwrap_or_default();
                Some(Found { waiting: ended(&container.name, &last, true), ended: Some(Run::Previous) })
            }
            _ => None,
        };
    }
    if let Some(terminated) = state.terminated {
        let failed = terminated.exit_code != 0;
        return failed.then(|| Found {
            waiting: ended(&container.name, &terminated, container.restart_count > 0),
            ended: Some(Run::Current),
        });
    }
    // It runs again after it ended: the second time says more than "is starting".
    let last = container.last_state.clone().unwrap_or_default().terminated?;
    (container.restart_count > 1 && !container.ready && last.exit_code != 0).then(|| Found {
        waiting: Waiting { fatal: None, ..ended(&container.name, &last, false) },
        ended: Some(Run::Previous),
    })
}

/// The same words for the first try and for those after it, without the ports of a connection,
/// which each try has anew.
fn image(image: &str, message: &str) -> String {
    let begins = [
        &format!("Back-off pulling image \"{image}\""),
        ": ",
        "ErrImagePull: ",
        "failed to pull and unpack image ",
    ];
    let mut message = begins.iter().fold(message, |rest, begin| rest.strip_prefix(begin).unwrap_or(rest));
    // The name that follows is the same, with the registry that was chosen.
    if let Some((name, rest)) = message.split_once(": ")
        && name.starts_with('"')
    {
        message = rest;
    }
    let message =
        message.split_whitespace().filter(|word| !word.contains("->")).collect::<Vec<_>>().join(" ");
    if message.is_empty() {
        format!("the image {image} cannot be pulled")
    } else {
        format!("the image {image} cannot be pulled: {message}")
    }
}

fn ended(container: &str, run: &ContainerStateTerminated, again: bool) -> Waiting {
    if run.reason.as_deref() == Some("OOMKilled") {
        let reason = format!("container {container} was killed for memory (raise its memory)");
        return Waiting { fatal: again.then_some(Fatal::OutOfMemory), ..Waiting::trouble(reason) };
    }
    let reason = format!("container {container} ended with exit code {}", run.exit_code);
    Waiting { fatal: again.then_some(Fatal::CrashLoop), ..Waiting::trouble(reason) }
}

/// The line of a log that says most about its end: of a Java stack trace the innermost cause, else
/// the last line.
fn last_words(log: &str) -> Option<String> {
    // The kubelet's own words, in a 200, where the log was cleaned away meanwhile.
    let kubelet = |line: &str| {
        line.starts_with("unable to retrieve container logs for ")
            || line.starts_with("failed to try resolving symlinks in path ")
    };
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty() && !kubelet(line));
    let trace = |line: &str| line.starts_with("at ") || line.starts_with("... ");
    let cause = lines().rfind(|line| line.starts_with("Caused by: "));
    let line = cause.or_else(|| lines().rfind(|line| !trace(line)))?;
    Some(line.chars().take(LONGEST_LINE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(value: serde_json::Value) -> ContainerStatus {
        let mut all =
            json!({"name": "main", "image": "flink:2", "imageID": "", "ready": false, "restartCount": 0});
        all.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn only_where_other_pods_are_in_the_way_room_is_what_is_missing() {
        for (message, no_room) in [
            ("0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available", true),
            (
                "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 Insufficient cpu.",
                true,
            ),
            ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", false),
            ("0/1 nodes are available: 1 node(s) had untolerated taint(s).", false),
        ] {
            let waiting = not_scheduled(message);
            assert_eq!(waiting.no_room, no_room, "{message}");
            assert!(waiting.trouble.is_some() && !waiting.reason.contains("preemption"), "{waiting:?}");
        }
    }

    #[test]
    fn an_image_that_was_tried_again_is_fatal_and_one_tried_once_is_not() {
        let state = |reason: &str| {
            container_waits(&container(
                json!({"state": {"waiting": {"reason": reason, "message": "not found"}}}),
            ))
        };
        let found = state("ImagePullBackOff").unwrap().waiting;
        assert_eq!(found, Waiting::fatal("the image flink:2 cannot be pulled: not found", Fatal::Image));
        assert_eq!(state("ErrImagePull").unwrap().waiting.fatal, None);
        assert!(state("ContainerCreating").is_none());
    }

    #[test]
    fn each_try_to_pull_an_image_has_the_same_words() {
        let first = "failed to pull and unpack image \"docker.io/library/flink:2\": failed to resolve reference \
                     \"docker.io/library/flink:2\": dial tcp: lookup docker.io: read udp 10.0.0.1:34067->10.0.0.2:53: i/o timeout";
        let again =
            format!("Back-off pulling image \"flink:2\": ErrImagePull: {}", first.replace("34067", "48966"));
        let words = "the image flink:2 cannot be pulled: failed to resolve reference \"docker.io/library/flink:2\": \
                     dial tcp: lookup docker.io: read udp i/o timeout";
        assert_eq!(image("flink:2", first), words);
        assert_eq!(image("flink:2", &again), words);
        assert_eq!(
            image("flink:2", "Back-off pulling image \"flink:2\""),
            "the image flink:2 cannot be pulled"
        );
        assert_eq!(
            image("flink:2", "ErrImagePull: not found"),
            "the image flink:2 cannot be pulled: not found"
        );
    }

    #[test]
    fn a_crash_loop_names_the_exit_code_and_reads_the_run_before() {
        let found = container_waits(&container(json!({
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        })))
        .unwrap();
        assert_eq!(found.ended, Some(Run::Previous));
        assert_eq!(found.waiting, Waiting::fatal("container main ended with exit code 1", Fatal::CrashLoop));
    }

    #[test]
    fn a_container_killed_for_memory_says_so() {
        let terminated = json!({"exitCode": 137, "reason": "OOMKilled"});
        let found =
            container_waits(&container(json!({"restartCount": 1, "state": {"terminated": terminated}})))
                .unwrap();
        assert_eq!(found.waiting.fatal, Some(Fatal::OutOfMemory));
        assert!(found.waiting.reason.contains("killed for memory"));
    }

    #[test]
    fn the_scheduler_is_heard_without_its_words_on_preemption() {
        let found = not_scheduled(
            "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes are \
             available: 1 No preemption victims found for incoming pod.",
        );
        assert_eq!(found.reason, "cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory");
        assert!(found.no_room && found.trouble.is_some());
        let found =
            not_scheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
        assert_eq!((found.no_room, found.trouble), (false, None));
    }

    #[test]
    fn the_first_end_is_not_yet_a_loop() {
        let found = container_waits(&container(json!({"state": {"terminated": {"exitCode": 1}}}))).unwrap();
        assert_eq!((found.waiting.fatal, found.ended), (None, Some(Run::Current)));
    }

    #[test]
    fn last_words_are_the_innermost_cause() {
        let log = "INFO fine\nException: outer\n\tat a.b(C.java:1)\nCaused by: Bad: option x\n\tat d.e(F.java:2)\n\t... 3 more\n";
        assert_eq!(last_words(log).as_deref(), Some("Caused by: Bad: option x"));
        assert_eq!(last_words("one\ntwo\n\n").as_deref(), Some("two"));
        assert_eq!(last_words("\n"), None);
        assert_eq!(last_words("unable to retrieve container logs for containerd://0123"), None);
    }
}
