//! Train a tokenizer, make a decoder for it, and ask it for the most probable next token: fireclay-model and
//! fireclay-tokenizer alone.
use burn::tensor::{Int, Tensor};
use fireclay_model::{Cache, DecoderConfig};
use fireclay_tokenizer::{BpeConfig, Tokenizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "The potter wets the clay. The kiln fires the clay. ".repeat(50);
    let tokenizer = Tokenizer::train_bpe([text].into_iter(), &BpeConfig { vocab_size: 300, ..BpeConfig::default() })?;

    let device = fireclay_model::device::parse("cpu")?;
    let config = DecoderConfig::modern(
        tokenizer.vocab_size(),
        /* width */ 64,
        /* layers */ 2,
        /* heads */ 4,
        /* context */ 128,
    );
    let decoder = config.init(/* seed */ 0, &device);

    let ids: Vec<i32> = tokenizer.encode("The potter").iter().map(|&id| id as i32).collect();
    let mut cache = Cache::new(&config, /* batch */ 1, config.context, &device);
    let logits = decoder.forward(Tensor::<1, Int>::from_ints(ids.as_slice(), &device).unsqueeze(), Some(&mut cache));
    let last = logits.dims()[1] - 1;
    let next = logits.narrow(1, last, 1).argmax(2).into_scalar::<i64>();
    println!("{} parameters; after \"The potter\" comes {:?}", config.num_params(), tokenizer.decode(&[next as u32]));
    Ok(())
}
