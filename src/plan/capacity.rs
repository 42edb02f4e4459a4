//! What a second generation beside the first asks of the cluster, and whether the namespace's quota
//! lets it in.
//!
//! Whether a node has room only the scheduler knows: that shows when the new Pods are there, while
//! the old job runs on.

use serde::Serialize;
use serde_json::Value;

use crate::cluster::Selection;
use crate::cluster::discovery::Resource;
use crate::cluster::quantity;
use crate::context::Context;
use crate::layout;
use crate::render::Object;

/// The sum of the requests of a generation's Pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    pub pods: u32,
    pub cpu: f64,
    pub memory: f64,
    #[serde(skip)]
    limits_cpu: f64,
    #[serde(skip)]
    limits_memory: f64,
}

impl std::fmt::Display for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cpu, memory) = (self.cpu * 1000.0, self.memory / f64::from(1 << 20));
        write!(f, "{} Pods, {cpu:.0}m CPU, {memory:.0}Mi memory", self.pods)
    }
}

impl Demand {
    /// Of one generation.
    pub fn of(objects: &[Object], generation: u32) -> Self {
        let mut demand = Self::default();
        for object in objects {
            let Some((replicas, spec)) =
                layout::pods_of(object).filter(|_| object.generation() == Some(generation))
            else {
                continue;
            };
            demand.pods += replicas;
            for container in spec["containers"].as_array().into_iter().flatten() {
                let amount = |of: &str, what: &str| {
                    let value = &container["resources"][of][what];
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    quantity::parse(&text).unwrap_or(0.0) * f64::from(replicas)
                };
                demand.cpu += amount("requests", "cpu");
                demand.memory += amount("requests", "memory");
                demand.limits_cpu += amount("limits", "cpu");
                demand.limits_memory += amount("limits", "memory");
            }
        }
        demand
    }

    /// The quota of the namespace that has no room for it, in words. Quotas that may not be read
    /// are left to the API server.
    pub async fn exceeds_quota(&self, context: &Context) -> Option<String> {
        let quotas = Resource::known("v1", "resourcequotas");
        let listed = context.cluster.list(&quotas, Some(&context.namespace), &Selection::default()).await;
        listed.ok()?.iter().find_map(|quota| self.exceeds(quota))
    }

    fn exceeds(&self, quota: &Value) -> Option<String> {
        let wanted = [
            ("pods", f64::from(self.pods)),
            ("cpu", self.cpu),
            ("requests.cpu", self.cpu),
            ("memory", self.memory),
            ("requests.memory", self.memory),
            ("limits.cpu", self.limits_cpu),
            ("limits.memory", self.limits_memory),
        ];
        let status = &quota["status"];
        // A scoped quota counts some Pods only: whether these are among them is not judged here.
        if quota["spec"]["scopes"].is_array() || quota["spec"]["scopeSelector"].is_object() {
            return None;
        }
        wanted.iter().find_map(|(what, more)| {
            let hard = quantity::parse(status["hard"][*what].as_str()?)?;
            let used = quantity::parse(status["used"][*what].as_str()?)?;
            (used + more > hard).then(|| {
                let name = quota["metadata"]["name"].as_str().unwrap_or_default();
                format!(
                    "the quota {name} leaves no room for a second generation beside the first: {what} {} of {} are used",
                    status["used"][*what].as_str().unwrap_or_default(),
                    status["hard"][*what].as_str().unwrap_or_default(),
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quota_is_held_against_what_comes_on_top() {
        let demand =
            Demand { pods: 2, cpu: 0.5, memory: 2.0 * 1024.0 * 1024.0 * 1024.0, ..Demand::default() };
        let quota = |hard: &str, used: &str| {
            json!({"metadata": {"name": "q"}, "spec": {}, "status": {
                "hard": {"requests.memory": hard}, "used": {"requests.memory": used}}})
        };
        assert_eq!(demand.exceeds(&quota("4Gi", "2Gi")), None);
        let words = demand.exceeds(&quota("4Gi", "2049Mi")).unwrap();
        assert!(words.contains("requests.memory 2049Mi of 4Gi"), "{words}");
        let mut scoped = quota("1Gi", "1Gi");
        scoped["spec"]["scopes"] = json!(["BestEffort"]);
        assert_eq!(demand.exceeds(&scoped), None);
    }
}
