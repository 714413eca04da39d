//! Dialogues: which exchanges follow one another.

use super::{Exchange, TopicShares, chinese, english, intent, people, recall, story, story_talk, sums, talk, unknown};
use crate::arithmetic::ProblemMix;
use crate::dice::Dice;
use crate::stories::Language;
use crate::world::World;
use crate::{Split, Topic};

/// Draws dialogues of one split.
#[derive(Debug, Clone)]
pub struct Assistant {
    world: World,
    problems: ProblemMix,
    shares: [u32; 10],
    split: Split,
}

impl Assistant {
    /// An assistant that knows the people of `world`. Where `split` has nobody to ask about, nobody is asked about.
    ///
    /// # Panics
    /// If no topic is left.
    pub fn new(world: World, problems: ProblemMix, shares: TopicShares, split: Split) -> Self {
        let mut shares = shares.weights();
        if world.people_of(split).next().is_none() {
            shares[Topic::People as usize] = 0;
        }
        assert!(shares.iter().any(|&share| share > 0), "the shares of all topics are 0");
        Self { world, problems, shares, split }
    }

    /// A dialogue, and its topic: that of what it begins with, or [`Topic::Turns`].
    pub fn dialogue(&self, dice: &mut Dice) -> (Topic, Vec<Exchange>) {
        let topic = Topic::ALL[dice.weighted(&self.shares)];
        (topic, self.about(topic, dice))
    }

    /// A dialogue about `topic`.
    pub fn about(&self, topic: Topic, dice: &mut Dice) -> Vec<Exchange> {
        match topic {
            Topic::People => {
                let most = 1 + dice.weighted(&[60, 25, 15]);
                people::exchanges(&self.world, self.split, most, dice)
            }
            Topic::Recall => self.recall(Language::English, dice),
            Topic::Chinese if self.recalls() && dice.chance(18) => self.recall(Language::Chinese, dice),
            Topic::Turns if self.recalls() && dice.chance(30) => {
                let mut exchanges = recall::exchanges(Language::English, self.split, self.meanwhile(dice), dice);
                // Often nobody asks: then what was told is only not to be mistaken for what comes after it.
                exchanges.truncate(exchanges.len() - usize::from(dice.chance(40)));
                exchanges
            }
            Topic::Turns => self.turns(dice),
            topic => vec![self.exchange(topic, dice)],
        }
    }

    /// Something that was told is asked for, or what was never told.
    fn recall(&self, language: Language, dice: &mut Dice) -> Vec<Exchange> {
        if dice.chance(12) {
            let before = if dice.chance(50) { vec![self.short(language, dice)] } else { vec![] };
            return [before, vec![recall::never_told(language, self.split, dice)]].concat();
        }
        // People do not always begin with their name.
        let before = if dice.chance(25) { vec![self.short(language, dice)] } else { vec![] };
        let between = match (language, dice.weighted(&[60, 15, 25])) {
            (_, 0) => vec![],
            (Language::English, 2) => self.meanwhile(dice),
            (Language::Chinese, 2) => vec![story::exchange(language, self.split, dice)],
            _ => vec![self.short(language, dice)],
        };
        [before, recall::exchanges(language, self.split, between, dice)].concat()
    }

    /// Two or three exchanges, each about something else, or a later one that follows up the one before it.
    fn turns(&self, dice: &mut Dice) -> Vec<Exchange> {
        let count = 2 + usize::from(dice.chance(35));
        let mut exchanges = self.begun(dice);
        while exchanges.len() < count {
            let last = exchanges.last().expect("a dialogue has begun");
            let (topic, language) = (last.topic, last.language);
            let next = if self.tells_stories() && story_talk::is_offered_by(&last.answer) && dice.chance(50) {
                vec![story_talk::accepted(language, self.split, dice)]
            } else if topic == Topic::Sum && dice.chance(60) {
                vec![sums::follow_up(self.problems, self.split, dice)]
            } else if topic == Topic::Story && dice.chance(50) {
                vec![self.exchange(Topic::Talk, dice)]
            } else if language == Language::Chinese && dice.chance(60) {
                vec![self.exchange(Topic::Chinese, dice)]
            } else {
                self.begun(dice)
            };
            exchanges.extend(next);
        }
        exchanges
    }

    /// An exchange about any topic; or a story and what is said after it; or what somebody tells of themselves.
    fn begun(&self, dice: &mut Dice) -> Vec<Exchange> {
        if self.tells_stories() && dice.chance(14) {
            let chinese = self.shares[Topic::Chinese as usize] > 0 && dice.chance(20);
            let language = if chinese { Language::Chinese } else { Language::English };
            return story_talk::exchanges(language, self.split, dice);
        }
        if self.recalls() && dice.chance(6) {
            return vec![recall::only_told(Language::English, self.split, dice)];
        }
        vec![self.exchange(self.single(dice), dice)]
    }

    /// A topic that one exchange can be about, by the shares.
    fn single(&self, dice: &mut Dice) -> Topic {
        let mut weights = self.shares;
        weights[Topic::Recall as usize] = 0;
        weights[Topic::Turns as usize] = 0;
        weights[Topic::Greeting as usize] *= 2;
        // Stories leave little room for anything else.
        weights[Topic::Story as usize] /= 2;
        if weights.iter().all(|&weight| weight == 0) {
            weights[Topic::Talk as usize] = 1;
        }
        Topic::ALL[dice.weighted(&weights)]
    }

    /// Whether conversations of several topics may tell something and ask for it later.
    fn recalls(&self) -> bool {
        self.shares[Topic::Recall as usize] > 0
    }

    /// Whether conversations of several topics may have stories.
    fn tells_stories(&self) -> bool {
        self.shares[Topic::Story as usize] > 0
    }

    /// What is said between the telling of something and the question for it: one or two stories, often of a named
    /// hero who must not be mistaken for the user, or two or three short exchanges.
    fn meanwhile(&self, dice: &mut Dice) -> Vec<Exchange> {
        let language = Language::English;
        if !self.tells_stories() || dice.chance(35) {
            let count = 2 + usize::from(dice.chance(50));
            return (0..count).map(|_| self.short(language, dice)).collect();
        }
        let mut exchanges = vec![self.story(dice)];
        match dice.weighted(&[40, 40, 20]) {
            0 => {}
            1 => exchanges.push(self.short(language, dice)),
            _ => exchanges.push(self.story(dice)),
        }
        exchanges
    }

    /// A story, more often than usual of a named hero.
    fn story(&self, dice: &mut Dice) -> Exchange {
        if dice.chance(50) { story::of_name(self.split, dice) } else { self.exchange(Topic::Story, dice) }
    }

    /// An exchange of few words.
    fn short(&self, language: Language, dice: &mut Dice) -> Exchange {
        if language == Language::Chinese {
            return intent::draw(chinese::TALK, language, self.split, dice);
        }
        let topic = *dice.pick(&[Topic::Greeting, Topic::Identity, Topic::Talk, Topic::Sum]);
        self.exchange(topic, dice)
    }

    fn exchange(&self, topic: Topic, dice: &mut Dice) -> Exchange {
        let split = self.split;
        match topic {
            Topic::Greeting => intent::draw(english::GREETINGS, Language::English, split, dice),
            Topic::Identity => intent::draw(english::IDENTITY, Language::English, split, dice),
            Topic::Talk => intent::draw(talk::TALK, Language::English, split, dice),
            Topic::Story => story::exchange(Language::English, split, dice),
            Topic::Sum => sums::exchange(self.problems, Language::English, split, dice),
            Topic::Unknown => unknown::english(split, dice),
            Topic::Chinese => self.chinese(dice),
            Topic::People => people::exchanges(&self.world, split, 1, dice).remove(0),
            Topic::Recall | Topic::Turns => unreachable!("more than one exchange"),
        }
    }

    fn chinese(&self, dice: &mut Dice) -> Exchange {
        match dice.weighted(&[60, 20, 10, 10]) {
            0 => intent::draw(chinese::TALK, Language::Chinese, self.split, dice),
            1 => story::exchange(Language::Chinese, self.split, dice),
            2 => sums::exchange(self.problems, Language::Chinese, self.split, dice),
            _ => unknown::chinese(self.split, dice),
        }
    }
}
