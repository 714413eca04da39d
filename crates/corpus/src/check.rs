//! Exact checks of the assistant's answers.

use serde::{Deserialize, Serialize};

use super::arithmetic::Problem;
use super::stories::Language;
use super::world::Question;

/// Check of the answer to a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Check {
    /// A question about a person: the answer must state the right value and no other.
    World {
        /// The question, with its value.
        question: Question,
    },
    /// A problem: the answer must give the right result.
    Arithmetic {
        /// The problem.
        problem: Problem,
    },
    /// A reply in words: see [`ReplyCheck`].
    Reply {
        /// Required properties of the reply.
        reply: ReplyCheck,
    },
    /// Anything may be said: only a reward model can judge it.
    Open,
}

impl Check {
    /// Whether `answer` is right, or `None` if there is no right or wrong.
    #[must_use]
    pub fn answer_is_right(&self, answer: &str) -> Option<bool> {
        match self {
            Self::World { question } => Some(question.answer_is_right(answer)),
            Self::Arithmetic { problem } => Some(problem.answer_is_right(answer)),
            Self::Reply { reply } => Some(reply.is_met_by(answer)),
            Self::Open => None,
        }
    }
}

/// Required properties of a reply in words: the right language, some words, a whole last sentence, no sentence three
/// times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyCheck {
    /// The language that it must be in.
    pub language: Language,
    /// Words or beginnings of words, in lower case, of which one at least must occur; empty: none must.
    pub any: Vec<String>,
    /// Words, in any case, that must all occur.
    pub all: Vec<String>,
    /// The fewest and the most words, where a Chinese character counts as one.
    pub words: [usize; 2],
    /// Whether it must not say that something is not known.
    pub known: bool,
}

impl ReplyCheck {
    /// A short reply that has one of `any`.
    pub(super) fn saying(language: Language, any: &[&str]) -> Self {
        let any = any.iter().map(|&word| word.to_owned()).collect();
        Self { language, any, all: vec![], words: [1, 60], known: true }
    }

    /// A short reply that has all of `words`.
    pub(super) fn naming(language: Language, words: &[&str]) -> Self {
        Self { all: words.iter().map(|&word| word.to_owned()).collect(), ..Self::saying(language, &[]) }
    }

    /// A story in which all of `words` occur.
    pub(super) fn story(language: Language, words: Vec<String>) -> Self {
        // Somebody in a story may not know the way.
        Self { all: words, words: [25, 250], known: false, ..Self::saying(language, &[]) }
    }

    /// A reply that says that something is not known.
    pub(super) fn admitting(language: Language) -> Self {
        Self { known: false, ..Self::saying(language, ADMISSIONS) }
    }

    /// Whether the reply must say that something is not known.
    pub(super) fn wants_admission(&self) -> bool {
        self.any.iter().any(|words| words == ADMISSIONS[0])
    }

    /// Whether `reply` has all that it must have.
    #[must_use]
    pub fn is_met_by(&self, reply: &str) -> bool {
        let lower = reply.to_lowercase();
        let count = count_words(&lower);
        (self.words[0]..=self.words[1]).contains(&count)
            && in_language(&lower, self.language, count)
            && ends_whole(reply)
            && !repeats(&lower)
            && !(self.known && admits_ignorance(reply))
            && (self.any.is_empty() || self.any.iter().any(|word| has_word_beginning(&lower, word)))
            && self.all.iter().all(|word| has_word(&lower, &word.to_lowercase()))
    }
}

/// Phrases, in lower case, by which replies admit that the assistant does not know or cannot do something.
const ADMISSIONS: &[&str] = &[
    "do not know",
    "don't know",
    "not know",
    "cannot",
    "can't",
    "only know",
    "never learned",
    "no idea",
    "不知道",
    "不会",
    "不懂",
    "没学过",
];

/// Whether a reply says that something is not known.
#[must_use]
pub fn admits_ignorance(reply: &str) -> bool {
    let lower = reply.to_lowercase();
    ["do not know", "don't know", "不知道"].iter().any(|words| has_word_beginning(&lower, words))
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Words of letters and digits; a Chinese character is one.
fn count_words(text: &str) -> usize {
    let chinese = text.chars().filter(|&c| is_chinese(c)).count();
    let words = text.split(|c: char| is_chinese(c) || !(c.is_alphanumeric() || c == '\''));
    chinese + words.filter(|word| !word.is_empty()).count()
}

fn in_language(text: &str, language: Language, words: usize) -> bool {
    let chinese = text.chars().filter(|&c| is_chinese(c)).count();
    !text.contains('\u{fffd}')
        && match language {
            Language::English => chinese == 0,
            Language::Chinese => chinese * 10 >= words * 6,
        }
}

/// Whether a reply ends with a whole sentence, and with its closing quotation mark where it has an opening one.
fn ends_whole(reply: &str) -> bool {
    let ends = reply.trim_end().ends_with(['.', '!', '?', '。', '！', '？', '"', '”', '’']);
    let whole_quotes =
        reply.matches('"').count().is_multiple_of(2) && reply.matches('“').count() == reply.matches('”').count();
    ends && whole_quotes
}

/// Whether a sentence of more than three characters comes three times.
fn repeats(lower: &str) -> bool {
    let sentences: Vec<&str> = lower.split(['.', '!', '?', '。', '！', '？']).map(str::trim).collect();
    let long = sentences.iter().filter(|sentence| sentence.chars().count() > 3);
    long.clone().any(|sentence| sentences.iter().filter(|other| *other == sentence).count() >= 3)
}

/// Whether `word` begins at the beginning of a word of `text`, or is a word of it if it is very short; anywhere, if it
/// is Chinese.
fn has_word_beginning(text: &str, word: &str) -> bool {
    if word.len() <= 2 {
        return text.split(|c: char| !c.is_alphanumeric()).any(|other| other == word);
    }
    let free = word.starts_with(is_chinese);
    text.match_indices(word).any(|(at, _)| free || !text[..at].ends_with(char::is_alphanumeric))
}

/// Whether `word` stands in `text` as a word, or with the ending of a plural; anywhere, if it is Chinese.
fn has_word(text: &str, word: &str) -> bool {
    let free = word.starts_with(is_chinese);
    text.match_indices(word).any(|(at, _)| {
        let after = &text[at + word.len()..];
        let after = after.strip_prefix('s').unwrap_or(after);
        free || !text[..at].ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = "Once upon a time, there was a shy fox named Mia who lived by the sea. One day, she lost her \
                         red ball. \
                         Her friend the owl found it in the sand, and they played until night.";

    #[track_caller]
    fn check(reply: &ReplyCheck, text: &str, right: bool) {
        assert_eq!(reply.is_met_by(text), right, "{text:?}");
    }

    #[test]
    fn a_short_reply_needs_one_of_the_words() {
        let hello = ReplyCheck::saying(Language::English, &["hello", "hi"]);
        check(&hello, "Hello! How can I help you?", true);
        check(&hello, "Hi!", true);
        check(&hello, "This is a long history.", false);
        check(&hello, "Hello! How can", false);
        check(&hello, "Hello! 你好。", false);
        check(&hello, "Hello \u{fffd}!", false);
        check(&hello, "\"Hello!", false);
        check(&hello, "Hello you. Hello you. Hello you.", false);
        check(&hello, "", false);
    }

    #[test]
    fn a_story_has_all_that_was_asked_for() {
        let story =
            |words: &[&str]| ReplyCheck::story(Language::English, words.iter().map(|&w| w.to_owned()).collect());
        check(&story(&["fox", "Mia", "owl"]), STORY, true);
        check(&story(&["fox", "bear"]), STORY, false);
        check(&story(&["see"]), STORY, false);
        check(&story(&["fox"]), "There was a fox.", false);
        check(&story(&["fox"]), STORY.trim_end_matches('.'), false);
    }

    #[test]
    fn ignorance_is_admitted_or_not() {
        let unknown = ReplyCheck::admitting(Language::English);
        check(&unknown, "I do not know that. Shall I tell you a story?", true);
        check(&unknown, "It is Paris.", false);
        check(&ReplyCheck::saying(Language::English, &["stor"]), "I do not know stories.", false);
        check(&ReplyCheck::admitting(Language::Chinese), "这个我不知道。我会讲故事。", true);
        check(&ReplyCheck::naming(Language::English, &["Tom"]), "Your name is Tom.", true);
        check(&ReplyCheck::naming(Language::English, &["Tom"]), "Your name is Tommy.", false);
    }
}
