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

/// Whether the run has been asked to save and leave. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    /// Whether there is nothing to save, so that a signal ends the process at once.
    idle: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens to Ctrl-C, to `kill`, and to the end of the terminal. While there is nothing to save
    /// ([`set_saving`](Self::set_saving)), as at first, a signal ends the process at once, with code 130; so does a
    /// second one.
    ///
    /// # Errors
    /// When the operating system refuses the handlers.
    pub fn install() -> io::Result<Self> {
        let interrupt = Self::never();
        interrupt.set_saving(false);
        for &signal in SIGNALS {
            // In this order: the first signal finds the flag down and only raises it.
            signal_hook::flag::register_conditional_shutdown(signal, 130, interrupt.idle.clone())?;
            signal_hook::flag::register_conditional_shutdown(signal, 130, interrupt.requested.clone())?;
            signal_hook::flag::register(signal, interrupt.requested.clone())?;
        }
        Ok(interrupt)
    }

    /// Listens to nothing; [`request`](Self::request) still works.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Says whether there is something to save: a loop that looks at [`requested`](Self::requested) is under way.
    /// Text that is read and tokenised is not that: it is made again.
    pub fn set_saving(&self, saving: bool) {
        self.idle.store(!saving, Ordering::SeqCst);
    }

    /// Asks, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Whether an interrupt was requested.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }
}
