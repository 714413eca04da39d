//! A full disk: exit code 1, one line, and saved checkpoints are intact.
use std::path::Path;
use std::process::Command;

use crate::{fail, final_weights, succeed, train};

/// A file system of some hundred KiB, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = cfg!(target_os = "linux")
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
                .arg(folder.path())
                .output()
                .is_ok_and(|output| output.status.success());
        assert!(mounted, "mounting a small tmpfs needs Linux and root");
        Self(folder)
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
#[ignore = "mounts a small tmpfs, which needs Linux and root"]
fn a_full_disk_loses_nothing_that_was_saved() {
    let disk = SmallDisk::mount("64m");
    let out = disk.path().join("run");
    let more = ["--steps=40", "--set=pretrain.keep_checkpoints=3", "--quiet"];
    succeed(&mut train(&out, &more));
    let reference = final_weights(&out);
    let needed = size_on_disk(&out);
    std::fs::remove_dir_all(&out).unwrap();

    // Room for all but a part of the last checkpoint.
    disk.resize(&format!("{}k", needed / 1024 - 100));
    fail(&mut train(&out, &more), 1, &["No space left"]);
    assert!(out.join("pretrain/checkpoints/step-000020/trainer/state.json").exists(), "the first checkpoint is there");
    // With room again, the same command resumes and finishes.
    disk.resize("64m");
    succeed(&mut train(&out, &more));
    assert!(reference == final_weights(&out));
}

/// Bytes that a folder takes in pages of 4 KiB.
fn size_on_disk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let sizes = entries.map(|entry| match entry.metadata().unwrap() {
        metadata if metadata.is_dir() => size_on_disk(&entry.path()),
        metadata => metadata.len().next_multiple_of(4096),
    });
    4096 + sizes.sum::<u64>()
}
