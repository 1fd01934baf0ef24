use std::sync::Arc;

/// The longest boot id that is stored; a UUID has 36 bytes.
pub(crate) const BOOT_ID_BYTES_MAX: usize = 48;

/// An id that is the same for every process until the machine restarts. `None` if the operating system has no such id.
/// Then a liveness file cannot show whether it was written before a power cut, so it is never trusted.
pub(crate) fn boot_id_of_machine() -> Option<Arc<str>> {
    let word = read()?;
    let word = word.trim();
    (!word.is_empty() && word.len() <= BOOT_ID_BYTES_MAX).then(|| word.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn read() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

#[cfg(target_os = "macos")]
fn read() -> Option<String> {
    let told = std::process::Command::new("/usr/sbin/sysctl").args(["-n", "kern.bootsessionuuid"]).output().ok()?;
    String::from_utf8(told.stdout).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
fn read() -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_there_and_stays_the_same() {
        assert!(boot_id_of_machine().is_some());
        assert_eq!(boot_id_of_machine(), boot_id_of_machine());
    }
}
