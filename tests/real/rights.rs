//! With the rights of a namespace's `admin`, and with fewer.

use super::apply::{accounts, options, run};
use super::support;
use kubectl_flink::cluster::Right;
use kubectl_flink::cluster::apply::{ApplyOptions, Outcome};
use kubectl_flink::cluster::delete::list_owned;
use kubectl_flink::layout::control::owned_kinds;
use kubectl_flink::release::Store;

#[tokio::test]
async fn missing_rights_are_named() {
    let Some((cluster, namespace)) = support::namespace("rights").await else {
        return;
    };
    let editor = support::as_user(&cluster, &namespace, "edit").await;
    let rights = [
        Right::new("get", "", "services/proxy"),
        Right::new("create", "rbac.authorization.k8s.io", "roles"),
        Right::new("patch", "apps", "deployments"),
        Right::new("list", "", "nodes"),
    ];
    let missing = editor.check_rights(&namespace, &rights).await.unwrap();
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["create roles.rbac.authorization.k8s.io", "list nodes"]);
    assert!(cluster.check_rights(&namespace, &rights).await.unwrap().is_empty());
    // Who may not look at roles still sees the rest.
    assert_eq!(
        list_owned(&editor, &namespace, "demo", &owned_kinds()).await.unwrap().unread,
        ["Role", "RoleBinding"]
    );
    assert!(Store::new(&editor, &namespace).list(false, "").await.unwrap().is_empty());
    let everywhere = Store::new(&editor, &namespace).list(true, "").await.unwrap_err();
    assert!(everywhere.to_string().contains("cannot list resource \"secrets\""), "{everywhere}");
    assert!(editor.namespace_exists(&namespace).await.unwrap());
    assert!(!cluster.namespace_exists("not-there").await.unwrap());
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn an_admin_of_the_namespace_makes_a_role_and_its_binding() {
    let Some((cluster, namespace)) = support::namespace("admin").await else {
        return;
    };
    let admin = support::as_user(&cluster, &namespace, "admin").await;
    let dry = ApplyOptions { dry_run: true, ..options(&namespace) };
    let (seen, result) = run(&admin, &accounts(), &dry).await;
    result.unwrap();
    let binding = seen.iter().find(|(key, _)| key.kind == "RoleBinding").unwrap();
    assert_eq!(binding.1, Outcome::Unchecked("it needs Role/r, which comes with it".to_owned()));
    let (seen, result) = run(&admin, &accounts(), &options(&namespace)).await;
    result.unwrap();
    assert!(seen.iter().all(|(_, outcome)| *outcome == Outcome::Created), "{seen:?}");
    support::remove(&cluster, &namespace).await;
}
