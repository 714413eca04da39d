//! `fireclay data show`: training batches as text; `data export-preferences`: training data from ratings.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use fireclay_corpus::{self as corpus, ConversationConfig, Split};
use fireclay_data::chat::{EncodedChats, Shuffled, encode_preferences};
use fireclay_data::examples::{Preference, read_conversations, read_preferences};
use fireclay_data::{Source, open_documents};
use fireclay_serve::store::export_preferences;
use fireclay_tokenizer::Tokenizer;

use crate::args::{DataCommand, DataKind, DataShowArgs, ExportPreferencesArgs};
use crate::console::colours;
use crate::error::user;
use crate::model::load_tokenizer;
use crate::near_path::nothing_there;
use crate::recipe::{PreferenceData, Recipe};
use crate::show::{Paint, ShownRow, answers, conversations, preferences, row, text};
use crate::stages::{self, LearnsFrom, Stage, TrainingStage, examples};
use crate::{model_dir, run_recipe};

/// Number of conversations or pairs of the embedded corpus if no run gives it.
const DRAWN: usize = 1000;

/// Files of exported pairs and ratings.
const EXPORTED: [&str; 2] = ["preferences.jsonl", "ratings.jsonl"];

/// Runs the sub-command.
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
    let older = EXPORTED.iter().map(|file| args.out.join(file)).find(|path| path.exists());
    if let Some(older) = older.filter(|_| !args.force) {
        return Err(user(format!(
            "{} is there already; --force replaces the files of an earlier export, or choose another --out",
            older.display()
        )));
    }
    let made = export_preferences(&args.db, &args.out)?;
    let mut out = io::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&made)?)?;
        return Ok(());
    }
    let conversations = counted(made.conversations, "conversation");
    let [pairs, ratings] = EXPORTED;
    for (what, count, file) in [("pair", made.pairs, pairs), ("rating", made.ratings, ratings)] {
        match count {
            0 => writeln!(out, "{file}: nothing to write, no {what}s in {conversations}")?,
            _ => writeln!(out, "{}: {} of {conversations}", args.out.join(file).display(), counted(count, what))?,
        }
    }
    if made.left_out > 0 {
        writeln!(
            out,
            "left out: {}, of replies that call functions, were cut off but rated good, or answer no message",
            counted(made.left_out, "rating")
        )?;
    }
    if made.capped > 0 {
        let pairs = counted(made.capped, "pair");
        writeln!(out, "left out: {pairs} of a thumb up and one down beyond the first 1,000 of a prompt")?;
    }
    if made.repeated > 0 {
        let what = if made.repeated == 1 { "line that is" } else { "lines that are" };
        writeln!(out, "left out: {} {what} there already, as of an imported copy of a conversation", made.repeated)?;
    }
    Ok(())
}

/// A number of things whose name takes an s.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Prints the first batches.
fn show(args: &DataShowArgs) -> Result<()> {
    let recipe = recipe(args)?;
    let path = args.model.as_deref().or(args.tokenizer.as_deref()).ok_or_else(|| {
        user("data show needs a tokenizer: give a run or model with --model DIR, or a tokenizer with --tokenizer DIR")
    })?;
    let tokenizer = load_tokenizer(path)?;
    let stage = match &args.stage {
        Some(name) => Some(named_stage(name, recipe.as_ref())?),
        None => recipe.as_ref().and_then(|recipe| stage_of(args.kind, recipe)),
    };
    let shape = Shape::new(args, stage.map(|(_, section)| section))?;
    let learns = stage.filter(|_| args.stage.is_some()).map(|(stage, section)| (stage, section.learns_from()));
    // Ratings and prompts have no --kind, and are shown by their stage.
    let kind = learns.and_then(|(_, learns_from)| learns_from.kind()).unwrap_or(args.kind);
    if !matches!(kind, DataKind::Text) {
        tokenizer.chat_complaints().iter().for_each(|complaint| tracing::warn!("{complaint}"));
    }
    let (kind, rows) = match learns {
        Some((stage, LearnsFrom::Ratings(data))) => {
            let (train, _) = examples::ratings(data, &tokenizer, shape.context, stage)?;
            ("ratings", answers::ratings(&first(train, &shape)?, &tokenizer))
        }
        Some((stage, LearnsFrom::Prompts(data))) => {
            let answer = stage_section(stage, recipe.as_ref()).and_then(TrainingStage::rollouts);
            let longest = shape.context.saturating_sub(answer.map_or(0, |rollouts| rollouts.max_tokens)).max(1);
            let (train, _) = examples::tasks(data, &tokenizer, longest, stage)?;
            ("prompts", answers::prompts(&first(train, &shape)?, &tokenizer))
        }
        Some((_, LearnsFrom::Text | LearnsFrom::Conversations(_) | LearnsFrom::Pairs(_))) | None => match kind {
            DataKind::Conversations => ("conversations", of_conversations(args, stage, &tokenizer, &shape)?),
            DataKind::Preferences => ("preferences", of_preferences(args, stage, &tokenizer, &shape)?),
            DataKind::Text => ("text", of_text(args, recipe.as_ref(), &tokenizer, &shape)?),
        },
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
    if !path.exists() {
        return Err(nothing_there(path, "--model takes a run, a stage, a checkpoint, or a model directory"));
    }
    let dir = model_dir::resolve(path).unwrap_or_else(|_| path.clone());
    run_recipe::near(path, &dir)
}

/// The stage of a run by its name.
fn named_stage<'a>(name: &str, recipe: Option<&'a Recipe>) -> Result<(Stage, &'a dyn TrainingStage)> {
    let found = Stage::named(name).and_then(|stage| Some((stage, stage_section(stage, recipe)?)));
    found.ok_or_else(|| match recipe {
        Some(recipe) => {
            let names: Vec<&str> = recipe.training().into_iter().map(|(stage, _)| stage.name()).collect();
            user(format!("--stage {name}: no stage that learns from examples; choose among {}", names.join(", ")))
        }
        None => user(format!("--stage {name}: --model is not a run, whose recipe names the data of the stage")),
    })
}

fn stage_section(stage: Stage, recipe: Option<&Recipe>) -> Option<&dyn TrainingStage> {
    recipe?.training_stage(stage)
}

/// The first examples of a stage, in its order.
fn first<T: Clone + Send + serde::Serialize>(examples: Vec<T>, shape: &Shape) -> Result<Vec<T>> {
    let mut source = Shuffled::new("examples", examples, shape.batch, shape.seed)?;
    let mut found = vec![];
    for _ in 0..shape.count {
        found.extend(source.next_batch()?);
    }
    Ok(found)
}

/// The first stage that learns from such examples: of those that the recipe runs, or else of all.
fn stage_of(kind: DataKind, recipe: &Recipe) -> Option<(Stage, &dyn TrainingStage)> {
    let learns = |section: &dyn TrainingStage| section.learns_from().kind() == Some(kind);
    let all: Vec<_> = recipe.training().into_iter().filter(|(_, section)| learns(*section)).collect();
    all.iter().find(|(stage, _)| recipe.stages.contains(stage)).or(all.first()).copied()
}

/// Extent of the output.
struct Shape {
    batch: usize,
    context: usize,
    count: usize,
    seed: u64,
}

impl Shape {
    fn new(args: &DataShowArgs, training: Option<&dyn TrainingStage>) -> Result<Self> {
        let trains = training.map(TrainingStage::train);
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
    stage: Option<(Stage, &dyn TrainingStage)>,
    tokenizer: &Tokenizer,
    shape: &Shape,
) -> Result<Vec<ShownRow>> {
    let all = if args.data.is_empty() {
        match stage.and_then(|(stage, section)| Some((stage, section.learns_from().conversations()?))) {
            Some((stage, data)) => examples::conversations(data, stage)?.0,
            None => corpus::conversations(&ConversationConfig::default(), Split::Train)
                .take(DRAWN)
                .map(Into::into)
                .collect(),
        }
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
    stage: Option<(Stage, &dyn TrainingStage)>,
    tokenizer: &Tokenizer,
    shape: &Shape,
) -> Result<Vec<ShownRow>> {
    if let (Some((stage, section)), true) = (stage, args.data.is_empty())
        && let Some(data) = section.learns_from().preferences()
    {
        return first_pairs(stage, data, tokenizer, shape);
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
    // More than wanted, because some may be too long.
    pairs.truncate(wanted.saturating_mul(8));
    let mut found = encode_preferences(&pairs, tokenizer, shape.context)?;
    examples::report("data", &found.skips, found.items.len());
    examples::report_omissions("data", &found.omissions);
    found.items.truncate(wanted);
    Ok(preferences::rows(&found.items, tokenizer))
}

/// The pairs that the stage learns first, in its order.
fn first_pairs(stage: Stage, data: &PreferenceData, tokenizer: &Tokenizer, shape: &Shape) -> Result<Vec<ShownRow>> {
    let (train, _) = examples::pairs(data, tokenizer, shape.context, stage)?;
    let pairs = first(train, shape)?;
    Ok(preferences::rows(&pairs, tokenizer))
}

fn of_text(
    args: &DataShowArgs,
    recipe: Option<&Recipe>,
    tokenizer: &Tokenizer,
    shape: &Shape,
) -> Result<Vec<ShownRow>> {
    let paths = match recipe {
        Some(recipe) if args.data.is_empty() => &recipe.data.paths,
        _ => &args.data,
    };
    // More than are shown, because windows are shifted and shuffled.
    let enough = shape.batch.saturating_mul(shape.count + 1).saturating_mul(shape.context + 1);
    let mixed = recipe.filter(|recipe| args.data.is_empty() && !paths.is_empty() && recipe.data.with_corpus);
    let ids = if let Some(recipe) = mixed {
        text::ids(stages::mixed_documents(recipe.shared(), tokenizer)?, tokenizer, enough)?
    } else if paths.is_empty() {
        let config = recipe.map(|recipe| recipe.corpus).unwrap_or_default();
        text::ids(stages::embedded(&config, Split::Train, tokenizer), tokenizer, enough)?
    } else {
        text::ids(open_documents(paths)?, tokenizer, enough)?
    };
    text::rows(ids, tokenizer, [shape.batch, shape.context, shape.count], shape.seed)
}
