//! Models over HTTP, as the command serves them.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use serde_json::{Value, json};

use crate::chat::{chat, model};
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
        command.arg("--db").arg(folder.join("chats.sqlite")).args(more).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it served");
        }
        assert!(line.contains("serves tiny"), "{line}");
        let address = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        Self { child, address, stderr }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {response}")))
    }

    /// Tells it to stop; how it ended, and what it said meanwhile.
    fn stop(mut self) -> (Option<i32>, String) {
        let signal = std::process::Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
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
    let (_, first) =
        server.ask("POST", "/v1/responses", &json!({"model": "tiny", "input": "Hello", "max_output_tokens": 4}));
    let id = first["id"].as_str().unwrap().to_owned();
    let (code, err) = server.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("POST /v1/responses 200"), "requests are logged: {err}");

    let server = Server::start(&model, folder.path(), &[]);
    let (status, kept) = server.ask("GET", &format!("/v1/responses/{id}"), &json!(null));
    assert_eq!((status, &kept["output"]), (200, &first["output"]), "a restart forgets nothing");
    let more = json!({"model": "tiny", "input": "And?", "previous_response_id": id, "max_output_tokens": 4});
    assert_eq!(server.ask("POST", "/v1/responses", &more).0, 200);
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
    check(&["--db=nowhere/chats.sqlite"], &["nowhere", "no such folder"]);
    check(&["--model", model.to_str().unwrap()], &["two models"]);
    fail(fireclay().args(["serve", "--model", "nowhere"]), 2, &["nowhere: no such folder"]);
}
