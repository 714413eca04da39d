use proptest::prelude::*;

use super::*;

/// Logits whose softmax is .4, .3, .2, .1 for tokens 1, 3, 0, 2.
fn logits() -> Vec<f32> {
    [0.2_f32, 0.4, 0.1, 0.3].map(f32::ln).to_vec()
}

/// Checks the tokens, and their probabilities, that remain of [`logits`] after the filters of `config`.
fn check(config: &SamplingConfig, seen: &[u32], expect: &[(u32, f64)]) {
    let distribution = Distribution::new(&logits(), seen, config);
    let ids: Vec<u32> = expect.iter().map(|&(id, _)| id).collect();
    assert_eq!(distribution.ids(), ids, "{config:?}");
    for (&probability, &(id, expected)) in distribution.probabilities().iter().zip(expect) {
        assert!((probability - expected).abs() < 1e-6, "token {id}: {probability}, not {expected}: {config:?}");
    }
}

fn config() -> SamplingConfig {
    SamplingConfig::default()
}

#[test]
fn without_filters_it_is_softmax() {
    check(&config(), &[], &[(0, 0.2), (1, 0.4), (2, 0.1), (3, 0.3)]);
}

#[test]
fn temperature_raises_probabilities_to_its_inverse() {
    // Squares .04 .16 .01 .09 sum to .3.
    let half = SamplingConfig { temperature: 0.5, ..config() };
    check(&half, &[], &[(0, 4.0 / 30.0), (1, 16.0 / 30.0), (2, 1.0 / 30.0), (3, 9.0 / 30.0)]);
}

#[test]
fn top_k_keeps_the_k_most_probable() {
    check(&SamplingConfig { top_k: Some(2), ..config() }, &[], &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    check(&SamplingConfig { top_k: Some(1), ..config() }, &[], &[(1, 1.0)]);
    check(&SamplingConfig { top_k: Some(9), ..config() }, &[], &[(0, 0.2), (1, 0.4), (2, 0.1), (3, 0.3)]);
}

#[test]
fn top_p_keeps_the_fewest_that_reach_p() {
    check(&SamplingConfig { top_p: Some(0.5), ..config() }, &[], &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    check(&SamplingConfig { top_p: Some(0.69), ..config() }, &[], &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    check(&SamplingConfig { top_p: Some(0.71), ..config() }, &[], &[(0, 2.0 / 9.0), (1, 4.0 / 9.0), (3, 3.0 / 9.0)]);
    check(&SamplingConfig { top_p: Some(1e-6), ..config() }, &[], &[(1, 1.0)]);
    check(&SamplingConfig { top_p: Some(1.0), ..config() }, &[], &[(0, 0.2), (1, 0.4), (2, 0.1), (3, 0.3)]);
}

#[test]
fn min_p_is_a_share_of_the_most_probable() {
    check(&SamplingConfig { min_p: Some(0.6), ..config() }, &[], &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
    check(&SamplingConfig { min_p: Some(1.0), ..config() }, &[], &[(1, 1.0)]);
}

#[test]
fn top_p_counts_what_top_k_left() {
    // Of .4, .3, .2 renormalised, the first two have 7/9 ≥ .75; of all four they would have only .7.
    let both = SamplingConfig { top_k: Some(3), top_p: Some(0.75), ..config() };
    check(&both, &[], &[(1, 4.0 / 7.0), (3, 3.0 / 7.0)]);
}

#[test]
fn temperature_comes_before_the_probability_filters() {
    // At temperature ½ the first token alone has 16/30 ≥ .5.
    check(&SamplingConfig { temperature: 0.5, top_p: Some(0.5), ..config() }, &[], &[(1, 1.0)]);
    // .3/.4 is more than .6, but its square is less.
    check(&SamplingConfig { temperature: 0.5, min_p: Some(0.6), ..config() }, &[], &[(1, 1.0)]);
}

#[test]
fn repetition_penalty_makes_seen_tokens_less_probable_once() {
    // Log-probabilities are negative logits, so a penalty of 2 squares the probability of token 1: .16 beside .2 .1 .3.
    let penalty = SamplingConfig { repetition_penalty: 2.0, ..config() };
    let expect = [(0, 0.2 / 0.76), (1, 0.16 / 0.76), (2, 0.1 / 0.76), (3, 0.3 / 0.76)];
    check(&penalty, &[1], &expect);
    check(&penalty, &[1, 1, 1], &expect);
    // Positive logits are divided.
    let distribution = Distribution::new(&[3.0, 2.0], &[0], &penalty);
    let expected = 1.0 / (1.0 + 0.5_f64.exp());
    assert!((distribution.probabilities()[0] - expected).abs() < 1e-9);
}

#[test]
fn greedy_takes_the_lowest_id_of_equals() {
    let greedy = SamplingConfig::greedy(1);
    assert_eq!(Distribution::new(&[1.0, 5.0, 5.0, 2.0], &[], &greedy).ids(), [1]);
    assert_eq!(Distribution::new(&[-0.0, 0.0], &[], &greedy).ids(), [0]);
    // After the penalty token 1 has 2.5.
    let penalised = SamplingConfig { repetition_penalty: 2.0, ..greedy };
    assert_eq!(Distribution::new(&[1.0, 5.0, 5.0, 2.0], &[1], &penalised).ids(), [2]);
}

#[test]
fn top_k_of_equals_keeps_the_lowest_ids() {
    let config = SamplingConfig { top_k: Some(3), ..config() };
    assert_eq!(Distribution::new(&[1.0; 600], &[], &config).ids(), [0, 1, 2]);
    let config = SamplingConfig { top_p: Some(0.5), ..self::config() };
    assert_eq!(Distribution::new(&[1.0; 600], &[], &config).ids().len(), 300);
}

#[test]
fn the_two_log_probabilities() {
    let mut sampler = Sampler::new(&SamplingConfig { top_k: Some(1), ..config() }, 0);
    let sampled = sampler.sample(&logits(), &[]).unwrap();
    assert_eq!(sampled.id, 1);
    assert!((sampled.logprob - 0.4_f32.ln()).abs() < 1e-6, "the model's: {}", sampled.logprob);
    assert!(sampled.sampling_logprob.abs() < 1e-6, "what was drawn from: {}", sampled.sampling_logprob);
}

#[test]
fn logits_that_are_no_numbers_give_nothing() {
    let mut sampler = Sampler::new(&config(), 0);
    for bad in [f32::NAN, f32::INFINITY] {
        assert_eq!(sampler.sample(&[0.0, bad, 1.0], &[]), None);
    }
    assert_eq!(sampler.sample(&[f32::NEG_INFINITY; 3], &[]), None);
    // A single token may be impossible.
    assert_ne!(sampler.sample(&[f32::NEG_INFINITY, 0.0], &[]).unwrap().id, 0);
}

#[test]
fn draws_follow_the_probabilities() {
    let mut sampler = Sampler::new(&config(), 0);
    let mut counts = [0_usize; 4];
    for _ in 0..20_000 {
        counts[sampler.sample(&logits(), &[]).unwrap().id as usize] += 1;
    }
    for (count, expected) in counts.into_iter().zip([0.2, 0.4, 0.1, 0.3]) {
        // Five standard deviations of the widest bin.
        assert!((count as f64 / 20_000.0 - expected).abs() < 0.018, "{counts:?}");
    }
}

#[test]
fn streams_differ_and_repeat() {
    let draws = |stream, row| {
        let mut sampler = Sampler::new(&SamplingConfig { seed: 7, stream, ..config() }, row);
        (0..40).map(|_| sampler.sample(&logits(), &[]).unwrap().id).collect::<Vec<_>>()
    };
    assert_eq!(draws(0, 2), draws(2, 0));
    assert_ne!(draws(0, 1), draws(0, 2));
}

/// Logits of a few hundred tokens, many of them equal, some impossible.
fn any_logits() -> impl Strategy<Value = Vec<f32>> {
    let logit = prop_oneof![4 => -30.0_f32..30.0, 3 => Just(1.5), 1 => Just(f32::NEG_INFINITY)];
    prop::collection::vec(logit, 1..900)
        .prop_filter("something must be possible", |logits| logits.iter().any(|logit| logit.is_finite()))
}

proptest! {
    #[test]
    fn probabilities_sum_to_one(
        logits in any_logits(),
        temperature in 0.01_f32..5.0,
        top_k in prop::option::of(1_usize..1000),
        top_p in prop::option::of(0.001_f32..=1.0),
        min_p in prop::option::of(0.0_f32..=1.0),
        repetition_penalty in 0.5_f32..2.0,
        draw in 0.0_f64..1.0,
    ) {
        let config = SamplingConfig { repetition_penalty, temperature, top_k, top_p, min_p, ..config() };
        prop_assert_eq!(config.validate(), Ok(()));
        let distribution = Distribution::new(&logits, &[0, 1, 2, 5000], &config);
        let sum: f64 = distribution.probabilities().iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-9, "sum {}", sum);
        prop_assert!(distribution.ids().is_sorted() && !distribution.ids().is_empty());
        prop_assert!(distribution.ids().len() <= top_k.unwrap_or(usize::MAX));
        let (id, probability) = distribution.at(draw);
        prop_assert!(probability > 0.0 && distribution.ids().contains(&id));
    }

    #[test]
    fn a_masked_token_is_never_drawn_however_extreme_the_settings(
        (logits, allowed) in (1_usize..40).prop_flat_map(|size| (
            prop::collection::vec(prop_oneof![-30.0_f32..30.0, Just(f32::MAX), Just(f32::MIN), Just(0.0)], size),
            prop::collection::vec(any::<bool>(), size),
        )),
        repetition_penalty in prop::sample::select(vec![0.01_f32, 1.0, 100.0]),
        (presence_penalty, frequency_penalty) in (prop::sample::select(vec![-100.0_f32, 0.0, 100.0]), -100.0_f32..=100.0),
        bias in prop::sample::select(vec![-1e6_f32, 0.0, 1e6]),
        temperature in prop::sample::select(vec![0.0_f32, 1e-6, 1.0, 1e6]),
        (top_k, top_p) in (prop::option::of(1_usize..50), prop::option::of(1e-6_f32..=1.0)),
        (min_p, typical_p) in (prop::option::of(0.0_f32..=1.0), prop::option::of(1e-6_f32..=1.0)),
        prompt in 0_usize..60,
        draw in 0.0_f64..1.0,
    ) {
        let config = SamplingConfig {
            repetition_penalty, presence_penalty, frequency_penalty, temperature, top_k, top_p, min_p, typical_p,
            logit_bias: [(0, bias), (3, -bias)].into(),
            ..config()
        };
        prop_assert_eq!(config.validate(), Ok(()));
        let masked: Vec<f32> =
            logits.iter().zip(&allowed).map(|(&logit, &is_allowed)| if is_allowed { logit } else { f32::NEG_INFINITY }).collect();
        let tokens: Vec<u32> = (0..20).chain(0..40).collect();
        let sampled = Sampler::new(&config, 0).sample_masked(&logits, &masked, Seen { tokens: &tokens, prompt });
        prop_assert_eq!(sampled.is_some(), allowed.contains(&true));
        let Some(sampled) = sampled else { return Ok(()) };
        prop_assert!(allowed[sampled.id as usize], "{:?}", sampled);
        let distribution = Distribution::new(&masked, Seen { tokens: &tokens, prompt }, &config);
        let (id, probability) = distribution.at(draw);
        prop_assert!(allowed[id as usize] && probability > 0.0, "{} {}", id, probability);
    }

    #[test]
    fn top_k_keeps_exactly_k_and_none_better_is_left_out(logits in any_logits(), k in 1_usize..1000) {
        let kept = Distribution::new(&logits, &[], &SamplingConfig { top_k: Some(k), ..config() });
        prop_assert_eq!(kept.ids().len(), k.min(logits.len()));
        let worst = kept.ids().iter().map(|&id| logits[id as usize]).fold(f32::INFINITY, f32::min);
        let better = logits.iter().filter(|&&logit| logit > worst).count();
        prop_assert!(better < k);
    }

    #[test]
    fn top_p_is_a_full_sort_by_other_means(logits in any_logits(), p in 0.001_f32..1.0) {
        let kept = Distribution::new(&logits, &[], &SamplingConfig { top_p: Some(p), ..config() });
        let all = Distribution::new(&logits, &[], &config());
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        let mut sum = 0.0;
        let mut expected: Vec<u32> = vec![];
        for id in order {
            // Within rounding of the threshold either answer is right.
            prop_assume!((sum - f64::from(p)).abs() > 1e-9);
            if sum >= f64::from(p) {
                break;
            }
            sum += all.probabilities()[id];
            expected.push(id as u32);
        }
        expected.sort_unstable();
        prop_assert_eq!(kept.ids(), expected);
    }
}

#[test]
fn typical_tokens_are_those_whose_surprise_is_nearest_to_the_entropy() {
    // The entropy is 1.28; the surprises are 1.61, .92, 2.30 and 1.20.
    check(&SamplingConfig { typical_p: Some(0.2), ..config() }, &[], &[(3, 1.0)]);
    check(&SamplingConfig { typical_p: Some(0.45), ..config() }, &[], &[(0, 0.4), (3, 0.6)]);
    check(&SamplingConfig { typical_p: Some(0.6), ..config() }, &[], &[(0, 2.0 / 9.0), (1, 4.0 / 9.0), (3, 3.0 / 9.0)]);
    check(&SamplingConfig { typical_p: Some(1.0), ..config() }, &[], &[(0, 0.2), (1, 0.4), (2, 0.1), (3, 0.3)]);
}

#[test]
fn presence_and_frequency_count_the_completion_alone() {
    let ln_2 = std::f32::consts::LN_2;
    let probabilities = |config: &SamplingConfig| {
        let seen = Seen { tokens: &[1, 1, 3, 3], prompt: 2 };
        Distribution::new(&logits(), seen, config).probabilities().to_vec()
    };
    let close = |found: Vec<f64>, weights: [f64; 4]| {
        let total: f64 = weights.iter().sum();
        for (found, weight) in found.into_iter().zip(weights) {
            assert!((found - weight / total).abs() < 1e-6, "{found}, not {}", weight / total);
        }
    };
    close(probabilities(&SamplingConfig { presence_penalty: ln_2, ..config() }), [0.2, 0.4, 0.1, 0.15]);
    close(probabilities(&SamplingConfig { frequency_penalty: ln_2, ..config() }), [0.2, 0.4, 0.1, 0.075]);
}

#[test]
fn a_bias_is_added_before_all_else() {
    let bias = [(2, std::f32::consts::LN_2), (9, 1.0)].into();
    let weights = [(0, 0.2 / 1.1), (1, 0.4 / 1.1), (2, 0.2 / 1.1), (3, 0.3 / 1.1)];
    check(&SamplingConfig { logit_bias: bias, ..config() }, &[], &weights);
}
