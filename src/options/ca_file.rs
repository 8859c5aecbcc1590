//! The file of the option `ca_file`. It is read once, when the client is made, and used for every
//! connection of the client, also by its queue and after the process has changed its folder, root
//! or user.

use std::collections::HashMap;
use std::fmt;
use std::fs::Metadata;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::RootCertStore;
use sha2::{Digest, Sha256};

use super::pem;
use crate::host::{self, PerProcess};
use crate::outcome::Error;

/// Greatest size of the file. The bundle of a system has a quarter of a megabyte.
const MAX_BYTES: u64 = 16 << 20;

/// The authorities of a file. Two values are equal if path and content are equal.
#[derive(Clone)]
pub(crate) struct CaFile {
    /// The absolute path.
    pub(crate) path: String,
    pub(crate) roots: Arc<RootCertStore>,
    digest: [u8; 32],
}

impl PartialEq for CaFile {
    fn eq(&self, other: &CaFile) -> bool {
        self.path == other.path && self.digest == other.digest
    }
}

impl Eq for CaFile {}

impl fmt::Debug for CaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaFile({:?}, {})", self.path, self.roots.len())
    }
}

/// Identifies a version of a file without reading it.
#[derive(Clone, PartialEq, Eq)]
struct Version {
    modified: SystemTime,
    length: u64,
    /// Device, inode and time of change, on systems that have them.
    node: (u64, u64, i64, i64),
}

impl Version {
    fn from_metadata(metadata: &Metadata) -> Option<Version> {
        #[cfg(unix)]
        let node = {
            use std::os::unix::fs::MetadataExt;
            let ctime = (metadata.ctime(), metadata.ctime_nsec());
            (metadata.dev(), metadata.ino(), ctime.0, ctime.1)
        };
        #[cfg(not(unix))]
        let node = (0, 0, 0, 0);
        Some(Version {
            modified: metadata.modified().ok()?,
            length: metadata.len(),
            node,
        })
    }
}

/// A file that has been read.
#[derive(Clone)]
struct KnownFile {
    version: Option<Version>,
    file: CaFile,
    /// Whether it comes from the parent process, which may have had more rights.
    is_inherited: bool,
}

type KnownFiles = RwLock<HashMap<String, KnownFile>>;

/// Cached, because under php-fpm a client is made for each page.
static KNOWN: PerProcess<KnownFiles> = PerProcess::new();

/// A forked child inherits the cache, unless another thread was adding a file during the fork.
fn known() -> &'static KnownFiles {
    KNOWN.get(|parents| {
        let inherited = parents.and_then(|files| files.try_read().ok());
        let mut files = inherited.map_or_else(HashMap::new, |files| files.clone());
        files.values_mut().for_each(|file| file.is_inherited = true);
        RwLock::new(files)
    })
}

impl CaFile {
    /// Reads the file, unless it is cached and unchanged. A child that cannot read the file uses
    /// the version of its parent: servers start as root, and their workers have fewer rights.
    pub(super) fn read(path: &str) -> Result<CaFile, Error> {
        // If there is no current folder, the path is used unchanged.
        let absolute = std::path::absolute(path).ok();
        let absolute = absolute.and_then(|p| p.into_os_string().into_string().ok());
        let path = absolute.unwrap_or_else(|| path.to_owned());
        let metadata = std::fs::metadata(&path).ok();
        let version = metadata.as_ref().and_then(Version::from_metadata);
        let known_file = {
            let files = known().read().unwrap_or_else(PoisonError::into_inner);
            files.get(&path).cloned()
        };
        if let Some(known) = &known_file
            && version.is_some()
            && known.version == version
        {
            return Ok(known.file.clone());
        }
        let bytes = match (host::read_file(Path::new(&path), MAX_BYTES), known_file) {
            (Ok(bytes), _) => bytes,
            (Err(_), Some(known)) if known.is_inherited => return Ok(known.file),
            (Err(e), _) => {
                return Err(Error::config(format!("ca_file {path} cannot be read: {e}")));
            }
        };
        let roots = pem::roots(&bytes).map_err(|e| Error::config(format!("ca_file {path} {e}")))?;
        let file = CaFile {
            path: path.clone(),
            roots: Arc::new(roots),
            digest: Sha256::digest(&bytes).into(),
        };
        let read = KnownFile {
            version,
            file: file.clone(),
            is_inherited: false,
        };
        let mut files = known().write().unwrap_or_else(PoisonError::into_inner);
        files.insert(path, read);
        Ok(file)
    }
}
