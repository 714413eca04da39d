//! `fireclay data show`: a batch as training sees it; `data export-preferences`: from ratings to training data.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use fireclay_data::chat::{EncodedChats, Shuffled, encode_preferences};
use fireclay_data::corpus::{self, Split};
use fireclay_data::examples::{Preference, read_conversations, read_preferences};
use fireclay_data::{Source, open_documents};
use fireclay_serve::store::export_preferences;
use fireclay_tokenizer::Tokenizer;
use fireclay_train::TrainConfig;

use crate::args::{DataCommand, DataKind, DataShowArgs, ExportPreferencesArgs};
use crate::console::colours;
use crate::error::user;
use crate::model::load_tokenizer;
use crate::recipe::{ConversationData, PreferenceData, Recipe, Stage};
use crate::show::{Paint, Row, conversations, preferences, row, text};
use crate::stages::{self, examples};
use crate::{model_dir, run_recipe};

/// Conversations and pairs of the embedded corpus that are drawn where no run says how many.
const DRAWN: usize = 1000;

/// Does what the command says.
///
/// # Errors
/// When a flag, the tokenizer, the data or the database are wrong, or the output cannot be written.
pub fn run(command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::Show(args) => show(args),
        DataCommand::ExportPreferences(args) => export(args),
    }
}

fn export(args: &ExportPreferencesArgs) -> Result<()> {
    let made = export_preferences(&args.db, &args.out)?;
    let mut out = io::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&made)?)?;
        return Ok(());
    }
    let files = [("pairs", made.pairs, "preferences.jsonl"), ("ratings", made.ratings, "ratings.jsonl")];
    for (what, count, file) in files {
        match count {
            0 => writeln!(out, "{file}: nothing to write, no {what} in {} conversations", made.conversations)?,
            _ => writeln!(
                out,
                "{}: {count} {what} of {} conversations",
                args.out.join(file).display(),
                made.conversations
            )?,
        }
    }
    Ok(())
}

/// Prints the first batches.
fn show(args: &DataShowArgs) -> Result<()> {
    let recipe = recipe(args)?;
    let path = args.model.as_deref().or(args.tokenizer.as_deref()).expect("clap asks for one of them");
    let tokenizer = load_tokenizer(path)?;
    let shape = Shape::new(args, recipe.as_ref())?;
    if !matches!(args.kind, DataKind::Text) {
        tokenizer.chat_complaints().iter().for_each(|complaint| tracing::warn!("{complaint}"));
    }
    let (kind, rows) = match args.kind {
        DataKind::Conversations => ("conversations", of_conversations(args, recipe.as_ref(), &tokenizer, &shape)?),
        DataKind::Preferences => ("preferences", of_preferences(args, recipe.as_ref(), &tokenizer, &shape)?),
        DataKind::Text => ("text", of_text(args, recipe.as_ref(), &tokenizer, &shape)?),
    };
    let mut out = io::stdout();
    if args.json {
        writeln!(out, "{}", row::json(kind, &rows))?;
    } else {
        let paint = if colours(out.is_terminal()) { Paint::Colour } else { Paint::Marks };
        writeln!(out, "{}", paint.rows(&rows))?;
    }
    Ok(())
}

/// The recipe of the run that `--model` belongs to.
fn recipe(args: &DataShowArgs) -> Result<Option<Recipe>> {
    let Some(path) = &args.model else { return Ok(None) };
    let dir = model_dir::resolve(path).unwrap_or_else(|_| path.clone());
    run_recipe::near(path, &dir)
}

/// How much is shown.
struct Shape {
    batch: usize,
    context: usize,
    count: usize,
    seed: u64,
}

impl Shape {
    fn new(args: &DataShowArgs, recipe: Option<&Recipe>) -> Result<Self> {
        let trains = recipe.map(|recipe| -> &TrainConfig {
            match args.kind {
                DataKind::Conversations => &recipe.sft.train,
                DataKind::Preferences => match preference_stage(recipe) {
                    Stage::Dpo => &recipe.dpo.train,
                    _ => &recipe.reward.train,
                },
                DataKind::Text => &recipe.pretrain,
            }
        });
        let shape = Self {
            batch: args.batch.or(trains.map(|train| train.batch)).unwrap_or(4),
            context: args.context.or(trains.map(|train| train.context)).unwrap_or(256),
            count: args.count,
            seed: trains.map_or(0, |train| train.seed),
        };
        for (flag, number) in [("--batch", shape.batch), ("--context", shape.context), ("--count", shape.count)] {
            if !(1..=1 << 24).contains(&number) {
                return Err(user(format!("{flag} {number}: give a number from 1 to {}", 1 << 24)));
            }
        }
        Ok(shape)
    }
}

fn of_conversations(
    args: &DataShowArgs,
    recipe: Option<&Recipe>,
    tokenizer: &Tokenizer,
    shape: &Shape,
) -> Result<Vec<Row>> {
    let all = if args.data.is_empty() {
        let embedded =
            ConversationData { conversations: DRAWN, validation_conversations: 0, ..ConversationData::default() };
        examples::conversations(recipe.map_or(&embedded, |recipe| &recipe.sft.data))?.0
    } else {
        let found = read_conversations(&args.data)?;
        examples::report_read("data", &found);
        found.examples
    };
    let chats = EncodedChats::new(&all, tokenizer, shape.context)?;
    examples::report_chats("data", &chats, shape.context);
    conversations::rows(chats, tokenizer, shape.batch, shape.count, shape.seed)
}

fn of_preferences(
    args: &DataShowArgs,
    recipe: Option<&Recipe>,
    tokenizer: &Tokenizer,
    shape: &Shape,
) -> Result<Vec<Row>> {
    if let (Some(recipe), true) = (recipe, args.data.is_empty()) {
        return first_pairs(recipe, tokenizer, shape);
    }
    let data = PreferenceData::default();
    let paths = if args.data.is_empty() { &data.data } else { &args.data };
    let wanted = shape.batch.saturating_mul(shape.count);
    let mut pairs: Vec<Preference> = if paths.is_empty() {
        corpus::preferences(&data.corpus, Split::Train).take(wanted.min(DRAWN)).map(Into::into).collect()
    } else {
        let found = read_preferences(paths)?;
        examples::report_read("data", &found);
        found.examples
    };
    // Some may be too long.
    pairs.truncate(wanted.saturating_mul(8));
    let mut found = encode_preferences(&pairs, tokenizer, shape.context)?;
    examples::report("data", &found.skips, found.items.len());
    found.items.truncate(wanted);
    Ok(preferences::rows(&found.items, tokenizer))
}

/// The stage of a run that learns from pairs: the reward model's, unless the run has DPO and no reward model.
fn preference_stage(recipe: &Recipe) -> Stage {
    let has = |stage| recipe.stages.contains(&stage);
    if has(Stage::Dpo) && !has(Stage::Reward) { Stage::Dpo } else { Stage::Reward }
}

/// The pairs that the stage learns first, in its order.
fn first_pairs(recipe: &Recipe, tokenizer: &Tokenizer, shape: &Shape) -> Result<Vec<Row>> {
    let stage = preference_stage(recipe);
    let data = if stage == Stage::Dpo { &recipe.dpo.data } else { &recipe.reward.data };
    let (train, _) = examples::pairs(data, tokenizer, shape.context, stage)?;
    let mut source = Shuffled::new("examples", train, shape.batch, shape.seed)?;
    let mut pairs = vec![];
    for _ in 0..shape.count {
        pairs.extend(source.next_batch()?);
    }
    Ok(preferences::rows(&pairs, tokenizer))
}

fn of_text(args: &DataShowArgs, recipe: Option<&Recipe>, tokenizer: &Tokenizer, shape: &Shape) -> Result<Vec<Row>> {
    let paths = match recipe {
        Some(recipe) if args.data.is_empty() => &recipe.data.paths,
        _ => &args.data,
    };
    // Windows are shifted and shuffled: more than are shown.
    let enough = shape.batch.saturating_mul(shape.count + 1).saturating_mul(shape.context + 1);
    let ids = if paths.is_empty() {
        let config = recipe.map(|recipe| recipe.corpus).unwrap_or_default();
        text::ids(stages::embedded(&config, Split::Train, tokenizer), tokenizer, enough)?
    } else {
        text::ids(open_documents(paths)?, tokenizer, enough)?
    };
    text::rows(ids, tokenizer, [shape.batch, shape.context, shape.count], shape.seed)
}
