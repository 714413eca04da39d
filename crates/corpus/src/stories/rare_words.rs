//! Names and nouns that stories of the training split rarely have. Most are spelt in several tokens, as are those that
//! people ask for; what is held out is in none of these lists.

use std::sync::LazyLock;

/// A list of words.
pub type Words = LazyLock<Vec<&'static str>>;

/// Names of heroes who are "she".
pub static SHE_NAMES: Words = LazyLock::new(|| SHE_NAMES_TEXT.split_whitespace().collect());
const SHE_NAMES_TEXT: &str = "\
     Abigail Adele Agatha Agnes Aisha Alma Amanda Amelia Andrea Angela Anita Annika Ariel Astrid Audrey Barbara \
     Bianca Brenda Bridget Brooke Camilla Carmen Caroline Cassandra Catherine Cecilia Celeste Charlotte Christina \
     Cindy Claudia Cordelia Cynthia Dahlia Daphne Deborah Delia Diana Dolores Dora Doris Dorothy Edith Eileen Eleanor \
     Elizabeth Elsa Elsie Emily Erica Esme Esther Eunice Evelyn Faith Farah Fatima Faye Felicity Fern Flora Frances \
     Freya Frida Gabriela Gemma Georgia Gertrude Gina Ginger Gloria Greta Gwen Hattie Heather Heidi Helen Henrietta \
     Hermione Hilda Hope Ingrid Irene Isabel Jacqueline Jasmine Jemima Jessica Joan Joanna Josephine Joy Joyce Judith \
     June Karen Katrina Kira Kirsten Lara Leonora Lillian Linda Lola Lorna Louise Lydia Mabel Madeleine Maggie \
     Magnolia Marcia Margaret Marigold Marina Marjorie Matilda Maude Melanie Melissa Mildred Millie Minnie Miranda \
     Miriam Monica Muriel Nadia Nancy Natalie Natasha Nicole Noelle Norma Odette Olga Opal Ophelia Pamela Patricia \
     Pearl Petra Phoebe Priscilla Rachel Ramona Rebecca Regina Roberta Rosalind Rosemary Roxanne Ruth Sabrina \
     Samantha Sandra Scarlett Selma Serena Sharon Shirley Sienna Sigrid Simone Stephanie Summer Sylvia Tabitha Tamara \
     Tanya Teresa Tessa Thelma Trudy Ursula Valerie Vanessa Veronica Victoria Violet Virginia Vivian Wilma Winifred \
     Xenia Yasmin Yvonne Zara Zelda";

/// Names of heroes who are "he".
pub static HE_NAMES: Words = LazyLock::new(|| HE_NAMES_TEXT.split_whitespace().collect());
const HE_NAMES_TEXT: &str = "\
     Aaron Abdul Abel Abraham Ahmed Alan Albert Alfred Ali Alvin Ambrose Amos Angus Anthony Archie Arnold Asher Axel \
     Barnaby Barney Barry Basil Benedict Benjamin Bernard Bertram Boris Brandon Brian Bruce Bruno Byron Caleb Calvin \
     Carl Casper Cecil Cedric Chester Chris Christopher Clarence Clifford Clyde Conrad Cornelius Craig Curtis Cyril \
     Damian Darren Dennis Derek Desmond Diego Dominic Donald Douglas Duncan Earl Edgar Edmund Edward Edwin Elliot \
     Elmer Emil Emmanuel Ernest Errol Eugene Evan Ezra Fergus Floyd Francis Frank Franklin Frederick Gabriel Gareth \
     Gary Gavin Geoffrey Gerald Gilbert Giles Glen Gordon Graham Grant Gregory Gus Guy Hamish Hans Harold Harvey \
     Hector Herbert Herman Horace Howard Hubert Humphrey Igor Isaac Ivan Jacob Jason Jeffrey Jeremy Jerome Jonah \
     Jonathan Jordan Joseph Joshua Julian Karim Keith Kenneth Kurt Lance Larry Laurence Leander Leonard Leroy Leslie \
     Lewis Lionel Lloyd Logan Lorenzo Louis Luther Magnus Malcolm Marcus Mario Marvin Matthew Maurice Maximilian \
     Melvin Merlin Michael Miles Mohammed Mortimer Moses Nathan Ned Neil Neville Nigel Norman Olaf Omar Orlando Orson \
     Oswald Otis Otto Percy Pierre Quentin Ramon Ray Raymond Reginald Rex Richard Robert Roderick Rodney Roger Roland \
     Ronald Rory Rufus Rupert Russell Sebastian Seth Shane Sidney Silas Spencer Stanley Stephen Stuart Sven Terence \
     Thaddeus Thomas Timothy Travis Trevor Tristan Ulysses Vernon Victor Vincent Wallace Warren Wesley Wilbur Wilfred \
     Winston Xavier Zachary Zeke";

/// Animals, and things that may be the hero of a story.
pub static NOUNS: Words = LazyLock::new(|| NOUNS_TEXT.split_whitespace().collect());
const NOUNS_TEXT: &str = "\
     aardvark albatross alligator alpaca anaconda anchovy anemone angelfish anteater antelope armadillo baboon \
     barnacle barracuda bison blackbird bluebird boar bobcat buffalo bullfinch bullfrog bumblebee bunny buzzard \
     canary capybara caribou catfish centipede chameleon cheetah chicken chimpanzee chinchilla chipmunk cicada clam \
     cockatoo cockroach cod colt condor cormorant cougar coyote crane crayfish cuckoo curlew deerhound dingo dodo \
     dormouse dove dragonet earthworm eel egret elk emu ermine falcon fawn ferret finch firefly flea flounder fly \
     foal gazelle gecko gerbil gibbon gnat gnu goldfinch goldfish gopher gosling grasshopper greyhound griffin grouse \
     guppy haddock halibut hare hawk heron herring hornet hound hyena ibex ibis iguana impala jackal jackdaw jaguar \
     jay jellyfish kestrel kid kingfisher kite kiwi lark lemming lemur linnet lionfish lobster locust loon lynx macaw \
     mackerel magpie mallard mammoth manatee mantis marmot marten mermaid midge millipede mongoose moth mule muskrat \
     narwhal newt nightingale ocelot orca oriole osprey ox oyster panther partridge pelican perch pheasant phoenix \
     pike platypus polecat porcupine porpoise possum prawn puffin puma python quail ram rattlesnake raven ray \
     reindeer rhino roadrunner robin rook salamander salmon sardine scorpion seahorse shark shrew shrimp skunk \
     skylark sloth slug snipe spaniel sponge squid stag starfish starling stingray stoat stork sturgeon tadpole tapir \
     termite tern terrier thrush tortoise toucan trout tuna urchin viper vole vulture wallaby warthog wasp weasel \
     wildcat wombat woodpecker wren yak acorn balloon barrel basket bicycle bottle broom bucket button cabbage candle \
     carpet carriage chimney cloud clown cobbler compass cushion dumpling dwarf elf engine feather ferry fiddle \
     fountain gardener ghost gnome goblin guitar helicopter hermit hunter iceberg jester juggler kettle lantern \
     lighthouse locomotive magician marble mechanic miller mirror mitten mushroom needle nurse ogre pebble pencil \
     piano pillow pilot pine postman potato pumpkin puppet raindrop rocket rooftop saucepan scarecrow shepherd \
     shipwreck shoemaker slipper snowball snowflake snowman spoon steamer submarine suitcase sultan sunflower tailor \
     teacup teapot thimble tractor train tram trumpet tugboat umbrella vampire violin wagon walnut watchman weaver \
     wheel willow windmill woodcutter zeppelin";
