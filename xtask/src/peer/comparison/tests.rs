//! Tables and JSON of runs that are made up.

use std::collections::BTreeSet;
use std::process::Command;

use super::super::arguments::tests::arguments;
use super::super::program::Measurement;
use super::*;

/// Runs with these values of one figure.
fn side(name: &'static str, key: &'static str, values: &[f64], mebibytes: u64) -> Side {
    let run = |&value: &f64| Measurement {
        figures: [(key, value)].into(),
        peak_bytes: mebibytes << 20,
        parameters: 13_891_584,
        losses: if key == "tokens_per_s" { vec![8.4, 6.9] } else { vec![] },
        instruction_set: Some(if name == "fireclay" { "avx2" } else { "AVX2" }.into()),
    };
    Side { runs: values.iter().map(run).collect(), ..Side::new(name, Command::new("nothing")) }
}

fn trained(name: &'static str, speeds: &[f64], mebibytes: u64) -> Side {
    side(name, "tokens_per_s", speeds, mebibytes)
}

/// The same runs with another figure too.
fn and(mut side: Side, key: &'static str, values: &[f64]) -> Side {
    for (run, value) in side.runs.iter_mut().zip(values) {
        run.figures.insert(key, *value);
        run.losses.clear();
    }
    side
}

#[test]
fn the_ratio_is_the_median_of_pairs_with_the_faster_mode() {
    // The machine is half as fast in the second round; ratios do not see it.
    let sides = [
        trained("fireclay", &[1500.0, 700.0, 1600.0], 894),
        trained("PyTorch eager", &[1000.0, 500.0, 1000.0], 1390),
        trained("PyTorch compiled", &[1200.0, 600.0, 1250.0], 0),
    ];
    let arguments = arguments("--peer pytorch --threads 2");
    let comparison = Comparison::new(&arguments, "2.15.0".into(), None, &sides);
    let expected = "\
medium: 6 layers, width 384, 6 heads, context 256, batch 8, vocabulary 4096: 13,891,584 parameters
f32, steps 8, threads 2, rounds 3, PyTorch 2.15.0
instruction sets: fireclay avx2, PyTorch AVX2

                   tokens/s  peak memory   last loss   fireclay / it
fireclay              1,500      894 MiB      6.9000
PyTorch eager         1,000    1,390 MiB      6.9000     1.50 (1.40 to 1.60)
PyTorch compiled      1,200      unknown      6.9000     1.25 (1.17 to 1.28)

fireclay / PyTorch: 1.25, with PyTorch compiled, the faster of its modes";
    assert_eq!(comparison.table(), expected);
    let json = comparison.json();
    assert_eq!((json["ratio"].as_f64(), json["against"].as_str()), (Some(1.25), Some("PyTorch compiled")));
    assert_eq!((json["work"].as_str(), json["steps"].as_u64()), (Some("train"), Some(8)));
    assert_eq!(json["sides"][0]["runs"].as_array().unwrap().len(), 3);
    assert_eq!(json["sides"][1]["ratios"]["tokens_per_s"], 1.5);
    assert_eq!((&json["sides"][0]["instruction_set"], &json["numbers"]["vocab"]), (&json!("avx2"), &json!(4096)));
}

#[test]
fn a_prompt_has_no_loss() {
    let key = "prefill_tokens_per_s";
    let sides = [side("fireclay", key, &[4000.0], 1200), side("PyTorch eager", key, &[2500.0], 1500)];
    let arguments = arguments("--peer pytorch --work prefill --precision bf16 --threads 2 --rounds 1 --no-compile");
    let comparison = Comparison::new(&arguments, "2.15.0".into(), None, &sides);
    let expected = "\
gpt2: 12 layers, width 768, 12 heads, prompt 512 in a context of 1024, vocabulary 50257: 13,891,584 parameters
bf16, threads 2, rounds 1, PyTorch 2.15.0
instruction sets: fireclay avx2, PyTorch AVX2

                   tokens/s  peak memory   fireclay / it
fireclay              4,000    1,200 MiB
PyTorch eager         2,500    1,500 MiB     1.60 (1.60 to 1.60)

fireclay / PyTorch: 1.60";
    assert_eq!(comparison.table(), expected);
    let json = comparison.json();
    assert_eq!(
        (&json["ratio"], &json["sides"][0][key], &json["work"]),
        (&json!(1.6), &json!(4000.0), &json!("prefill"))
    );
    assert_eq!((&json["steps"], &json["sides"][0]["runs"][0]["losses"]), (&Value::Null, &Value::Null));
}

#[test]
fn requests_have_a_block_for_each_figure_that_both_have() {
    let generated = |name, alone: &[f64], at_once: &[f64], first: &[f64]| {
        let side = and(side(name, "alone_tokens_per_s", alone, 400), "tokens_per_s", at_once);
        and(side, "first_token_mean_s", first)
    };
    let ours = generated("fireclay", &[200.0, 220.0], &[680.0, 720.0], &[0.3, 0.3]);
    let ours = and(ours, "alone_first_token_mean_s", &[0.05, 0.05]);
    let sides = [ours, generated("llama.cpp", &[100.0, 100.0], &[180.0, 180.0], &[1.8, 1.5])];
    let arguments = arguments("--peer llamacpp --model models/smol --threads 2 --rounds 2");
    let comparison = Comparison::new(&arguments, "xllamacpp 1".into(), None, &sides);
    let expected = "\
smol: 8 prompts of 20 to 400 tokens, 128 new tokens for each: 13,891,584 parameters
int8 beside q8_0 by fireclay export, threads 2, rounds 2, llama.cpp xllamacpp 1
instruction sets: fireclay avx2, llama.cpp AVX2

one after the other   tokens/s  peak memory   fireclay / it
fireclay                   210      400 MiB
llama.cpp                  100      400 MiB     2.10 (2.00 to 2.20)

8 at once             tokens/s   fireclay / it
fireclay                   700
llama.cpp                  180     3.89 (3.78 to 4.00)

first token of 8             s   it / fireclay
fireclay                 0.300
llama.cpp                1.650     5.50 (5.00 to 6.00)";
    assert_eq!(comparison.table(), expected);
    let json = comparison.json();
    assert_eq!(
        (&json["peer"], &json["weights"], &json["model"]),
        (&json!("llamacpp"), &json!("int8"), &json!("models/smol"))
    );
    let ratios = json["ratios"].as_object().unwrap();
    let figures: BTreeSet<&str> = ratios.keys().map(String::as_str).collect();
    assert_eq!(figures, ["alone_tokens_per_s", "first_token_mean_s", "tokens_per_s"].into());
    assert!((ratios["tokens_per_s"].as_f64().unwrap() - 3.89).abs() < 0.01);
}

#[test]
fn a_mode_that_fell_away_does_not_count() {
    let compiled = Side { failure: Some("no compiler".into()), ..trained("PyTorch compiled", &[9000.0], 1) };
    let sides = [trained("fireclay", &[900.0, 1100.0], 1), trained("PyTorch eager", &[1000.0, 1000.0], 1), compiled];
    let arguments = arguments("--peer pytorch");
    let comparison = Comparison::new(&arguments, "2".into(), None, &sides);
    let table = comparison.table();
    assert!(table.contains("PyTorch compiled does not count: no compiler\n"), "{table}");
    assert!(table.ends_with("fireclay / PyTorch: 1.00, with PyTorch eager, the faster of its modes"), "{table}");
    assert_eq!(comparison.json()["sides"][2]["failure"], "no compiler");
}

#[test]
fn a_ratio_from_a_crowded_machine_is_marked() {
    let sides = [trained("fireclay", &[900.0], 1), trained("PyTorch eager", &[100.0], 1)];
    let arguments = arguments("--peer pytorch --threads 2");
    let with = |busy| Comparison::new(&arguments, "2".into(), Some(Crowd { busy, cores: 2 }), &sides);
    assert!(with(1.9).table().contains("Do not trust this ratio: other programs kept 1.9 of 2 cores busy"));
    assert_eq!(with(1.9).json()["crowded"], true);
    assert!(!with(0.1).table().contains("trust") && with(0.1).json()["crowded"] == false);
}

#[test]
fn one_mode_needs_no_words() {
    let sides = [trained("fireclay", &[900.0], 1), trained("PyTorch eager", &[1000.0], 1)];
    let arguments = arguments("--peer pytorch");
    let table = Comparison::new(&arguments, "2".into(), None, &sides).table();
    assert!(table.ends_with("\nfireclay / PyTorch: 0.90"), "{table}");
}
