//! Where values come from: files and `--set…`, as Helm has them.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::error::CommandError;
use crate::failure::Cause;
use crate::values::{self, Setting};

/// Where values come from.
#[derive(Args, Clone, Debug, Default)]
pub struct ValuesArgs {
    /// Values file, or - for stdin; may be repeated, later ones win
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Set values: a.b=1,c[0]=x
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Set values as strings
    #[arg(long = "set-string", value_name = "PATH=VALUE")]
    pub set_string: Vec<String>,
    /// Set values from files' contents
    #[arg(long = "set-file", value_name = "PATH=FILE")]
    pub set_file: Vec<String>,
    /// Set values from JSON
    #[arg(long = "set-json", value_name = "PATH=JSON")]
    pub set_json: Vec<String>,
    /// Set one value literally
    #[arg(long = "set-literal", value_name = "PATH=VALUE")]
    pub set_literal: Vec<String>,
}

impl ValuesArgs {
    /// The user's values: a map.
    pub fn collect(&self) -> Result<Value, CommandError> {
        let mut settings = Vec::new();
        for path in &self.files {
            let text = if path.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin())
            } else {
                fs_err::read_to_string(path)
            };
            let text = text.map_err(|source| Cause::File { path: path.clone(), source })?;
            settings.push(Setting::File { origin: path.display().to_string(), text });
        }
        settings.extend(self.set_json.iter().cloned().map(Setting::SetJson));
        settings.extend(self.set.iter().cloned().map(Setting::Set));
        settings.extend(self.set_string.iter().cloned().map(Setting::SetString));
        settings.extend(self.set_file.iter().cloned().map(Setting::SetFile));
        settings.extend(self.set_literal.iter().cloned().map(Setting::SetLiteral));
        Ok(values::collect(&settings, &|path| fs_err::read_to_string(path))?)
    }
}
