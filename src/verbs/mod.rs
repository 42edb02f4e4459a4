//! What the commands do, one file a verb: from its options to a plan or a report.
//!
//! A verb reads what there is ([`crate::live`]), has a change planned ([`crate::plan`]) and carried
//! out ([`crate::run`]). Nothing here prints, prompts or exits, and no verb calls another one.

pub mod dispose;
pub mod install;
pub mod jobs;
pub mod logs;
pub mod query;
pub mod recover;
pub mod rollback;
pub mod savepoints;
pub mod template;
pub mod ui;
pub mod uninstall;
pub mod upgrade;
