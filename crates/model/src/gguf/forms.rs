//! Tensors that llama.cpp accepts in the files of each architecture. It refuses a file with a tensor that it does not
//! use.
//!
//! Found by giving llama.cpp a file of every row and column, and holding its predictions against `transformers`'.

use super::config::architecture;
use crate::ModelError;
use crate::config::{DecoderConfig, Family, PositionEncoding, RotaryScaling};

/// Whether an architecture has something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    Always,
    Never,
    /// A file may have it or not.
    Either,
}

use Has::{Always, Either, Never};

/// Tensors that the files of an architecture can have.
struct Form {
    families: &'static [Family],
    /// A head that is the embedding.
    tied_head: Has,
    /// Biases of queries, keys and values.
    qkv_bias: Has,
    /// Bias of attention's output.
    output_bias: Has,
    /// Biases of the feed-forward maps.
    ffn_bias: Has,
    /// Divisors of the rotated planes: `rope_freqs`.
    llama3: bool,
    /// Two lists of them: `rope_factors_short` and `rope_factors_long`.
    long_rope: bool,
}

/// No biases, and no divisors.
const PLAIN: Form = Form {
    families: &[],
    tied_head: Either,
    qkv_bias: Never,
    output_bias: Never,
    ffn_bias: Never,
    llama3: false,
    long_rope: false,
};

const FORMS: [Form; 9] = [
    Form {
        families: &[Family::Llama, Family::Mistral, Family::Granite],
        qkv_bias: Either,
        output_bias: Either,
        ffn_bias: Either,
        llama3: true,
        ..PLAIN
    },
    Form { families: &[Family::Gpt2], qkv_bias: Always, output_bias: Always, ffn_bias: Always, ..PLAIN },
    Form { families: &[Family::Qwen2], qkv_bias: Always, ..PLAIN },
    Form { families: &[Family::Qwen3, Family::Gemma3, Family::SmolLm3], ..PLAIN },
    Form { families: &[Family::Gemma, Family::Gemma2], tied_head: Always, ..PLAIN },
    Form { families: &[Family::Phi3], long_rope: true, ..PLAIN },
    Form { families: &[Family::Olmo2], tied_head: Never, ..PLAIN },
    Form { families: &[Family::StableLm], tied_head: Never, qkv_bias: Either, ..PLAIN },
    Form {
        families: &[Family::GptNeoX],
        tied_head: Never,
        qkv_bias: Always,
        output_bias: Always,
        ffn_bias: Always,
        ..PLAIN
    },
];

/// Checks that llama.cpp opens a file of this configuration, and computes the same with it.
///
/// # Errors
/// [`ModelError::Invalid`] names what it does not.
pub(super) fn check(config: &DecoderConfig) -> Result<(), ModelError> {
    let form = FORMS.iter().find(|form| form.families.contains(&config.family)).expect("every family is listed");
    let invalid = |what: &str| {
        let name = architecture(config.family);
        let why = format!("llama.cpp opens no GGUF file of architecture {name} {what}; keep the model as a folder");
        Err(ModelError::Invalid(why))
    };
    for (what, is, has) in [
        ("a tied head (tie_word_embeddings)", config.tied_head, form.tied_head),
        ("biases of queries, keys and values (attention_bias)", config.qkv_bias, form.qkv_bias),
        ("a bias of attention's output (attention_bias)", config.output_bias, form.output_bias),
        ("biases of the feed-forward maps (mlp_bias)", config.ffn_bias, form.ffn_bias),
    ] {
        let refused = if is { Never } else { Always };
        if has == refused {
            return invalid(&format!("{} {what}", if is { "with" } else { "without" }));
        }
    }
    let PositionEncoding::Rotary { scaling, .. } = &config.position else { return Ok(()) };
    match scaling {
        RotaryScaling::Llama3 { .. } if !form.llama3 => invalid("with rotary positions scaled as in llama3"),
        RotaryScaling::LongRope { .. } if !form.long_rope => invalid("with rotary positions scaled as longrope"),
        _ => match config.sliding_window.filter(|window| config.family == Family::Phi3 && *window < config.context) {
            None => Ok(()),
            Some(window) => Err(ModelError::Invalid(format!(
                "llama.cpp ignores the sliding_window of {window} tokens in a GGUF file of architecture phi3; keep the \
                 model as a folder, or set sliding_window to null in its config.json if no text is longer"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A family with a tied head, or not, and biases of attention: on queries, keys and values, on its output.
    fn config(family: Family, tied_head: bool, [qkv_bias, output_bias, ffn_bias]: [bool; 3]) -> DecoderConfig {
        DecoderConfig { family, qkv_bias, output_bias, ffn_bias, tied_head, ..DecoderConfig::llama(61, 32, 2, 4, 64) }
    }

    fn scaled(family: Family, tied_head: bool, biases: [bool; 3], scaling: RotaryScaling) -> DecoderConfig {
        let position = PositionEncoding::Rotary { theta: 1e4, scaling };
        DecoderConfig { position, ..config(family, tied_head, biases) }
    }

    const NONE: [bool; 3] = [false; 3];
    const ALL: [bool; 3] = [true; 3];
    const QKV: [bool; 3] = [true, false, false];
    const ATTENTION: [bool; 3] = [true, true, false];
    const FFN: [bool; 3] = [false, false, true];

    #[test]
    fn what_llama_cpp_opens_of_each_architecture_is_written_and_nothing_else() {
        use Family::{
            Gemma, Gemma2, Gemma3, Gpt2, GptNeoX, Granite, Llama, Mistral, Olmo2, Phi3, Qwen2, Qwen3, SmolLm3, StableLm,
        };
        // The biases that it opens, whether with an untied and a tied head, and the scaling of rotary positions.
        type Form = (Family, &'static [[bool; 3]], [bool; 2], [bool; 2]);
        let table: [Form; 14] = [
            (Llama, &[NONE, QKV, ATTENTION, FFN, ALL], [true, true], [true, false]),
            (Mistral, &[NONE, QKV, ATTENTION, FFN, ALL], [true, true], [true, false]),
            (Granite, &[NONE, QKV, ATTENTION, FFN, ALL], [true, true], [true, false]),
            (Gpt2, &[ALL], [true, true], [false, false]),
            (Qwen2, &[QKV], [true, true], [false, false]),
            (Qwen3, &[NONE], [true, true], [false, false]),
            (Gemma, &[NONE], [false, true], [false, false]),
            (Gemma2, &[NONE], [false, true], [false, false]),
            (Gemma3, &[NONE], [true, true], [false, false]),
            (Phi3, &[NONE], [true, true], [false, true]),
            (SmolLm3, &[NONE], [true, true], [false, false]),
            (Olmo2, &[NONE], [true, false], [false, false]),
            (StableLm, &[NONE, QKV], [true, false], [false, false]),
            (GptNeoX, &[ALL], [true, false], [false, false]),
        ];
        for (family, biases, [untied, tied], [llama3, long_rope]) in table {
            let usual = biases[0];
            let head = !untied;
            for given in [NONE, QKV, ATTENTION, FFN, ALL] {
                assert_eq!(
                    check(&config(family, head, given)).is_ok(),
                    biases.contains(&given),
                    "{family:?} {given:?}"
                );
            }
            assert_eq!(check(&config(family, false, usual)).is_ok(), untied, "{family:?} untied");
            assert_eq!(check(&config(family, true, usual)).is_ok(), tied, "{family:?} tied");
            let scaling = RotaryScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_context: 32,
            };
            assert_eq!(check(&scaled(family, head, usual, scaling)).is_ok(), llama3, "{family:?} llama3");
            let scaling = RotaryScaling::LongRope {
                short_factor: vec![1.0; 4],
                long_factor: vec![2.0; 4],
                original_context: 32,
                factor: None,
                attention_factor: None,
            };
            assert_eq!(check(&scaled(family, head, usual, scaling)).is_ok(), long_rope, "{family:?} longrope");
        }
    }

    #[test]
    fn what_it_does_not_open_is_named_in_one_line() {
        let message = |config: DecoderConfig| check(&config).unwrap_err().to_string();
        let found = message(config(Family::Qwen3, true, ATTENTION));
        assert!(
            found.contains("architecture qwen3 with biases of queries, keys and values (attention_bias)"),
            "{found}"
        );
        let found = message(config(Family::GptNeoX, false, FFN));
        assert!(found.contains("architecture gptneox without biases of queries"), "{found}");
        let found = message(config(Family::Gemma, false, NONE));
        assert!(found.contains("architecture gemma without a tied head"), "{found}");
        assert!(!found.contains('\n'));
        let phi3 = |window| DecoderConfig { sliding_window: window, ..config(Family::Phi3, false, NONE) };
        assert!(message(phi3(Some(63))).contains("ignores the sliding_window of 63 tokens"));
        check(&phi3(Some(64))).unwrap();
        check(&phi3(None)).unwrap();
    }
}
