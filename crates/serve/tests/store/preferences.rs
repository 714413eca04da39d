//! Ratings of replies, exported and read again by the reader that training uses.

use fireclay_data::examples::{Preference, Rating, read_preferences, read_ratings};
use fireclay_serve::store::{MessageRating, Parent, PreferenceExport, Store, StoredMessage, Verdict};

use super::{ANN, ask, begun, behind, completed, reply};

/// The exported pairs and ratings, as training reads them.
async fn exported(store: &Store) -> (Vec<Preference>, Vec<Rating>) {
    let folder = tempfile::tempdir().unwrap();
    let counted = store.export_preferences(folder.path()).await.unwrap();
    let file = |name: &str| Some(folder.path().join(name)).filter(|path| path.exists());
    let path = |path: std::path::PathBuf| [path.to_str().unwrap().to_owned()];
    let pairs = file("preferences.jsonl").map(|file| read_preferences(&path(file)).unwrap());
    let ratings = file("ratings.jsonl").map(|file| read_ratings(&path(file)).unwrap());
    // Nothing that was written is left out or not understood.
    assert!(pairs.iter().all(|pairs| pairs.skips.is_empty() && pairs.ignored.is_empty()));
    assert!(ratings.iter().all(|ratings| ratings.skips.is_empty() && ratings.ignored.is_empty()));
    let pairs = pairs.map(|pairs| pairs.examples).unwrap_or_default();
    let ratings = ratings.map(|ratings| ratings.examples).unwrap_or_default();
    assert_eq!((counted.pairs, counted.ratings), (pairs.len(), ratings.len()));
    (pairs, ratings)
}

/// (chosen, rejected, kind) of each pair, and (completion, good) of each rating.
async fn summary(store: &Store) -> (Vec<[String; 3]>, Vec<(String, bool)>) {
    let (pairs, ratings) = exported(store).await;
    let pair = |pair: Preference| [pair.chosen, pair.rejected, pair.kind.unwrap()];
    (
        pairs.into_iter().map(pair).collect(),
        ratings.into_iter().map(|rating| (rating.completion, rating.good)).collect(),
    )
}

fn pair(chosen: &str, rejected: &str, kind: &str) -> [String; 3] {
    [chosen, rejected, kind].map(str::to_owned)
}

async fn rate(store: &Store, message: &StoredMessage, verdict: Option<Verdict>, better: Option<&str>) {
    let rating = MessageRating { verdict, better: better.map(str::to_owned) };
    store.rate(ANN, &message.id, &rating).await.unwrap();
}

#[tokio::test]
async fn a_better_answer_is_chosen_over_the_reply() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "2+2?").await;
    reply(&store, &id, Parent::Leaf, "4").await;
    ask(&store, &id, Parent::Leaf, "3+3?").await;
    let begun = store.begin_reply(ANN, &id, Parent::Leaf, "tiny", Some("Be terse.")).await.unwrap();
    let wrong = store.finish_reply(ANN, &begun.id, completed("7")).await.unwrap();
    rate(&store, &wrong, None, Some("6")).await;
    let (pairs, ratings) = exported(&store).await;
    let said: Vec<(&str, &str)> =
        pairs[0].prompt.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect();
    let expected = [("system", "Be terse."), ("user", "2+2?"), ("assistant", "4"), ("user", "3+3?")];
    assert_eq!(said, expected);
    assert_eq!((pairs[0].chosen.as_str(), pairs[0].rejected.as_str()), ("6", "7"));
    assert_eq!(pairs.len(), 1);
    let labels: Vec<_> = ratings.iter().map(|rating| (rating.completion.as_str(), rating.good)).collect();
    assert_eq!(labels, [("6", true), ("7", false)]);
    assert_eq!(ratings[0].prompt, pairs[0].prompt);
}

#[tokio::test]
async fn a_prompt_has_only_what_the_model_read() {
    for (left_out, expected) in
        [(1, vec!["system", "3+3?", "6", "And 4+4?"]), (2, vec!["system", "And 4+4?"]), (9, vec!["system", "And 4+4?"])]
    {
        let (store, id) = begun().await;
        for (question, answer) in [("2+2?", "4"), ("3+3?", "6")] {
            ask(&store, &id, Parent::Leaf, question).await;
            reply(&store, &id, Parent::Leaf, answer).await;
        }
        let question = ask(&store, &id, Parent::Leaf, "And 4+4?").await;
        for (text, verdict) in [("8", Verdict::Up), ("9", Verdict::Down)] {
            let parent = Parent::Message(question.id.clone());
            let begun = store.begin_reply(ANN, &id, parent, "tiny", Some("system")).await.unwrap();
            // The other reply was asked for with more room, and read everything.
            if verdict == Verdict::Down {
                store.set_left_out(ANN, &begun.id, left_out).await.unwrap();
            }
            let stored = store.finish_reply(ANN, &begun.id, completed(text)).await.unwrap();
            rate(&store, &stored, Some(verdict), None).await;
        }
        let (pairs, ratings) = exported(&store).await;
        let said: Vec<&str> = pairs[0].prompt.iter().map(|message| message.content.as_str()).collect();
        assert_eq!((said, pairs.len(), ratings.len()), (expected, 1, 2), "{left_out}");
        assert_eq!(ratings[0].prompt, pairs[0].prompt);
        let file = store.export_conversation(ANN, &id).await.unwrap();
        let copy = store.import_conversation(ANN, file.clone()).await.unwrap();
        let left: Vec<u64> = file.messages.iter().map(|message| message.left_out).collect();
        assert_eq!(left, [0, 0, 0, 0, 0, 0, left_out]);
        let copied = store.export_conversation(ANN, &copy.id).await.unwrap();
        assert_eq!(copied.messages.iter().map(|message| message.left_out).collect::<Vec<_>>(), left);
    }
}

#[tokio::test]
async fn thumbs_up_are_chosen_over_thumbs_down_among_siblings() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a joke?").await;
    for (text, verdict) in
        [("a", Some(Verdict::Up)), ("b", Some(Verdict::Down)), ("c", None), ("d", Some(Verdict::Down))]
    {
        let message = reply(&store, &id, behind(&question), text).await;
        rate(&store, &message, verdict, None).await;
    }
    // To another question: no pair with those.
    let other = ask(&store, &id, Parent::Root, "a poem?").await;
    let poem = reply(&store, &id, behind(&other), "e").await;
    rate(&store, &poem, Some(Verdict::Down), None).await;
    let (pairs, ratings) = summary(&store).await;
    assert_eq!(pairs, [pair("a", "b", "rated"), pair("a", "d", "rated")]);
    let label = |text: &str, good| (text.to_owned(), good);
    assert_eq!(ratings, [label("a", true), label("b", false), label("d", false), label("e", false)]);
}

#[tokio::test]
async fn the_reply_that_the_conversation_went_on_from_is_chosen_over_abandoned_ones() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a story?").await;
    let first = reply(&store, &id, behind(&question), "dull").await;
    let kept = reply(&store, &id, behind(&question), "thrilling").await;
    assert_eq!(summary(&store).await, (vec![], vec![]));
    ask(&store, &id, behind(&kept), "more!").await;
    assert_eq!(summary(&store).await.0, [pair("thrilling", "dull", "kept_branch")]);
    // A thumb that says otherwise counts more.
    rate(&store, &first, Some(Verdict::Up), None).await;
    assert_eq!(summary(&store).await.0, [[""; 3]; 0]);
    rate(&store, &first, None, None).await;
    rate(&store, &kept, Some(Verdict::Down), None).await;
    assert_eq!(summary(&store).await.0, [[""; 3]; 0]);
    rate(&store, &kept, Some(Verdict::Up), None).await;
    rate(&store, &first, Some(Verdict::Down), None).await;
    assert_eq!(summary(&store).await.0, [pair("thrilling", "dull", "rated")]);
    rate(&store, &kept, None, None).await;
    rate(&store, &first, None, None).await;
    // Nobody knows which is better when both were gone on from, or when the conversation left the kept one.
    ask(&store, &id, behind(&first), "hm").await;
    assert_eq!(summary(&store).await.0, [[""; 3]; 0]);
}

#[tokio::test]
async fn a_branch_that_was_left_again_makes_no_pair() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a story?").await;
    let first = reply(&store, &id, behind(&question), "one").await;
    let second = reply(&store, &id, behind(&question), "two").await;
    ask(&store, &id, behind(&first), "more").await;
    store.select_branch(ANN, &id, &second.id).await.unwrap();
    assert_eq!(summary(&store).await.0, [[""; 3]; 0]);
}

#[tokio::test]
async fn replies_that_cannot_be_compared_make_no_pair() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a story?").await;
    // Cut off.
    let begun = store.begin_reply(ANN, &id, behind(&question), "tiny", None).await.unwrap();
    let outcome =
        fireclay_serve::store::ReplyOutcome { status: fireclay_serve::store::Status::Incomplete, ..completed("Once") };
    store.finish_reply(ANN, &begun.id, outcome).await.unwrap();
    // Under another system prompt.
    let begun = store.begin_reply(ANN, &id, behind(&question), "tiny", Some("Be rude.")).await.unwrap();
    store.finish_reply(ANN, &begun.id, completed("No.")).await.unwrap();
    // Equal, and empty.
    for text in ["Once upon a time.", "Once upon a time.", " "] {
        reply(&store, &id, behind(&question), text).await;
    }
    let kept = reply(&store, &id, behind(&question), "Once upon a time. ").await;
    ask(&store, &id, behind(&kept), "more").await;
    assert_eq!(summary(&store).await, (vec![], vec![]));
}

#[tokio::test]
async fn a_cut_reply_that_is_corrected_or_called_bad_counts_and_other_ratings_of_it_are_counted_as_left_out() {
    let (store, id) = begun().await;
    let question = ask(&store, &id, Parent::Root, "a story?").await;
    let cut = fireclay_serve::store::ReplyOutcome {
        status: fireclay_serve::store::Status::Incomplete,
        ..completed("Once upon")
    };
    let begun = store.begin_reply(ANN, &id, behind(&question), "tiny", None).await.unwrap();
    let reply = store.finish_reply(ANN, &begun.id, cut).await.unwrap();
    rate(&store, &reply, Some(Verdict::Up), None).await;
    let folder = tempfile::tempdir().unwrap();
    let counted = store.export_preferences(folder.path()).await.unwrap();
    assert_eq!(
        counted,
        PreferenceExport { conversations: 1, pairs: 0, ratings: 0, left_out: 1, capped: 0, repeated: 0 }
    );
    rate(&store, &reply, Some(Verdict::Down), Some("Once there was a fox. The end.")).await;
    let (pairs, ratings) = summary(&store).await;
    assert_eq!(pairs, [pair("Once there was a fox. The end.", "Once upon", "better_answer")]);
    assert_eq!(ratings.len(), 2);
    assert_eq!(store.export_preferences(folder.path()).await.unwrap().left_out, 0);
}

#[tokio::test]
async fn an_export_without_lines_removes_the_files_of_an_earlier_one() {
    let (store, id) = begun().await;
    ask(&store, &id, Parent::Root, "a?").await;
    let answer = reply(&store, &id, Parent::Leaf, "b").await;
    rate(&store, &answer, Some(Verdict::Up), None).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/new/folder");
    let counted = store.export_preferences(&out).await.unwrap();
    assert_eq!(
        counted,
        PreferenceExport { conversations: 1, pairs: 0, ratings: 1, left_out: 0, capped: 0, repeated: 0 }
    );
    assert!(out.join("ratings.jsonl").is_file() && !out.join("preferences.jsonl").exists());
    rate(&store, &answer, None, None).await;
    store.export_preferences(&out).await.unwrap();
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[tokio::test]
async fn a_better_answer_that_is_the_reply_judges_nothing() {
    for (verdict, labels, left_out) in
        [(None, vec![], 1), (Some(Verdict::Down), vec![], 1), (Some(Verdict::Up), vec![true], 0)]
    {
        let (store, id) = begun().await;
        ask(&store, &id, Parent::Root, "2+2?").await;
        let right = reply(&store, &id, Parent::Leaf, "4").await;
        rate(&store, &right, verdict, Some(" 4\n")).await;
        let (pairs, ratings) = summary(&store).await;
        let found: Vec<bool> = ratings.iter().map(|(_, good)| *good).collect();
        assert_eq!((pairs.len(), found), (0, labels), "{verdict:?}");
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(store.export_preferences(folder.path()).await.unwrap().left_out, left_out, "{verdict:?}");
    }
}

#[tokio::test]
async fn instructions_are_exported_as_the_model_read_them_however_long_the_conversation_was() {
    let store = super::memory().await;
    let file = serde_json::json!({"object": "fireclay.conversation", "version": 1, "messages": [
        {"id": "s", "role": "developer", "content": "Be terse."},
        {"id": "a", "parent": "s", "role": "user", "content": "1+1?"},
        {"id": "b", "parent": "a", "role": "assistant", "content": "2"},
        {"id": "c", "parent": "b", "role": "user", "content": "2+2?"},
        {"id": "d", "parent": "c", "role": "assistant", "content": "4", "left_out": 1, "rating": {"verdict": "up"}}]});
    store.import_conversation(ANN, serde_json::from_value(file).unwrap()).await.unwrap();
    let (_, ratings) = exported(&store).await;
    let said: Vec<(&str, &str)> =
        ratings[0].prompt.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect();
    assert_eq!(said, [("system", "Be terse."), ("user", "2+2?")]);
}

#[tokio::test]
async fn many_thumbs_on_replies_to_one_question_make_a_bounded_number_of_pairs_of_all_of_them() {
    let store = super::memory().await;
    let rated = |index: usize| {
        let verdict = if index.is_multiple_of(2) { "up" } else { "down" };
        serde_json::json!({"id": format!("r{index}"), "parent": "q", "role": "assistant", "content": format!("{index}"),
            "rating": {"verdict": verdict}})
    };
    let messages: Vec<_> = std::iter::once(serde_json::json!({"id": "q", "role": "user", "content": "2+2?"}))
        .chain((0..200).map(rated))
        .collect();
    let file = serde_json::json!({"object": "fireclay.conversation", "version": 1, "messages": messages});
    store.import_conversation(ANN, serde_json::from_value(file).unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let counted = store.export_preferences(folder.path()).await.unwrap();
    assert_eq!((counted.pairs, counted.capped, counted.ratings), (1_000, 9_000, 200));
    let (pairs, _) = exported(&store).await;
    let chosen: std::collections::HashSet<&str> = pairs.iter().map(|pair| pair.chosen.as_str()).collect();
    assert_eq!(chosen.len(), 100, "every reply with a thumb up");
}
