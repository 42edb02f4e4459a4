//! Records and the lock, as the API server really stores them.

use super::support;
use kubectl_flink::cluster::Cluster;
use kubectl_flink::cluster::call::Call;
use kubectl_flink::release::operation::{Disposing, Pending, in_progress};
use kubectl_flink::release::{
    JobMode, JobRecord, JobState, Lock, LockError, Origin, PackageRef, Record, ReleaseError, Savepoint,
    StateFormat, Status, Store,
};
use kubectl_flink::render::Capabilities;
use serde_json::{Value, json};
use std::time::Duration;

fn record(namespace: &str, revision: u32, archive: usize) -> Record {
    Record {
        name: "demo".to_owned(),
        namespace: namespace.to_owned(),
        storage_id: "0a1b2c3d".to_owned(),
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
            jar: "local:///opt/flink/usrlib/orders.jar".parse().unwrap(),
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
    for (revision, archive) in [(1, 10), (2, 2_000_000)] {
        let mut record = record(&namespace, revision, archive);
        store.create(&record).await.unwrap();
        assert_eq!(store.get("demo", revision).await.unwrap(), record);
        assert!(matches!(store.create(&record).await, Err(ReleaseError::RevisionExists { .. })));
        record.status = Status::Deployed;
        record.generation = 7;
        record.jobs[0].ended_by = Some("file:///savepoints/1".to_owned());
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
    assert_eq!(history[1].storage_id, "0a1b2c3d");
    assert_eq!(store.jobs("demo").await.unwrap()[1].1, store.get("demo", 2).await.unwrap().jobs);
    assert_eq!(store.max_generation("demo").await.unwrap(), 7);
    assert_eq!(store.list(false, "status=deployed").await.unwrap().len(), 1);
    let all = store.list(true, "").await.unwrap();
    assert_eq!(all.iter().filter(|summary| summary.namespace == namespace).count(), 2);

    store.delete("demo", 2).await.unwrap();
    assert_eq!(secrets(&cluster, &namespace).await.len(), 2, "the head of revision 1, and its package");
    assert!(matches!(store.get("demo", 2).await, Err(ReleaseError::NoRevision { .. })));
    support::remove(&cluster, &namespace).await;
}

/// The names of the Secrets in a namespace, in order.
async fn secrets(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets");
    let list: Value = cluster.call(Call::get(path)).await.unwrap().json().unwrap();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|secret| secret["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_package_of_many_parts_is_kept_once_until_no_revision_names_it() {
    let Some((cluster, namespace)) = support::namespace("package").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let packages = async || {
        let all = secrets(&cluster, &namespace).await;
        all.into_iter().filter(|name| name.starts_with("flink.package.v1.demo.")).collect::<Vec<_>>()
    };
    for revision in 1..=5 {
        store.create(&record(&namespace, revision, 4_000_000)).await.unwrap();
    }
    let kept = packages().await;
    assert_eq!(kept.len(), 5, "four of 900 KiB, and the rest: {kept:?}");
    store.create(&record(&namespace, 6, 10)).await.unwrap();
    for revision in 1..=4 {
        store.delete("demo", revision).await.unwrap();
    }
    assert_eq!(store.get("demo", 5).await.unwrap(), record(&namespace, 5, 4_000_000));
    store.delete("demo", 5).await.unwrap();
    assert_eq!(packages().await.len(), 1);
    store.delete_release("demo").await.unwrap();
    assert_eq!(secrets(&cluster, &namespace).await, [] as [&str; 0]);
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_write_that_was_broken_off_is_written_over_and_a_missing_or_torn_part_is_named() {
    let Some((cluster, namespace)) = support::namespace("torn").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    // Its values do not fit into the head, and do not compress.
    let mut large = record(&namespace, 1, 10);
    let noise =
        (0..200_000_u64).map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20));
    large.values = json!({"noise": noise.collect::<String>()});
    let path = format!("/api/v1/namespaces/{namespace}/secrets");
    let part = "flink.release.v1.demo.v1.part1";
    let stale = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": part}});
    cluster.call(Call::create(&path, &stale)).await.unwrap();
    store.create(&large).await.unwrap();
    assert_eq!(store.get("demo", 1).await.unwrap(), large);

    cluster.call(Call::delete(format!("{path}/{part}"), &json!({}))).await.unwrap();
    let missing = store.get("demo", 1).await.unwrap_err().to_string();
    assert_eq!(missing, format!("a part of what is recorded is missing: Secret {part}"));
    cluster.call(Call::create(&path, &stale)).await.unwrap();
    assert!(matches!(store.get("demo", 1).await, Err(ReleaseError::Torn { secret }) if secret == part));
    support::remove(&cluster, &namespace).await;
}

fn savepoint(number: u32) -> Savepoint {
    // As unlike each other as Flink's are.
    let trigger = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Savepoint {
        sequence: 0,
        job: format!("orders-{}", number % 3),
        revision: 1 + number / 1000,
        path: format!(
            "s3://bucket/flink/team/demo/savepoints/demo/1-{trigger:032x}/savepoint-{number:06x}-{trigger:x}"
        ),
        trigger: Some(format!("{trigger:032x}").parse().unwrap()),
        format: StateFormat::Canonical,
        flink_version: "2.3.0".to_owned(),
        taken_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        drained: false,
        origin: Origin::Trigger,
        disposed: false,
    }
}

#[tokio::test]
async fn five_thousand_savepoints_are_recorded_listed_and_pruned() {
    let Some((cluster, namespace)) = support::namespace("savepoints").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let all: Vec<_> = (0..5000).map(savepoint).collect();
    for some in all.chunks(250) {
        store.record_savepoints("demo", some).await.unwrap();
    }
    // Of writers at once none loses an entry, and one that is known is not recorded again.
    let more: Vec<_> = (4998..5003).map(|number| [savepoint(number)]).collect();
    let written = more.iter().map(|one| store.record_savepoints("demo", one));
    futures::future::try_join_all(written).await.unwrap();

    let begun = std::time::Instant::now();
    let known = store.savepoints("demo").await.unwrap();
    println!("{} Secrets, read in {:?}", secrets(&cluster, &namespace).await.len(), begun.elapsed());
    assert!(known.iter().map(|one| one.sequence).eq(1..=5003));
    assert!(known.iter().zip(&all).all(|(read, written)| read.path == written.path));
    assert_eq!(known.of_revision(5).count(), 1000);
    let path = |number| savepoint(number).path;
    assert_eq!(known.newest("orders-0").map(|one| one.path.clone()), Some(path(5001)));

    let old: Vec<_> = (0..4990).map(path).collect();
    store.dispose_savepoints("demo", &old).await.unwrap();
    let left = store.savepoints("demo").await.unwrap();
    assert_eq!(left.iter().count(), 13);
    store.record_savepoints("demo", &[savepoint(6000)]).await.unwrap();
    assert_eq!(store.savepoints("demo").await.unwrap().iter().next_back().unwrap().sequence, 5004);
    support::remove(&cluster, &namespace).await;
}

/// An operation that has come so far; 0: it has not begun.
fn step(asked: usize) -> Pending {
    Pending::Dispose(Disposing { paths: Vec::new(), asked })
}

#[tokio::test]
async fn the_lock_keeps_a_second_one_out_and_goes_with_its_journal() {
    let Some((cluster, namespace)) = support::namespace("lock").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let lock = Lock::acquire(&store, "demo", "one@host", &step(0)).await.unwrap();
    lock.guard().confirm(Duration::from_secs(25)).await.unwrap();
    assert!(lock.guard().confirm(Duration::from_secs(30)).await.is_err());
    match Lock::acquire(&store, "demo", "two@host", &step(0)).await {
        Err(LockError::Held { holder, .. }) => assert_eq!(holder, "one@host"),
        other => panic!("{other:?}"),
    }
    lock.write(&step(3)).await.unwrap();
    let seen = in_progress(&store, "demo").await.unwrap().unwrap();
    assert_eq!((seen.pending, seen.expired), (Some(step(3)), false));
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
    let pending = step(0);
    let all =
        futures::future::join_all((0..8).map(|_| Lock::acquire(&store, "demo", "same@host", &pending))).await;
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
    content["content"]["expires"] = json!("2026-01-01T00:00:00Z");
    let bytes = k8s_openapi::ByteString(content.to_string().into_bytes());
    store.cluster().call(Call::merge_patch(path, &json!({"data": {"operation": bytes}}))).await.unwrap();
}

#[tokio::test]
async fn a_lock_left_behind_is_taken_over_only_knowingly_and_its_holder_cannot_write_any_more() {
    let Some((cluster, namespace)) = support::namespace("left").await else {
        return;
    };
    let store = Store::new(&cluster, &namespace);
    let first = Lock::acquire(&store, "demo", "one@host", &step(0)).await.unwrap();
    age(&store, &namespace).await;
    let second = Lock::acquire(&store, "demo", "two@host", &step(1)).await.unwrap();
    match first.write(&step(1)).await {
        Err(LockError::Lost { holder, .. }) => assert_eq!(holder.as_deref(), Some("two@host")),
        other => panic!("{other:?}"),
    }
    assert!(first.guard().confirm(Duration::ZERO).await.is_err());
    assert!(first.release().await.is_err());

    age(&store, &namespace).await;
    let left = match Lock::acquire(&store, "demo", "three@host", &step(0)).await {
        Err(LockError::LeftBehind(left)) => left,
        other => panic!("{other:?}"),
    };
    assert_eq!((left.holder.as_str(), &left.pending), ("two@host", &Some(step(1))));
    let third = Lock::take_over(&store, "demo", "three@host", &left.claim, &step(1)).await.unwrap();
    let late = Lock::take_over(&store, "demo", "four@host", &left.claim, &step(1)).await;
    assert!(matches!(late, Err(LockError::Lost { .. })), "{late:?}");
    // Its renewal finds out by itself; a write shows it at once.
    assert!(matches!(second.write(&step(2)).await, Err(LockError::Lost { .. })));
    third.release().await.unwrap();
    support::remove(&cluster, &namespace).await;
}
