use serde_json::{Value, json};

use crate::{chat, good, merged, post, routes};

const QUESTIONS: [&str; 6] =
    ["What is hot?", "the clay", "热", "What is in the kiln?", "a b c d", "Tell me of the kiln."];

fn asked(index: usize) -> Value {
    chat(QUESTIONS[index], json!({"temperature": 0.9, "seed": index, "max_tokens": 10 + 7 * index}))
}

/// The texts of a stream joined.
fn text(events: &[Value]) -> String {
    let delta = |event: &Value| event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
    events.iter().map(delta).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_in_a_crowd_gets_what_they_get_alone() {
    let (router, _server) = routes().await;
    let mut alone = vec![];
    for index in 0..QUESTIONS.len() {
        let answer = good(&router, "/v1/chat/completions", asked(index)).await;
        alone.push(answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned());
    }
    for round in 0..3 {
        let crowd: Vec<_> = (0..QUESTIONS.len())
            .map(|index| {
                let router = router.clone();
                tokio::spawn(async move {
                    if (index + round) % 2 == 0 {
                        let answer = good(&router, "/v1/chat/completions", asked(index)).await;
                        return answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
                    }
                    let asked = merged(asked(index), json!({"stream": true}));
                    text(&post(&router, "/v1/chat/completions", asked).await.events())
                })
            })
            .collect();
        for (index, answer) in crowd.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap(), alone[index], "round {round}");
        }
    }
}
