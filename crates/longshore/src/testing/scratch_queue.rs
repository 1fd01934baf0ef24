use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::{Queue, QueueError};

/// A queue on a database of its own in a temporary folder, which goes when this does.
///
/// It is the real thing: what a test shows on it holds in production.
#[derive(Debug)]
pub struct ScratchQueue {
    queue: Queue,
    folder: Folder,
}

/// Dropped after the queue, so that nothing is removed under an open database.
#[derive(Debug)]
struct Folder(PathBuf);

impl ScratchQueue {
    /// Makes the folder and the database.
    pub async fn open() -> Result<Self, QueueError> {
        let name = format!("longshore-{:016x}", fastrand::u64(..));
        let folder = Folder(std::env::temp_dir().join(name));
        // A folder that cannot be made is told by the opening, with its path.
        let _ = std::fs::create_dir_all(&folder.0);
        let queue = Queue::open(folder.0.join("scratch.db").display().to_string()).await?;
        Ok(Self { queue, folder })
    }

    /// Where the database is, to reach it from another program or with the application's own connection.
    pub fn path(&self) -> PathBuf {
        self.folder().join("scratch.db")
    }

    fn folder(&self) -> &Path {
        &self.folder.0
    }
}

impl Deref for ScratchQueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.queue
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
