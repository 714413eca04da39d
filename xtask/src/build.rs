//! Building the binary with the wished features, and running it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::error::user;

/// What `cargo xtask …` asks for: cargo's flags, and fireclay's arguments.
#[derive(Debug, PartialEq)]
pub struct Invocation {
    cargo_flags: Vec<OsString>,
    arguments: Vec<OsString>,
}

impl Invocation {
    /// Takes `--features` and `--no-default-features` out of the arguments, wherever they stand before a `--`.
    ///
    /// # Errors
    /// When `--features` is the last word.
    pub fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self> {
        let (mut cargo_flags, mut arguments) = (vec![], vec![]);
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--features" | "-F") => {
                    let Some(features) = words.next() else {
                        return Err(user("--features: name at least one, for example --features vulkan"));
                    };
                    cargo_flags.extend(["--features".into(), features]);
                }
                Some(flag) if flag.starts_with("--features=") || flag == "--no-default-features" => {
                    cargo_flags.push(word);
                }
                Some("--") => {
                    arguments.push(word);
                    arguments.extend(words.by_ref());
                }
                _ => arguments.push(word),
            }
        }
        Ok(Self { cargo_flags, arguments })
    }

    /// Fireclay's arguments.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Builds the binary; its path.
    ///
    /// # Errors
    /// When cargo cannot be started, or the build fails.
    pub fn build(&self) -> Result<PathBuf> {
        let binary = binary()?;
        if !binary.exists() {
            eprintln!("building fireclay; the first build takes some minutes, later ones seconds");
        }
        let status = cargo()
            .args(["build", "--release", "--package", "fireclay"])
            .args(&self.cargo_flags)
            .status()
            .context("cargo cannot be started")?;
        if !status.success() {
            bail!("the build failed; cargo says why above");
        }
        Ok(binary)
    }

    /// The command that runs the binary.
    pub fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        // So that the commands it prints are ones that work here.
        command.env("FIRECLAY_CALLED_AS", "cargo xtask");
        command.args(&self.arguments);
        command
    }

    /// Builds the binary and becomes it.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when the binary cannot be started.
    pub fn run(&self) -> Result<ExitCode> {
        let binary = self.build()?;
        become_command(&mut self.command(&binary)).with_context(|| format!("{} cannot be started", binary.display()))
    }
}

/// Cargo on this workspace, from any current folder.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// The workspace's root: the parent of this package.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Where cargo puts the binary: beside xtask itself, whichever target folder is set.
fn binary() -> Result<PathBuf> {
    let xtask = env::current_exe().context("the path of xtask cannot be found")?;
    let target = xtask.parent().and_then(Path::parent).context("xtask does not lie in a target folder")?;
    Ok(target.join("release").join(format!("fireclay{}", env::consts::EXE_SUFFIX)))
}

/// Replaces this process, so that signals reach fireclay alone and nobody waits in between.
#[cfg(unix)]
fn become_command(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

/// Runs the command and passes on its exit code.
#[cfg(not(unix))]
fn become_command(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, cargo_flags: &str, arguments: &str) {
        let split = |words: &str| words.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let expected = Invocation { cargo_flags: split(cargo_flags), arguments: split(arguments) };
        assert_eq!(Invocation::parse(split(words).into_iter()).unwrap(), expected, "{words}");
    }

    #[test]
    fn features_are_cargos_and_the_rest_is_fireclays() {
        check("train", "", "train");
        check("train --features vulkan --steps 3", "--features vulkan", "train --steps 3");
        check("--features=cuda,hub --no-default-features train", "--features=cuda,hub --no-default-features", "train");
        check("generate --prompt x -F wgpu", "--features wgpu", "generate --prompt x");
    }

    #[test]
    fn nothing_behind_two_dashes_is_cargos() {
        check("train -- --features x", "", "train -- --features x");
    }

    #[test]
    fn features_without_a_name_are_refused() {
        let error = Invocation::parse(["train", "--features"].map(OsString::from).into_iter()).unwrap_err();
        assert!(error.to_string().contains("name at least one"), "{error}");
    }

    #[test]
    fn the_workspace_is_found() {
        assert!(workspace().join("crates/cli/Cargo.toml").is_file());
    }
}
