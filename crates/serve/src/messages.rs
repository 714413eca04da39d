//! Messages of a request as the chat template takes them.

use fireclay_text::TextError;
use fireclay_tokenizer::{Message, OmittedPart, RenderOptions};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::model::Served;

/// Fields that a message may have besides role and content.
const FIELDS: [&str; 7] = ["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "refusal"];

/// Fields that messages of one role have.
const OF_ROLE: [(&str, &str); 4] = [
    ("tool_calls", "assistant"),
    ("reasoning_content", "assistant"),
    ("refusal", "assistant"),
    ("tool_call_id", "tool"),
];

fn has(message: &Message, field: &str) -> bool {
    message.extra.contains_key(field)
}

/// The messages of a request.
///
/// # Errors
/// 400 names the message and the field that is wrong.
pub fn messages(objects: &[Map<String, Value>]) -> Result<Vec<Message>, ApiError> {
    if objects.is_empty() {
        return Err(ApiError::invalid("`messages`: give at least one").with_param("messages"));
    }
    objects.iter().enumerate().map(|(index, object)| message(index, object)).collect()
}

fn message(index: usize, object: &Map<String, Value>) -> Result<Message, ApiError> {
    let place = format!("messages[{index}]");
    let wrong = |what: &str, why: String| {
        let place = if what.is_empty() { place.clone() } else { format!("{place}.{what}") };
        ApiError::invalid(format!("`{place}`: {why}")).with_param(place)
    };
    // Clients send messages of the server back as they are, with empty lists.
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let mut object = object.clone();
    // Some clients put the type of a part, or of an item of responses, beside the role.
    if object.get("type").is_some_and(|kind| kind == "text" || kind == "message") {
        object.shift_remove("type");
    }
    let strange = object.iter().find(|(field, value)| !is_empty(value) && !FIELDS.contains(&field.as_str()));
    if let Some((field, _)) = strange {
        return Err(wrong(field, "unknown field".into()).with_code("unknown_parameter"));
    }
    if object.get("role").is_some_and(|role| role == "assistant") {
        refusals_as_text(object.get_mut("content"));
    }
    check_parts(object.get("content"), &wrong)?;
    check_calls(object.get("tool_calls"), &wrong)?;
    object.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    let mut message = Message::from_object(object)
        .map_err(|(expected, found)| wrong("", format!("expected {expected}, found {found}")))?;
    message.role = role(&message.role).ok_or_else(|| {
        wrong("role", format!("{:?} is not one of system, developer, user, assistant, tool", message.role))
    })?;
    if let Some((field, role)) = OF_ROLE.into_iter().find(|(field, role)| message.role != *role && has(&message, field))
    {
        return Err(wrong(field, format!("belongs to messages of role {role}; leave it out")));
    }
    if let Some(refusal) = message.extra.remove("refusal") {
        // After what was said before it, as among parts.
        message.content += refusal.as_str().ok_or_else(|| wrong("refusal", "give a text".into()))?;
        message.no_content = false;
    }
    Ok(message)
}

/// Makes the refusals among an assistant's parts text.
fn refusals_as_text(content: Option<&mut Value>) {
    let parts = content.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut);
    for part in parts.filter(|part| part.get("type").is_some_and(|kind| kind == "refusal")) {
        if let Some(refusal) = part.shift_remove("refusal") {
            part.insert("type".into(), "text".into());
            part.insert("text".into(), refusal);
        }
    }
}

/// Refuses unknown fields of a content's parts; their kinds are checked when they are joined.
fn check_parts(content: Option<&Value>, wrong: &impl Fn(&str, String) -> ApiError) -> Result<(), ApiError> {
    for (index, part) in content.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let is_text = part["type"].as_str().is_none_or(|kind| matches!(kind, "text" | "input_text" | "output_text"));
        let mut fields = part.as_object().into_iter().flatten().filter(|(_, value)| is_text && !value.is_null());
        if let Some((field, _)) = fields.find(|(field, _)| !["type", "text"].contains(&field.as_str())) {
            let place = format!("content[{index}].{field}");
            return Err(wrong(&place, "unknown field".into()).with_code("unknown_parameter"));
        }
    }
    Ok(())
}

/// Refuses calls that are not of functions, and unknown fields of them.
fn check_calls(calls: Option<&Value>, wrong: &impl Fn(&str, String) -> ApiError) -> Result<(), ApiError> {
    let Some(calls) = calls.filter(|calls| !calls.is_null()) else { return Ok(()) };
    let calls = calls.as_array().ok_or_else(|| wrong("tool_calls", "give a list of calls".into()))?;
    let strange = |value: &Value, known: &[&str]| {
        let mut fields = value.as_object().into_iter().flatten();
        fields
            .find(|(field, value)| !value.is_null() && !known.contains(&field.as_str()))
            .map(|(field, _)| field.clone())
    };
    for (index, call) in calls.iter().enumerate() {
        let place = format!("tool_calls[{index}]");
        // Clients that join the chunks of a stream may keep the index.
        if let Some(field) = strange(call, &["id", "type", "function", "index"]) {
            return Err(wrong(&format!("{place}.{field}"), "unknown field".into()).with_code("unknown_parameter"));
        }
        if call.get("type").is_some_and(|kind| kind != "function") {
            return Err(wrong(&format!("{place}.type"), "only calls of type function are supported".into()));
        }
        if !call["function"]["name"].is_string() {
            return Err(wrong(&format!("{place}.function.name"), "give the function's name".into()));
        }
        if let Some(field) = strange(&call["function"], &["name", "arguments"]) {
            let place = format!("{place}.function.{field}");
            return Err(wrong(&place, "unknown field".into()).with_code("unknown_parameter"));
        }
    }
    Ok(())
}

/// The role as templates know it.
fn role(role: &str) -> Option<String> {
    match role {
        "developer" => Some("system".into()),
        "system" | "user" | "assistant" | "tool" => Some(role.into()),
        _ => None,
    }
}

/// Variables of the template.
pub fn render_options(model: &Served, tools: Option<Vec<Value>>, variables: Map<String, Value>) -> RenderOptions {
    let mut options = model.tokenizer.render_options();
    options.tools = tools;
    options.variables.extend(variables);
    options
}

/// Messages that are to be answered, and what the template is told beside them.
pub struct Asked<'a> {
    /// The messages.
    pub messages: &'a [Message],
    /// Tools that the model is shown.
    pub tools: Option<Vec<Value>>,
    /// Further variables of the template.
    pub variables: Map<String, Value>,
    /// The field of the request that has a part of a message.
    pub place: &'a dyn Fn(&OmittedPart) -> String,
}

/// The ids of a conversation with tools and further variables for the template.
///
/// # Errors
/// 400 when the template refuses it, leaves out a part of it, or shows no tools although there are some.
pub fn encode(model: &Served, asked: &Asked) -> Result<Vec<u32>, ApiError> {
    let Asked { messages, tools, variables, .. } = asked;
    for message in messages.iter().filter(|_| !model.has_every_text) {
        model.tokenizer.try_encode(&message.content).map_err(|error| ApiError::of_tokenizer(&error))?;
    }
    let prompt = |tools: Option<Vec<Value>>| prompt(model, asked, &render_options(model, tools, variables.clone()));
    let ids = prompt(tools.clone())?;
    if tools.is_some() && prompt(None).is_ok_and(|plain| plain == ids) {
        return Err(ApiError::unsupported("tools", "this model's chat template does not show them"));
    }
    Ok(ids)
}

/// What `render` makes of the messages. Templates that join content to other text fail where a message has none: there
/// it is one without words.
pub fn with_or_without_content<T>(
    messages: &[Message],
    render: impl Fn(&[Message]) -> Result<T, TextError>,
) -> Result<T, TextError> {
    let rendered = render(messages);
    if rendered.is_ok() || !messages.iter().any(|message| message.no_content) {
        return rendered;
    }
    let mut messages = messages.to_vec();
    for message in &mut messages {
        message.no_content = false;
    }
    match render(&messages) {
        // That a part is left out says more than that something is missing.
        Ok(done) => Ok(done),
        Err(omitted @ TextError::Omitted(_)) => Err(omitted),
        Err(_) => rendered,
    }
}

/// The ids of a rendered conversation.
fn prompt(model: &Served, asked: &Asked, options: &RenderOptions) -> Result<Vec<u32>, ApiError> {
    let ids = with_or_without_content(asked.messages, |messages| model.text.chat_prompt_with(messages, options));
    ids.map_err(|error| match error {
        TextError::Omitted(part) => of_omitted(&part, &(asked.place)(&part)),
        error => ApiError::of_text(&error),
    })
}

/// The field of a list of messages that has a part of one.
pub fn in_messages(part: &OmittedPart) -> String {
    format!("messages[{}].{}", part.message, part.field)
}

/// The refusal of what the template would leave out.
pub fn of_omitted(part: &OmittedPart, place: &str) -> ApiError {
    let OmittedPart { role, field, .. } = part;
    let why = match field.as_str() {
        "tool_calls" => {
            "this model's chat template shows no calls of functions; choose a model whose template does, or leave out \
             the calls and their results"
        }
        "content" => {
            &format!("this model's chat template does not show this message of role {role}; say it as the user")
        }
        "name" => "this model's chat template does not show the name; say it in a message",
        field => &format!("this model's chat template does not show {field}; leave it out"),
    };
    ApiError::invalid(format!("`{place}`: {why}")).with_param(place).with_code("unsupported_parameter")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Result<Message, ApiError> {
        message(3, value.as_object().unwrap())
    }

    #[test]
    fn messages_are_as_templates_take_them() {
        assert_eq!(
            of(&json!({"role": "developer", "content": "Be kind."})).unwrap(),
            Message::new("system", "Be kind.")
        );
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        assert_eq!(of(&json!({"role": "user", "content": parts})).unwrap(), Message::new("user", "ab"));
        let sent_back =
            json!({"role": "assistant", "content": "a", "annotations": [], "tool_calls": [], "audio": null});
        assert_eq!(of(&sent_back).unwrap(), Message::new("assistant", "a"));
        for kind in ["text", "message"] {
            let typed = json!({"role": "user", "content": "a", "type": kind});
            assert_eq!(of(&typed).unwrap(), Message::new("user", "a"));
        }
        let refusal = json!([{"type": "text", "text": "Well. "}, {"type": "refusal", "refusal": "No."}]);
        assert_eq!(
            of(&json!({"role": "assistant", "content": refusal})).unwrap(),
            Message::new("assistant", "Well. No.")
        );
        let call = json!({"role": "assistant", "content": null, "tool_calls":
            [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]});
        let message = of(&call).unwrap();
        // Which form of arguments a template takes is known where it is rendered.
        assert_eq!(message.extra["tool_calls"][0]["function"]["arguments"], "{\"x\": 1}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (value, param, expect) in [
            (json!({"role": "robot", "content": "a"}), "messages[3].role", "robot"),
            (json!({"role": "user", "content": "a", "colour": 1}), "messages[3].colour", "unknown field"),
            (json!({"role": "user", "content": "a", "type": "image"}), "messages[3].type", "unknown field"),
            (json!({"role": "user", "content": [{"type": "refusal", "refusal": "a"}]}), "messages[3]", "refusal"),
            (
                json!({"role": "assistant", "content": [{"type": "refusal", "refusal": "a", "colour": 1}]}),
                "messages[3].content[0].colour",
                "unknown field",
            ),
            (
                json!({"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}),
                "messages[3].content[0].cache_control",
                "unknown field",
            ),
            (json!({"role": "assistant", "tool_calls": {}}), "messages[3].tool_calls", "a list"),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {}}]}),
                "messages[3].tool_calls[0].function.name",
                "name",
            ),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {"name": "f"}, "colour": 1}]}),
                "messages[3].tool_calls[0].colour",
                "unknown field",
            ),
            (json!({"content": "a"}), "messages[3]", "expected `role`"),
            (json!({"role": "user", "content": 5}), "messages[3]", "a number"),
            (json!({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}), "messages[3]", "image_url"),
        ] {
            let object = of(&value).unwrap_err().object();
            assert_eq!(object["error"]["param"], param);
            assert!(object["error"]["message"].as_str().unwrap().contains(expect), "{object}");
        }
    }
}
