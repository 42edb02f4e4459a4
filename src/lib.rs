//! `kubectl flink`: a package manager made for Apache Flink on Kubernetes.
//!
//! The one promise above all others: it never stops a job that it cannot start again, and never loses track of a
//! savepoint.
//!
//! # The map
//! Arrows go down only: [`cli`] → [`ops`] → the rest. Nothing below [`cli`] prints or exits; nothing but [`cluster`],
//! [`flink`] and (through `cluster`) [`release`] talks to a server. What may `use` what is the table
//! [`ALLOWED`], and a test holds the code against it.
//!
//! | module | for |
//! | --- | --- |
//! | [`cli`] | clap types and one file a verb; output, progress, prompts, error → message, hints, exit code |
//! | [`ops`] | install, upgrade, rollback, uninstall …: `plan(Options) -> Plan` and `execute(Plan, …) -> Report` |
//! | [`operation`] | the state machine under all of them: `next(&Journal) -> Step`, pure |
//! | [`release`] | a revision's record, the Secrets that store it, the operation in progress (lock and journal) |
//! | [`flink`] | Flink's REST API over a transport, savepoints, jobs, the source and destination of state |
//! | [`cluster`] | Kubernetes: client, discovery, server-side apply, prune, readiness, rights |
//! | [`repository`] | where packages come from: embedded, a folder, an archive; the index |
//! | [`render`] | the Tera engine, its filters, the rendered objects and their order |
//! | [`package`] | metadata, layouts, schema, archive (reproducible pack, safe unpack) |
//! | [`values`] | merge and the `--set` grammar |
//! | [`version`] | version ranges as Helm's users write them |
//! | [`fence`] | the last look before a request that changes something |
//! | [`id`] | Flink's ids of jobs and triggers |
//! | [`yaml`] | the one way in and out of YAML |

pub mod cli;
pub mod cluster;
pub mod fence;
pub mod flink;
pub mod id;
pub mod operation;
pub mod ops;
pub mod package;
pub mod release;
pub mod render;
pub mod repository;
pub mod values;
pub mod version;
pub mod yaml;

/// Which top-level module may name which others in `use crate::…` or a `crate::…` path.
pub const ALLOWED: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "ops",
            "operation",
            "release",
            "flink",
            "cluster",
            "repository",
            "render",
            "package",
            "values",
            "version",
            "yaml",
            "id",
        ],
    ),
    (
        "ops",
        &[
            "operation",
            "release",
            "flink",
            "cluster",
            "repository",
            "render",
            "package",
            "values",
            "version",
            "yaml",
            "fence",
            "id",
        ],
    ),
    ("operation", &["id"]),
    ("release", &["cluster", "fence", "operation", "render", "id"]),
    ("flink", &["cluster", "fence", "id"]),
    ("cluster", &["fence", "render"]),
    ("repository", &["package", "version", "yaml"]),
    ("render", &["package", "values", "version", "yaml"]),
    ("package", &["values", "version", "yaml"]),
    ("values", &["yaml"]),
    ("version", &[]),
    ("fence", &[]),
    ("id", &[]),
    ("yaml", &[]),
];
