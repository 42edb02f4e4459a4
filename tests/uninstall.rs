//! What stays when a release goes: its record and its claim, as long as a recorded savepoint lives
//! there.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{Namespace, statuses};

/// Expected: installed again from the recorded savepoint, under numbers that go on, the job loses
/// and repeats nothing. `--purge` names each savepoint, wants a yes, and then deletes claim and
/// records.
#[test]
fn a_release_comes_back_from_its_recorded_savepoint() {
    let namespace = cluster!("uninstall", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo"]).exits(3).says("--with-savepoint").says("--stateless");
    let lost = ["uninstall", "demo", "--with-savepoint", "--purge", "--yes"];
    namespace.flink(lost).exits(3).says("the savepoint that --with-savepoint takes");
    let uninstalled = namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok().stdout;
    let listed = namespace.flink(["savepoint", "list", "demo", "-o", "json"]).ok().json();
    let path = listed[0]["path"].as_str().unwrap().to_owned();
    assert!(uninstalled.contains(&path), "{uninstalled}");
    would_come_back(&namespace, &uninstalled);
    assert_eq!(statuses(&namespace.history("demo")), "1 uninstalled");
    let claim = |what: &str| {
        let claim = namespace.get("persistentvolumeclaim", "demo-storage");
        claim.unwrap_or_else(|| panic!("the claim {what}"))["metadata"]["uid"].clone()
    };
    let uid = claim("after uninstall");
    namespace.flink(["list"]).ok().never_says("demo");

    // Its state is not left behind without a word; nor where the first attempt fails for another
    // reason.
    namespace.install_job("demo", &[]).exits(3).says("--from-savepoint recorded").says("--stateless");
    let typo = ["--from-savepoint", "recorded", "--timeout", "15s", "--set", "image.tag=nope"];
    namespace.install_job("demo", &typo).exits(1);
    let mended = ["upgrade", "demo", "--set", "image.tag=2.3.0", "-o", "json"];
    let again = namespace.flink(mended).ok().json();
    assert_eq!(again["revision"], 3, "{again:#}");
    assert_eq!(again["jobs"][0]["restoredFrom"], path.as_str(), "{again:#}");
    assert_eq!(claim("after the second install"), uid);
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint", "--drain"]).ok();
    let listed = namespace.flink(["savepoint", "list", "demo"]).ok();
    assert!(listed.stdout.contains(", drained)"), "{listed}");
    tally.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });

    namespace
        .flink(["uninstall", "demo", "--purge"])
        .exits(3)
        .says(&path)
        .says("the same command with --yes");
    assert_eq!(claim("before the purge"), uid);
    namespace.flink(["uninstall", "demo", "--purge", "--yes"]).ok().says(&path);
    assert!(namespace.get("persistentvolumeclaim", "demo-storage").is_none(), "the claim after --purge");
    assert!(namespace.names("secrets", "flink.kubectl/release=demo").is_empty(), "records after --purge");
    namespace.flink(["history", "demo"]).exits(3).says("not found");
}

/// The command that an uninstall prints would bring the release back.
#[track_caller]
fn would_come_back(namespace: &Namespace, uninstalled: &str) {
    let joined = uninstalled.replace("\\\n", "");
    let (_, printed) = joined.split_once("come back:").expect(uninstalled);
    let (values, install) = printed.split_once('|').expect(uninstalled);
    let install = install.trim().lines().next().expect(uninstalled);
    let program = format!("kubectl flink -n {} ", namespace.name);
    let words = |command: &str| -> Vec<String> {
        let words = command.trim().strip_prefix(&program).expect(uninstalled);
        words.split_whitespace().map(ToOwned::to_owned).collect()
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), namespace.flink(words(values)).ok().stdout).unwrap();
    let mut install = words(install);
    let values = install.iter_mut().find(|word| *word == "-").expect(uninstalled);
    file.path().to_str().unwrap().clone_into(values);
    install.extend(["--dry-run", "-o", "json"].map(str::to_owned));
    let plan = namespace.flink(install).ok().json();
    let action = plan["jobs"][0]["action"].as_str().unwrap_or_default();
    assert!(action.starts_with("start from file:"), "{plan:#}");
}

/// Where no savepoint is recorded nothing is kept: the name is free.
#[test]
fn without_a_savepoint_nothing_stays() {
    let namespace = cluster!("stateless");
    namespace.install_session("demo", &["--no-wait"]).ok();
    namespace.flink(["uninstall", "demo"]).ok().prints("release \"demo\" uninstalled\n");
    let kinds = "secrets,persistentvolumeclaims,configmaps,services,deployments,pods";
    let left = namespace.names(kinds, "flink.kubectl/release=demo");
    assert!(left.is_empty(), "left behind: {left:?}");
}
