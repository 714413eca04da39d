//! Images, videos and sounds beside an example, in its messages and in their parts: they are not read, so that the
//! example is skipped.

use serde_json::{Map, Value};

use super::reason;
use super::record::is_nothing;

/// Keys of what is seen or heard.
const KEYS: [&str; 9] =
    ["images", "videos", "audios", "image", "video", "audio", "image_url", "video_url", "audio_url"];

/// The first key of an object under which something is seen or heard.
fn key_in(object: &Map<String, Value>) -> Option<&'static str> {
    KEYS.into_iter().find(|key| object.get(*key).is_some_and(|value| !is_nothing(value)))
}

/// The reason to skip an example that comes with something seen or heard.
pub(super) fn beside(object: &Map<String, Value>) -> Option<String> {
    key_in(object).map(|key| format!("{}, under `{key}`", reason::MEDIA))
}

/// The reason to skip an example with such a message; `place` is where the message stands, `content` the key of its
/// content.
pub(super) fn in_message(message: &Map<String, Value>, place: &str, content: &str) -> Option<String> {
    let of_part = |part: &Value| {
        // A part of another type is refused where parts are joined.
        part.as_object().filter(|part| part.get("text").is_some_and(Value::is_string)).and_then(key_in)
    };
    let parts = message.get(content).and_then(Value::as_array);
    let in_part = || parts.and_then(|parts| parts.iter().find_map(of_part)).map(|key| format!("{content}[].{key}"));
    let found = key_in(message).map(str::to_owned).or_else(in_part)?;
    // Without its index, so that examples are counted together.
    let list = place.split('[').next().unwrap_or(place);
    let place = if place.contains('[') { format!("{list}[]") } else { list.to_owned() };
    Some(format!("{}, under `{place}.{found}`", reason::MEDIA))
}
