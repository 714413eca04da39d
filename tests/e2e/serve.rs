//! Models over HTTP, as the command serves them.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use serde_json::{Value, json};

use crate::chat::{chat, model, model_with_context};
use crate::{fail, fireclay};

/// A server of this model on a free port; it is killed when it is dropped.
struct Server {
    child: Child,
    address: String,
    stderr: BufReader<ChildStderr>,
}

impl Server {
    fn start(model: &Path, folder: &Path, more: &[&str]) -> Self {
        let mut command = fireclay();
        command.args(["serve", "--port=0", "--threads=1", "--model"]).arg(format!("tiny={}", model.display()));
        command.arg("--db").arg(folder.join("chats.sqlite")).args(more);
        Self::spawn(command, "serves tiny")
    }

    /// A server that says this once it listens.
    fn spawn(mut command: std::process::Command, says: &str) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it served");
        }
        assert!(line.contains(says), "{line}");
        let address = line.split("http://").nth(1).unwrap().split([' ', '/']).next().unwrap().to_owned();
        Self { child, address, stderr }
    }

    /// A connection on which a request was sent.
    fn send(&self, method: &str, path: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: \
             close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut response = String::new();
        self.send(method, path, body).read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {response}")))
    }

    /// Stops it; returns its exit status and its output.
    fn stop(self) -> (Option<i32>, String) {
        self.stop_by("-TERM")
    }

    /// The same with this signal.
    fn stop_by(mut self, signal: &str) -> (Option<i32>, String) {
        let signal = std::process::Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(signal.unwrap().success());
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_server_says_what_chat_says_and_remembers_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let server = Server::start(&model, folder.path(), &[]);
    for (temperature, seed) in [(0, 0), (1, 1), (1, 2), (1, 3)] {
        let flags = [format!("--temperature={temperature}"), format!("--seed={seed}"), "--quiet".into()];
        let (said, _) = chat(&model, "Hello\n", &flags.each_ref().map(String::as_str));
        let question = json!({"model": "tiny", "messages": [{"role": "user", "content": "Hello"}],
            "temperature": temperature, "seed": seed, "max_tokens": 8});
        let (status, answer) = server.ask("POST", "/v1/chat/completions", &question);
        assert_eq!(status, 200, "{answer}");
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        // Chat may end a little earlier, with a sentence.
        let said = said.strip_suffix('\n').unwrap();
        assert!(!said.is_empty() && text.starts_with(said), "{text:?} and {said:?}");
    }
    let (_, first) = server.ask(
        "POST",
        "/v1/responses",
        &json!({"model": "tiny", "input": "Hello", "max_output_tokens": 4, "temperature": 0}),
    );
    let id = first["id"].as_str().unwrap().to_owned();
    let (code, err) = server.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("POST /v1/responses 200"), "requests are logged: {err}");

    let server = Server::start(&model, folder.path(), &[]);
    let (status, kept) = server.ask("GET", &format!("/v1/responses/{id}"), &json!(null));
    assert_eq!((status, &kept["output"]), (200, &first["output"]), "a restart forgets nothing");
    let more = json!({"model": "tiny", "input": "And?", "previous_response_id": id, "max_output_tokens": 4});
    assert_eq!(server.ask("POST", "/v1/responses", &more).0, 200);
    let (code, err) = server.stop_by(if ignores_hangups() { "-TERM" } else { "-HUP" });
    assert_eq!(code, Some(0), "a closed terminal ends it as a signal does: {err}");
}

/// Whether these tests were started by `nohup`, as whose child a server outlives its terminal.
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1)
}

#[test]
fn keys_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "sk-0123456789abcdef ann\n").unwrap();
    let server = Server::start(&model, folder.path(), &["--api-key-file", keys.to_str().unwrap()]);
    assert_eq!(server.ask("GET", "/health", &json!(null)).0, 200);
    let (status, answer) = server.ask("GET", "/v1/models", &json!(null));
    assert_eq!((status, answer["error"]["code"].as_str()), (401, Some("invalid_api_key")));
}

#[test]
fn servers_that_cannot_serve_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let check = |more: &[&str], expect: &[&str]| {
        let mut command = fireclay();
        command.args(["serve", "--port=0", "--quiet", "--model"]).arg(&model).args(more).current_dir(folder.path());
        fail(&mut command, 2, expect);
    };
    check(&["--host=0.0.0.0"], &["--host 0.0.0.0", "--api-key-file"]);
    check(&["--api-key-file=nowhere"], &["nowhere"]);
    check(&["--streams=0"], &["--streams 0"]);
    for flag in ["--timeout", "--grace"] {
        check(&[flag, "18446744073709551615"], &[flag, "a year"]);
    }
    check(&["--db=nowhere/chats.sqlite"], &["nowhere", "no such folder"]);
    check(&["--model", model.to_str().unwrap()], &["two models"]);
    fail(fireclay().args(["serve", "--model", "nowhere"]), 2, &["nowhere: nothing there"]);
}

/// What a client was told of a stream, until it had a piece of the reply or all of it: the id of the response, and
/// whether that was all.
fn read_a_little(stream: TcpStream) -> (Option<String>, bool) {
    let mut id = None;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let Some(event) = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
            continue;
        };
        if let Some(told) = event["response"]["id"].as_str() {
            id = Some(told.to_owned());
        }
        match event["type"].as_str() {
            Some("response.output_text.delta") => return (id, false),
            Some("response.completed" | "response.incomplete") => return (id, true),
            _ => {}
        }
    }
    (id, false)
}

#[test]
fn a_server_killed_in_the_middle_of_a_stream_loses_nothing_that_was_finished() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_with_context(folder.path(), 1024);
    let (mut conversation, mut told, mut cut) = (String::new(), vec![], 0);
    for round in 0..5 {
        let server = Server::start(&model, folder.path(), &[]);
        if round == 0 {
            let made = server.ask("POST", "/v1/conversations", &json!({})).1;
            conversation = made["id"].as_str().unwrap().to_owned();
        }
        // The conversation continues after any kill; replies reported as complete are finished.
        let more =
            json!({"model": "tiny", "input": format!("{round}"), "conversation": conversation, "max_output_tokens": 2});
        let (status, whole) = server.ask("POST", "/v1/responses", &more);
        assert_eq!(status, 200, "round {round}: {whole}");
        // The character NUL is kept as another.
        let mut item = whole["output"][0].clone();
        let text = &mut item["content"][0]["text"];
        *text = text.as_str().unwrap().replace('\0', "\u{fffd}").into();
        told.push(item);
        let stream = json!({"model": "tiny", "input": "Go on", "conversation": conversation, "stream": true,
            "max_output_tokens": 40, "temperature": 1});
        let (id, finished) = read_a_little(server.send("POST", "/v1/responses", &stream));
        drop(server);
        assert!(id.is_some(), "round {round}: the stream began");
        cut += usize::from(!finished);
    }
    assert!(cut > 0, "no kill came in the middle of a stream");
    let server = Server::start(&model, folder.path(), &[]);
    let path = format!("/v1/conversations/{conversation}/items?order=asc&limit=100");
    let (_, items) = server.ask("GET", &path, &json!(null));
    let items = items["data"].as_array().unwrap();
    let of = |role: &str| items.iter().filter(|item| item["role"] == role).collect::<Vec<_>>();
    let (users, replies) = (of("user"), of("assistant"));
    let asked: Vec<&str> = users.iter().map(|item| item["content"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(asked, ["0", "Go on", "1", "Go on", "2", "Go on", "3", "Go on", "4", "Go on"]);
    assert_eq!(replies.len(), 10, "each has one reply: {items:?}");
    for (finished, expect) in replies.iter().step_by(2).zip(&told) {
        assert_eq!(finished, &expect);
    }
    let mut ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert!(replies.iter().all(|item| item["status"] != "in_progress"), "{items:?}");
}

#[test]
fn a_run_is_watched_alone_and_beside_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let run = folder.path().join("run");
    let check = |server: Server| {
        let (status, report) = server.ask("GET", "/ui/api/watch", &json!(null));
        assert_eq!((status, report["name"].as_str()), (200, Some("run")));
        let html = report["html"].as_str().expect("it has steps");
        assert!(html.contains("<h1>run</h1>") && html.contains("<svg") && !html.contains("style="), "{html}");
    };
    let mut watch = fireclay();
    watch.args(["watch", "--port=0"]).arg(&run);
    check(Server::spawn(watch, "/watch shows "));
    check(Server::start(&model, folder.path(), &["--watch", run.to_str().unwrap()]));
    fail(fireclay().args(["watch", "nowhere"]), 2, &["nowhere: nothing there", "train --out"]);
    fail(fireclay().arg("watch").arg(&run).arg("--host=0.0.0.0"), 2, &["--host 0.0.0.0", "--api-key-file"]);
}
