//! Building a decoder from a source of weights: fresh random numbers, or files.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_kernels::{StoredWeight, WeightStorage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ModelError;
use crate::attention::Attention;
use crate::block::Block;
use crate::config::{DecoderConfig, NormKind, NormPlace, PositionEncoding, Residual};
use crate::decoder::Decoder;
use crate::feed_forward::FeedForward;
use crate::linear::{Linear, Precision};
use crate::norm::Norm;
use crate::weight::Weight;

/// Source of a decoder's weights. Names are those of the decoder's fields, joined by dots:
/// `blocks.0.attention.query.weight`.
pub(crate) trait WeightSource {
    /// The numbers of one parameter, row by row.
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError>;

    /// A linear map's weight, or the token embedding as a map whose outputs are the tokens, in a format that cannot be
    /// trained. `shape` is the parameter's shape. `None`: the weight is built from its numbers.
    fn stored(&mut self, _name: &str, _shape: [usize; 2], _: &Device) -> Result<Option<StoredWeight>, ModelError> {
        Ok(None)
    }
}

/// A source that converts its matrices, one at a time, to a format that cannot be trained.
pub(crate) struct Rounded<'a, S> {
    pub source: &'a mut S,
    pub format: WeightStorage,
}

impl<S: WeightSource> WeightSource for Rounded<'_, S> {
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.source.numbers(name, shape)
    }

    fn stored(&mut self, name: &str, shape: [usize; 2], device: &Device) -> Result<Option<StoredWeight>, ModelError> {
        let numbers = self.source.numbers(name, &shape)?;
        let matrix = Tensor::<2>::from_data(TensorData::new(numbers, shape), &device.clone().inner());
        let matrix = if name == EMBEDDING { matrix.transpose() } else { matrix };
        Ok(Some(StoredWeight::new(matrix, self.format)))
    }
}

/// What a decoder is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Training: every weight is a parameter.
    Training,
    /// Training adapters: embedding and matrices are frozen in a format; `None` keeps that of the source.
    Adapters(Option<WeightStorage>),
    /// Inference alone: head and blocks are converted one after another, so that few of them are in f32 at a time.
    Inference(WeightStorage),
}

/// The token embedding's name.
pub(crate) const EMBEDDING: &str = "token_embedding";

impl DecoderConfig {
    /// A decoder with fresh weights, the same for the same seed on every backend.
    ///
    /// Matrices are normal with standard deviation [`init_std`](DecoderConfig::init_std), those that write into the
    /// residual stream divided by √(2L) (Radford et al. 2019, section 2.3); gains are 1, biases 0. The classic
    /// decoder's embeddings have standard deviation 1, which is the paper's √D times an initial D^−½.
    ///
    /// # Panics
    /// When [`validate`](Self::validate) refuses the configuration.
    #[must_use]
    pub fn init(&self, seed: u64, device: &Device) -> Decoder {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let source = &mut FreshWeights { config: self, seed };
        build(self, source, device, Purpose::Training).expect("fresh weights have every shape")
    }
}

/// Builds the decoder that `config` describes from the weights of `source`.
pub(crate) fn build(
    config: &DecoderConfig,
    source: &mut impl WeightSource,
    device: &Device,
    purpose: Purpose,
) -> Result<Decoder, ModelError> {
    match purpose {
        Purpose::Adapters(Some(format)) if format != WeightStorage::F32 => {
            Builder { config, source: &mut Rounded { source, format }, device, inference: None }.decoder()
        }
        Purpose::Training | Purpose::Adapters(_) => Builder { config, source, device, inference: None }.decoder(),
        Purpose::Inference(format) => Builder { config, source, device, inference: Some(format) }.decoder(),
    }
}

struct Builder<'a, S> {
    config: &'a DecoderConfig,
    source: &'a mut S,
    device: &'a Device,
    /// The format of matrices, where the decoder is for inference alone.
    inference: Option<WeightStorage>,
}

impl<S: WeightSource> Builder<'_, S> {
    fn decoder(&mut self) -> Result<Decoder, ModelError> {
        let c = self.config;
        let token_embedding = self.weight(EMBEDDING, [c.vocab_size, c.width])?;
        // Before the blocks, because making it takes the most memory.
        let head = match (c.tied_head, self.inference) {
            (true, None) => None,
            (true, Some(format)) => Some(Linear::tied_to(&token_embedding).stored(format)),
            (false, inference) => {
                let head = self.linear("head", [c.width, c.vocab_size], false)?;
                Some(match inference {
                    Some(format) => head.stored(format),
                    None => head,
                })
            }
        };
        Ok(Decoder {
            token_embedding,
            position_embedding: match c.position {
                PositionEncoding::Learned => {
                    Some(Param::from_tensor(self.tensor("position_embedding", [c.context, c.width])?))
                }
                _ => None,
            },
            blocks: (0..c.layers).map(|layer| self.block(layer)).collect::<Result<_, _>>()?,
            norm: self.norm("norm")?,
            head,
            config: c.clone(),
            precision: Precision::F32,
            checkpoints: None,
            lora: None,
        })
    }

    fn tensor<const R: usize>(&mut self, name: &str, shape: [usize; R]) -> Result<Tensor<R>, ModelError> {
        let numbers = self.source.numbers(name, &shape)?;
        Ok(Tensor::from_data(TensorData::new(numbers, shape), self.device))
    }

    fn block(&mut self, layer: usize) -> Result<Block, ModelError> {
        let at = format!("blocks.{layer}");
        let variant = &self.config.variant;
        let [before, after] = [variant.norm_place != NormPlace::After, variant.norm_place != NormPlace::Before];
        let of_its_own = before && variant.residual != Residual::ParallelOneNorm;
        let mut norm = |wanted: bool, name: &str| match wanted {
            true => self.norm(&format!("{at}.{name}")).map(Some),
            false => Ok(None),
        };
        let block = Block {
            attention_norm: norm(before, "attention_norm")?,
            attention_post_norm: norm(after, "attention_post_norm")?,
            feed_forward_norm: norm(of_its_own, "feed_forward_norm")?,
            feed_forward_post_norm: norm(after, "feed_forward_post_norm")?,
            attention: self.attention(&format!("{at}.attention"), layer)?,
            feed_forward: self.feed_forward(&format!("{at}.feed_forward"))?,
            residual: variant.residual,
            residual_multiplier: match variant.residual_multiplier {
                1.0 => None,
                multiplier => Some(multiplier),
            },
        };
        Ok(match self.inference {
            Some(format) => block.stored(format),
            None => block,
        })
    }

    fn attention(&mut self, at: &str, layer: usize) -> Result<Attention, ModelError> {
        let c = self.config;
        let (query_width, kv_width) = (c.query_width(), c.kv_width());
        let over_heads = c.variant.qk_norm_over_heads;
        let mut head_norm = |name: &str, width: usize| {
            let width = if over_heads { width } else { c.head_dim };
            let weight = self.tensor(&format!("{at}.{name}.weight"), [width])?;
            Ok::<_, ModelError>(Norm::new(weight, None, c.norm_epsilon).zero_centred(c.variant.zero_centred_norms))
        };
        let (query_norm, key_norm) = match c.qk_norm {
            true => (Some(head_norm("query_norm", query_width)?), Some(head_norm("key_norm", kv_width)?)),
            false => (None, None),
        };
        Ok(Attention {
            query: Some(self.linear(&format!("{at}.query"), [c.width, query_width], c.qkv_bias)?),
            key: Some(self.linear(&format!("{at}.key"), [c.width, kv_width], c.qkv_bias)?),
            value: Some(self.linear(&format!("{at}.value"), [c.width, kv_width], c.qkv_bias)?),
            output: self.linear(&format!("{at}.output"), [query_width, c.width], c.output_bias)?,
            joined: None,
            query_norm,
            key_norm,
            heads: c.heads,
            kv_heads: c.kv_heads,
            head_dim: c.head_dim,
            windowed: c.is_windowed(layer),
            rotated: !c.variant.unrotated_layers.contains(&layer),
            norm_over_heads: over_heads,
            query_multiplier: c.variant.attention_multiplier.map(|multiplier| multiplier * (c.head_dim as f64).sqrt()),
            softcap: c.variant.attention_softcap,
        })
    }

    fn feed_forward(&mut self, at: &str) -> Result<FeedForward, ModelError> {
        let c = self.config;
        Ok(FeedForward {
            gate: match c.gated {
                true => Some(self.linear(&format!("{at}.gate"), [c.width, c.ffn_width], c.ffn_bias)?),
                false => None,
            },
            up: self.linear(&format!("{at}.up"), [c.width, c.ffn_width], c.ffn_bias)?,
            down: self.linear(&format!("{at}.down"), [c.ffn_width, c.width], c.ffn_bias)?,
            activation: c.activation,
        })
    }

    fn linear(&mut self, at: &str, shape: [usize; 2], bias: bool) -> Result<Linear, ModelError> {
        let name = format!("{at}.weight");
        let bias = match bias {
            true => Some(self.tensor(&format!("{at}.bias"), [shape[1]])?),
            false => None,
        };
        Ok(Linear::of_weight(self.weight(&name, shape)?, bias))
    }

    fn weight(&mut self, name: &str, shape: [usize; 2]) -> Result<Weight, ModelError> {
        Ok(match self.source.stored(name, shape, self.device)? {
            Some(stored) => Weight::Stored(stored),
            None => Weight::trained(self.tensor(name, shape)?),
        })
    }

    fn norm(&mut self, at: &str) -> Result<Norm, ModelError> {
        let width = self.config.width;
        let weight = self.tensor(&format!("{at}.weight"), [width])?;
        let bias = match self.config.norm {
            NormKind::Layer => Some(self.tensor(&format!("{at}.bias"), [width])?),
            NormKind::Rms => None,
        };
        let zero_centred = self.config.variant.zero_centred_norms;
        Ok(Norm::new(weight, bias, self.config.norm_epsilon).zero_centred(zero_centred))
    }
}

/// Fresh weights. Every parameter has its own random stream, so its values do not depend on the other parameters.
struct FreshWeights<'a> {
    config: &'a DecoderConfig,
    seed: u64,
}

impl WeightSource for FreshWeights<'_> {
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let count = shape.iter().product();
        if name.contains("norm") {
            let gain = if self.config.variant.zero_centred_norms { 0.0 } else { 1.0 };
            return Ok(vec![if name.ends_with("bias") { 0.0 } else { gain }; count]);
        }
        if name.ends_with("bias") {
            return Ok(vec![0.0; count]);
        }
        let writes_residual = name.ends_with("attention.output.weight") || name.ends_with("feed_forward.down.weight");
        let std = if name == EMBEDDING {
            let sinusoidal = self.config.position == PositionEncoding::Sinusoidal;
            self.config.embedding_std.unwrap_or(if sinusoidal { 1.0 } else { self.config.init_std })
        } else if writes_residual {
            self.config.init_std / (2.0 * self.config.layers as f64).sqrt()
        } else {
            self.config.init_std
        };
        Ok(normal(self.seed, name, count, std))
    }
}

/// `count` normal numbers of mean 0 (Box and Muller 1958) from the stream that `seed` and `name` choose.
pub(crate) fn normal(seed: u64, name: &str, count: usize, std: f64) -> Vec<f32> {
    let mut unit = unit_stream(seed, name);
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        let radius = std * (-2.0 * (1.0 - unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * unit();
        numbers.push((radius * angle.cos()) as f32);
        numbers.push((radius * angle.sin()) as f32);
    }
    numbers.truncate(count);
    numbers
}

/// `count` numbers between ±`bound`, uniformly distributed, from the stream that `seed` and `name` choose.
pub(crate) fn uniform(seed: u64, name: &str, count: usize, bound: f64) -> Vec<f32> {
    let mut unit = unit_stream(seed, name);
    (0..count).map(|_| (bound * (2.0 * unit() - 1.0)) as f32).collect()
}

/// Numbers from 0 up to 1, a stream for each seed and name.
fn unit_stream(seed: u64, name: &str) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // FNV-1a. Any fixed hash would do: it only selects the stream of a name.
    rng.set_stream(
        name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
    );
    move || (rng.next_u64() >> 11) as f64 * (0.5f64).powi(53)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_have_their_own_deviation_where_it_is_given() {
        let device = Device::default();
        let config = DecoderConfig::modern(64, 32, 1, 4, 16);
        let wide = DecoderConfig { embedding_std: Some(0.1), ..config.clone() };
        let [narrow, wide] = [config, wide].map(|config| config.init(1, &device));
        let numbers = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let embedding = |decoder: &Decoder| numbers(decoder.token_embedding.parameter().expect("trained").val());
        let ratios = embedding(&wide).into_iter().zip(embedding(&narrow));
        assert!(ratios.map(|(wide, narrow)| wide / narrow).all(|ratio| (ratio - 5.0).abs() < 1e-4));
        let query = |decoder: &Decoder| {
            let query = decoder.blocks[0].attention.query.as_ref().expect("not joined");
            numbers(query.merged_weight())
        };
        assert_eq!(query(&wide), query(&narrow));
    }

    #[test]
    fn normal_has_the_asked_deviation_and_a_stream_a_name() {
        let numbers = normal(1, "a", 20_001, 0.5);
        let mean = numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / 20_001.0;
        let variance = numbers.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 20_001.0;
        assert!(mean.abs() < 0.02 && (variance - 0.25).abs() < 0.01, "mean {mean}, variance {variance}");
        assert_eq!(numbers, normal(1, "a", 20_001, 0.5));
        assert_ne!(numbers[..8], normal(1, "b", 8, 0.5)[..]);
        assert_ne!(numbers[..8], normal(2, "a", 8, 0.5)[..]);
    }
}
