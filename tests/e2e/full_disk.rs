//! A full disk: exit code 1, one line, and what was saved is whole.
use std::path::Path;
use std::process::Command;

use crate::{fail, final_weights, succeed, train};

/// A file system of some hundred KiB, unmounted when dropped. None where mounting is not allowed.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = cfg!(target_os = "linux")
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
                .arg(folder.path())
                .output()
                .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: mounting a small tmpfs needs Linux and root");
        }
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn resize(&self, size: &str) {
        let option = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &option]).arg(self.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_saved() {
    let Some(disk) = SmallDisk::mount("64m") else { return };
    let out = disk.path().join("run");
    let more = ["--steps=40", "--set=pretrain.keep_checkpoints=3", "--quiet"];
    // One checkpoint fits; then the disk is made as small as what is on it.
    succeed(&mut train(&out, &["--steps=40", "--quiet"]));
    let reference = final_weights(&out);
    std::fs::remove_dir_all(&out).unwrap();

    disk.resize("1m");
    fail(&mut train(&out, &more), 1, &["No space left"]);
    // With room again, the same command goes on and ends as if nothing had been.
    disk.resize("64m");
    succeed(&mut train(&out, &more));
    assert!(reference == final_weights(&out));
}
