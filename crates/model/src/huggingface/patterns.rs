//! Ranks and scales of single maps in PEFT's adapters: `rank_pattern` and `alpha_pattern`.

use crate::config::DecoderConfig;
use crate::huggingface::names::place;
use crate::init::WeightSource;
use crate::{LoraConfig, ModelError};

/// What `adapter_config.json` says of adapters.
#[derive(Clone, Debug)]
pub(crate) struct PeftConfig {
    /// `r`, `lora_alpha` and `target_modules`
    pub lora: LoraConfig,
    /// `use_rslora`: the scale is `alpha / √rank`.
    pub by_root: bool,
    /// `rank_pattern`
    pub ranks: Vec<(ModuleName, usize)>,
    /// `alpha_pattern`
    pub alphas: Vec<(ModuleName, f64)>,
}

impl PeftConfig {
    /// Our configuration of the same adapters: one rank, the largest, and one scale.
    pub(crate) fn common(&self) -> LoraConfig {
        if !self.by_root && self.ranks.is_empty() {
            return self.lora.clone();
        }
        let rank = self.ranks.iter().map(|(_, rank)| *rank).fold(self.lora.rank, usize::max);
        LoraConfig { rank, alpha: self.scale(self.lora.alpha, self.lora.rank) * rank as f64, ..self.lora.clone() }
    }

    /// The scale of adapters of this rank.
    fn scale(&self, alpha: f64, rank: usize) -> f64 {
        let rank = rank as f64;
        alpha / if self.by_root { rank.sqrt() } else { rank }
    }

    /// The rank of a module's adapter, and what its scale is beside the common one.
    fn of_module(&self, module: &str) -> (usize, f64) {
        let rank = of_first(&self.ranks, module).unwrap_or(self.lora.rank);
        let alpha = of_first(&self.alphas, module).unwrap_or(self.lora.alpha);
        (rank, self.scale(alpha, rank) / self.scale(self.lora.alpha, self.lora.rank))
    }
}

/// What the first name says that a module has.
fn of_first<T: Copy>(patterns: &[(ModuleName, T)], module: &str) -> Option<T> {
    patterns.iter().find(|(name, _)| name.matches(module)).map(|&(_, value)| value)
}

/// The name of a module, or the end of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModuleName {
    name: String,
    whole: bool,
}

impl ModuleName {
    /// The name that a pattern stands for; `None` if it is another regular expression. Its points are those of names.
    pub(crate) fn from_pattern(pattern: &str) -> Option<Self> {
        let whole = pattern.starts_with('^');
        let name = pattern.trim_start_matches('^').trim_end_matches('$').replace("\\.", ".");
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        (!name.is_empty() && name.chars().all(is_name)).then_some(Self { name, whole })
    }

    fn matches(&self, module: &str) -> bool {
        match module.strip_suffix(&self.name) {
            Some(rest) => rest.is_empty() || !self.whole && rest.ends_with('.'),
            None => false,
        }
    }
}

/// The numbers of adapters as our configuration has them: ranks are filled up with zeros, which add nothing and are not
/// trained, and B is multiplied by what its scale is beside the common one.
pub(crate) struct Patterned<'a, S> {
    pub source: &'a mut S,
    pub peft: &'a PeftConfig,
    pub config: DecoderConfig,
}

impl<S: WeightSource> WeightSource for Patterned<'_, S> {
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let tensor = place(&self.config, name).tensor;
        let module = tensor.strip_prefix("base_model.model.").and_then(|rest| rest.rsplit_once(".lora_"));
        let (module, _) = module.expect("an adapter's tensor");
        let (rank, scale) = self.peft.of_module(module);
        if name.ends_with("lora.a") {
            let (inputs, all) = (shape[0], shape[1]);
            let numbers = self.source.numbers(name, &[inputs, rank])?;
            let mut filled = vec![0.0; inputs * all];
            for (to, from) in filled.chunks_exact_mut(all).zip(numbers.chunks_exact(rank)) {
                to[..rank].copy_from_slice(from);
            }
            return Ok(filled);
        }
        let mut numbers = self.source.numbers(name, &[rank, shape[1]])?;
        for number in &mut numbers {
            *number = (f64::from(*number) * scale) as f32;
        }
        numbers.resize(shape[0] * shape[1], 0.0);
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_its_end_or_another_regular_expression() {
        let matches = |pattern: &str| {
            ModuleName::from_pattern(pattern).map(|name| name.matches("model.layers.1.self_attn.q_proj"))
        };
        for pattern in
            ["q_proj", "layers.1.self_attn.q_proj", r"self_attn\.q_proj$", "^model.layers.1.self_attn.q_proj"]
        {
            assert_eq!(matches(pattern), Some(true), "{pattern}");
        }
        for pattern in ["k_proj", "proj", "^q_proj", "layers.11.self_attn.q_proj"] {
            assert_eq!(matches(pattern), Some(false), "{pattern}");
        }
        for pattern in ["", ".*q_proj", "(q|k)_proj", "q_proj|k_proj", "layers.[01].q_proj", r"\d"] {
            assert_eq!(matches(pattern), None, "{pattern}");
        }
    }
}
