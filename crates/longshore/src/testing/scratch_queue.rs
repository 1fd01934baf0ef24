use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::{Queue, QueueError};

/// A queue on its own database in a temporary folder, which is removed when this is dropped.
///
/// It is a real database, so tests on it show the production behaviour.
#[derive(Debug)]
pub struct ScratchQueue {
    queue: Queue,
    folder: Folder,
}

/// Dropped after the queue, so that no file is removed under an open database.
#[derive(Debug)]
struct Folder(PathBuf);

impl ScratchQueue {
    /// Creates the folder and the database.
    pub async fn open() -> Result<Self, QueueError> {
        let name = format!("longshore-{:016x}", fastrand::u64(..));
        let folder = Folder(std::env::temp_dir().join(name));
        // If the folder cannot be created, opening the database reports it, with its path.
        let _ = std::fs::create_dir_all(&folder.0);
        let queue = Queue::open(folder.0.join("scratch.db").display().to_string()).await?;
        Ok(Self { queue, folder })
    }

    /// The path of the database, for another program or the application's own connection.
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
        // A leftover is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
