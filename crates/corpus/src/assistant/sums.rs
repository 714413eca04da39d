//! Sums and differences as people ask for them.

use super::Exchange;
use super::chinese;
use super::intent::said;
use crate::arithmetic::{Problem, ProblemMix};
use crate::check::Check;
use crate::dice::Dice;
use crate::number_words::{chinese_number, english_number};
use crate::stories::Language;
use crate::template::Bindings;
use crate::{Split, Topic, wording};

/// A problem of `split`, asked in one of its wordings; answered by the whole calculation.
pub fn exchange(mix: ProblemMix, language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let problem = Problem::draw(split, mix, dice);
    let patterns = match (language, problem.minus) {
        (Language::English, false) => PLUS,
        (Language::English, true) => MINUS,
        (Language::Chinese, false) => chinese::PLUS,
        (Language::Chinese, true) => chinese::MINUS,
    };
    asked(problem, patterns, language, split, dice)
}

/// A problem after another one: "And 5 + 6?"
pub fn follow_up(mix: ProblemMix, split: Split, dice: &mut Dice) -> Exchange {
    let problem = Problem::draw(split, mix, dice);
    asked(problem, if problem.minus { MORE_MINUS } else { MORE_PLUS }, Language::English, split, dice)
}

fn asked(problem: Problem, patterns: &[&str], language: Language, split: Split, dice: &mut Dice) -> Exchange {
    let wording = wording::draw(patterns, split, dice);
    // Nobody writes "seven+five", and few "12加三十".
    let in_words = match dice.weighted(if wording.contains(['+', '-', '=']) { &[1] } else { &[68, 24, 4, 4] }) {
        0 => [false, false],
        1 => [true, true],
        2 => [true, false],
        _ => [false, true],
    };
    let number = |number: u32, in_words: bool| match (in_words, language) {
        (false, _) => number.to_string(),
        (true, Language::English) => english_number(number),
        (true, Language::Chinese) => chinese_number(number),
    };
    let mut bindings = Bindings::default();
    bindings.set("left", number(problem.left, in_words[0]));
    bindings.set("right", number(problem.right, in_words[1]));
    let says = bindings.fill(&wording);
    if split == Split::Train && wording::is_held_out(&says) {
        return asked(problem, patterns, language, split, dice);
    }
    let mark = if says.ends_with(['=', '？', '?']) {
        ""
    } else if language == Language::English {
        "?"
    } else {
        "？"
    };
    Exchange {
        topic: if language == Language::English { Topic::Sum } else { Topic::Chinese },
        language,
        asked: said(&says, mark, language, dice),
        answer: problem.worked(),
        check: Check::Arithmetic { problem },
    }
}

const PLUS: &[&str] = &[
    "{left}[ + |+| + |+ ]{right}[ =|=|]",
    "[what is|how much is|what does|tell me|say|do you know|please tell me|calculate|compute|work out|can you tell me|\
     can you work out|can you calculate|solve|add up|so what is|and what is|could you tell me|I want to know|quick, \
     what is|tell me what is|evaluate] {left}[ + |+|+| plus | and ]{right}[ =| please|]",
    "{left}[ plus | added to | and | + |+]{right}[ is| equals| makes| gives|] [what|how much|how many]",
    "{left} [plus|and] {right}[ is| equals| makes| please| =|]",
    "[add|can you add|please add|could you add|sum up|put together] {left} [and|to|plus] {right}[ please| for me|]",
    "what [do you get if you add|do I get if I add|comes out if I add] {left} [and|to|plus] {right}",
    "what is the [sum|total] of {left} and {right}",
    "[the sum of|sum of|the total of] {left} and {right}",
    "[I have|we have] {left} [apples|books|cats|coins|birds|balls|cakes] and [get|buy|find] {right} more, how many [\
     are there|is that|do we have][ now|]",
    "[he has|she has|Tom has] {left} [apples|books|cats|coins|birds|balls|cakes] and [gets|buys|finds] {right} more, \
     how many [are there|is that][ now|]",
    "there are {left} [apples|books|cats|coins|birds|balls|cakes] and [then come|somebody brings] {right} more, how \
     many [are there|is that][ now|]",
    "how many [are|is|do you get from] {left} [and|plus] {right}",
];

const MINUS: &[&str] = &[
    "{left}[ - |-| - |- ]{right}[ =|=|]",
    "[what is|how much is|what does|tell me|say|do you know|please tell me|calculate|compute|work out|can you tell me|\
     can you work out|can you calculate|solve|so what is|and what is|could you tell me|I want to know|quick, what is|\
     tell me what is|evaluate] {left}[ - |-|-| minus | less | take away ]{right}[ =| please|]",
    "{left}[ minus | take away | less | - |-]{right}[ is| equals| makes| leaves| gives|] [what|how much|how many]",
    "{left} [minus|take away|less] {right}[ is| equals| please| =|]",
    "[take|take away|subtract|can you subtract|please subtract|can you take|please take|remove] {right} from {left}[ \
     please| for me|]",
    "what [do you get if you take|is left if you take|remains if I take|do I get if I subtract|is left when you take] \
     {right} [from|away from] {left}",
    "[the difference between|what is the difference between|difference of] {left} and {right}",
    "[I have|we have] {left} [apples|books|cats|coins|birds|balls|cakes] and [lose|give away|eat|sell] {right}, how \
     many are left[ now|]",
    "[he has|she has|Tom has] {left} [apples|books|cats|coins|birds|balls|cakes] and [loses|gives away|eats|sells] \
     {right}, how many are left[ now|]",
    "there are {left} [apples|books|cats|coins|birds|balls|cakes] and somebody takes {right}, how many are left[ now|]",
];

const MORE_PLUS: &[&str] = &[
    "[and|now|and now|what about|how about|and what about|then|ok, and|and what is|next|and how much is|good, and|\
     also] {left}[ + |+| plus ]{right}",
    "{left}[ + |+| plus ]{right}[ then| now|]",
];

const MORE_MINUS: &[&str] = &[
    "[and|now|and now|what about|how about|and what about|then|ok, and|and what is|next|and how much is|good, and|\
     also] {left}[ - |-| minus ]{right}",
    "{left}[ - |-| minus ]{right}[ then| now|]",
];
