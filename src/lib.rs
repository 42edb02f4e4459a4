//! `kubectl flink`: a package manager made for Apache Flink on Kubernetes.
//!
//! The one promise above all others: it never stops a job that it cannot start again, and never
//! loses track of a savepoint.
//!
//! # The map
//! Arrows go down only: [`cli`] → [`verbs`] → [`plan`], [`run`] → [`engine`], [`site`], [`live`] →
//! [`layout`] → the rest. Nothing below [`cli`] prints or exits; nothing but [`cluster`], [`flink`]
//! and (through `cluster`) [`release`] talks to a server. What may `use` what is the table
//! [`ALLOWED`]; a test holds the code against it, and refuses circles of files.
//!
//! | module | for |
//! | --- | --- |
//! | [`cli`] | clap types and one file a verb; output, progress, prompts, error → message, next steps, exit code |
//! | [`verbs`] | one file a verb: from its options to a plan or a report |
//! | [`plan`] | what a change would do: objects, Pods, jobs, state, strategy, downtime, rights; reads only |
//! | [`run`] | carries a plan out: lock, plan again, engine, outcome, report |
//! | [`engine`] | does what the state machine says, over a `World`; and the simulation of one that goes wrong |
//! | [`site`] | the real `World`: Kubernetes and the records |
//! | [`live`] | what there is now: the release, its generations, its jobs, an interrupted operation |
//! | [`layout`] | a package's Flink as the plugin sees it, and how its jobs are started and stopped |
//! | [`probe`] | the Java that runs inside Flink |
//! | [`context`] | what every operation needs: connections, clock, ids, and the fence before each change |
//! | [`progress`] | what an operation tells while it goes on, and the request to end its waits |
//! | [`failure`] | how an operation fails: phase, cause, what to type next |
//! | [`operation`] | the state machine under all of them: `next(&Journal) -> Step`, pure |
//! | [`release`] | a revision's record, the Secrets that store it, the operation in progress (lock and journal) |
//! | [`flink`] | Flink's REST API over a transport, savepoints, jobs |
//! | [`cluster`] | Kubernetes: client, discovery, server-side apply, prune, readiness, rights |
//! | [`source`] | where packages come from: embedded, a folder, an archive; the index |
//! | [`render`] | the Tera engine, its filters, the rendered objects and their order |
//! | [`package`] | metadata, layouts, schema |
//! | [`archive`] | reproducible pack, safe unpack |
//! | [`values`] | merge and the `--set` grammar |
//! | [`version`] | version ranges as Helm's users write them |
//! | [`digest`] | SHA-256 as text |
//! | [`fence`] | the last look before a request that changes something |
//! | [`id`] | Flink's ids of jobs and triggers |
//! | [`yaml`] | the one way in and out of YAML |

pub mod archive;
pub mod cli;
pub mod cluster;
pub mod context;
pub mod digest;
pub mod engine;
pub mod failure;
pub mod fence;
pub mod flink;
pub mod id;
pub mod layout;
pub mod live;
pub mod operation;
pub mod package;
pub mod plan;
pub mod probe;
pub mod progress;
pub mod release;
pub mod render;
pub mod run;
pub mod site;
pub mod source;
pub mod values;
pub mod verbs;
pub mod version;
pub mod yaml;

/// Which top-level module may name which others in `use crate::…` or a `crate::…` path.
pub const ALLOWED: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "verbs",
            "plan",
            "run",
            "live",
            "context",
            "progress",
            "failure",
            "operation",
            "release",
            "flink",
            "cluster",
            "source",
            "render",
            "values",
            "yaml",
        ],
    ),
    (
        "verbs",
        &[
            "plan",
            "run",
            "site",
            "live",
            "layout",
            "context",
            "progress",
            "failure",
            "operation",
            "release",
            "flink",
            "cluster",
            "source",
            "render",
            "package",
            "values",
            "digest",
            "id",
        ],
    ),
    (
        "run",
        &[
            "plan",
            "engine",
            "site",
            "live",
            "layout",
            "context",
            "progress",
            "failure",
            "operation",
            "release",
            "flink",
            "render",
        ],
    ),
    (
        "plan",
        &[
            "site",
            "live",
            "layout",
            "context",
            "failure",
            "operation",
            "release",
            "flink",
            "cluster",
            "render",
            "package",
            "version",
            "yaml",
            "digest",
            "id",
        ],
    ),
    (
        "site",
        &[
            "engine",
            "live",
            "layout",
            "probe",
            "context",
            "progress",
            "failure",
            "operation",
            "release",
            "flink",
            "cluster",
            "render",
            "package",
            "digest",
            "id",
        ],
    ),
    ("engine", &["layout", "progress", "failure", "operation", "release", "flink", "id"]),
    (
        "live",
        &[
            "layout",
            "probe",
            "context",
            "failure",
            "operation",
            "release",
            "flink",
            "cluster",
            "render",
            "package",
            "id",
        ],
    ),
    ("context", &["release", "flink", "cluster", "fence", "id"]),
    (
        "layout",
        &[
            "context",
            "failure",
            "operation",
            "release",
            "flink",
            "cluster",
            "render",
            "package",
            "yaml",
            "id",
        ],
    ),
    ("progress", &["flink"]),
    ("failure", &["release", "flink", "cluster", "source", "render", "package", "values", "yaml", "id"]),
    ("probe", &["digest", "id"]),
    ("release", &["operation", "flink", "cluster", "render", "digest", "fence", "id"]),
    ("flink", &["operation", "fence", "id"]),
    ("cluster", &["render", "fence"]),
    ("source", &["package", "version", "yaml"]),
    ("render", &["package", "values", "version", "yaml"]),
    ("package", &["archive", "values", "version", "yaml"]),
    ("values", &["yaml"]),
    ("operation", &["id"]),
    ("archive", &[]),
    ("version", &[]),
    ("digest", &[]),
    ("fence", &[]),
    ("id", &[]),
    ("yaml", &[]),
];
