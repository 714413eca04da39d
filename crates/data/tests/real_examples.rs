//! Real labelled examples; tests that need them are ignored, and run with `--ignored`. The counts were made
//! independently, in Python.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fireclay_data::chat::{ChatSource, EncodedChats, chat_validation, encode_preferences, encode_tasks};
use fireclay_data::examples::{
    AnswerCheck, Benchmark, Conversation, Examples, Preference, read_benchmark, read_conversations, read_preferences,
    read_tasks, split_by_prompt,
};
use fireclay_data::{DataError, Source};
use fireclay_tokenizer::{ChatTemplate, Message, Tokenizer};

/// The folder of test data: `data` in that which `FIRECLAY_SHARED` names, or in `shared` beside the project.
fn shared() -> PathBuf {
    let folder = std::env::var_os("FIRECLAY_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from)
        .join("data");
    assert!(folder.is_dir(), "no test data in {}", folder.display());
    folder
}

fn paths(path: PathBuf) -> Vec<String> {
    vec![path.into_os_string().into_string().unwrap()]
}

/// Reads a file of the folder and prints its counts.
fn read<T>(reader: impl Fn(&[String]) -> Result<Examples<T>, DataError>, name: &str) -> Examples<T> {
    let read = reader(&paths(shared().join(name))).unwrap();
    println!("{name}: {} examples\n{}", read.examples.len(), read.skips);
    read
}

/// Qwen's vocabulary with `ChatML`, as nearly every open model of its time has it.
fn qwen() -> Tokenizer {
    let tokenizer = Tokenizer::load(shared().join("tokenizers/qwen2.5-tokenizer.json")).unwrap();
    tokenizer.with_chat_template(ChatTemplate::new(fireclay_tokenizer::CHATML).unwrap())
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn seed_tasks_in_english_and_chinese() {
    for name in ["chat/self_instruct_seed_tasks.jsonl", "chat/belle_zh_seed_tasks.json"] {
        let read = read(read_conversations, name);
        assert_eq!((read.examples.len(), read.skips.total()), (175, 0), "{name}");
    }
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn chatterbots_dialogues_but_for_one_that_lost_its_answer() {
    let read = read(read_conversations, "chat/chatterbot");
    assert_eq!((read.examples.len(), read.skips.total()), (2025, 1));
    assert_eq!(read.skips.count("the assistant says nothing"), 1);
    let (_, skipped) = read.skips.iter().next().unwrap();
    assert!(skipped.first.contains("trivia.yml:"), "{}", skipped.first);
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn open_assistants_trees() {
    let conversations = read(read_conversations, "chat/oasst_en_100_tree.jsonl");
    assert_eq!(conversations.examples.len(), 102);
    assert_eq!(conversations.skips.count("nobody answers the user's last message"), 57);
    let pairs = read(read_preferences, "chat/oasst_en_100_tree.jsonl");
    assert_eq!((pairs.examples.len(), pairs.skips.total()), (754, 0));
    let mut prompts: Vec<_> = pairs.examples.iter().map(|pair| &pair.prompt).collect();
    prompts.dedup();
    assert_eq!(prompts.len(), 212, "the pairs of a prompt follow each other");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn the_harmless_test_split_of_hh_rlhf() {
    let pairs = read(read_preferences, "preference/hh_harmless_test.jsonl.gz");
    assert_eq!(pairs.examples.len(), 2303);
    assert_eq!(pairs.skips.count("an answer is empty"), 4);
    assert_eq!(pairs.skips.count("the prompts of the chosen and the rejected answer differ"), 5);
    assert_eq!(pairs.skips.total(), 9);
    let first = &pairs.examples[0];
    assert_eq!(first.prompt[0], Message::new("user", "what are some pranks with a pen i can do?"));
    assert_eq!(first.prompt.len(), 5);
    assert!(first.chosen.starts_with("No, sorry!  All of these involve a pen"));

    let all = pairs.examples.len();
    let (train, validation) = split_by_prompt(pairs.examples, 0.1, 0).unwrap();
    println!("{} for training, {} for validation", train.len(), validation.len());
    assert_eq!(train.len() + validation.len(), all);
    let opening = |pair: &Preference| pair.prompt[0].content.clone();
    assert!(validation.iter().all(|held_out| train.iter().all(|pair| opening(pair) != opening(held_out))));
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn grade_school_maths_is_right_by_its_own_solutions() {
    let read = read(read_tasks, "prompts/gsm8k_train.jsonl");
    assert_eq!((read.examples.len(), read.skips.total()), (7473, 0));
    for task in &read.examples {
        let AnswerCheck::FinalNumber { value } = &task.check else { panic!("{task:?}") };
        let solution = task.reference.as_ref().unwrap();
        assert_eq!(task.check.is_right(solution), Some(true), "{task:?}");
        let in_words = format!("After 3 steps, the answer is ${value}.");
        assert_eq!(task.check.is_right(&in_words), Some(true), "{in_words}");
        let wrong = format!("{solution}1");
        assert_eq!(task.check.is_right(&wrong), Some(false), "{wrong}");
    }
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn every_benchmark_of_the_folder() {
    let data = shared();
    // Questions, and the sum of the gold indices.
    let expected = BTreeMap::from([
        ("arc_challenge", (1172, 1810)),
        ("arc_easy", (2376, 3615)),
        ("bigbench_operators", (210, 0)),
        ("bigbench_repeat_copy_logic", (32, 0)),
        ("boolq", (3270, 2033)),
        ("commonsense_qa", (1221, 1944)),
        ("copa", (100, 45)),
        ("lambada_openai", (5153, 0)),
        ("openbook_qa", (500, 702)),
        ("piqa", (1838, 928)),
        ("winograd_wsc", (273, 136)),
        ("winogrande", (1267, 639)),
    ]);
    let files = std::fs::read_dir(data.join("eval")).unwrap().count();
    assert_eq!(files, expected.len());
    for (name, (count, golds)) in expected {
        let benchmark = read_benchmark(&paths(data.join(format!("eval/{name}.jsonl")))[0]).unwrap();
        let (kind, sum) = match &benchmark {
            Benchmark::MultipleChoice(items) => ("choices", items.iter().map(|item| item.gold).sum()),
            Benchmark::Schema(items) => ("schemas", items.iter().map(|item| item.gold).sum()),
            Benchmark::Completion(_) => ("completions", 0),
        };
        println!("{name}: {} {kind}", benchmark.len());
        assert_eq!((benchmark.len(), sum), (count, golds), "{name}");
    }
    // Questions of several kinds in one folder are no benchmark.
    let message = read_benchmark(&paths(data.join("eval"))[0]).unwrap_err().to_string();
    assert!(message.contains("bigbench_operators.jsonl:1: expected the key `choices`"), "{message}");
}

#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn real_conversations_are_packed_with_little_padding() {
    let data = shared();
    let names =
        ["chat/self_instruct_seed_tasks.jsonl", "chat/belle_zh_seed_tasks.json", "chat/oasst_en_100_tree.jsonl"];
    let all: Vec<String> = names.iter().flat_map(|name| paths(data.join(name))).collect();
    let conversations: Vec<Conversation> = read_conversations(&all).unwrap().examples;
    let tokenizer = qwen();
    let chats = EncodedChats::new(&conversations, &tokenizer, 1024).unwrap();
    let mut source = ChatSource::new(chats.clone(), 4, 1).unwrap();
    println!(
        "{} of {} conversations, {} cut, {} tokens ({} to learn) in {} rows, {:.1} % full",
        chats.len(),
        conversations.len(),
        chats.cut(),
        chats.tokens(),
        chats.loss_tokens(),
        source.rows_per_epoch(),
        100.0 * source.fill(),
    );
    assert_eq!(chats.len() as u64 + chats.skips().total(), 175 + 175 + 102);
    assert!(source.fill() > 0.95, "{}", source.fill());
    let learned = |weights: Option<Vec<f32>>| weights.unwrap().iter().filter(|&&weight| weight > 0.0).count() as u64;
    let in_order: u64 = chat_validation(&chats, 4).into_iter().map(|batch| learned(batch.weights)).sum();
    assert_eq!(in_order, chats.loss_tokens());
    let batch = source.next_batch().unwrap();
    assert!(learned(batch.weights) > 0);
}

/// A chat's prompt is the text that the model was trained to continue.
#[test]
#[ignore = "needs real data, in the folder that FIRECLAY_SHARED names"]
fn real_pairs_and_tasks_begin_with_the_generation_prompt() {
    let data = shared();
    let tokenizer = qwen();
    let mut pairs = read_preferences(&paths(data.join("preference/hh_harmless_test.jsonl.gz"))).unwrap().examples;
    pairs.truncate(400);
    let encoded = encode_preferences(&pairs, &tokenizer, 1 << 20).unwrap();
    assert!(encoded.skips.is_empty(), "{}", encoded.skips);
    for (pair, encoded) in pairs.iter().zip(&encoded.items) {
        let given = tokenizer.encode_with_specials(&tokenizer.render_chat(&pair.prompt, true).unwrap());
        for (sequence, answer) in [(&encoded.chosen, &pair.chosen), (&encoded.rejected, &pair.rejected)] {
            let (prompt, completion) = sequence.split_at(encoded.prompt_tokens);
            assert_eq!(prompt, given);
            assert_eq!(tokenizer.decode(completion), format!("{answer}<|im_end|>"));
        }
    }
    let tasks = read_tasks(&paths(data.join("prompts/gsm8k_train.jsonl"))).unwrap().examples;
    let encoded = encode_tasks(&tasks[..200], &tokenizer, 256).unwrap();
    for task in &encoded.items {
        let text = tokenizer.decode(&task.prompt);
        assert!(text.ends_with("<|im_end|>\n<|im_start|>assistant\n"), "{text}");
    }
}
