//! The one program of integration tests; each file of `tests/` is a module of it.
//!
//! Tests that need a cluster run where `cargo xtask test` runs them, and say elsewhere that they
//! were left out.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions; these are their helpers")]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the project's own files are lower case"
)]
#![allow(
    clippy::print_stdout,
    reason = "what a test was left out for, and the checker's line, are for people"
)]

mod application;
mod architecture;
mod bad_input;
mod checkpoint;
mod cli;
mod docs;
mod failover;
mod job_layout;
mod krew;
mod language;
mod layouts;
mod links;
mod lock;
mod long;
mod packages;
mod real;
mod recover;
mod reference;
mod rights;
mod roles;
mod rollback;
mod scale;
mod session;
mod session_upgrade;
mod shared_storage;
mod support;
mod tally;
mod template;
mod uninstall;
mod upgrade;
mod versions;

#[test]
fn no_test_file_was_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let this = fs_err::read_to_string(folder.join("main.rs")).unwrap();
    for entry in fs_err::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let is_module = path.join("mod.rs").exists() || path.extension().is_some_and(|end| end == "rs");
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !is_module || name == "main" || this.contains(&format!("\nmod {name};\n")),
            "tests/{name}.rs is no module of tests/main.rs, so its tests never run"
        );
    }
}
