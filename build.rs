//! Embeds `packages/` in the binary: writes a list of `include_bytes!`, which
//! `repository::embedded` includes.
//!
//! Only what git would hold: names that begin with a dot are left out, as `Package::from_dir`
//! leaves them out.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packages");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("packages");
    let mut list = String::from("&[\n");
    for name in names(&root)? {
        let folder = root.join(&name);
        if folder.join("package.yaml").is_file() {
            writeln!(list, "    ({name:?}, &[")?;
            files(&folder, "", &mut list)?;
            writeln!(list, "    ]),")?;
        }
    }
    list.push_str("]\n");
    let target = Path::new(&env::var("OUT_DIR")?).join("embedded.rs");
    #[allow(clippy::disallowed_methods)] // fs_err would be one more build dependency, for this one line
    fs::write(target, list)?;
    Ok(())
}

/// The names in a folder, in their order; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let name =
                name.to_str().ok_or_else(|| io::Error::other(format!("{} is not UTF-8", name.display())))?;
            if !name.starts_with('.') {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

fn files(folder: &Path, prefix: &str, list: &mut String) -> Result<(), Box<dyn Error>> {
    for name in names(folder)? {
        let path = folder.join(&name);
        let inner = format!("{prefix}{name}");
        if path.is_dir() {
            files(&path, &format!("{inner}/"), list)?;
        } else {
            let path = path.to_str().ok_or("the path of the source tree is not UTF-8")?;
            writeln!(list, "        ({inner:?}, include_bytes!({path:?})),")?;
        }
    }
    Ok(())
}
