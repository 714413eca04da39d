use proptest::prelude::*;

use fireclay_model::Precision;

use super::*;
use crate::stages::TrainingStage;

fn with_set(set: &[&str]) -> Result<Recipe, RecipeError> {
    let set = set.iter().map(ToString::to_string).collect();
    resolve(&Overrides { set, ..Overrides::default() }).map(|(recipe, _)| recipe)
}

fn check_error(set: &[&str], expect: &[&str]) {
    let message = with_set(set).unwrap_err().to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    for part in expect {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn the_fastest_format_is_for_stages_that_learn_from_given_text_and_only_where_none_is_written() {
    let resolved = |set: &[&str]| {
        let set = set.iter().map(|&set| set.to_owned()).collect();
        let overrides = Overrides { set, fastest_precision: Precision::Bf16, ..Overrides::default() };
        let recipe = resolve(&overrides).unwrap().0;
        let precision = |(stage, section): (Stage, &dyn TrainingStage)| (stage, section.train().precision);
        recipe.training().into_iter().map(precision).collect::<Vec<_>>()
    };
    for (stage, precision) in resolved(&[]) {
        let given_text = matches!(stage, Stage::Pretrain | Stage::Sft | Stage::Motto);
        assert_eq!(precision, if given_text { Precision::Bf16 } else { Precision::F32 }, "{stage:?}");
    }
    let written = resolved(&["pretrain.precision=f32", "ppo.precision=bf16"]);
    assert!(written.contains(&(Stage::Pretrain, Precision::F32)) && written.contains(&(Stage::Ppo, Precision::Bf16)));
}

#[test]
fn a_run_that_is_lengthened_keeps_the_warm_up_that_nobody_chose() {
    let recorded: Table =
        toml::from_str("[dpo]\nsteps = 20\nwarmup_steps = 2\n[sft]\nsteps = 20\nwarmup_steps = 2").unwrap();
    let resolved = |set: &[&str], steps| {
        let set = set.iter().map(|&set| set.to_owned()).collect();
        let overrides = Overrides { set, steps, recorded: Some(recorded.clone()), ..Overrides::default() };
        let recipe = resolve(&overrides).unwrap().0;
        [recipe.dpo.train().warmup_steps, recipe.sft.train().warmup_steps]
    };
    // The recipe names a warm-up of fine-tuning, and none of dpo.
    assert_eq!(resolved(&["dpo.steps=40", "sft.steps=40"], None), [2, 30]);
    assert_eq!(resolved(&["dpo.steps=40", "dpo.warmup_steps=7"], None)[0], 7);
    assert_eq!(resolved(&[], Some(400))[0], 2);
}

#[test]
fn a_run_goes_on_in_the_format_that_was_chosen_when_it_began() {
    let recorded: Table = toml::from_str("pretrain.precision = \"bf16\"\nsft.precision = \"f32\"").unwrap();
    let resolved = |set: &[&str], fastest_precision| {
        let set = set.iter().map(|&set| set.to_owned()).collect();
        let overrides = Overrides { set, fastest_precision, recorded: Some(recorded.clone()), ..Overrides::default() };
        let recipe = resolve(&overrides).unwrap().0;
        [recipe.pretrain.precision, recipe.sft.train.precision]
    };
    for fastest in [Precision::F32, Precision::Bf16] {
        assert_eq!(resolved(&[], fastest), [Precision::Bf16, Precision::F32]);
    }
    assert_eq!(resolved(&["pretrain.precision=f32"], Precision::Bf16), [Precision::F32, Precision::F32]);
}

#[test]
fn a_format_is_chosen_only_where_none_is_written_or_recorded() {
    let open = |set: &[&str], precision, recorded: &str| {
        let set = set.iter().map(|&set| set.to_owned()).collect();
        let recorded = Some(toml::from_str(recorded).unwrap()).filter(|table: &Table| !table.is_empty());
        open_precision(&Overrides { precision, recorded, set, ..Overrides::default() }).unwrap()
    };
    let all = open(&[], None, "");
    assert!(all.contains(&Stage::Pretrain) && all.contains(&Stage::Sft) && !all.contains(&Stage::Grpo), "{all:?}");
    let rest = open(&["pretrain.precision=bf16"], None, "sft.precision = \"f32\"");
    assert!(!rest.contains(&Stage::Pretrain) && !rest.contains(&Stage::Sft), "{rest:?}");
    assert_eq!(open(&[], Some(Precision::F32), ""), []);
}

#[test]
fn every_embedded_recipe_resolves() {
    for (name, _) in EMBEDDED {
        let overrides = Overrides { recipe: Some(name.into()), ..Overrides::default() };
        let (recipe, _) = resolve(&overrides).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(recipe.name, name);
        assert!(!recipe.description.is_empty(), "{name} says what it is");
    }
}

#[test]
fn a_battery_that_cannot_be_asked_is_refused() {
    check_error(&["battery.temperature=0.0"], &["battery.temperature = 0 must be a positive number"]);
    check_error(&["battery.max_tokens=0"], &["battery.max_tokens = 0"]);
    check_error(&["battery.per_topics=3"], &["did you mean `per_topic`"]);
}

#[test]
fn one_setting_turns_the_battery_off() {
    // `tiny` has `battery.final_per_topic`, which then means nothing.
    let off = with_set(&["battery.per_topic=0"]).unwrap().battery;
    assert!(!off.is_on() && off.final_per_topic > 0, "{off:?}");
    // The number at the end alone is an incomplete setting.
    let of_recipe = |text: &str| toml::from_str::<Recipe>(text).unwrap().battery.validate().unwrap_err();
    for (key, value) in [("final_per_topic", "9"), ("data", "[\"first.jsonl\"]")] {
        let error = of_recipe(&format!("battery.{key} = {value}"));
        assert!(error.contains(&format!("battery.{key} is set without battery.per_topic; set")), "{error}");
    }
}

#[test]
fn chat_sampling_that_means_nothing_is_refused() {
    check_error(&["chat.temperature=-1.0"], &["chat.temperature = -1 must be a number from 0"]);
    check_error(&["chat.top_p=0.0"], &["chat.top_p = 0 must be above 0"]);
    check_error(&["chat.top_k=0"], &["chat.top_k = 0 must be 1 or more"]);
    let greedy = with_set(&["chat.temperature=0.0"]).unwrap().chat.sampling();
    assert_eq!((greedy.do_sample, greedy.temperature), (Some(false), None));
}

#[test]
fn a_battery_asks_as_many_at_the_end_unless_told() {
    let battery = with_set(&["battery.final_per_topic=0", "battery.per_topic=3"]).unwrap().battery;
    assert_eq!((battery.is_on(), battery.last_per_topic()), (true, 3));
    let battery = with_set(&["battery.final_per_topic=8", "battery.data=[\"first.jsonl\"]"]).unwrap().battery;
    assert_eq!(battery.last_per_topic(), 8);
    assert!(std::path::Path::new(&battery.data[0]).is_absolute(), "{:?}", battery.data);
    assert!(!Recipe::default().battery.is_on());
}

#[test]
fn a_resolved_recipe_is_a_recipe() {
    let recipe = with_set(&["pretrain.batch=3"]).unwrap();
    let again: Recipe = toml::from_str(&toml::to_string(&recipe).unwrap()).unwrap();
    assert_eq!(recipe, again);
}

#[test]
fn later_layers_win() {
    let overrides = Overrides {
        depth: Some(5),
        steps: Some(7),
        set: vec!["model.heads=10".into(), "samples.prompts=[\"a\", \"b\"]".into()],
        ..Overrides::default()
    };
    let (recipe, depth) = resolve(&overrides).unwrap();
    assert_eq!((recipe.model.layers, recipe.model.width, recipe.model.heads), (5, 320, 10));
    assert_eq!((recipe.pretrain.steps, recipe.pretrain.batch), (7, depth.unwrap().batch));
    assert_eq!(recipe.samples.prompts, ["a", "b"]);
}

#[test]
fn a_warm_up_that_nobody_chose_fits_the_steps() {
    let warmup = |set: &[&str]| with_set(set).map(|recipe| recipe.sft.train.warmup_steps);
    assert_eq!(warmup(&["sft.steps=10"]).unwrap(), 1);
    assert_eq!(warmup(&["sft.steps=10", "sft.warmup_steps=7"]).unwrap(), 7);
    assert!(warmup(&["sft.steps=10", "sft.warmup_steps=11"]).is_err());
}

#[test]
fn a_name_stays_below_the_folder_of_runs() {
    for name in ["/tmp/run", "../run", "a/../../run", "a\\u001bb", ""] {
        let set = format!("name=\"{name}\"");
        assert!(name.is_empty() == with_set(&[&set]).is_ok(), "{name}");
    }
    assert_eq!(with_set(&["name=\"mine/first\""]).unwrap().name, "mine/first");
}

#[test]
fn examples_beyond_all_memory_are_refused() {
    check_error(&["reward.pairs=1000000000"], &["reward.pairs = 1000000000", "2000000"]);
    check_error(&["sft.accumulate=99999999"], &["sft.batch · context · accumulate"]);
}

#[test]
fn mistakes_are_named() {
    check_error(&["pretrain.stpes=3"], &["--set pretrain.stpes=3", "did you mean `steps`"]);
    check_error(&["pretrian.steps=3"], &["did you mean `pretrain`"]);
    check_error(&["pretrain.steps=many"], &["--set", "invalid type"]);
    check_error(&["pretrain.batch=0"], &["batch", "0"]);
    check_error(&["model.preset=gtp2"], &["did you mean `gpt2`"]);
    check_error(&["pretrain.precision=int8"], &["--set pretrain.precision=int8", "there is f32, bf16"]);
    check_error(&["pretrain.precision=16"], &["--set pretrain.precision=16", "a name in quotes"]);
    check_error(&["model.heads=0"], &["heads is 0"]);
    check_error(&["tokenizer.vocab_size=10"], &["vocab_size = 10", "260"]);
    check_error(&["data.validation_fraction=2"], &["validation_fraction = 2"]);
    check_error(&["tokenizer.kind=words", "tokenizer.split_digits=false"], &["tokenizer.split_digits = false"]);
    check_error(&["nonsense"], &["no `=`"]);
    check_error(&["stages=[]"], &["stages is empty"]);
    check_error(&["stages=[\"cook\"]"], &["cook"]);
}

#[test]
fn a_mistake_in_a_file_is_reported_with_its_line() {
    let path = std::env::temp_dir().join(format!("fireclay-recipe-{}.toml", std::process::id()));
    std::fs::write(&path, "stages = [\"pretrain\"]\n\n[pretrain]\nbatsh = 3\n").unwrap();
    let recipe = Some(path.to_string_lossy().into_owned());
    let message = resolve(&Overrides { recipe, ..Overrides::default() }).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(message.contains("line 4") && message.contains("did you mean `batch`"), "{message}");
}

#[test]
fn a_recipe_changes_the_one_that_it_extends() {
    let folder = std::env::temp_dir().join(format!("fireclay-extends-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let read = |name: &str| {
        let recipe = Some(folder.join(name).to_string_lossy().into_owned());
        resolve(&Overrides { recipe, ..Overrides::default() }).map(|(recipe, _)| recipe)
    };
    write("mine.toml", "extends = \"middle.toml\"\n[pretrain]\nsteps = 77");
    write("middle.toml", "extends = \"tiny\"\nname = \"middle\"\n[pretrain]\nsteps = 5\nbatch = 3");
    write("round.toml", "extends = \"about.toml\"");
    write("about.toml", "extends = \"round.toml\"");
    write("nowhere.toml", "extends = \"tinny\"");

    let (tiny, _) = resolve(&Overrides::default()).unwrap();
    let mine = read("mine.toml").unwrap();
    assert_eq!((mine.name.as_str(), mine.pretrain.train().steps, mine.pretrain.train().batch), ("mine", 77, 3));
    assert_eq!((mine.stages, mine.corpus, mine.extends), (tiny.stages, tiny.corpus, None));
    let round = read("round.toml").unwrap_err().to_string();
    assert!(round.contains("extends") && round.contains("is circular"), "{round}");
    let nowhere = read("nowhere.toml").unwrap_err().to_string();
    assert!(nowhere.contains("tinny") && nowhere.contains("no such file"), "{nowhere}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_unknown_recipe_lists_the_embedded_ones() {
    let recipe = Some("tinny".into());
    let message = resolve(&Overrides { recipe, ..Overrides::default() }).unwrap_err().to_string();
    assert!(message.contains("tiny, small, tiny-grpo, shakespeare-char, text"), "{message}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(?s).{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_assignment_makes_the_parser_panic(key in "[a-z._]{0,20}", value in ".{0,20}") {
        let _ = with_set(&[&format!("{key}={value}")]);
    }

    #[test]
    fn numbers_of_any_size_are_refused_or_resolved(
        key in prop::sample::select(vec!["pretrain.batch", "pretrain.steps", "model.width", "model.layers", "model.heads", "tokenizer.vocab_size"]),
        value in any::<i64>(),
    ) {
        let _ = with_set(&[&format!("{key}={value}")]);
    }
}

#[test]
fn a_stage_that_is_named_twice_is_refused() {
    check_error(&["stages=[\"sft\", \"dpo\", \"sft\"]"], &["stages names sft twice", "name it once"]);
}

#[test]
fn what_says_the_shape_of_a_model_that_is_given_is_named() {
    let warning = |model: Option<&str>, depth, set: &[&str], written: &str| {
        let set = set.iter().map(|&set| set.to_owned()).collect();
        let overrides = Overrides { model: model.map(str::to_owned), depth, set, ..Overrides::default() };
        let recipe = resolve(&overrides).unwrap().0;
        without_effect(&recipe, &overrides, &toml::from_str(written).unwrap())
    };
    let found = warning(Some("some/model"), Some(3), &["model.layers=1", "sft.steps=9"], "").unwrap();
    assert!(found.starts_with("--depth, --set model.layers have no effect: the model "), "{found}");
    assert!(found.ends_with("some/model has its own shape"), "{found}");
    let found = warning(None, None, &["model.path=some/model", "model.width = 64"], "").unwrap();
    assert!(found.starts_with("--set model.width has no effect"), "{found}");
    let found = warning(Some("m"), None, &[], "model.path = \"m\"\nmodel.layers = 3").unwrap();
    assert!(found.starts_with("model.layers has no effect"), "{found}");
    assert_eq!(warning(Some("m"), None, &["sft.steps=9"], "model.layers = 3"), None);
    assert_eq!(warning(None, Some(3), &["model.heads=3"], ""), None);
}

#[test]
fn numbers_that_32_bits_cannot_hold_are_refused() {
    let held = "a number that 32 bits can hold";
    check_error(&["sft.learning_rate=1e300"], &["sft.learning_rate = 1e300", held]);
    check_error(&["sft.weight_decay=1e300"], &["sft.weight_decay = 1e300", held]);
    check_error(&["dpo.beta=1e300"], &["dpo.beta = 1e300", held]);
    check_error(&["ppo.temperature=1e300"], &["ppo.temperature = 1e300", held]);
    check_error(&["grpo.rewards.correct=1e300"], &["grpo.rewards.correct = 1e300", held]);
    check_error(&["grpo.rewards.learned=inf"], &["grpo.rewards.learned = inf", held]);
}

#[test]
fn a_stage_that_does_not_exist_is_named_with_its_flag_and_those_that_do() {
    let overrides = Overrides { stages: vec!["sft".into(), "ppoo".into()], ..Overrides::default() };
    let message = resolve(&overrides).unwrap_err().to_string();
    assert!(message.starts_with("--stages sft,ppoo: there is no stage \"ppoo\"; did you mean ppo?"), "{message}");
    assert!(message.contains("the stages are tokenizer, pretrain, sft, reward, "), "{message}");
}

#[test]
fn a_stage_that_names_no_context_has_the_models_if_that_is_shorter() {
    let folder = tempfile::tempdir().unwrap();
    let context = |recipe: &str, model_context| {
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, recipe).unwrap();
        let recipe = Some(file.to_string_lossy().into_owned());
        let recipe = resolve(&Overrides { recipe, model_context, ..Overrides::default() }).unwrap().0;
        [recipe.sft.train().context, recipe.ppo.train().context]
    };
    let plain = "stages = [\"sft\"]\n";
    assert_eq!(context(plain, None), [256, 256]);
    assert_eq!(context(plain, Some(224)), [224, 224]);
    assert_eq!(context(plain, Some(2048)), [256, 256]);
    assert_eq!(context("stages = [\"sft\"]\n[sft]\ncontext = 240\n", Some(224)), [240, 224]);
    assert_eq!(context("stages = [\"sft\"]\n[pretrain]\ncontext = 128\n", Some(224)), [128, 128]);
}
