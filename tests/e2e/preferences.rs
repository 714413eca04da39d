//! `fireclay data export-preferences`: ratings and branches of conversations become training files.

use fireclay_serve::store::{ConversationFile, Store};
use serde_json::{Value, json};

use crate::{fail, fireclay, succeed, train};

/// A database with a rated and regenerated reply.
fn database(place: &str) {
    let file = json!({"object": "fireclay.conversation", "version": 1, "messages": [
        {"id": "q", "role": "user", "content": "2+2?"},
        {"id": "a", "parent": "q", "role": "assistant", "content": "5", "rating": {"verdict": "down", "better": "It is 4."}},
        {"id": "b", "parent": "q", "role": "assistant", "content": "4", "rating": {"verdict": "up"}}]});
    let file: ConversationFile = serde_json::from_value(file).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(place).await.unwrap();
        store.import_conversation("local", file).await.unwrap();
    });
}

#[test]
fn ratings_become_preference_and_rating_files() {
    let folder = tempfile::tempdir().unwrap();
    let (db, out) = (folder.path().join("chats.db"), folder.path().join("rated"));
    database(db.to_str().unwrap());
    let export = || {
        let mut command = fireclay();
        command.args(["data", "export-preferences", "--db"]).arg(&db).arg("--out").arg(&out);
        command
    };
    let counted: Value = serde_json::from_str(&succeed(export().arg("--json"))).unwrap();
    assert_eq!(
        counted,
        json!({"conversations": 1, "pairs": 2, "ratings": 3, "left_out": 0, "capped": 0, "repeated": 0})
    );
    fail(&mut export(), 2, &["preferences.jsonl is there already", "--force"]);
    let said = succeed(export().arg("--force"));
    assert!(said.contains("preferences.jsonl: 2 pairs of 1 conversation\n"), "{said}");
    // A copy of the conversation, as by export and import, adds nothing.
    database(db.to_str().unwrap());
    let said = succeed(export().arg("--force"));
    assert!(said.contains("preferences.jsonl: 2 pairs of 2 conversations\n"), "{said}");
    assert!(said.contains("left out: 5 lines that are there already, as of an imported copy"), "{said}");
    // The program reads the pairs as training does.
    let trained = folder.path().join("run");
    succeed(&mut train(&trained, &["--steps=2", "--quiet"]));
    let mut show = fireclay();
    show.args(["data", "show", "--kind=preferences", "--batch=2", "--tokenizer"]).arg(trained.join("tokenizer"));
    let shown = succeed(show.arg("--data").arg(out.join("preferences.jsonl")));
    assert!(shown.contains("It is 4."), "{shown}");
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("mistyped.db");
    let mut command = fireclay();
    command.args(["data", "export-preferences", "--db"]).arg(&db).arg("--out").arg(folder.path());
    fail(&mut command, 2, &["mistyped.db", "there is no such file"]);
    assert!(!db.exists());
}
