//! Records and the lock, as the API server really stores them.

use super::support;
use kubectl_flink::cluster::call::Call;
use kubectl_flink::release::operation::in_progress;
use kubectl_flink::release::{
    JobMode, JobRecord, JobState, Lock, LockError, PackageRef, Record, ReleaseError, SavepointRef, Status,
    Store,
};
use kubectl_flink::render::Capabilities;
use serde_json::{Value, json};
use std::time::Duration;

fn record(namespace: &str, revision: u32, archive: usize) -> Record {
    Record {
        name: "demo".to_owned(),
        namespace: namespace.to_owned(),
        revision,
        status: Status::PendingInstall,
        description: "Install".to_owned(),
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
        updated: "2026-01-02T03:04:05Z".parse().unwrap(),
        package: PackageRef {
            name: "flink".to_owned(),
            version: "1.2.3+build".to_owned(),
            digest: "sha256:00".to_owned(),
            flink_version: "2.3.0".to_owned(),
        },
        archive: (0..archive).map(|number| u8::try_from(number % 251).unwrap()).collect(),
        layout: "session".to_owned(),
        user_values: json!({"a": 1.5}),
        values: json!({"z": 1, "a": null}),
        capabilities: Capabilities {
            kube_version: "v1.36.3".to_owned(),
            api_versions: vec!["v1".to_owned()],
        },
        manifest: "---\n".to_owned(),
        notes: String::new(),
        generation: revision,
        jobs: vec![JobRecord {
            name: "orders".to_owned(),
            id: None,
            jar: "local:///opt/flink/usrlib/orders.jar".to_owned(),
            jar_sha256: None,
            entry_class: None,
            args: Vec::new(),
            parallelism: Some(2),
            allow_non_restored_state: false,
            mode: JobMode::Cluster,
            state: JobState::Running,
            elsewhere: None,
            restored_from: None,
            ended_by: None,
            taken: Vec::new(),
            declared: true,
        }],
        operation: "install".to_owned(),
    }
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_written_and_then_changed() {
    let Some((cluster, namespace)) = support::namespace("record").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    // Three Secrets: a head and two parts.
    for (revision, archive) in [(1, 10), (2, 2_000_000)] {
        let mut record = record(&namespace, revision, archive);
        store.create(&record).await.unwrap();
        assert_eq!(store.get("demo", revision).await.unwrap(), record);
        assert!(matches!(store.create(&record).await, Err(ReleaseError::RevisionExists { .. })));
        record.status = Status::Deployed;
        record.generation = 7;
        record.jobs[0].ended_by = Some(SavepointRef {
            path: "file:///savepoints/1".to_owned(),
            trigger: "00112233445566778899aabbccddeeff".parse().unwrap(),
            taken_at: record.created,
            format: "CANONICAL".to_owned(),
            flink_version: "2.3.0".to_owned(),
            drained: false,
        });
        store.update(&record).await.unwrap();
        let read = store.get("demo", revision).await.unwrap();
        assert!(read.updated > record.updated);
        record.updated = read.updated;
        assert_eq!(read, record);
    }
    store.set_status("demo", 1, Status::Superseded, "Replaced by 2").await.unwrap();
    let history = store.history("demo").await.unwrap();
    assert_eq!(history.iter().map(|s| s.status).collect::<Vec<_>>(), [Status::Superseded, Status::Deployed]);
    assert_eq!(history[0].description, "Replaced by 2");
    assert_eq!(history[1].savepoints[0].path, "file:///savepoints/1");
    assert_eq!(store.get_deployed("demo").await.unwrap().unwrap().revision, 2);
    assert_eq!(store.max_generation("demo").await.unwrap(), 7);
    assert_eq!(store.list(false, "status=deployed").await.unwrap().len(), 1);
    let all = store.list(true, "").await.unwrap();
    assert_eq!(all.iter().filter(|summary| summary.namespace == namespace).count(), 2);

    store.delete("demo", 2).await.unwrap();
    let left: Value = cluster
        .call(Call::get(format!("/api/v1/namespaces/{namespace}/secrets")))
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert!(matches!(store.get("demo", 2).await, Err(ReleaseError::NoRevision { .. })));
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_write_that_was_broken_off_is_written_over_and_a_missing_part_is_named() {
    let Some((cluster, namespace)) = support::namespace("torn").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
    let stale =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "flink.release.v1.demo.v1.part1"}});
    cluster.call(Call::create(&secrets, &stale)).await.unwrap();
    let record = record(&namespace, 1, 1_500_000);
    store.create(&record).await.unwrap();
    assert_eq!(store.get("demo", 1).await.unwrap(), record);

    cluster
        .call(Call::delete(format!("{secrets}/flink.release.v1.demo.v1.part1"), &json!({})))
        .await
        .unwrap();
    let missing = store.get("demo", 1).await.unwrap_err();
    assert_eq!(missing.to_string(), "a part of the record is missing: Secret flink.release.v1.demo.v1.part1");
    cluster.call(Call::create(&secrets, &stale)).await.unwrap();
    assert!(matches!(store.get("demo", 1).await, Err(ReleaseError::Torn { part: 1 })));
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn the_lock_keeps_a_second_one_out_and_goes_with_its_journal() {
    let Some((cluster, namespace)) = support::namespace("lock").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let lock = Lock::acquire(&store, "demo", "one@host", &json!({"begun": false})).await.unwrap();
    assert!(lock.remaining() > Duration::from_secs(25) && lock.remaining() <= Duration::from_secs(30));
    match Lock::acquire(&store, "demo", "two@host", &json!({"begun": false})).await {
        Err(LockError::Held { holder, .. }) => assert_eq!(holder, "one@host"),
        other => panic!("{other:?}"),
    }
    lock.write(&json!({"begun": true, "step": 3})).await.unwrap();
    let seen = in_progress(&store, "demo").await.unwrap().unwrap();
    assert_eq!((seen.journal["step"].as_i64(), seen.epoch, seen.expired), (Some(3), 2, false));
    lock.release().await.unwrap();
    assert!(in_progress(&store, "demo").await.unwrap().is_none());
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn of_many_at_once_one_has_the_lock() {
    let Some((cluster, namespace)) = support::namespace("race").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let journal = json!({"begun": false});
    let all =
        futures::future::join_all((0..8).map(|_| Lock::acquire(&store, "demo", "same@host", &journal))).await;
    assert_eq!(all.iter().filter(|lock| lock.is_ok()).count(), 1);
    assert!(
        all.iter()
            .filter_map(|lock| lock.as_ref().err())
            .all(|error| matches!(error, LockError::Held { .. }))
    );
    support::remove(&cluster, &namespace).await;
}

/// Ages the operation as if its holder had died a minute ago.
async fn age(store: &Store, namespace: &str) {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/flink.operation.v1.demo");
    let object: Value = store.cluster().call(Call::get(&path)).await.unwrap().json().unwrap();
    let bytes: k8s_openapi::ByteString = serde_json::from_value(object["data"]["operation"].clone()).unwrap();
    let mut content: Value = serde_json::from_slice(&bytes.0).unwrap();
    content["expires"] = json!("2026-01-01T00:00:00Z");
    let bytes = k8s_openapi::ByteString(content.to_string().into_bytes());
    store.cluster().call(Call::merge_patch(path, &json!({"data": {"operation": bytes}}))).await.unwrap();
}

#[tokio::test]
async fn a_lock_left_behind_is_taken_over_only_knowingly_and_its_holder_cannot_write_any_more() {
    let Some((cluster, namespace)) = support::namespace("left").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let first = Lock::acquire(&store, "demo", "one@host", &json!({"begun": false})).await.unwrap();
    age(&store, &namespace).await;
    let second = Lock::acquire(&store, "demo", "two@host", &json!({"begun": true, "step": 1})).await.unwrap();
    match first.write(&json!({"begun": true})).await {
        Err(LockError::Lost { holder, .. }) => assert_eq!(holder.as_deref(), Some("two@host")),
        other => panic!("{other:?}"),
    }
    assert!(!first.outlasts(Duration::ZERO));
    assert!(first.release().await.is_err());

    age(&store, &namespace).await;
    let left = match Lock::acquire(&store, "demo", "three@host", &json!({"begun": false})).await {
        Err(LockError::LeftBehind(left)) => left,
        other => panic!("{other:?}"),
    };
    assert_eq!((left.holder.as_str(), left.journal["step"].as_i64()), ("two@host", Some(1)));
    let third = Lock::take_over(&store, "demo", "three@host", &left.claim, &left.journal).await.unwrap();
    let late = Lock::take_over(&store, "demo", "four@host", &left.claim, &left.journal).await;
    assert!(matches!(late, Err(LockError::Lost { .. })), "{late:?}");
    // Its renewal finds out by itself; a write shows it at once.
    assert!(matches!(second.write(&json!({})).await, Err(LockError::Lost { .. })));
    third.release().await.unwrap();
    support::remove(&cluster, &namespace).await;
}
