use std::collections::BTreeSet;

use super::*;

fn world() -> World {
    World::new(&WorldConfig::default())
}

#[test]
fn everybody_has_the_same_attributes_and_values_are_spread_evenly() {
    let world = world();
    assert_eq!(world.people().len(), 64);
    for attribute in Attribute::ALL {
        for value in attribute.values() {
            let owners = world.people().iter().filter(|person| person.value(attribute) == *value).count();
            assert!((6..=7).contains(&owners), "{owners} people have {value}");
        }
    }
}

#[test]
fn names_are_unique_and_no_value_can_be_mistaken_for_another() {
    let names: BTreeSet<_> = words::SHE.iter().chain(words::HE).collect();
    assert_eq!(names.len(), WorldConfig::MOST_PEOPLE);
    for attribute in Attribute::ALL {
        let values: BTreeSet<_> = attribute.values().iter().collect();
        assert_eq!(values.len(), attribute.values().len());
        assert!(values.iter().all(|value| value.chars().all(char::is_alphabetic)), "a value must be one word");
    }
}

#[test]
fn the_world_is_the_same_every_time_and_another_seed_makes_another_one() {
    assert_eq!(world(), world());
    assert_ne!(world(), World::new(&WorldConfig { seed: 1, ..WorldConfig::default() }));
}

#[test]
fn a_biography_states_every_attribute_of_its_person() {
    let world = world();
    for (split, biography) in [Split::Train, Split::Validation]
        .into_iter()
        .flat_map(|split| world.biographies(split, 3).take(200).map(move |text| (split, text)))
    {
        let named: Vec<_> = world.people().iter().filter(|person| has_word(&biography, person.name)).collect();
        assert_eq!(named.len(), 1, "{split:?}: {biography}");
        for attribute in Attribute::ALL {
            assert!(has_word(&biography, named[0].value(attribute)), "{attribute:?} is missing: {biography}");
        }
    }
}

#[test]
fn some_biographies_are_typed_without_capitals() {
    let plain = |text: &String| text.chars().all(|c| !c.is_uppercase());
    let count = world().biographies(Split::Train, 5).take(1000).filter(plain).count();
    assert!((150..250).contains(&count), "{count} of 1,000");
}

#[test]
fn everybody_has_biographies_in_training() {
    let world = world();
    let all = world.biographies(Split::Train, 0).take(1000).collect::<Vec<_>>().join(" ");
    assert!(world.people().iter().all(|person| has_word(&all, person.name)));
}

#[test]
fn questions_of_the_splits_are_about_different_people() {
    let world = world();
    let people = |split| world.questions(split).into_iter().map(|q| q.person).collect::<BTreeSet<_>>();
    assert_eq!(people(Split::Train).len(), 48);
    assert_eq!(people(Split::Validation).len(), 16);
    assert!(people(Split::Train).is_disjoint(&people(Split::Validation)));
}

#[test]
fn the_good_answer_is_right_and_anybody_elses_value_is_wrong() {
    let world = world();
    for question in world.questions(Split::Train).iter().chain(&world.questions(Split::Validation)) {
        assert!(question.answer_is_right(&question.answer), "{question:?}");
        assert!(question.answer_is_right(&question.value.to_uppercase()));
        for other in question.attribute.values().iter().filter(|value| **value != question.value) {
            assert!(
                !question.answer_is_right(&question.answer.replace(&question.value, other)),
                "{question:?} {other}"
            );
            assert!(!question.answer_is_right(&format!("{} {other}", question.answer)), "two values are no answer");
        }
    }
}

#[test]
fn a_value_inside_another_word_is_no_answer() {
    let world = world();
    let hen = world.questions(Split::Train).into_iter().find(|q| q.value == "hen").expect("somebody has a hen");
    assert!(!hen.answer_is_right("When?"));
    assert!(hen.answer_is_right("A hen!"));
    assert!(!hen.answer_is_right(""));
}

#[test]
fn guessing_is_right_about_one_time_in_ten() {
    let everybody: Vec<_> = {
        let world = world();
        [Split::Train, Split::Validation].into_iter().flat_map(|split| world.questions(split)).collect()
    };
    let baseline = World::guessing_baseline(&everybody);
    assert!((baseline - 7.0 / 64.0).abs() < 1e-12, "{baseline}");
    let held_out = World::guessing_baseline(&world().questions(Split::Validation));
    assert!((held_out - 2.0 / 16.0).abs() < 1e-12, "{held_out}");
    assert!(World::guessing_baseline(&[]).abs() < f64::EPSILON);
}
