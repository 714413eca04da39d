//! What must hold before a change is merged.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::build::{Invocation, cargo, workspace};

/// Formatting, clippy, documentation and, last, the tests. All in release mode: a decoder in debug mode is too slow to
/// test, and one profile means one build of the dependencies.
///
/// # Errors
/// The first check that fails.
pub fn check() -> Result<ExitCode> {
    lint()?;
    test()
}

/// [`check`] with packages of all crates, a short training run, a shared database, a second backend and the address
/// sanitizer between documentation and tests. The last lines name what was left out.
///
/// # Errors
/// The first check that fails.
pub fn ci() -> Result<ExitCode> {
    lint()?;
    package()?;
    use_as_a_library()?;
    train_a_little()?;
    let missing: Vec<&str> = [share_a_database()?, compute_on_a_second_backend()?].into_iter().flatten().collect();
    check_addresses()?;
    let outcome = test()?;
    for what in missing {
        eprintln!("left out: {what}");
    }
    Ok(outcome)
}

fn lint() -> Result<()> {
    step(cargo().args(["fmt", "--all", "--check"]))?;
    step(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step(cargo().args(["doc", "--release", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every crate as it would be published, in the order of their dependencies. Nothing is compiled again.
fn package() -> Result<()> {
    step(cargo().args(["package", "--workspace", "--exclude", "xtask", "--no-verify", "--allow-dirty", "--offline"]))
}

/// A program that depends on two of the libraries alone; `scripts/check_library_use.sh` builds it outside the
/// workspace.
fn use_as_a_library() -> Result<()> {
    step(cargo().args(["run", "--release", "--package", "fireclay", "--example", "library-use"]))
}

/// The run that [`train_a_little`] leaves.
const RUN: &str = "target/ci-run";

fn train_a_little() -> Result<()> {
    let words = ["train", "--steps", "20", "--fresh", "--out", RUN];
    // A model that has learned little ends no answer by itself.
    let few_answers = ["--set", "grpo.batch=8", "--set", "grpo.minibatch=64"];
    let invocation = Invocation::parse(words.into_iter().chain(few_answers).map(OsString::from))?;
    step(invocation.command(&invocation.build()?).current_dir(workspace()))
}

/// Conversations on a `PostgreSQL` server, where Debian's package is installed: the store's tests, and two servers that
/// answer turns of the same conversations. Returns what was left out.
fn share_a_database() -> Result<Option<&'static str>> {
    if !Path::new("/usr/lib/postgresql").is_dir() {
        return Ok(Some("PostgreSQL's tests; install Debian's package postgresql"));
    }
    let on_a_server = || {
        let mut command = Command::new("scripts/with_postgres.sh");
        command.current_dir(workspace());
        command
    };
    let cargo = cargo();
    step(
        on_a_server()
            .arg(cargo.get_program())
            .args(["test", "--release", "--workspace", "--features", "postgres"])
            .args(["--test", "store"]),
    )?;
    let binary = Invocation::parse(["--features", "postgres"].map(OsString::from).into_iter())?.build()?;
    let check = ["scripts/check_replicas.py", "--model", RUN, "--conversations", "40", "--binary"];
    step(on_a_server().args(check).arg(binary))?;
    Ok(None)
}

/// The tests of model, engine and rollouts on `wgpu`, where Mesa's software Vulkan adapter is installed. Returns what was
/// left out.
fn compute_on_a_second_backend() -> Result<Option<&'static str>> {
    const DRIVERS: &str = "/usr/share/vulkan/icd.d";
    let is_lavapipe = |name: OsString| name.to_string_lossy().starts_with("lvp_icd");
    let mut drivers = std::fs::read_dir(DRIVERS).into_iter().flatten().flatten().map(|entry| entry.file_name());
    if !drivers.any(is_lavapipe) {
        return Ok(Some("the second backend; install Debian's package mesa-vulkan-drivers"));
    }
    step(Command::new("scripts/check_backends.sh").arg("wgpu").current_dir(workspace()))?;
    Ok(None)
}

/// The tests of the kernels under the address sanitizer, on Linux.
fn check_addresses() -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        return Ok(());
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    step(Command::new("scripts/check_addresses.sh").arg(target.join("addresses")).current_dir(workspace()))
}

fn test() -> Result<ExitCode> {
    // Ignored tests first, where what they need is there, so that the last lines are those of the tests that everybody
    // runs.
    if has_real_data() {
        let targets = ["real_text", "real_examples", "suite", "model", "e2e"].map(|target| ["--test", target]).concat();
        step(cargo().args(["test", "--release", "--workspace"]).args(targets).args([
            "--",
            "--ignored",
            "--skip",
            FULL_DISK,
        ]))?;
    }
    if may_mount() {
        step(cargo().args(["test", "--release", "--workspace", "--test", "e2e", "--", "--ignored", FULL_DISK]))?;
    }
    step(cargo().args(["test", "--release", "--workspace"]))?;
    Ok(ExitCode::SUCCESS)
}

/// What the tests that mount a file system are called by.
const FULL_DISK: &str = "full_disk";

/// Whether the folder is there that `FIRECLAY_SHARED` names, or `shared` beside the project.
fn has_real_data() -> bool {
    let beside = || workspace().join("../shared");
    env::var_os("FIRECLAY_SHARED").map_or_else(beside, PathBuf::from).join("data").is_dir()
}

/// Whether this process may mount a file system: on Linux, by root.
fn may_mount() -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Shows a command and runs it; fails when it does.
fn step(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let shown = shown.join(" ");
    eprintln!("\n$ {shown}");
    let status = command.status().with_context(|| format!("{shown}: cannot be started"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}
