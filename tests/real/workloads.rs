//! Pods as they really fail, their logs, and a port forwarded to one that serves.

use super::apply::{options, run};
use super::support::{self, object, until};
use futures::AsyncBufReadExt;
use kubectl_flink::cluster::pods::{self, LogOptions};
use kubectl_flink::cluster::readiness::{Fatal, NotReady, not_ready};
use kubectl_flink::cluster::{Cluster, exec, forward};
use kubectl_flink::render::Object;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An image with a shell and a Perl.
const IMAGE: &str = "docker.io/library/flink:2.3.0";

fn deployment(name: &str, container: Value, more: Value) -> Object {
    let mut container = container;
    container["name"] = json!("main");
    let mut pod = more;
    pod["containers"] = json!([container]);
    pod["terminationGracePeriodSeconds"] = json!(0);
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }))
}

fn shell(script: &str) -> Value {
    json!({"image": IMAGE, "command": ["bash", "-c", script]})
}

async fn waits(
    cluster: &Cluster,
    namespace: &str,
    object: &Object,
    what: &str,
    wanted: fn(&NotReady) -> bool,
) -> NotReady {
    until(what, async || {
        let found = not_ready(cluster, namespace, std::slice::from_ref(object), &[]).await.unwrap();
        found.into_iter().find(wanted)
    })
    .await
}

#[tokio::test]
async fn what_keeps_pods_from_being_ready_is_said() {
    let Some((cluster, namespace)) = support::namespace("ready").await else {
        return;
    };
    let image =
        deployment("image", json!({"image": "localhost/nothing:1", "imagePullPolicy": "Never"}), json!({}));
    let pull = deployment("pull", json!({"image": "localhost:1/nothing:1"}), json!({}));
    let resources = json!({"requests": {"cpu": "1000"}});
    let room = deployment("room", json!({"image": "localhost/pause:1", "resources": resources}), json!({}));
    let nowhere =
        deployment("nowhere", json!({"image": "localhost/pause:1"}), json!({"nodeSelector": {"no": "such"}}));
    let loops = deployment("loops", shell("echo 'Caused by: boom'; echo bye; exit 3"), json!({}));
    let config = deployment(
        "config",
        json!({"image": "localhost/pause:1", "envFrom": [{"configMapRef": {"name": "missing"}}]}),
        json!({}),
    );
    let good = deployment("good", json!({"image": "localhost/pause:1"}), json!({}));
    let claim =
        object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}));
    let all = [
        image.clone(),
        pull.clone(),
        room.clone(),
        nowhere.clone(),
        loops.clone(),
        config.clone(),
        good.clone(),
        claim.clone(),
    ];
    run(&cluster, &all, &options(&namespace)).await.1.unwrap();

    let found = waits(&cluster, &namespace, &room, "unschedulable", |found| found.no_room).await;
    assert!(found.reason.contains("cannot be scheduled: 0/1 nodes are available"), "{}", found.reason);
    assert_eq!(found.fatal, None);
    // No node would ever do: that is no lack of room, which would pass when other Pods go.
    let found = waits(&cluster, &namespace, &nowhere, "unschedulable", |found| found.trouble.is_some()).await;
    assert!(found.reason.contains("node affinity/selector") && !found.no_room, "{found:?}");
    let found = waits(&cluster, &namespace, &image, "no image", |found| found.fatal.is_some()).await;
    assert_eq!(found.fatal, Some(Fatal::Image));
    assert!(found.reason.contains("the image localhost/nothing:1 cannot be pulled"), "{}", found.reason);
    let found = waits(&cluster, &namespace, &pull, "no image", |found| found.fatal.is_some()).await;
    assert_eq!(found.fatal, Some(Fatal::Image));
    let found = waits(&cluster, &namespace, &config, "no ConfigMap", |found| found.fatal.is_some()).await;
    assert_eq!(found.fatal, Some(Fatal::Config));
    assert!(found.reason.contains("configmap \"missing\" not found"), "{}", found.reason);
    // Its last words are read after its status: where the next run has begun in between there are
    // none for that one look.
    let words = |found: &NotReady| {
        found.fatal.is_some()
            && found.reason.ends_with("container main ended with exit code 3: Caused by: boom")
    };
    let found = waits(&cluster, &namespace, &loops, "crash loop with its last words", words).await;
    assert_eq!(found.fatal, Some(Fatal::CrashLoop));
    until("the good one is ready", async || {
        not_ready(&cluster, &namespace, std::slice::from_ref(&good), &[])
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
    // Nobody uses the claim: its volume waits for a Pod, which is no failure. The Pod that loops
    // counts as ready while it runs, for it has no probe.
    let expected = ["image", "pull", "room", "nowhere", "loops", "config"];
    until("each of them, and nothing else", async || {
        let waiting = not_ready(&cluster, &namespace, &all, &[]).await.unwrap();
        let names: Vec<_> = waiting.iter().map(|found| found.object.name.as_str()).collect();
        (names == expected).then_some(())
    })
    .await;
    let absent = deployment("absent", json!({}), json!({}));
    assert_eq!(not_ready(&cluster, &namespace, &[absent], &[]).await.unwrap()[0].fatal, Some(Fatal::Missing));
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_quota_is_a_lack_of_room() {
    let Some((cluster, namespace)) = support::namespace("quota").await else {
        return;
    };
    let quota = object(
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}),
    );
    run(&cluster, &[quota], &options(&namespace)).await.1.unwrap();
    let pause = deployment("pause", json!({"image": "localhost/pause:1"}), json!({}));
    run(&cluster, std::slice::from_ref(&pause), &options(&namespace)).await.1.unwrap();
    let found = waits(&cluster, &namespace, &pause, "quota", |found| found.no_room).await;
    assert!(found.reason.contains("exceeded quota: q"), "{}", found.reason);
    assert_eq!(found.fatal, None);
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_port_is_forwarded_and_a_log_is_followed() {
    let Some((cluster, namespace)) = support::namespace("forward").await else {
        return;
    };
    let perl = r#"perl -MIO::Socket::INET -e '$|=1; $s=IO::Socket::INET->new(LocalPort=>7000,Listen=>5,ReuseAddr=>1); print "listening\n";
        while($c=$s->accept){ while($l=<$c>){ print "got $l"; print $c uc $l; } }'"#;
    let server = deployment("server", shell(perl), json!({}));
    run(&cluster, std::slice::from_ref(&server), &options(&namespace)).await.1.unwrap();
    until("ready", async || {
        not_ready(&cluster, &namespace, std::slice::from_ref(&server), &[])
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
    let all = pods::list(&cluster, &namespace, "app=server").await.unwrap();
    let pod = pods::serving(&all).unwrap();

    let mut log = {
        let options = LogOptions { follow: true, ..LogOptions::default() };
        pods::stream_logs(&cluster, &namespace, pod, &options).await.unwrap().lines()
    };
    let mut next = async || {
        tokio::time::timeout(std::time::Duration::from_secs(30), futures::StreamExt::next(&mut log)).await
    };
    assert_eq!(next().await.unwrap().unwrap().unwrap(), "listening");

    let mut stream = forward::connect(&cluster, &namespace, pod, 7000).await.unwrap();
    stream.write_all(b"raw\n").await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"RAW\n");
    drop(stream);
    assert_eq!(next().await.unwrap().unwrap().unwrap(), "got raw");

    let forward = forward::local_forward(&cluster, &namespace, pod, 7000, 0).await.unwrap();
    for word in [b"one\n", b"two\n"] {
        let mut local = tokio::net::TcpStream::connect(forward.address()).await.unwrap();
        local.write_all(word).await.unwrap();
        local.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer.to_vec(), word.to_ascii_uppercase());
    }
    let taken = forward::local_forward(&cluster, &namespace, pod, 7000, forward.address().port()).await;
    assert!(taken.err().unwrap().to_string().contains("cannot be listened on"));

    let tail = LogOptions { tail_lines: Some(1), ..LogOptions::default() };
    assert_eq!(pods::logs(&cluster, &namespace, pod, &tail).await.unwrap(), "got two\n");
    let mut lines = Vec::new();
    let mut sink = |line| {
        lines.push(line);
        ControlFlow::Continue(())
    };
    pods::each_line(&cluster, &namespace, &all, &LogOptions::default(), &mut sink).await.unwrap();
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["listening", "got raw", "got one", "got two"]);
    assert_eq!((lines[0].pod.as_str(), lines[0].container.as_str()), (pod, "main"));

    let any = "127.0.0.1:0".parse().unwrap();
    let by_label = forward::to_selector(&cluster, &namespace, "app=server", 7000, any).await.unwrap();
    let mut local = tokio::net::TcpStream::connect(by_label.address()).await.unwrap();
    local.write_all(b"sel\n").await.unwrap();
    local.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"SEL\n");
    let none = forward::to_selector(&cluster, &namespace, "app=none", 7000, any).await.err().unwrap();
    assert!(none.to_string().ends_with("is ready (selector app=none)"), "{none}");

    let nobody = pods::logs(&cluster, &namespace, "nobody", &tail).await.unwrap_err();
    assert!(nobody.is_not_found(), "{nobody}");
    support::remove(&cluster, &namespace).await;
}

/// Expected: what a script in a Pod prints counts only where it has come to its end; of one that is
/// killed in the middle, or that prints more than is read, nothing does.
#[tokio::test]
async fn a_script_that_breaks_off_has_no_output() {
    let Some((cluster, namespace)) = support::namespace("exec").await else {
        return;
    };
    let sleeps = deployment("sleeps", shell("exec sleep 600"), json!({}));
    run(&cluster, std::slice::from_ref(&sleeps), &options(&namespace)).await.1.unwrap();
    let pod = until("the Pod runs", async || {
        let found = pods::list(&cluster, &namespace, "app=sleeps").await.unwrap();
        found.into_iter().find(|pod| pods::serving(std::slice::from_ref(pod)).is_some())
    })
    .await;
    let output = async |script: &str| exec::output_of(&cluster, &namespace, &pod, script, &["/c"]).await;
    assert_eq!(output("echo \"$1/chk-9\"; echo \"$1/chk-10\"").await.unwrap(), "/c/chk-9\n/c/chk-10\n");
    assert_eq!(output("true").await.unwrap(), "");
    let killed = output("echo \"$1/chk-9\"; kill -KILL $$").await.unwrap_err();
    assert!(killed.to_string().contains("137"), "{killed}");
    let long = output("head -c 70000 /dev/zero | tr '\\0' x").await.unwrap_err();
    assert!(long.to_string().contains("longer than 65536 bytes"), "{long}");
    support::remove(&cluster, &namespace).await;
}
