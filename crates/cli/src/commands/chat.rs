//! `fireclay chat`: a conversation with a model.

use std::path::Path;

use anyhow::Result;
use fireclay_model::huggingface::SamplingDefaults;
use fireclay_text::{CHAT_TEMPERATURE, ChatHistory, Sampling};
use fireclay_train::StageFiles;

use crate::args::{ChatArgs, DATABASE};
use crate::chat::{
    ChatSession, ChatSettings, Stored, Terminal, check_system, is_interactive, suggestion_lines, suggestions, tell,
    width,
};
use crate::console::Console;
use crate::database;
use crate::error::one_line;
use crate::model;
use crate::stages::{Leaves, Stage};

/// Answers one line after another until the input ends. Only replies go to standard output, as their tokens arrive.
///
/// # Errors
/// When a flag or the model is wrong, standard output cannot be written, Ctrl-C asked to leave, or lines of a pipe
/// could not be answered.
pub fn run(args: &ChatArgs, console: Console) -> Result<()> {
    let requested = args.sampling.requested();
    let sampling = |model: &SamplingDefaults| Sampling::resolve(&requested, model, args.max_tokens, CHAT_TEMPERATURE);
    // Errors in flags are reported before a model is loaded.
    sampling(&SamplingDefaults::default()).config.validate()?;
    args.cache.bytes()?;
    let model = model::load(&args.model, &args.load)?;
    model.chat_tokenizer()?;
    args.system.as_ref().map_or(Ok(()), |text| check_system(&model, text))?;
    let Sampling { mut config, summary } = sampling(&model.sampling());
    let stop_ids = model.stop_ids();
    config.stop = stop_ids.iter().map(|&id| vec![id]).collect();
    if only_pretrained(&model.dir) && !console.quiet {
        tell(format_args!("note: {} was only pretrained and is not trained to answer", args.model.display()));
    }
    let (stored, place) = stored(args, console)?;
    let earlier = stored.as_ref().filter(|_| is_interactive()).map_or(Ok(vec![]), Stored::earlier)?;
    let engine = model.engine(1, args.cache.bytes()?)?;
    let terminal = Terminal::open(console.quiet, &earlier)?;
    greet(&terminal, args, engine.context(), &summary, place);
    let suggestions = suggestions(&model.dir);
    for line in suggestion_lines(&suggestions, width()) {
        terminal.hint(line);
    }
    let guard = model.utf8_guard();
    let settings = ChatSettings { config, stop_ids, guard, json: args.json, suggestions };
    let conversation = ChatHistory::new(args.system.clone());
    let model = &model;
    let mut session =
        ChatSession { engine, model, settings, terminal, conversation, stored, outgrown: false, failed: 0 };
    if let Some(id) = &args.conversation {
        session.go_on(Some(id))?;
    }
    session.run()
}

fn greet(terminal: &Terminal, args: &ChatArgs, context: usize, sampling: &str, place: Option<&str>) {
    let kept = place.map(|place| format!(", conversations kept in {}", database::shown(place))).unwrap_or_default();
    terminal.hint(format_args!("{}: context {context} tokens{kept}", args.model.display()));
    terminal.hint(format_args!("{}; /help lists the commands", short(sampling)));
}

/// A list of settings that names the file which all of them come from once.
fn short(sampling: &str) -> String {
    const SOURCE: &str = " (generation_config.json)";
    let of_file = sampling.split(", ").all(|setting| setting.ends_with(SOURCE));
    if of_file { sampling.replace(SOURCE, "") + SOURCE } else { sampling.to_owned() }
}

/// The database and its place: the named one; else, for an interactive chat or a continued conversation, that of
/// `serve`; none for a pipe.
fn stored(args: &ChatArgs, console: Console) -> Result<(Option<Stored>, Option<&str>)> {
    let open = |place: &str| Stored::open(place, &args.account, model::name_of(&args.model));
    let place = args.db.as_deref();
    match place.or(args.conversation.as_ref().map(|_| DATABASE)) {
        Some(place) => Ok((Some(open(place)?), Some(place))),
        None if !is_interactive() => Ok((None, None)),
        None => match open(DATABASE) {
            Ok(stored) => Ok((Some(stored), Some(DATABASE))),
            Err(error) => {
                if !console.quiet {
                    tell(format_args!("note: this conversation is not kept: {}", one_line(&error)));
                }
                Ok((None, None))
            }
        },
    }
}

/// Whether a checkpoint comes from a stage that does not teach a model to answer.
fn only_pretrained(dir: &Path) -> bool {
    let Some(files) = dir.ancestors().nth(2).map(StageFiles::new) else { return false };
    dir.parent() == Some(&files.checkpoints_dir())
        && Stage::named(&files.name()).map(Stage::leaves) == Some(Leaves::LanguageModel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_one_file_name_it_once() {
        let file = "generation_config.json";
        let check = |sampling: String, expect: String| assert_eq!(short(&sampling), expect);
        check(format!("temperature 0.7 ({file}), min-p 0.1 ({file})"), format!("temperature 0.7, min-p 0.1 ({file})"));
        check(format!("temperature 1, min-p 0.1 ({file})"), format!("temperature 1, min-p 0.1 ({file})"));
    }

    #[test]
    fn a_pretrained_checkpoint_is_known_by_its_stage() {
        assert!(only_pretrained(Path::new("runs/tiny/pretrain/checkpoints/step-000400")));
        assert!(!only_pretrained(Path::new("runs/tiny/sft/checkpoints/step-000400")));
        assert!(!only_pretrained(Path::new("pretrain/SmolLM2-135M-Instruct")));
        assert!(!only_pretrained(Path::new("model")));
    }
}
