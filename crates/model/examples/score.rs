//! The log-probability of each token of a text given those before it, and the most likely continuation, by a model
//! directory's decoder.
//!
//! ```text
//! cargo run --release -p fireclay-model --example score -- DIR "1 2 3" 20
//! ```

use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};
use fireclay_model::{Cache, Decoder};

fn tensor(ids: &[i32], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(ids.to_vec(), [1, ids.len()]), device)
}

/// log p of each id after the first.
fn logprobs(decoder: &Decoder, ids: &[i32]) -> Vec<f32> {
    let device = decoder.device();
    let (before, after) = (tensor(&ids[..ids.len() - 1], &device), tensor(&ids[1..], &device));
    let all = log_softmax(decoder.forward(before, None), 2);
    all.gather(2, after.unsqueeze_dim(2)).into_data().iter::<f32>().collect()
}

/// The `count` tokens of highest probability that follow `ids`, one after another.
fn greedy(decoder: &Decoder, ids: &[i32], count: usize) -> Vec<i32> {
    let device = decoder.device();
    let mut cache = Cache::new(decoder.config(), 1, ids.len() + count, &device);
    let (mut next, mut generated) = (ids.to_vec(), vec![]);
    while generated.len() < count {
        let hidden = decoder.hidden(tensor(&next, &device), Some(&mut cache));
        let last = hidden.narrow(1, next.len() - 1, 1);
        next = decoder.logits(last).argmax(2).into_data().iter::<i32>().collect();
        generated.extend(&next);
    }
    generated
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, ids, count] = &arguments[..] else { return Err("usage: score DIR \"1 2 3\" COUNT".into()) };
    let ids: Vec<i32> = ids.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    if ids.len() < 2 {
        return Err("give two ids at least".into());
    }
    let decoder = fireclay_model::load(dir, &fireclay_model::device::parse("cpu")?)?;
    let record = serde_json::json!({
        "tokens": ids.len(),
        "logprobs": logprobs(&decoder, &ids),
        "ids": greedy(&decoder, &ids, count.parse()?),
    });
    println!("{record}");
    Ok(())
}
