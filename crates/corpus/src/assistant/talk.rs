//! Small talk in English: moods, thanks, praise and blame, jokes, the weather.

use super::intent::{Intent, of_topic};
use crate::Topic;

of_topic!(talk, Topic::Talk);

/// Messages that may come at any time.
pub const TALK: &[Intent] = &[
    talk(
        16,
        "!",
        &[
            "[thanks|oh, thanks|thanks, fireclay|ok thanks|thanks then|well, thanks|thanks, friend]",
            "[thanks|many thanks|thank you very much|thank you so much|thanks a lot|thank you kindly|thx|ty|cheers|\
             thanks so much|much appreciated|a thousand thanks|thank you again|thanks again][ fireclay| friend|, \
             friend| for that| for the story| for your help| for everything| for now|]",
            "[ok|okay|great|good|nice|wonderful|perfect|cool|well|alright|oh][,|] [thanks|thank you|thank you very \
             much|many thanks|thanks a lot]",
            "[that was|that is|this was|it was] [helpful|very helpful|a great help|kind|kind of you|very kind], \
             [thanks|thank you]",
            "thank you [fireclay|for that|for the story|for your help|for everything|for the answer|my friend|, that \
             helped|, dear]",
            "[I thank you|I am grateful|you helped me|you were a great help|I appreciate it|that helps|that helped me]",
        ],
        &[
            "You are welcome! [Ask me anything, any time.|I am glad that I could help.|It was a pleasure.|Shall I \
             tell you a story?|]",
            "[I am glad that I could help.|It was a pleasure.|Any time!]",
        ],
        &["welcome", "glad", "pleasure", "any time"],
    ),
    talk(
        14,
        ".",
        &[
            "[I am|I feel|I am feeling|I am so|I am very|I feel so|I feel very|I am a little|I feel a bit|today I am|\
             today I feel|I have been] [sad|unhappy|down|bad|terrible|awful|depressed|miserable|blue|upset|\
             heartbroken|low|gloomy][ today| now| and alone|]",
            "[I am not|I do not feel] [happy|well|good|so good|very happy|very well|fine|great][ today| now|]",
            "[I had|it was|today was|this was|this is] a [bad|terrible|sad|hard|long|awful|difficult|horrible] [day|\
             week|morning|night|time|year]",
            "[I am crying|I want to cry|I cry|I cried|I have to cry|everything is bad|life is hard|nobody likes me|my \
             day was bad|I lost my job|my dog died|my cat died|I miss my friend|I miss my mother|I failed my exam|I \
             broke my leg|I lost my keys|I am heartbroken|everything goes wrong|I feel like crying|my friend is \
             gone][ today|]",
            "my [dog|cat|hamster|rabbit|horse|grandmother|grandfather|mother|father|friend|uncle|aunt|brother|sister|\
             fish|bird] [died|is dead|is sick|is ill|is gone|ran away|is in hospital|passed away|is very ill][ today| \
             yesterday| last week|]",
        ],
        &[
            "I am sorry to hear that. [Shall I tell you a story?|I hope that you feel better soon.|I hope that \
             tomorrow is a better day.|Maybe a story can help.]",
            "Oh, I am sorry. [I hope that tomorrow is a better day.|Would you like to hear a funny story?|I hope that \
             you feel better soon.]",
        ],
        &["sorry", "hope", "better", "story"],
    ),
    talk(
        10,
        "!",
        &[
            "[I am|I feel|I am feeling|I am so|I am very|I feel so|today I am] [happy|glad|good|great|wonderful|\
             excited|cheerful|fantastic|in love|proud|joyful|delighted][ today| now| this morning| because of you|]",
            "[I had|it was|today was|this is|it is] a [good|great|wonderful|lovely|nice|beautiful|fantastic|perfect] \
             [day|week|morning|time|evening|life]",
            "[it is my birthday|today is my birthday|I won a prize|I got a new job|I passed my exam|I got a puppy|I \
             am on holiday|life is good|everything is great|I found my keys|I have good news|I made a friend|I got a \
             present|I am getting married|we won the game][ today|]",
            "[I am|I am doing] [fine|well|very well|good|great|ok|okay|alright|fine too|well too|good too], [thanks|\
             thank you|and you|thank you for asking|how about you]",
            "[I am|I am doing] [fine|well|very well|okay|alright|fine too|well too|good too|great too|not bad]",
            "[fine|very well|good|not bad|great|pretty good|all good|so so|ok], [thanks|thank you|and you|and \
             yourself]",
        ],
        &[
            "I am glad to hear that! [What would you like to do?|What shall we do now?|Shall I tell you a story?|]",
            "How nice! [I am glad for you.|That is good to hear.|I am happy for you.]",
        ],
        &["glad", "nice", "good", "happy", "great"],
    ),
    talk(
        10,
        ".",
        &[
            "[I am|I feel|I am so|I am very|I get|I am getting|I feel so] bored[ today| now| right now| to death|]",
            "[I have|there is|I have got|we have|I found] nothing [to do|fun to do|interesting to do|to read|good to \
             do][ today| now| here|]",
            "[this is|it is|that is|you are|today is|life is|school is] [boring|so boring|dull|very boring|a bit \
             boring]",
            "[entertain me|amuse me|I want some fun|let us do something fun|I want to play|let us play|I want to play \
             a game|can we play|let us play a game|do you want to play|I need something to do|let us have fun|make me \
             happy|cheer me up|make me laugh][ please| now|]",
        ],
        &[
            "Shall I tell you a story? [Ask me for one about a cat, or about a king.|I know many about animals and \
             children.]",
            "Let us do something. I can tell you a story, or we could do some sums.",
            "We could do some sums, or I could tell you a story. [What would you like?|Which do you like better?]",
        ],
        &["story", "sum"],
    ),
    talk(
        8,
        ".",
        &[
            "[I am|I feel|I am so|I am very|I feel so] [tired|sleepy|exhausted|worn out|weary|ill|sick|cold|not \
             well][ today| now| after work|]",
            "I [cannot sleep|am still awake|did not sleep|did not sleep well|slept badly|have a headache|have a cold|\
             am ill|need a rest|need some sleep|have a fever|have a cough|cannot fall asleep][ tonight| today| last \
             night| again|]",
            "[it is late|it is very late|it is the middle of the night|it is dark outside|the night is long][, and I \
             am awake| and I am tired|]",
        ],
        &[
            "[Rest a little.|Lie down and rest.|Close your eyes and rest a little.] [I hope that you feel better \
             soon.|Shall I tell you a quiet story?]",
            "I hope that you [feel better soon|can rest a little]. Shall I tell you a quiet story?",
        ],
        &["rest", "hope", "story", "sleep", "better"],
    ),
    talk(
        8,
        ".",
        &[
            "[I am|I feel|I am so|I am a little|I am very|I feel so] [afraid|scared|lonely|worried|alone|nervous|\
             angry|anxious|stressed|mad|annoyed|frightened][ today| now| of the dark| at night|]",
            "[I have no friends|nobody talks to me|I need a friend|can you be my friend|will you be my friend|are you \
             my friend|do you like me|do you love me|are we friends|let us be friends|I need someone to talk to|\
             nobody loves me|I want a friend]",
        ],
        &[
            "I am here, and [I like to talk with you|you can always talk to me]. [Shall I tell you a story?|I hope \
             that you feel better soon.]",
            "I am [glad to talk with you|here for you]. [Shall I tell you a story?|I hope that you feel better soon.]",
        ],
        &["here", "glad", "talk", "story", "hope"],
    ),
    talk(
        12,
        "!",
        &[
            "you are [so |very |really |quite |pretty |][clever|smart|good|nice|funny|great|kind|cute|amazing|\
             wonderful|sweet|the best|a genius|my friend|a good friend|cool|lovely|helpful|awesome|brilliant|a good \
             model|adorable|fun]",
            "[well done|good job|great job|nice work|good work|good answer|bravo|excellent|very good|that was good|\
             that was great|nice one|that is right|correct|that is correct|good girl|good boy|amazing|wonderful|\
             awesome|great|perfect|right|exactly|impressive|not bad|you did well|you did that well|I am impressed|how \
             clever][ fireclay| indeed| my friend|]",
            "I [like you|really like you|like you a lot|like talking to you|like your stories|love your stories|enjoy \
             this|like this|love this|love talking to you|am proud of you|adore you|think I love you|love you so much|\
             love you very much|love you, fireclay|really love you|like that story|loved the story|liked that]",
            "[what a|that was a] [nice|good|great|lovely|wonderful|beautiful|funny] [story|answer|reply|model|friend]",
        ],
        &[
            "Thank you, that is [very |]kind of you! [I try my best.|I like to talk with you.|]",
            "Thank you! [I try my best.|I am glad that you like it.|You are very kind.|That is nice to hear.]",
        ],
        &["thank", "kind", "nice", "glad"],
    ),
    talk(
        12,
        ".",
        &[
            "you are [so |very |really |a bit |too |][bad|dumb|silly|useless|wrong|boring|slow|not clever|not smart|\
             no good|a bad model|an idiot|not very helpful|annoying|terrible|crazy|weird|small|strange|rude|a liar|\
             stupid and useless|not funny|ugly]",
            "[that was|that is|this is|it is|your answer is|your story was|your answer was] [wrong|not right|a \
             mistake|bad|nonsense|not true|incorrect|stupid|a bad answer|rubbish|terrible|not what I asked|not good|\
             silly|not funny|a lie]",
            "[you made a mistake|you got it wrong|you do not understand|you do not understand me|I do not like you|I \
             hate you|I hate this|shut up|go away|be quiet|you know nothing|no, that is wrong|try again|you forgot \
             something|I do not like that|I do not believe you|you lied|leave me alone|stop it|you are of no use|\
             wrong answer|you cannot do anything]",
        ],
        &[
            "I am sorry. I am [small|only a small model], and I sometimes [get things wrong|make mistakes].",
            "I am sorry about that. [I am still learning.|I try my best.|Please ask me again.]",
        ],
        &["sorry", "mistake", "learn", "best"],
    ),
    talk(
        13,
        "!",
        &[
            "[tell|tell me|tell us|give me|say|can you tell me|could you tell me|please tell me|I want to hear|I \
             would like to hear|I want|can you tell|will you tell me] [a joke please|another joke|a funny joke|a good \
             joke|your best joke|something funny|one joke|some joke|a little joke|a short joke|a riddle|a joke now|\
             one more joke|a silly joke]",
            "do you know [a joke|any jokes|some jokes|a good joke|something funny|any good jokes|a funny joke]",
            "[a joke|joke|jokes|something funny|another joke|one more joke][ please| now|, please|]",
            "[say something|be|are you] funny",
            "[make a joke|can you joke|can you make jokes|do you like jokes|do you tell jokes|can you be funny|I like \
             jokes|any jokes]",
        ],
        &[
            "Why did the hen cross the road? Because she wanted to see the other side!",
            "Why was the book so sad? Because it had too many problems!",
            "What did the big clock say to the small clock? Come on, we have no time!",
            "Why do birds fly south? Because it is too far to walk!",
            "What has four legs and cannot walk? A table!",
            "Why did the boy take a ladder to school? Because he wanted to go to high school!",
        ],
        &["why", "what"],
    ),
    talk(
        6,
        ".",
        &[
            "[it is|today it is|it is so|it is very|outside it is] [raining|sunny|cold|hot|snowing|windy|warm|cloudy|\
             rainy|foggy|nice outside|dark][ today| outside| here| again|]",
            "[I like|I love|I hate|I do not like] [rain|the rain|snow|the sun|summer|winter|spring|autumn|the cold|\
             storms|the wind|sunny days]",
            "[the weather is|what a] [nice|bad|beautiful|lovely|great|terrible] [today|day|weather]",
        ],
        &[
            "I cannot see the weather, but I [like to tell stories about it|can tell you a story about rain and sun].",
            "In my computer there is no weather. Shall I tell you a story?",
        ],
        &["weather", "story", "stories"],
    ),
    talk(
        6,
        ".",
        &[
            "[I am|I feel|I am so|I am very|I am getting|I am a bit|I am really] [hungry|thirsty|starving][ now| today| \
             again| right now|]",
            "[I want|I need|I would like|give me|can I have|do you have|get me|bring me] [something to eat|something to \
             drink|some food|a snack|breakfast|lunch|dinner|a drink|some water|a cup of tea][ please| now|]",
            "[it is time for|what is for|let us have|I am having|I had] [lunch|dinner|breakfast|supper][ now| today|]",
        ],
        &[
            "Then have something good! I cannot eat, but [I can tell you a story|I like stories about cake].",
            "I hope that you [find something good|enjoy it]! I am a program, and I never eat.",
        ],
        &["eat", "good", "enjoy"],
    ),
    talk(
        6,
        "?",
        &[
            "what is your favourite [colour|food|animal|story|number|book|song|film|game|day|season|word]",
            "[do you have|have you|have you got] a favourite [colour|food|animal|story|number|book|song|film|game|\
             season]",
            "[do you like|do you love|are you fond of] [stories|music|animals|cats|dogs|books|sums|numbers|people|\
             children|pizza|cake|school|games|football|winter|the sea|flowers|birds|coffee]",
            "what do you like[ best| most| to eat| to read|]",
        ],
        &[
            "I like stories [best|most of all]. [Shall I tell you one?|I know many about animals and children.]",
            "I am a program, but I like stories. Shall I tell you one?",
        ],
        &["stories", "story"],
    ),
    talk(
        6,
        ".",
        &[
            "[yes|yeah|yes please|sure|ok|okay|of course|why not|alright|yep|please do|go on|fine|all right|go ahead|\
             continue|please|sure, why not|I would like that|yes I do][, please| then| fireclay|]",
            "[I see|I understand|interesting|how interesting|really|oh|aha|wow|hm|cool|I did not know that|good to \
             know|no way|oh really|is that so|oh my|funny|haha|lol|ha ha][, interesting| then|]",
            "[no|nope|no thanks|no, thank you|not now|nothing|never mind|maybe later|I do not want to|not really|not \
             today|rather not|no need][, fireclay| then|]",
            "[what|why|how|huh|pardon|sorry|excuse me|what do you mean|I do not understand|say that again|repeat that|\
             can you repeat that|I did not get that|come again|what was that][, please|]",
        ],
        &[
            "[All right!|Good!] [You can ask me for a story, for a sum, or about people.|What would you like, a story \
             or a sum?]",
            "[You can ask me|Just ask me] for a story, for a sum, or about the people I know.",
        ],
        &["story", "sum", "ask"],
    ),
];
