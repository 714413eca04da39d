//! Labelled examples: the data of fine-tuning, reward models, reinforcement learning and evaluation.
//!
//! | kind | what it is | read by |
//! |---|---|---|
//! | [`Conversation`] | turns of a user and an assistant | [`read_conversations`] |
//! | [`Preference`] | a prompt with a better and a worse answer | [`read_preferences`] |
//! | [`Task`] | a prompt, and how answers to it are judged | [`read_tasks`] |
//! | [`Rating`] | a prompt with an answer that is good or bad | [`read_ratings`] |
//! | [`Benchmark`] | questions scored by the model's probabilities, without a chat | [`read_benchmark`] |
//!
//! [`file_kind`] determines the kind of a file.
//!
//! Paths are files and folders of `.jsonl` and `.ndjson` (one object per line) and `.json` (one array, which may lie
//! under a key such as `data` or `train`, or one object after another), each also compressed, and of `.parquet` (one
//! object per row). Each object's form is recognised by its keys; the
//! readers list the forms. A list of messages in the place of an object is a conversation.
//!
//! In addition to the messages, any form may have `system` (a system message), `history` (earlier turns: questions with
//! their answers, or messages), `tools` and `chat_template_kwargs` (for the chat template). Keys that are not read are
//! counted in [`Examples::ignored`].
//!
//! An error in the *form* of a file (invalid JSON, a missing key, a number in the place of text) is an error that names
//! the line. An error in the *meaning* of one example (an empty answer, a pair of equal answers) skips that example,
//! which is counted with its reason in [`Skips`].

mod skips;
mod openai;
mod record;
mod exchange;
mod calls;
mod media;
mod turn;
mod beside;
mod human_assistant;
mod prompt;
mod repeated;
mod wrapped;
mod read;
mod chatterbot;
mod trees;
mod conversation;
mod check;
mod answer;
mod preference;
mod task;
mod rating;
mod by_prompt;
mod benchmark;
mod file_kind;

pub use benchmark::{Benchmark, Continuation, MultipleChoice, Schema, read_benchmark};
pub use by_prompt::{Prompted, split_by_prompt};
pub use check::{AnswerCheck, Pattern};
pub use conversation::{Conversation, messages, read_conversations};
pub use file_kind::{FileKind, file_kind};
pub use preference::{Preference, read_preferences};
pub use rating::{Rating, read_ratings};
pub use read::Examples;
pub use skips::{Skipped, Skips};
pub use task::{Task, read_tasks};

/// Why examples are left out.
mod reason {
    pub const NO_ANSWER: &str = "the assistant says nothing";
    pub const EMPTY_ANSWER: &str = "an answer is empty";
    pub const EMPTY_PROMPT: &str = "the prompt is empty";
    pub const DELETED: &str = "a message was deleted";
    pub const UNANSWERED: &str = "nobody answers the user's last message";
    pub const CALLS: &str = "an answer calls tools, which pairs and ratings do not learn";
    pub const REASONING: &str =
        "an answer has its reasoning in a field of its own, which pairs and ratings do not learn";
    pub const OFF: &str = "an answer is switched off by `weight` 0 or `train` false";
    pub const BROKEN_ARGUMENTS: &str = "the arguments of a call are broken JSON";
    pub const RATED_BAD: &str = "the answer is rated as bad, which only KTO learns from";
    pub const NOT_RATED: &str = "the answer is not rated";
    pub const EQUAL: &str = "the chosen and the rejected answer are equal";
    pub const OTHER_PROMPTS: &str = "the prompts of the chosen and the rejected answer differ";
    pub const NOT_AN_ANSWER: &str = "the last message is not the assistant's";
    pub const NOTHING_TO_ANSWER: &str = "the prompt ends with the assistant's words";
    pub const MEDIA: &str = "it comes with images, videos or sounds, which are not read";
    pub const OTHER_QUESTION: &str = "an answer begins with another question than the prompt's";
    pub const PYTHON: &str = "messages are written as Python prints them, not as JSON (`json.dumps` writes it)";
    pub const HALF_CHARACTER: &str = "half of a character, such as `\\ud83d`, which is no text";
    pub const SEVERAL: &str = "an answer of several messages";
}

/// The origin of generated examples.
const CORPUS: &str = "corpus";

#[cfg(test)]
mod tests;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod pair_forms;
#[cfg(test)]
mod spellings;
#[cfg(test)]
mod strange;
