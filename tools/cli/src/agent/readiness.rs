//! Whether the spool can be written, and what it reports.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::options;
use esales_notify::{Client, Config, Error, SpoolAdmin, SpoolReport};
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

/// Reads from the spool what the client does not return.
pub(super) struct Readiness {
    /// `None`: the spool is not in a directory.
    directory: Option<PathBuf>,
    max_items: u64,
    max_bytes: u64,
    drops_oldest: bool,
    /// Opened on first use and kept, because each read continues where the last one ended.
    admin: Mutex<Option<SpoolAdmin>>,
}

impl Readiness {
    pub(super) fn new(config: &Config) -> Readiness {
        Readiness {
            directory: SpoolAdmin::path(config).ok().flatten(),
            max_items: options::number(config, "max_items"),
            max_bytes: options::number(config, "max_bytes"),
            drops_oldest: config.get("overflow") == Some("drop_oldest"),
            admin: Mutex::default(),
        }
    }

    /// The error is the reason why no notification would be accepted.
    pub(super) fn check(&self, client: &Client) -> Result<(), String> {
        let stats = client.stats().map_err(|e| e.to_string())?;
        let is_full =
            stats.spool.pending >= self.max_items || stats.pending_bytes >= self.max_bytes;
        if is_full && !self.drops_oldest {
            return Err("the queue is full".to_owned());
        }
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let cannot = |e| format!("the spool cannot be written: {e}");
        // The first notification makes the spool.
        let parent = directory.parent().filter(|_| !directory.exists());
        let directory = parent.unwrap_or(directory);
        access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(cannot)?;
        let volume = statvfs(directory).map_err(cannot)?;
        if volume.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Err("the spool cannot be written: its file system is read-only".to_owned());
        }
        match volume.f_bavail {
            0 => Err("the spool cannot be written: the disk is full".to_owned()),
            _ => Ok(()),
        }
    }

    /// The state of the spool, and its name.
    pub(super) fn report(&self, config: &Config) -> Result<(SpoolReport, String), Error> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match admin.take() {
            Some(opened) => opened,
            None => SpoolAdmin::open(config)?,
        };
        let report = (opened.report()?, opened.name());
        *admin = Some(opened);
        Ok(report)
    }
}
