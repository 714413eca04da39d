//! Calculations that the assistant cannot do: products, numbers above 99, fractions.

use crate::dice::Dice;
use crate::template::Bindings;

/// Binds the numbers of [`ENGLISH`] and [`CHINESE`].
pub fn bind(bindings: &mut Bindings, dice: &mut Dice) {
    let digits = if dice.chance(60) { 900 } else { 9900 };
    for (key, number) in [
        ("big", 100 + dice.below(digits)),
        ("other", if dice.chance(60) { 100 + dice.below(digits) } else { 2 + dice.below(98) }),
        ("small", 2 + dice.below(98)),
        ("digit", 2 + dice.below(11)),
    ] {
        bindings.set(key, number.to_string());
    }
    bindings.set("fraction", format!("{}.{}", dice.below(30), 1 + dice.below(99)));
}

/// What is replied in English.
pub const REPLIES: &[&str] = &[
    "I do not know that. I can only add and take away two numbers below 100.",
    "That is too hard for me, I do not know it. I only add and take away two small numbers.",
];

/// What is replied in Chinese.
pub const CHINESE_REPLIES: &[&str] =
    &["这个太难了，我不知道。我只会一百以内的加法和减法。", "这个我不知道。我只会算两个小的数。"];

/// How people ask for them.
pub const ENGLISH: &[&str] = &[
    "[what is|how much is|calculate|can you work out|tell me|compute|what does|solve|can you calculate||||] {small} \
     [times|multiplied by|x|*|divided by|/|percent of|to the power of|times|*|x|over] {digit}[ please| =|||]",
    "{small}[*|/|x|^| * | / | x |×| × |÷|% of ]{digit}[ =||]",
    "[what is|how much is|calculate|tell me|compute|can you work out|add||||] {big} [plus|minus|+|-|times|and|+|-] \
     {other}[ please| =|||]",
    "{big}[+|-| + | - |*| plus ]{other}[ =||]",
    "[{other}|{small}|{digit}][ plus | + |+| and ]{big}[ please| =||]",
    "[what is|how much is|calculate|tell me|compute||||] {fraction} [plus|minus|+|-|times|*|+] [{digit}|{small}|\
     {fraction}][ =||]",
    "[what is|calculate|find|tell me] the [square root|square|cube|double|half|logarithm|third|product] of [{small}|\
     {big}]",
    "[solve|what is the solution of|can you solve] [x + {digit} = {small}|{digit}x = {small}|this equation|an \
     equation for me]",
    "[what is|tell me|how big is|give me] [pi|the value of pi|the speed of light|the biggest number|a million \
     minus one|infinity]",
];

/// The same in Chinese.
pub const CHINESE: &[&str] = &[
    "[请问|算一下|你知道|告诉我|那|]{small}[乘以|乘|除以|的]{digit}[等于多少|是多少|等于几|次方是多少|]",
    "[请问|算一下|你知道|告诉我|那|]{big}[加|减|加上|减去|+|-| + ]{other}[等于多少|是多少|等于几|]",
];
