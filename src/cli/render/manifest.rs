//! Rendered objects: as a manifest, as the `List` that kubectl prints, or by name.

use serde::{Serialize, Serializer};

use super::Render;
use crate::cli::next::Place;
use crate::render::{Object, to_manifest};

/// Rendered objects.
pub struct Manifest<'a> {
    /// The objects, in order.
    pub objects: &'a [Object],
    /// Their text, where there is one on record.
    pub recorded: Option<&'a str>,
}

impl Serialize for Manifest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct List<'a> {
            api_version: &'a str,
            kind: &'a str,
            items: Vec<&'a serde_json::Value>,
        }
        let items = self.objects.iter().map(|object| &object.value).collect();
        List { api_version: "v1", kind: "List", items }.serialize(serializer)
    }
}

impl Render for Manifest<'_> {
    fn table(&self, _: &Place) -> String {
        self.yaml()
    }

    fn names(&self) -> Vec<String> {
        self.objects.iter().map(|object| object.key().to_string()).collect()
    }

    fn yaml(&self) -> String {
        self.recorded.map_or_else(|| to_manifest(self.objects), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::every_format;
    use crate::render::parse_manifest;

    #[test]
    fn every_format_has_it() {
        let text = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo\n";
        let objects = parse_manifest(text).unwrap();
        for recorded in [None, Some(text)] {
            assert_eq!(every_format(&Manifest { objects: &objects, recorded }), ["ConfigMap/demo"]);
        }
    }
}
