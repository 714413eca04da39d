//! A real model: stories260K of llama2.c, a Llama of 260,000 parameters trained on `TinyStories`. Its greedy text must
//! be the one that the reference program writes. Needs the shared data folder.
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_model::{Cache, load};
use safetensors::tensor::{Dtype, TensorView};

use crate::device;

/// The folder of stories260K.
fn shared() -> PathBuf {
    let root = match std::env::var_os("FIRECLAY_SHARED") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let dir = root.join("data/models/stories260k");
    assert!(dir.join("stories260K.bin").exists(), "{} has no stories260K.bin", dir.display());
    dir
}

/// A file read from front to back, all of it little-endian 4-byte numbers and strings.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }
    fn int(&mut self) -> usize {
        i32::from_le_bytes(*self.bytes(4).first_chunk().expect("four bytes")) as usize
    }
    fn floats(&mut self, count: usize) -> Vec<f32> {
        self.bytes(4 * count).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }
}

/// Rows of every head from llama2.c's order, where a rotated plane is rows 2i and 2i + 1, to transformers', where it is
/// rows i and i + K/2.
fn half_split(rows: &[f32], head_dim: usize, width: usize) -> Vec<f32> {
    let mut split = Vec::with_capacity(rows.len());
    for head in rows.chunks(head_dim * width) {
        for part in 0..2 {
            (0..head_dim / 2).for_each(|i| split.extend(&head[(2 * i + part) * width..][..width]));
        }
    }
    split
}

/// Converts llama2.c's first file format into a Hugging Face directory: a header of seven numbers, then each kind of
/// tensor for all layers.
fn convert(bin: &Path, dir: &Path) {
    let bytes = fs::read(bin).expect("the model");
    let mut file = Reader(&bytes);
    let [width, ffn, layers, heads, kv_heads, vocabulary, context] = std::array::from_fn(|_| file.int());
    let (head_dim, kv_width) = (width / heads, width / heads * kv_heads);
    let mut tensors: HashMap<String, (Vec<usize>, Vec<f32>)> = HashMap::new();
    tensors.insert("model.embed_tokens.weight".into(), (vec![vocabulary, width], file.floats(vocabulary * width)));
    for (name, shape) in [
        ("input_layernorm", vec![width]),
        ("self_attn.q_proj", vec![width, width]),
        ("self_attn.k_proj", vec![kv_width, width]),
        ("self_attn.v_proj", vec![kv_width, width]),
        ("self_attn.o_proj", vec![width, width]),
        ("post_attention_layernorm", vec![width]),
        ("mlp.gate_proj", vec![ffn, width]),
        ("mlp.down_proj", vec![width, ffn]),
        ("mlp.up_proj", vec![ffn, width]),
    ] {
        for layer in 0..layers {
            let mut numbers = file.floats(shape.iter().product());
            if name.ends_with("q_proj") || name.ends_with("k_proj") {
                numbers = half_split(&numbers, head_dim, width);
            }
            tensors.insert(format!("model.layers.{layer}.{name}.weight"), (shape.clone(), numbers));
        }
    }
    tensors.insert("model.norm.weight".into(), (vec![width], file.floats(width)));
    // The rest are tables of the rotation's cosines and sines.
    assert_eq!(file.0.len(), 4 * context * head_dim);

    let bytes: HashMap<&String, Vec<u8>> =
        tensors.iter().map(|(name, (_, x))| (name, x.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
    let views = tensors
        .iter()
        .map(|(name, (shape, _))| (name, TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).expect("a tensor")));
    fs::write(dir.join("model.safetensors"), safetensors::serialize(views, None).expect("safetensors"))
        .expect("written");
    let config = serde_json::json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": width, "intermediate_size": ffn,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads, "vocab_size": vocabulary,
        "max_position_embeddings": context, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0, "tie_word_embeddings": true,
        "bos_token_id": 1, "eos_token_id": 2
    });
    fs::write(dir.join("config.json"), config.to_string()).expect("written");
}

/// The text of each token.
fn pieces(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).expect("the tokenizer");
    let mut file = Reader(&bytes);
    let _longest = file.int();
    let mut pieces = vec![];
    while !file.0.is_empty() {
        let _score = file.int();
        let length = file.int();
        let piece = file.bytes(length);
        let byte = piece.strip_prefix(b"<0x").and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok());
        pieces.push(match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => vec![byte],
            None => piece.to_vec(),
        });
    }
    pieces
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn stories260k_tells_the_story_that_llama2_c_tells() {
    let shared = shared();
    let (dir, device) = (tempfile::tempdir().expect("a folder"), device());
    convert(&shared.join("stories260K.bin"), dir.path());
    let decoder = load(dir.path(), &device).unwrap_or_else(|error| panic!("{error}"));

    let pieces = pieces(&shared.join("tok512.bin"));
    let mut cache = Cache::new(decoder.config(), 1, 256, &device);
    let (mut text, mut token) = (vec![], 1usize);
    for position in 0..256 {
        let ids = Tensor::<2, Int>::from_data(TensorData::new(vec![token as i32], [1, 1]), &device);
        let logits: Vec<f32> = decoder.forward(ids, Some(&mut cache)).into_data().try_into_vec().expect("f32");
        token = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("a vocabulary");
        assert_ne!(token, 1, "the story ended at token {position}");
        // A sentence begins without a space.
        let piece = &pieces[token];
        text.extend(if position == 0 { piece.strip_prefix(b" ").unwrap_or(piece) } else { piece });
    }
    // The reference program ends its output with a line break.
    text.push(b'\n');
    let expected = fs::read(shared.join("greedy256.txt")).expect("the reference text");
    assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(&expected));
}
