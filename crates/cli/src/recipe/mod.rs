//! Recipes: the definition of a run, as TOML.
//!
//! A recipe is resolved and validated in one place. Later layers take precedence: the recipe that it extends, the
//! recipe file, the values derived from `--depth`, flags such as `--steps`, then `--set`. The result has every number
//! filled in and is written into the run directory, where it is a recipe itself.

mod shared;
mod sections;
mod data;
mod battery;
mod chat;
mod parts;
mod precision;
mod layers;
mod model_path;
mod overrides;
mod depth;
mod error;

pub use battery::BatterySection;
pub use chat::ChatSection;
pub use data::{Adapters, ConversationData, PreferenceData, PromptData};
pub use depth::Depth;
pub use error::RecipeError;
pub use layers::{embedded, open_precision, resolve};
pub use overrides::Overrides;
pub(crate) use parts::section;
pub use parts::{Part, SplitTable};
pub use sections::Recipe;
pub use shared::{BatchSampling, ModelSection, Preset, SharedSections};
