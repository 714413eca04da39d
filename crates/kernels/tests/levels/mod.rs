//! The tests of a file for every instruction set that the CPU has. A process uses one, so each further one takes another
//! process.

use std::process::Command;

use fireclay_kernels::Isa;

/// Runs all tests of this executable for each instruction set but the current one. Where the caller's environment names
/// one, no others are run.
pub fn run_others() {
    if std::env::var_os("FIRECLAY_ISA").is_some() {
        return;
    }
    let tests = std::env::current_exe().expect("the path of the tests");
    for isa in Isa::all().filter(|&isa| isa != Isa::current()) {
        let output = Command::new(&tests).env("FIRECLAY_ISA", isa.name()).output().expect("the tests start");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {out}{err}", isa.name());
    }
}
