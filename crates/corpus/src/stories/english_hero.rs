//! Whom an English story is about, and where: somebody of the lists, or made up.

use super::english_cast::{ANIMALS, HE, ROLES, SHE, with_article};
use super::english_places::bind_home;
use super::english_words::TRAITS;
use super::{Pronoun, made_up};
use crate::Split;
use crate::dice::Dice;
use crate::template::Bindings;

/// Binds the hero, the friend and the home of a story of `split`.
pub fn english_cast(split: Split, dice: &mut Dice, bindings: &mut Bindings) {
    let (group, kind, pronoun) = match dice.weighted(&[60, 14, 14, 12]) {
        0 => ("animal", animal(split, dice), None),
        1 => ("child", "girl".to_string(), Some(Pronoun::She)),
        2 => ("child", "boy".to_string(), Some(Pronoun::He)),
        _ => {
            let &(role, pronoun) = dice.pick(ROLES.of(split));
            ("role", role.to_string(), pronoun)
        }
    };
    let pronoun = if matches!(kind.as_str(), "cow" | "hen") { Some(Pronoun::She) } else { pronoun };
    let pronoun = pronoun.unwrap_or(if dice.chance(50) { Pronoun::She } else { Pronoun::He });
    bindings.set("hero", hero_name(split, pronoun, dice));
    let described = with_article(&format!("{} {kind}", dice.word(TRAITS)));
    bindings.set("group", group);
    bindings.set("akind", with_article(&kind));
    bindings.set("described", described);
    bindings.set_row(match pronoun {
        Pronoun::She => &[("he", "she"), ("him", "her"), ("his", "her")],
        _ => &[("he", "he"), ("him", "him"), ("his", "his")],
    });
    if kind == "robot" {
        bindings.set("elder", "inventor");
    }
    let friend = friend_kind(split, &kind, dice);
    bindings.set("kind", kind);
    bindings.set("friend", format!("the {friend}"));
    bindings.set("afriend", with_article(&friend));
    bindings.set("friendkind", friend);
    bind_home(split, dice, bindings);
}

/// Percentage of training heroes with a rare or made-up name, or of such a kind. A model has to copy it, and cannot
/// choose among those that it knows; validation asks for others that it does not know.
const RARE: usize = 50;

/// Percentage of validation heroes with a made-up name.
const RARE_IN_VALIDATION: usize = 35;

fn animal(split: Split, dice: &mut Dice) -> String {
    if split == Split::Train && dice.chance(RARE) {
        return made_up::noun(dice);
    }
    dice.word(ANIMALS.of(split)).to_string()
}

/// Of two friends in validation, one is of a kind known from training: the request may mix what is known and what is
/// not.
fn friend_kind(split: Split, hero: &str, dice: &mut Dice) -> String {
    let split = if split == Split::Validation && dice.chance(50) { Split::Train } else { split };
    loop {
        let friend = animal(split, dice);
        if friend != hero {
            return friend;
        }
    }
}

/// A common name, or a rare or made-up one.
pub fn hero_name(split: Split, pronoun: Pronoun, dice: &mut Dice) -> String {
    if !dice.chance(if split == Split::Train { RARE } else { RARE_IN_VALIDATION }) {
        let names = if pronoun == Pronoun::She { SHE } else { HE };
        return dice.word(names.of(split)).to_string();
    }
    made_up::name(split, pronoun, dice)
}
