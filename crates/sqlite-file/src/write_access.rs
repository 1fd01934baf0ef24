//! Whether a path can be written, checked without opening anything.

use std::path::Path;

/// Whether this process cannot write the file at `path` or in its folder.
pub fn is_read_only(path: &Path) -> bool {
    [path, folder_of(path)].into_iter().any(is_forbidden)
}

#[cfg(unix)]
fn is_forbidden(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    matches!(accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS), Err(Errno::ACCESS | Errno::ROFS | Errno::PERM))
}

#[cfg(not(unix))]
fn is_forbidden(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().readonly())
}

/// Whether the file system of the path is mounted read-only.
#[cfg(unix)]
pub fn is_mounted_read_only(path: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(not(unix))]
pub fn is_mounted_read_only(_: &Path) -> bool {
    false
}

/// The folder of the file at `path`.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
