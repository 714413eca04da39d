//! `fireclay generate`: a model continues a text.

use std::io::{self, Write};
use std::ops::ControlFlow;

use anyhow::Result;
use fireclay_infer::{Completion, Engine, Request, SamplingConfig};
use fireclay_model::huggingface::SamplingDefaults;
use fireclay_text::{ReplyText, Sampling, TextModel};
use serde_json::json;

use crate::args::GenerateArgs;
use crate::console::shown;
use crate::ids::parse_ids;
use crate::model;

/// The temperature if neither a flag nor the model sets one.
const TEMPERATURE: f32 = 0.8;

/// Completes the prompt; the text goes to standard output as it is generated, or one JSON object at the end.
///
/// # Errors
/// When a flag, the prompt or the model is wrong, or standard output cannot be written.
pub fn run(args: &GenerateArgs) -> Result<()> {
    let requested = args.sampling.requested();
    let sampling = |model: &SamplingDefaults| Sampling::resolve(&requested, model, args.max_tokens, TEMPERATURE);
    // Errors in flags are reported before a model is loaded.
    sampling(&SamplingDefaults::default()).config.validate()?;
    let ids = args.ids.as_deref().map(|ids| parse_ids("--ids", ids)).transpose()?;
    args.cache.bytes()?;
    let constraint = args.constraint.constraint()?;
    let model = model::load(&args.model, &args.load)?;
    let prompt = match ids {
        Some(ids) => ids,
        None => model.encode(args.prompt.as_deref().unwrap_or_default())?,
    };
    let Sampling { config, summary } = sampling(&model.sampling());
    tracing::debug!("{summary}");
    let mut config = SamplingConfig { slide: args.slide, ..config };
    if !args.ignore_stop {
        config.stop = model.stop_ids().into_iter().map(|id| vec![id]).collect();
    }
    // A prompt of ids is used to compare ids: no token is excluded.
    let guard = args.prompt.as_ref().and_then(|_| model.utf8_guard());
    let constraint = constraint.map(|constraint| model.constrain(&constraint)).transpose()?;
    let mut engine = model.engine(1, args.cache.bytes()?)?;
    let request = Request { guard, constraint, ..Request::new(prompt.clone(), config) };
    if args.json {
        let completion = engine.complete(request, &mut |_, _| ControlFlow::Continue(()))?;
        return print_json(&model, &completion);
    }
    if args.echo {
        let prompt_text = args.prompt.clone().or_else(|| Some(model.tokenizer.as_ref()?.decode(&prompt)));
        write!(io::stdout(), "{}", prompt_text.unwrap_or_default())?;
    }
    let completion = stream(&model, &mut engine, request)?;
    let speed = completion.timing.tokens_per_s();
    tracing::debug!("{} tokens, {speed:.0} tokens/s, ended for: {:?}", completion.ids.len(), completion.finish_reason);
    Ok(())
}

/// Writes text as soon as its characters are complete; ids where the model has no tokenizer.
fn stream(model: &TextModel, engine: &mut Engine, request: Request) -> Result<Completion> {
    let mut out = io::stdout();
    let stop = request.sampling.stop.concat();
    let tokenizer = model.tokenizer.as_ref();
    let mut text = tokenizer.map(|tokenizer| ReplyText::with_specials(tokenizer, stop.clone()));
    let mut written = Ok(());
    let completion = engine.complete(request, &mut |id, _| {
        let piece = match &mut text {
            Some(text) => text.push(id).text,
            None if stop.contains(&id) => String::new(),
            None => format!("{id} "),
        };
        // The reader is gone: stop writing.
        written = out.write_all(shown(&piece).as_bytes()).and_then(|()| out.flush());
        if written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    written?;
    writeln!(out, "{}", shown(&text.map(|mut text| text.finish()).unwrap_or_default()))?;
    Ok(completion)
}

fn print_json(model: &TextModel, completion: &Completion) -> Result<()> {
    let text = model.tokenizer.as_ref().map(|tokenizer| tokenizer.decode(completion.ids_before_stop()));
    let result = json!({
        "text": text,
        "ids": completion.ids,
        "logprobs": completion.logprobs,
        "finish_reason": completion.finish_reason,
        "tokens_per_s": completion.timing.tokens_per_s(),
        "prompt_tokens": completion.prompt_tokens,
    });
    Ok(writeln!(io::stdout(), "{result}")?)
}
