//! What a change of a release did, as a user reads it.

use super::Render;
use crate::cli::next::Place;
use crate::cli::notes::placed;
use crate::run::Report;

impl Render for Report {
    fn table(&self, place: &Place) -> String {
        report(self, place)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.name)]
    }
}

fn report(report: &Report, place: &Place) -> String {
    let mut text = String::new();
    if report.unchanged {
        text.push_str("Nothing to change: the release is as it was asked for, no job was stopped.\n");
    }
    text.push_str(&format!("NAME:       {}\n", report.name));
    text.push_str(&format!("NAMESPACE:  {}\n", report.namespace));
    text.push_str(&format!("REVISION:   {}\n", report.revision));
    text.push_str(&format!("STATUS:     {}\n", report.status));
    text.push_str(&format!("PACKAGE:    {}, layout {}\n", report.package, report.layout));
    for job in &report.jobs {
        text.push_str(&format!("JOB:        {} ({})\n", job.name, job.state));
        if let Some(path) = &job.restored_from {
            text.push_str(&format!("  restored  {path}\n"));
        }
        if let Some(path) = job.savepoint.as_ref().filter(|path| Some(*path) != job.restored_from.as_ref()) {
            text.push_str(&format!("  savepoint {path}\n"));
        }
    }
    if !report.notes.trim().is_empty() {
        text.push_str(&format!("\n{}\n", placed(report.notes.trim_end(), place)));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::cli::render::testing::{changed, every_format};

    #[test]
    fn every_format_has_it() {
        assert_eq!(every_format(&changed()), ["release/demo"]);
    }
}
