use std::path::Path;

/// Whether the file itself is mounted at this path, as `docker -v ./a.db:/a.db` does. The answer is no where the system
/// does not report it.
#[cfg(target_os = "linux")]
pub fn is_mount_point(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::empty(), StatxFlags::INO).is_ok_and(|found| {
        let known = found.stx_attributes.intersection(found.stx_attributes_mask);
        known.contains(StatxAttributes::MOUNT_ROOT)
    })
}

/// Whether the file itself is mounted at this path. This system does not report it.
#[cfg(not(target_os = "linux"))]
pub fn is_mount_point(_: &Path) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_file_system_is_a_mount_point_and_a_new_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        std::fs::write(&file, "").unwrap();

        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(&file) && !is_mount_point(&folder.path().join("none")));
    }
}
