//! The two parts of every text.

/// A part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Training examples.
    Train,
    /// Held-out examples.
    Validation,
}

impl Split {
    /// `training` or `validation`, as messages call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
        }
    }
}
