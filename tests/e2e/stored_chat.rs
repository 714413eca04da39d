//! Chats that are kept in the server's database, through pipes and at a terminal.
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::chat::{chat, model};
use crate::{fail, fireclay};

/// A chat with the database `chats.sqlite` of the folder: the objects that it prints.
fn objects(model: &Path, folder: &Path, input: &str, more: &[&str]) -> Vec<Value> {
    let db = folder.join("chats.sqlite");
    let flags = [&["--json", "--temperature=0", "--db", db.to_str().unwrap()], more].concat();
    let (out, _) = chat(model, input, &flags);
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_stored_conversation_goes_on_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, model) = (folder.path(), model(folder.path()));
    let whole = objects(&model, folder, "One\nTwo\n", &[]);
    let first = objects(&model, folder, "One\n", &[]);
    let id = first[0]["conversation"].as_str().unwrap();
    assert!(id.starts_with("conv_") && first[0]["message"].as_str().unwrap().starts_with("msg_"), "{first:?}");
    assert_eq!(first[0]["reply"], whole[0]["reply"]);
    for (id, seed) in [(id, "--seed=1"), (&id[..20], "--seed=1")] {
        let second = objects(&model, folder, "Two\n", &["--conversation", id, seed]);
        assert_eq!((&second[0]["reply"], &second[0]["conversation"]), (&whole[1]["reply"], &first[0]["conversation"]));
        assert_eq!(second[0]["usage"]["prompt_tokens"], whole[1]["usage"]["prompt_tokens"]);
        // So that the next goes on from the same place.
        assert!(objects(&model, folder, &format!("/open {id}\n/undo\n"), &[]).is_empty());
    }
    let mut strange = fireclay();
    strange.args(["chat", "--conversation=conv_none", "--model"]).arg(&model).current_dir(folder);
    fail(&mut strange, 2, &["no conversation conv_none", "/list"]);
}

#[test]
fn a_chat_goes_on_from_what_was_said_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, model) = (folder.path(), model(folder.path()));
    let mut child = fireclay();
    child.args(["chat", "--json", "--temperature=0", "--model"]).arg(&model).arg("--db");
    child.arg(folder.join("chats.sqlite")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut say = |line: &str| -> Value {
        let mut answer = String::new();
        input.write_all(line.as_bytes()).unwrap();
        output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    };
    let id = say("One\n")["conversation"].as_str().unwrap().to_owned();
    objects(&model, folder, "Elsewhere\n", &["--conversation", &id]);
    assert_eq!(say("Two\n")["conversation"], id.as_str());
    drop(input);
    assert!(child.wait().unwrap().success());
    let file = folder.join("saved.json");
    objects(&model, folder, &format!("/save {}\n", file.display()), &["--conversation", &id]);
    let saved: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let messages = saved["messages"].as_array().unwrap();
    let asked: Vec<&str> = messages.iter().step_by(2).filter_map(|message| message["content"].as_str()).collect();
    assert_eq!(asked, ["One", "Elsewhere", "Two"]);
    assert!(messages.windows(2).all(|pair| pair[1]["parent"] == pair[0]["id"]), "one line without branches: {saved}");
}

#[test]
fn commands_of_a_pipe_reach_stored_conversations() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, model) = (folder.path(), model(folder.path()));
    let db = folder.join("chats.sqlite");
    let flags = ["--db", db.to_str().unwrap()];
    let file = folder.join("saved.json");
    let input = format!(
        "/list\nA kiln?\n/rate up\n/rate \"It is an oven.\"\n/save {}\n/new\nA cup?\n/rate down\n/rate none\n\
         /list\n/list kiln\n/open 1\nMore?\n/undo\n/undo\nA bowl?\n",
        file.display()
    );
    let (out, err) = chat(&model, &input, &flags);
    assert!(out.lines().count() >= 4, "{out}");
    let lists: Vec<&str> = err.lines().filter(|line| line.contains("conv_")).collect();
    let [cup, both, kiln] = lists[..] else { panic!("{err}") };
    assert!(err.starts_with("(no conversation)\n") && cup.ends_with("A cup?") && kiln.ends_with("A kiln?"), "{err}");
    assert!(both.starts_with(" 2") && both.ends_with("A kiln?") && kiln.starts_with(" 1"), "{err}");

    let saved: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut again = fireclay();
    again.args(["chat", "--model"]).arg(&model).args(flags).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut again = again.stdout(Stdio::null()).spawn().unwrap();
    let input = format!("/open\n/save {}\n/list nothing of it\n", file.display());
    again.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let told = String::from_utf8(again.wait_with_output().unwrap().stderr).unwrap();
    assert!(told.contains("saved.json is there already; give another name, or delete it first"), "{told}");
    assert!(told.contains("no conversation contains \"nothing of it\""), "{told}");
    let (question, reply) = (&saved["messages"][0], &saved["messages"][1]);
    assert_eq!((&saved["title"], &question["content"]), (&"A kiln?".into(), &"A kiln?".into()));
    assert_eq!(reply["rating"], serde_json::json!({"verdict": "up", "better": "It is an oven."}));
    assert_eq!((&reply["model"], &reply["parent"]), (&"model".into(), &question["id"]));
    // Both undone branches are still there, and the new one is where the conversation goes on.
    let again = folder.join("again.json");
    chat(&model, format!("/open\n/save {}\n", again.display()), &flags);
    let saved: Value = serde_json::from_str(&fs::read_to_string(&again).unwrap()).unwrap();
    let roots = saved["messages"].as_array().unwrap().iter().filter(|message| message["parent"].is_null());
    let roots: Vec<&str> = roots.filter_map(|message| message["content"].as_str()).collect();
    assert_eq!(roots, ["A kiln?", "A bowl?"]);
    assert_eq!(saved["leaf"], saved["messages"].as_array().unwrap().last().unwrap()["id"]);
}

#[test]
fn a_program_gets_an_object_for_every_line() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let long = "long ".repeat(100);
    let mut child = fireclay();
    child.args(["chat", "--json", "--quiet", "--max-tokens=8", "--model"]).arg(&model);
    child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = child.stderr(std::process::Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("Hello\n{long}\n/nwe\nAnd?\n").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let lines = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, long, wrong, last] = &objects[..] else { panic!("{objects:?}") };
    for object in [first, last] {
        assert!(object["reply"].is_string() && object["usage"]["completion_tokens"].as_u64() > Some(0), "{object}");
        assert!(["stop", "length"].contains(&object["finish_reason"].as_str().unwrap()), "{object}");
        assert!(object["conversation"].is_null(), "nothing is kept: {object}");
    }
    assert!(long["error"].as_str().unwrap().contains("this message has"), "{long}");
    assert!(wrong["error"].as_str().unwrap().contains("unknown command /nwe"), "{wrong}");
}
