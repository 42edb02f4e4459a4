//! One file a verb: its arguments, one call into [`verbs`](crate::verbs), one rendering of its
//! report.

mod change;
pub mod completion;
pub mod get;
pub mod history;
pub mod install;
pub mod job;
pub mod list;
pub mod logs;
pub mod plan;
pub mod recover;
pub mod rollback;
pub mod savepoint;
pub mod status;
pub mod template;
pub mod ui;
pub mod uninstall;
pub mod upgrade;
pub mod version;
