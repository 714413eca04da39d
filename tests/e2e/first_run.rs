//! The first thing a person does, shortened.
use crate::{fireclay, run, succeed, train};

#[test]
fn train_then_generate_score_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("first");
    let said = succeed(&mut train(&out, &["--steps", "80"]));
    for part in ["sample", "run ", "report ", "next "] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    for file in [
        "recipe.toml",
        "machine.json",
        "tokenizer/tokenizer.json",
        "pretrain/metrics.jsonl",
        "pretrain/DONE",
        "report.html",
    ] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    let losses: Vec<f64> = crate::losses(&out).iter().map(|(_, loss)| loss.as_f64().unwrap()).collect();
    // A batch of 64 tokens alone says little.
    let (first, last) = (losses[0], losses[losses.len() - 10..].iter().sum::<f64>() / 10.0);
    assert!(last < first - 0.5, "the loss fell from {first} only to {last}");

    let json =
        succeed(fireclay().args(["generate", "--prompt", "The", "--max-tokens", "5", "--json", "--model"]).arg(&out));
    let generated: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(generated["ids"].as_array().unwrap().len(), generated["logprobs"].as_array().unwrap().len());

    // Generation and scoring give the same log-probabilities of greedy tokens.
    let json = succeed(
        fireclay()
            .args(["generate", "--ids", "40 41", "--max-tokens", "4", "--temperature", "0", "--json", "--model"])
            .arg(&out),
    );
    let generated: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ids: Vec<String> = generated["ids"].as_array().unwrap().iter().map(ToString::to_string).collect();
    let all = format!("40 41 {}", ids.join(" "));
    let scored: serde_json::Value =
        serde_json::from_str(&succeed(fireclay().args(["score", "--ids", &all, "--json", "--model"]).arg(&out)))
            .unwrap();
    let scored = &scored["logprobs"].as_array().unwrap()[1..];
    for (a, b) in generated["logprobs"].as_array().unwrap().iter().zip(scored) {
        assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-3, "{a} and {b}");
    }

    // Weights of fewer bits say nearly the same.
    let loss = |weights: &str| -> f64 {
        let mut score = fireclay();
        score.args(["score", "--ids", &all, "--weights", weights, "--json", "--model"]).arg(&out);
        serde_json::from_str::<serde_json::Value>(&succeed(&mut score)).unwrap()["loss"].as_f64().unwrap()
    };
    for weights in ["bf16", "int8"] {
        let (whole, rounded) = (loss("f32"), loss(weights));
        let difference = (rounded - whole).abs();
        assert!(difference > 0.0 && difference < 0.02 * whole, "{weights}: {rounded}, in f32 {whole}");
    }

    // Finished stages are skipped: the same command again changes nothing.
    let weights = crate::final_weights(&out);
    succeed(&mut train(&out, &["--steps", "80"]));
    assert_eq!(weights, crate::final_weights(&out));
}

#[test]
fn plan_says_what_train_would_do_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = fireclay();
    command.current_dir(folder.path()).args(["plan", "--depth", "4", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    assert!(plan["parameters"].as_u64().unwrap() > 1_000_000, "{plan}");
    assert!(plan["tokens"].as_u64().unwrap() >= 20 * plan["parameters"].as_u64().unwrap(), "{plan}");
    assert!(plan["memory"]["total"].as_u64().unwrap() > 0 && plan["seconds"].as_f64().unwrap() > 0.0, "{plan}");
    assert!(plan["kv_cache"].as_u64().unwrap() > 0, "{plan}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
    let mut command = fireclay();
    command.current_dir(folder.path()).args([
        "plan",
        "--set",
        "grpo.cache_mib=3",
        "--set",
        "grpo.rollout_batch=4",
        "--json",
    ]);
    let plan: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    let grpo = plan["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "grpo").unwrap();
    let bytes = |what: &str| grpo["rollouts"][what].as_u64().unwrap();
    assert!((1..=3 << 20).contains(&bytes("kv_cache")) && (1..=3 << 20).contains(&bytes("scoring")), "{grpo}");
    assert_eq!(bytes("streams"), 4);
}

#[test]
fn quiet_says_nothing_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&mut train(&folder.path().join("quiet"), &["--steps", "4", "--quiet"]));
    assert!(output.status.success());
    assert_eq!(crate::text(&output.stderr), "");
}

#[test]
fn every_preset_trains_and_loads() {
    let folder = tempfile::tempdir().unwrap();
    for preset in ["classic", "gpt2", "llama", "qwen2", "qwen3", "modern"] {
        let out = folder.path().join(preset);
        succeed(&mut train(&out, &["--steps", "3", "--quiet", &format!("--set=model.preset={preset}")]));
        let checkpoint = crate::last_checkpoint(&out);
        succeed(fireclay().args(["generate", "--prompt", "A", "--max-tokens", "3", "--model"]).arg(checkpoint));
    }
}
