//! The mix of documents that a model is pretrained on.

use serde::{Deserialize, Serialize};

use super::arithmetic::{self, Problem, ProblemMix};
use super::assistant::{Assistant, Exchange, TopicShares};
use super::conversations::DialogueTurn;
use super::dice::Dice;
use super::document::CorpusDocument;
use super::error::CorpusError;
use super::notes::{self, Names};
use super::stories::{self, Language};
use super::world::{Attribute, World, WorldConfig};
use super::{Split, Topic};

/// Kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A story in English.
    EnglishStory,
    /// A story in Chinese.
    ChineseStory,
    /// Facts about one of the people of the world.
    Biography,
    /// Solved sums and differences.
    Arithmetic,
    /// A conversation with the assistant.
    Dialogue,
    /// Something that is told and asked for afterwards: a conversation, or a few sentences.
    Recall,
}

impl DocumentKind {
    /// Every kind, in the order of [`Shares`].
    pub const ALL: [Self; 6] =
        [Self::EnglishStory, Self::ChineseStory, Self::Biography, Self::Arithmetic, Self::Dialogue, Self::Recall];
}

/// Relative frequencies of the kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    /// Stories in English.
    pub english_stories: u32,
    /// Stories in Chinese.
    pub chinese_stories: u32,
    /// Biographies.
    pub biographies: u32,
    /// Pages of solved problems.
    pub arithmetic: u32,
    /// Conversations with the assistant.
    pub dialogues: u32,
    /// Texts whose end repeats what their beginning says.
    pub recall: u32,
}

impl Shares {
    fn weights(self) -> [u32; 6] {
        let Self { english_stories, chinese_stories, biographies, arithmetic, dialogues, recall } = self;
        [english_stories, chinese_stories, biographies, arithmetic, dialogues, recall]
    }
}

impl Default for Shares {
    /// The mix of the first run: of everything that the assistant is asked for, and enough biographies to learn the
    /// world.
    fn default() -> Self {
        Self { english_stories: 20, chinese_stories: 5, biographies: 16, arithmetic: 10, dialogues: 31, recall: 18 }
    }
}

/// Configuration of [`documents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorpusConfig {
    /// Decides every document.
    pub seed: u64,
    /// The number of training documents; endless if `None`.
    pub documents: Option<u64>,
    /// Training documents end with the one that reaches this number of bytes of text.
    pub bytes: Option<u64>,
    /// The number of validation documents.
    pub validation_documents: u64,
    /// This many training documents, the first ones, are notes: short texts in few forms that teach a model to look
    /// back in its context. They help a model that meets them before the mix, so read the text in order.
    pub notes_first: u64,
    /// Conversations are rendered by the tokenizer's chat template, special tokens included, as fine-tuning has them.
    /// Otherwise they are plain text, a turn a line.
    pub chat_template: bool,
    /// The mix.
    pub shares: Shares,
    /// The share of problems, in percent, whose numbers have one digit.
    pub one_digit_percent: u8,
    /// The share of problems, in percent, that are differences; the others are sums.
    pub minus_percent: u8,
    /// The people that biographies are about.
    pub world: WorldConfig,
}

impl Default for CorpusConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            documents: Some(30_000),
            bytes: None,
            validation_documents: 400,
            notes_first: 0,
            chat_template: false,
            shares: Shares::default(),
            one_digit_percent: 30,
            minus_percent: 50,
            world: WorldConfig::default(),
        }
    }
}

impl CorpusConfig {
    fn problems(&self) -> ProblemMix {
        ProblemMix { one_digit_percent: self.one_digit_percent, minus_percent: self.minus_percent }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// Says which number is impossible, and what is possible.
    pub fn validate(&self) -> Result<(), CorpusError> {
        if self.shares.weights().iter().all(|&weight| weight == 0) {
            return Err(CorpusError::NoShares);
        }
        CorpusError::check_percent("corpus.one_digit_percent", self.one_digit_percent)?;
        CorpusError::check_percent("corpus.minus_percent", self.minus_percent)?;
        self.world.validate()
    }
}

/// The pretraining corpus, by index.
#[derive(Debug, Clone)]
pub struct Corpus {
    config: CorpusConfig,
    world: World,
    assistants: [Assistant; 2],
}

impl Corpus {
    /// Draws the world that the documents tell of.
    ///
    /// # Errors
    /// If the configuration is not valid: see [`CorpusConfig::validate`].
    pub fn new(config: &CorpusConfig) -> Result<Self, CorpusError> {
        config.validate()?;
        let world = World::new(&config.world);
        let assistant = |split| Assistant::new(world.clone(), config.problems(), TopicShares::default(), split);
        let assistants = [assistant(Split::Train), assistant(Split::Validation)];
        Ok(Self { config: *config, world, assistants })
    }

    /// The people that the biographies are about.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Document number `index` of `split`, with its kind. Any index is possible, in any order.
    #[must_use]
    pub fn document(&self, split: Split, index: u64) -> (DocumentKind, CorpusDocument) {
        let (kind, document) = self.drawn(split, index);
        (kind, if self.config.chat_template { document } else { CorpusDocument::Text(document.to_string()) })
    }

    fn drawn(&self, split: Split, index: u64) -> (DocumentKind, CorpusDocument) {
        let dice = &mut Dice::new(self.config.seed, &format!("documents/{}", split.name()), index);
        if split == Split::Train && index < self.config.notes_first {
            let names = if 2 * index < self.config.notes_first { Names::Few } else { Names::Any };
            return (DocumentKind::Recall, notes::draw(names, dice));
        }
        let assistant = &self.assistants[split as usize];
        let kind = DocumentKind::ALL[dice.weighted(&self.config.shares.weights())];
        let document = match kind {
            DocumentKind::EnglishStory => CorpusDocument::Text(story(Language::English, split, dice)),
            DocumentKind::ChineseStory => CorpusDocument::Text(story(Language::Chinese, split, dice)),
            DocumentKind::Biography => CorpusDocument::Text(self.world.biography(split, dice)),
            DocumentKind::Arithmetic => CorpusDocument::Text(arithmetic::document(split, self.config.problems(), dice)),
            DocumentKind::Dialogue => conversation(assistant.dialogue(dice).1),
            DocumentKind::Recall if split == Split::Train && dice.chance(40) => notes::draw(Names::Any, dice),
            DocumentKind::Recall => conversation(assistant.about(Topic::Recall, dice)),
        };
        (kind, document)
    }

    /// The documents of `split` up to the configured limit.
    pub fn documents(self, split: Split) -> impl Iterator<Item = CorpusDocument> + Send {
        let (documents, bytes) = match split {
            Split::Train => (self.config.documents, self.config.bytes),
            Split::Validation => (Some(self.config.validation_documents), None),
        };
        let (documents, bytes) = (documents.unwrap_or(u64::MAX), bytes.unwrap_or(u64::MAX));
        let mut so_far = 0;
        (0..documents).map_while(move |index| {
            (so_far < bytes).then(|| {
                let (_, document) = self.document(split, index);
                so_far += document.bytes() as u64;
                document
            })
        })
    }
}

/// A story, most often behind a line that says what it is about.
fn story(language: Language, split: Split, dice: &mut Dice) -> String {
    let story = stories::draw(language, split, dice);
    if dice.chance(65) { stories::titled(&story, dice) } else { story.text }
}

fn conversation(exchanges: Vec<Exchange>) -> CorpusDocument {
    let turns = exchanges
        .into_iter()
        .flat_map(|exchange| [DialogueTurn::user(exchange.asked), DialogueTurn::assistant(exchange.answer)]);
    CorpusDocument::Conversation(turns.collect())
}

/// The pretraining documents of `split`, up to the configured limit.
///
/// # Panics
/// If the configuration is not valid: check it with [`CorpusConfig::validate`] where a user wrote it.
pub fn documents(config: &CorpusConfig, split: Split) -> impl Iterator<Item = CorpusDocument> + Send + use<> {
    match Corpus::new(config) {
        Ok(corpus) => corpus.documents(split),
        Err(error) => panic!("{error}"),
    }
}

/// A prompt that shows what a pretrained model has learned of one kind of document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplePrompt {
    /// The kind of document that it begins.
    pub kind: DocumentKind,
    /// The text to continue, or the conversation to answer.
    pub prompt: CorpusDocument,
    /// First words of a right continuation, if there is only one.
    pub expected: Option<String>,
}

/// One or two prompts of each kind: openings of held-out stories, people of the world, and problems.
///
/// # Panics
/// If the configuration is not valid, as [`documents`].
#[must_use]
pub fn sample_prompts(config: &CorpusConfig) -> Vec<SamplePrompt> {
    let corpus = Corpus::new(config).unwrap_or_else(|error| panic!("{error}"));
    let dice = &mut Dice::new(config.seed, "sample prompts", 0);
    let mut prompts = Vec::new();
    for (language, kind, stop, count) in [
        (Language::English, DocumentKind::EnglishStory, '.', 2),
        (Language::Chinese, DocumentKind::ChineseStory, '。', 1),
    ] {
        for _ in 0..count {
            let story = stories::draw(language, Split::Validation, dice).text;
            let opening = story.split_inclusive(stop).next().unwrap_or(&story).to_string();
            prompts.push(SamplePrompt { kind, prompt: CorpusDocument::Text(opening), expected: None });
        }
    }
    let people = corpus.world.people();
    for (attribute, says) in [(Attribute::Town, "lives in"), (Attribute::Food, "likes to eat")] {
        let person = dice.pick(people);
        let prompt = CorpusDocument::Text(format!("{} {says}", person.name));
        prompts.push(SamplePrompt {
            kind: DocumentKind::Biography,
            prompt,
            expected: Some(person.value(attribute).to_string()),
        });
    }
    for one_digit_percent in [100, 0] {
        let problem = Problem::draw(Split::Train, ProblemMix { one_digit_percent, minus_percent: 50 }, dice);
        let expected = Some(problem.result().to_string());
        let prompt = CorpusDocument::Text(problem.prompt());
        prompts.push(SamplePrompt { kind: DocumentKind::Arithmetic, prompt, expected });
    }
    let name = stories::common_name(Split::Validation, dice);
    for (kind, says) in [
        (DocumentKind::Dialogue, "Hello!".to_string()),
        (DocumentKind::Recall, format!("Good day, please call me {name}.")),
    ] {
        let prompt = if config.chat_template {
            CorpusDocument::Conversation(vec![DialogueTurn::user(says)])
        } else {
            CorpusDocument::Text(format!("User: {says}\nFireclay:"))
        };
        prompts.push(SamplePrompt { kind, prompt, expected: None });
    }
    prompts.retain(|sample| config.shares.weights()[sample.kind as usize] > 0);
    prompts
}
