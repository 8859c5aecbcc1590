//! The pools of a php-fpm. Each may override the settings of the ini files (`php_admin_value[ffi.enable] = 1`).
//!
//! php-fpm itself prints its pools only to a user who may write its log (`-tt`), so the files are read here.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// The main file of a php-fpm.
const MAIN: &str = "php-fpm.conf";
/// Greatest depth of nested includes; deeper ones are taken for a cycle.
const DEEPEST: usize = 4;
/// The settings that matter to the binding.
const SETTINGS: [&str; 3] = ["ffi.enable", "disable_functions", "disable_classes"];

#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) name: String,
    /// The settings that the pool overrides.
    pub(super) settings: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    /// Files that this user cannot read.
    pub(super) unread: Vec<String>,
}

impl Pools {
    /// The pools of the first main file in these folders or in their parents.
    pub(super) fn read<'a>(folders: impl Iterator<Item = &'a Path>) -> Pools {
        let mut pools = Pools::default();
        let main = folders
            .flat_map(|folder| folder.ancestors().take(2))
            .map(|folder| folder.join(MAIN))
            .find(|file| file.is_file());
        if let Some(main) = main {
            pools.read_file(&main, 0);
        }
        pools
    }

    /// The value of ffi.enable that each pool overrides, or null.
    pub(super) fn facts(&self) -> Value {
        let facts = self.all.iter().map(|pool| {
            let own = pool.settings.iter().find(|(name, _)| name == "ffi.enable");
            (
                pool.name.clone(),
                own.map(|(_, value)| value.clone()).into(),
            )
        });
        Value::Object(facts.collect::<Map<String, Value>>())
    }

    fn read_file(&mut self, file: &Path, depth: usize) {
        let Ok(bytes) = fs::read(file) else {
            self.unread.push(file.display().to_string());
            return;
        };
        let text = String::from_utf8_lossy(&bytes);
        // The pool of the current section. The main file begins with a section that is not a pool.
        let mut pool: Option<usize> = None;
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[') {
                pool = section
                    .split(']')
                    .next()
                    .and_then(|name| self.pool(name.trim()));
            } else if let Some((name, value)) = line.split_once('=') {
                let value = value.split(';').next().unwrap_or_default();
                let value = value.trim().trim_matches(['"', '\'']);
                match name.trim() {
                    "include" if depth < DEEPEST => self.include(value, file, depth),
                    name => {
                        if let Some(pool) = pool.and_then(|at| self.all.get_mut(at)) {
                            pool.set(name, value);
                        }
                    }
                }
            }
        }
    }

    fn include(&mut self, pattern: &str, file: &Path, depth: usize) {
        match matching(pattern, file) {
            Ok(files) => {
                for included in files {
                    self.read_file(&included, depth + 1);
                }
            }
            Err(folder) => self.unread.push(folder.display().to_string()),
        }
    }

    /// The index of the pool with this name. A section with the same name continues its pool.
    fn pool(&mut self, name: &str) -> Option<usize> {
        if name == "global" {
            return None;
        }
        let known = self.all.iter().position(|pool| pool.name == name);
        Some(known.unwrap_or_else(|| {
            self.all.push(Pool {
                name: name.to_owned(),
                ..Pool::default()
            });
            self.all.len() - 1
        }))
    }
}

impl Pool {
    fn set(&mut self, line: &str, value: &str) {
        let Some((kind, setting)) = line.split_once('[') else {
            return;
        };
        let setting = setting.trim_end_matches(']').trim();
        if !SETTINGS.contains(&setting) {
            return;
        }
        // php-fpm applies all of them when a worker starts, even settings that a page may not change.
        if ["php_admin_value", "php_admin_flag", "php_value", "php_flag"].contains(&kind.trim()) {
            self.settings.retain(|(name, _)| name != setting);
            self.settings.push((setting.to_owned(), value.to_owned()));
        }
    }
}

/// The files of an `include`, sorted. A relative path is searched in the folders above the file, because one of them is
/// php-fpm's built-in prefix. The error is a folder that this user cannot read.
fn matching(pattern: &str, file: &Path) -> Result<Vec<PathBuf>, PathBuf> {
    let pattern = Path::new(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Ok(Vec::new());
    };
    let name = name.to_string_lossy();
    let is_matched = |found: &str| match name.split_once('*') {
        Some((before, after)) => {
            let rest = found.strip_prefix(before);
            rest.is_some_and(|rest| rest.ends_with(after))
        }
        None => found == name,
    };
    for folder in file.ancestors().skip(1).map(|above| above.join(folder)) {
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => return Err(folder),
            Err(_) => continue,
        };
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| is_matched(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .collect();
        files.sort();
        return Ok(files);
    }
    Ok(Vec::new())
}
