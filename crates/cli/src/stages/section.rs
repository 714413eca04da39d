//! A stage's section of the recipe: keys of several parts in one table.

use fireclay_train::{Schedule, TrainConfig};

/// Default training keys of a stage that starts from a trained model.
#[must_use]
pub fn fine_tuning(learning_rate: f64, steps: u64, batch: usize) -> TrainConfig {
    TrainConfig {
        steps,
        batch,
        learning_rate,
        warmup_steps: steps / 20,
        weight_decay: 0.0,
        schedule: Schedule::Cosine,
        eval_every: steps / 4,
        sample_every: steps / 2,
        checkpoint_every: steps / 4,
        ..TrainConfig::default()
    }
}

/// Defines a stage's section of the training keys, with their defaults, and further parts, each a
/// struct with `Default` and serde. One of them may be an algorithm, which the section is generic over.
macro_rules! stage_section {
    (
        $(#[$doc:meta])*
        $name:ident $(<$algorithm:ident: $bound:ident>)? {
            train: $train:expr,
            $($(#[$part_doc:meta])* $part:ident: $kind:ty),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $name $(<$algorithm>)? {
            /// Training configuration.
            #[serde(flatten)]
            pub train: fireclay_train::TrainConfig,
            $(
                $(#[$part_doc])*
                #[serde(flatten)]
                pub $part: $kind,
            )+
        }

        impl $(<$algorithm: $bound>)? Default for $name $(<$algorithm>)? {
            fn default() -> Self {
                Self { train: $train, $($part: <$kind>::default()),+ }
            }
        }

        $crate::recipe::section!($name $(<$algorithm: $bound>)? { train, $($part),+ });
    };
}
pub(super) use stage_section;
