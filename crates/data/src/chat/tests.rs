use std::collections::BTreeMap;

use fireclay_tokenizer::{BpeConfig, ChatTemplate, Message, Tokenizer};
use proptest::prelude::*;

use super::*;
use crate::examples::{AnswerCheck, Conversation, Preference, Rating, Skips, Task};
use crate::{Batch, DataError, Position, Source};

/// Bytes and the three special tokens; `ChatML` with the assistant's words marked.
fn tokenizer() -> Tokenizer {
    let config = BpeConfig { vocab_size: 259, ..BpeConfig::default() };
    Tokenizer::train_bpe(["any text".to_owned()].into_iter(), &config).unwrap()
}

/// `ChatML` as most models have it: without marks.
const UNMARKED: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
     '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

fn unmarked() -> Tokenizer {
    tokenizer().with_chat_template(ChatTemplate::new(UNMARKED).unwrap())
}

fn user(text: &str) -> Message {
    Message::new("user", text)
}

fn assistant(text: &str) -> Message {
    Message::new("assistant", text)
}

fn conversation(turns: &[(&str, &str)], origin: &str) -> Conversation {
    let messages = turns.iter().flat_map(|(asked, answered)| [user(asked), assistant(answered)]);
    Conversation { messages: messages.collect(), origin: origin.into() }
}

fn message<T>(result: Result<T, DataError>) -> String {
    let message = result.err().expect("this must fail").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// A row as text, with the learned targets of each segment.
fn learned(batch: &Batch, tokenizer: &Tokenizer) -> Vec<String> {
    let (weights, segments) = (batch.weights.as_ref().unwrap(), batch.segments.as_ref().unwrap());
    let mut learned: BTreeMap<(usize, u32), Vec<u32>> = BTreeMap::new();
    for at in 0..batch.ids.len() {
        assert!([0.0, 1.0].contains(&weights[at]));
        if weights[at] > 0.0 {
            learned.entry((at / batch.context, segments[at])).or_default().push(batch.targets[at]);
        }
    }
    learned.into_values().map(|ids| tokenizer.decode(&ids)).collect()
}

#[test]
fn a_row_holds_whole_conversations_apart_and_learns_what_the_assistant_says() {
    let tokenizer = tokenizer();
    let conversations = [conversation(&[("a", "bc"), ("d", "e")], "0"), conversation(&[("f", "g")], "1")];
    let chats = EncodedChats::new(&conversations, &tokenizer, 80).unwrap();
    let [batch] = &chat_validation(&chats, 4)[..] else { panic!("one batch") };
    assert_eq!((batch.batch, batch.context), (1, 80));
    assert_eq!(learned(batch, &tokenizer), ["bc<|im_end|>e<|im_end|>", "g<|im_end|>"]);
    let text = tokenizer.decode(&batch.ids);
    assert!(text.starts_with("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nbc<|im_end|>\n"), "{text}");
    let segments = batch.segments.as_ref().unwrap();
    let first = tokenizer.encode_chat(&conversations[0].messages).unwrap().ids.len();
    let second = tokenizer.encode_chat(&conversations[1].messages).unwrap().ids.len();
    let expected = [(0, first), (1, second), (2, 80 - first - second)];
    let expected: Vec<u32> = expected.into_iter().flat_map(|(segment, tokens)| vec![segment; tokens]).collect();
    assert_eq!(segments, &expected);
    assert!(batch.ids[first + second..].iter().all(|&id| id == 0), "padded with id 0, as there is no padding token");
}

#[test]
fn templates_with_and_without_marks_learn_the_same() {
    let conversations = [conversation(&[("a", "bc"), ("d", "e")], "0")];
    let [marked, unmarked] = [tokenizer(), unmarked()]
        .map(|tokenizer| chat_validation(&EncodedChats::new(&conversations, &tokenizer, 64).unwrap(), 1));
    assert_eq!(marked, unmarked);
}

/// `<|im_start|>user\nhello<|im_end|>\n` is 13 tokens, and `<|im_start|>assistant\n` 11: the answer begins at the 25th.
#[test]
fn long_conversations_are_cut_and_those_with_nothing_left_are_counted() {
    let tokenizer = tokenizer();
    let conversations = [
        conversation(&[("hello", "world")], "a:1"),
        conversation(&[("hello hello", "world")], "a:2"),
        conversation(&[("h", "w")], "a:3"),
    ];
    let chats = EncodedChats::new(&conversations, &tokenizer, 26).unwrap();
    assert_eq!((chats.len(), chats.cut()), (2, 1));
    let learned: Vec<String> = chat_validation(&chats, 1).iter().flat_map(|batch| learned(batch, &tokenizer)).collect();
    assert_eq!(learned, ["wor", "w<|im_end|>"]);
    assert_eq!(
        chats.skips().to_string(),
        "1 skipped: nothing to learn before the cut: longer than the context of 26 tokens (first: a:2)"
    );
    assert_eq!(
        message(EncodedChats::new(&conversations, &tokenizer, 3)),
        "conversations: none of the 3 examples can be used: nothing to learn before the cut: longer than the \
         context \
         of 3 tokens (first: a:1)"
    );
}

#[test]
fn what_the_template_refuses_is_counted_and_no_template_is_an_error() {
    let refusing = "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('No system \
         messages!') }}{% endif %}{{ '<|im_start|>' + message['content'] + '<|im_end|>' }}{% endfor %}";
    let refusing = tokenizer().with_chat_template(ChatTemplate::new(refusing).unwrap());
    let mut with_system = conversation(&[("a", "b")], "b:7");
    with_system.messages.insert(0, Message::new("system", "s"));
    let chats = EncodedChats::new(&[with_system, conversation(&[("a", "b")], "b:8")], &refusing, 64).unwrap();
    assert_eq!(chats.skips().to_string(), "1 skipped: the chat template refuses it: No system messages! (first: b:7)");

    let config = BpeConfig { vocab_size: 256, special_tokens: Vec::new(), ..BpeConfig::default() };
    let without = Tokenizer::train_bpe(["text".to_owned()].into_iter(), &config).unwrap();
    let refused = message(EncodedChats::new(&[conversation(&[("a", "b")], "")], &without, 64));
    assert!(refused.contains("no chat template"), "{refused}");
    assert!(message(EncodedChats::new(&[], &tokenizer(), 64)).contains("no conversations"));
}

/// Conversations without repeated letters, so that the learned tokens can be identified.
fn numbered(lengths: &[usize]) -> Vec<Conversation> {
    let conversations = lengths.iter().enumerate().map(|(index, &length)| {
        conversation(&[(&format!("question {index}"), &format!("{index}:{}", "x".repeat(length)))], "")
    });
    conversations.collect()
}

fn resumes_exactly<B: PartialEq + std::fmt::Debug, S: Source<B>>(
    make: impl Fn() -> S,
    cut: usize,
) -> Result<(), TestCaseError> {
    let mut whole = make();
    for _ in 0..cut {
        whole.next_batch().unwrap();
    }
    let saved = serde_json::to_string(&whole.position()).unwrap();
    let mut resumed = make();
    resumed.seek(&serde_json::from_str(&saved).unwrap()).unwrap();
    for _ in 0..10 {
        prop_assert_eq!(resumed.position(), whole.position());
        prop_assert_eq!(resumed.next_batch().unwrap(), whole.next_batch().unwrap());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Lengths from nothing to more than a row.
    #[test]
    fn every_token_to_learn_comes_once_an_epoch(
        lengths in proptest::collection::vec(0_usize..60, 1..20), context in 40_usize..80, seed: u64,
    ) {
        let tokenizer = tokenizer();
        let chats = EncodedChats::new(&numbered(&lengths), &tokenizer, context).unwrap();
        let mut source = ChatSource::new(chats.clone(), 1, seed).unwrap();
        let expected: Vec<String> = chats.chats.iter().map(|chat| {
            let learned = chat.ids.iter().zip(&chat.loss).filter(|(_, loss)| **loss);
            tokenizer.decode(&learned.map(|(&id, _)| id).collect::<Vec<_>>())
        }).collect();
        for epoch in 0..3 {
            let mut found = Vec::new();
            let mut tokens = 0;
            loop {
                let batch = source.next_batch().unwrap();
                prop_assert_eq!(batch.ids.len(), context);
                prop_assert_eq!(batch.targets.len(), context);
                prop_assert_eq!(&batch.ids[1..], &batch.targets[..context - 1]);
                let segments = batch.segments.as_ref().unwrap();
                let weights = batch.weights.as_ref().unwrap();
                prop_assert!(segments.is_sorted());
                for at in 1..context {
                    // The target before a new segment belongs to it, not to the id.
                    prop_assert!(segments[at - 1] == segments[at] || weights[at - 1] == 0.0);
                }
                tokens += weights.iter().filter(|&&weight| weight > 0.0).count() as u64;
                found.extend(learned(&batch, &tokenizer));
                if source.position().index == source.rows_per_epoch() {
                    break;
                }
            }
            prop_assert_eq!(source.position().epoch, epoch);
            prop_assert_eq!(tokens, chats.loss_tokens());
            let mut expected = expected.clone();
            expected.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(&found, &expected);
            prop_assert!(source.fill() > 0.0 && source.fill() <= 1.0);
        }
    }

    #[test]
    fn a_chat_source_resumes_exactly(
        lengths in proptest::collection::vec(0_usize..60, 1..20), batch in 1_usize..6, context in 40_usize..80, seed: u64,
        cut in 0_usize..12,
    ) {
        let chats = EncodedChats::new(&numbered(&lengths), &tokenizer(), context).unwrap();
        resumes_exactly(|| ChatSource::new(chats.clone(), batch, seed).unwrap(), cut)?;
    }

    #[test]
    fn a_shuffled_list_gives_every_item_once_an_epoch_and_resumes_exactly(
        items in 1_u32..40, batch in 1_usize..12, seed: u64, cut in 0_usize..20,
    ) {
        let make = |batch| Shuffled::new("numbers", (0..items).collect(), batch, seed).unwrap();
        let mut one_by_one = make(1);
        for _ in 0..3 {
            let mut epoch: Vec<u32> = (0..items).flat_map(|_| one_by_one.next_batch().unwrap()).collect();
            epoch.sort_unstable();
            prop_assert!(epoch.into_iter().eq(0..items));
        }
        prop_assert_eq!(make(batch).next_batch().unwrap().len(), batch);
        resumes_exactly(|| make(batch), cut)?;
    }
}

#[test]
fn best_fit_fills_rows_that_first_fit_would_leave() {
    // ChatML and the question take 40 tokens, "N:" and the end three more: lengths 50, 80, 70 and 50 into rows of 130.
    let conversations = numbered(&[0, 30, 20, 0]);
    let lengths: Vec<usize> =
        conversations.iter().map(|c| tokenizer().encode_chat(&c.messages).unwrap().ids.len()).collect();
    let row = lengths[0] + lengths[1];
    let chats = EncodedChats::new(&conversations, &tokenizer(), row - 1).unwrap();
    let packed = super::packing::Packing::new(&chats, [1, 2, 0, 3].into_iter());
    assert_eq!(packed.rows, [vec![1, 0], vec![2, 3]]);
}

#[test]
fn epochs_and_seeds_give_other_neighbours() {
    let chats = EncodedChats::new(&numbered(&[5; 60]), &tokenizer(), 120).unwrap();
    let epoch = |seed: u64, epoch: u64| {
        let mut source = ChatSource::new(chats.clone(), 1, seed).unwrap();
        source.seek(&Position { epoch, ..Position::default() }).unwrap();
        (0..source.rows_per_epoch()).flat_map(|_| source.next_batch().unwrap().ids).collect::<Vec<_>>()
    };
    assert_eq!(epoch(1, 0), epoch(1, 0));
    assert_ne!(epoch(1, 0), epoch(1, 1));
    assert_ne!(epoch(1, 0), epoch(2, 0));
}

#[test]
fn a_position_of_other_conversations_is_refused() {
    let source = |lengths: &[usize], context, seed| {
        ChatSource::new(EncodedChats::new(&numbered(lengths), &tokenizer(), context).unwrap(), 2, seed).unwrap()
    };
    let position = source(&[5, 6], 60, 1).position();
    for mut other in [source(&[5, 7], 60, 1), source(&[5, 6], 61, 1), source(&[5, 6], 60, 2)] {
        assert!(message(other.seek(&position)).contains("does not belong to this data"));
    }
    let beyond = Position { index: 3, ..position };
    assert!(message(source(&[5, 6], 60, 1).seek(&beyond)).contains("window 3 of 2"));
    let list = |items: Vec<u32>, seed| Shuffled::new("numbers", items, 2, seed).unwrap();
    let position = list(vec![1, 2], 1).position();
    assert!(list(vec![1, 3], 1).seek(&position).is_err() && list(vec![1, 2], 2).seek(&position).is_err());
    assert!(list(vec![1, 2], 1).seek(&Position { index: 3, ..position }).is_err());
    assert!(message(Shuffled::<u32>::new("numbers", Vec::new(), 2, 0)).contains("no numbers"));
}

fn preference(prompt: &[Message], chosen: &str, rejected: &str) -> Preference {
    Preference {
        prompt: prompt.into(),
        chosen: chosen.into(),
        rejected: rejected.into(),
        margin: None,
        kind: Some("rude".into()),
        origin: "p:1".into(),
    }
}

#[test]
fn a_pair_shares_the_ids_of_the_prompt_that_a_model_would_be_given() {
    let prompt = [Message::new("system", "s"), user("a"), assistant("b"), user("c")];
    for tokenizer in [tokenizer(), unmarked()] {
        let encoded = encode_preferences(&[preference(&prompt, "yes", "no, never")], &tokenizer, 200).unwrap();
        let [pair] = &encoded.items[..] else { panic!("{encoded:?}") };
        let given = tokenizer.encode_with_specials(&tokenizer.render_chat(&prompt, true).unwrap());
        assert_eq!(pair.prompt_tokens, given.len());
        let (chosen, rejected) = (pair.chosen.split_at(given.len()), pair.rejected.split_at(given.len()));
        assert_eq!((chosen.0, rejected.0), (&given[..], &given[..]));
        assert_eq!(tokenizer.decode(chosen.1), "yes<|im_end|>");
        assert_eq!(tokenizer.decode(rejected.1), "no, never<|im_end|>");
        assert_eq!((pair.margin, pair.kind.as_deref()), (0.0, Some("rude")));
    }
}

/// The tokens of an answer are the same in every stage, for templates with and without marks and openings.
#[test]
fn conversations_pairs_and_ratings_agree_on_an_answers_tokens() {
    let template = |before: &str, after: &str, opened: &str| {
        format!(
            "{{%- for m in messages -%}}{{%- if m.role == 'assistant' -%}}{before}{{{{ m.content }}}}{after}\
             {{%- else -%}}{{{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}}}{{%- endif -%}}\
             {{%- endfor -%}}{{%- if add_generation_prompt -%}}{{{{ '<|im_start|>assistant\\n{opened}' }}}}{{%- endif -%}}"
        )
    };
    let (header, end) = ("{{ '<|im_start|>assistant\\n' }}", "{{ '<|im_end|>\\n' }}");
    let (mark, unmark) = ("{% generation %}", "{% endgeneration %}");
    for template in [
        template(header, end, ""),
        template(&format!("{mark}{header}"), &format!("{end}{unmark}"), ""),
        template(&format!("{header}{mark}"), &format!("{end}{unmark}"), ""),
        template(&format!("{header}{mark}"), &format!("{unmark}{end}"), ""),
        template(header, end, "<think>\\n"),
    ] {
        let tokenizer = tokenizer().with_chat_template(ChatTemplate::new(&template).unwrap());
        let chats = EncodedChats::new(&[conversation(&[("a", "yes")], "0")], &tokenizer, 99).unwrap();
        let chat = &chats.chats[0];
        let learned: Vec<u32> = chat.ids.iter().zip(&chat.loss).filter(|(_, loss)| **loss).map(|(id, _)| *id).collect();
        assert_eq!(tokenizer.decode(&learned), "yes<|im_end|>", "{template}");
        let pairs = encode_preferences(&[preference(&[user("a")], "yes", "no")], &tokenizer, 99).unwrap().items;
        assert_eq!(pairs[0].chosen[pairs[0].prompt_tokens..], learned, "{template}");
        let rating = Rating { prompt: vec![user("a")], completion: "yes".into(), good: true, origin: String::new() };
        let ratings = encode_ratings(&[rating], &tokenizer, 99).unwrap().items;
        assert_eq!(ratings[0].ids[ratings[0].prompt_tokens..], learned, "{template}");
        assert!(tokenizer.stop_ids().contains(learned.last().unwrap()), "a rollout ends where the answer does");
    }
}

#[test]
fn conversations_that_cannot_be_learned_from_are_counted_with_the_reason() {
    let mut call = assistant("Let me look.");
    call.extra.insert("tool_calls".into(), serde_json::json!([{"function": {"name": "t", "arguments": {}}}]));
    let mut unlearned = assistant("Hm");
    unlearned.extra.insert("weight".into(), 0.into());
    let conversations = [
        conversation(&[("a", "b")], "0"),
        Conversation { messages: vec![user("a"), call], origin: "1".into() },
        Conversation { messages: vec![user("a"), unlearned], origin: "2".into() },
    ];
    let chats = EncodedChats::new(&conversations, &tokenizer(), 99).unwrap();
    assert_eq!((chats.len(), chats.skips().total()), (1, 2));
    let reasons = chats.skips().to_string();
    assert!(reasons.contains("leaves out the tool calls") && reasons.contains("`weight` 0"), "{reasons}");
}

#[test]
fn a_rating_and_a_task_have_the_same_prompt_ids_as_a_pair() {
    let (tokenizer, prompt) = (tokenizer(), vec![user("a")]);
    let pairs = encode_preferences(&[preference(&prompt, "yes", "no")], &tokenizer, 99).unwrap().items;
    let ratings: Vec<Rating> = preference(&prompt, "yes", "no").ratings().into();
    let ratings = encode_ratings(&ratings, &tokenizer, 99).unwrap().items;
    assert_eq!(ratings.iter().map(|rating| rating.good).collect::<Vec<_>>(), [true, false]);
    assert_eq!((&ratings[0].ids, &ratings[1].ids), (&pairs[0].chosen, &pairs[0].rejected));
    assert!(ratings.iter().all(|rating| rating.prompt_tokens == pairs[0].prompt_tokens));
    let task = Task { messages: prompt, topic: None, check: AnswerCheck::OPEN, reference: None, origin: String::new() };
    let tasks = encode_tasks(std::slice::from_ref(&task), &tokenizer, 99).unwrap().items;
    assert_eq!(tasks, [EncodedTask { prompt: pairs[0].chosen[..pairs[0].prompt_tokens].into(), task }]);
}

#[test]
fn what_does_not_fit_the_context_is_counted() {
    let (tokenizer, prompt) = (tokenizer(), vec![user("a")]);
    let pairs = [preference(&prompt, "yes", "no"), preference(&prompt, "yes", "a long answer")];
    let short = encode_preferences(&pairs[..1], &tokenizer, 99).unwrap().items.remove(0);
    let context = short.chosen.len();
    let encoded = encode_preferences(&pairs, &tokenizer, context).unwrap();
    assert_eq!(encoded.items, std::slice::from_ref(&short));
    let expected = format!("1 skipped: longer than the context of {context} tokens (first: p:1)");
    assert_eq!(encoded.skips.to_string(), expected);
    let task = Task { messages: prompt, topic: None, check: AnswerCheck::OPEN, reference: None, origin: "t:1".into() };
    assert!(encode_tasks(std::slice::from_ref(&task), &tokenizer, short.prompt_tokens).is_ok());
    let refused = message(encode_tasks(&[task], &tokenizer, short.prompt_tokens - 1));
    assert!(refused.starts_with("tasks: none of the 1 examples can be used: longer than"), "{refused}");
}

/// Llama 2's templates trim, `DeepSeek`'s drop earlier reasoning: here the system message is shown only without an
/// answer.
#[test]
fn a_prompt_that_the_answer_changes_is_counted() {
    let fickle = "{% if messages[-1]['role'] != 'assistant' %}{{ 'unanswered ' }}{% endif %}{% for message in messages %}\
         {{ '<|im_start|>' + message['content'] + '<|im_end|>' }}{% endfor %}";
    let tokenizer = tokenizer().with_chat_template(ChatTemplate::new(fickle).unwrap());
    let refused = message(encode_preferences(&[preference(&[user("a")], "b", "c")], &tokenizer, 99));
    assert!(refused.contains("the tokens of the prompt change with the answer"), "{refused}");
}

/// A tokenizer of the characters of one conversation.
#[test]
fn examples_with_characters_that_have_no_token_are_left_out_and_each_character_is_named_once() {
    let template = "{%- for m in messages %}{{- m.content + '\n' }}{%- endfor %}";
    let tokenizer = Tokenizer::train_char(["Good day?!\n".to_owned()].into_iter()).unwrap();
    let tokenizer = tokenizer.with_chat_template(ChatTemplate::new(template).unwrap());
    let known = conversation(&[("Good?", "Good day!")], "a:1");
    let skipped = |skips: &Skips| {
        skips.iter().map(|(reason, skipped)| format!("{reason}: {}", skipped.count)).collect::<Vec<_>>()
    };
    let conversations = [known, conversation(&[("é", "oé")], "a:2"), conversation(&[("é", "ü")], "a:3")];
    let chats = EncodedChats::new(&conversations, &tokenizer, 80).unwrap();
    assert_eq!(chats.len(), 1);
    assert_eq!(skipped(chats.skips()), ["the vocabulary has no token for 'é', 'ü': 2"]);
    let task = |asked: &str| Task {
        messages: vec![user(asked)],
        check: AnswerCheck::OPEN,
        topic: None,
        reference: None,
        origin: "a".into(),
    };
    let tasks = encode_tasks(&[task("Good?"), task("é")], &tokenizer, 80).unwrap();
    assert_eq!(
        (tasks.items.len(), skipped(&tasks.skips)),
        (1, vec!["the vocabulary has no token for 'é': 1".to_owned()])
    );
    let pair = |chosen: &str| Preference {
        prompt: vec![user("Good?")],
        chosen: chosen.into(),
        rejected: "Go".into(),
        margin: None,
        kind: None,
        origin: "a".into(),
    };
    let pairs = encode_preferences(&[pair("Good"), pair("ü")], &tokenizer, 80).unwrap();
    assert_eq!(
        (pairs.items.len(), skipped(&pairs.skips)),
        (1, vec!["the vocabulary has no token for 'ü': 1".to_owned()])
    );
}
