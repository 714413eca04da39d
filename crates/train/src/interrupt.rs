//! SIGINT, SIGTERM and SIGHUP: finish the step, save, leave.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};

#[cfg(unix)]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM, SIGHUP];
#[cfg(not(unix))]
const SIGNALS: &[i32] = &[SIGINT, SIGTERM];

/// Whether the run has been asked to save and exit. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    /// Whether there is nothing to save, so that a signal ends the process at once.
    idle: Arc<AtomicBool>,
}

impl Interrupt {
    /// Handles SIGINT, SIGTERM and SIGHUP. While there is nothing to save ([`set_saving`](Self::set_saving)), as at
    /// first, a signal ends the process at once, with exit code 130; so does a second signal.
    ///
    /// # Errors
    /// When the operating system refuses the handlers.
    pub fn install() -> io::Result<Self> {
        let interrupt = Self::never();
        interrupt.set_saving(false);
        for &signal in SIGNALS {
            // In this order: the first signal finds the flag unset and only sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 130, interrupt.idle.clone())?;
            signal_hook::flag::register_conditional_shutdown(signal, 130, interrupt.requested.clone())?;
            signal_hook::flag::register(signal, interrupt.requested.clone())?;
        }
        Ok(interrupt)
    }

    /// Handles no signals; [`request`](Self::request) still works.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Sets whether there is something to save: whether a loop that checks [`requested`](Self::requested) is running.
    /// Reading and tokenising text does not count, because it can be repeated.
    pub fn set_saving(&self, saving: bool) {
        self.idle.store(!saving, Ordering::SeqCst);
    }

    /// Requests an interrupt, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Whether an interrupt was requested.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }
}
