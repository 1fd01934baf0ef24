use std::io;
use std::path::Path;

/// How the operating system identifies a file, whatever its name. Windows has no identity, but there an open file
/// cannot be moved or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file at the path, and how many names it has. It opens nothing, and does not ask for the file's times.
    ///
    /// Since Linux 6.13 a file whose times were read gets an exact new time with the next write. Then each flush to
    /// disk must also write the inode, so a commit takes half as long again.
    pub fn at(path: &Path) -> io::Result<(Self, u64)> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
            if let Ok(found) = statx(CWD, path, AtFlags::empty(), StatxFlags::INO.union(StatxFlags::NLINK)) {
                let device = makedev(found.stx_dev_major, found.stx_dev_minor);
                return Ok((Self { device, inode: found.stx_ino }, found.stx_nlink.into()));
            }
            // An old kernel or a sandbox may not know the call. Otherwise the error is the same.
        }
        std::fs::metadata(path).map(|found| Self::of(&found))
    }

    #[cfg(unix)]
    fn of(found: &std::fs::Metadata) -> (Self, u64) {
        use std::os::unix::fs::MetadataExt;
        (Self { device: found.dev(), inode: found.ino() }, found.nlink())
    }

    #[cfg(not(unix))]
    fn of(_: &std::fs::Metadata) -> (Self, u64) {
        (Self { device: 0, inode: 0 }, 1)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_the_same_under_each_of_its_names_and_another_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, other] = ["first", "second", "other"].map(|name| folder.path().join(name));
        fs::write(&first, "").unwrap();
        fs::write(&other, "").unwrap();
        let (identity, names) = FileIdentity::at(&first).unwrap();
        assert_eq!(names, 1);

        fs::hard_link(&first, &second).unwrap();

        assert_eq!(FileIdentity::at(&second).unwrap(), (identity, 2));
        assert_ne!(FileIdentity::at(&other).unwrap().0, identity);
        assert_eq!(FileIdentity::at(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_identity_is_the_same_whichever_call_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let read = fs::metadata(folder.path()).unwrap();
        assert_eq!(FileIdentity::at(folder.path()).unwrap(), FileIdentity::of(&read));
    }
}
