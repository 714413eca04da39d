//! Messages of a request as the chat template takes them.

use fireclay_tokenizer::{Message, RenderOptions};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::model::Served;

/// Fields that a message may have besides role and content.
const FIELDS: [&str; 7] = ["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "refusal"];

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
    let strange = object.iter().find(|(field, value)| !value.is_null() && !FIELDS.contains(&field.as_str()));
    if let Some((field, _)) = strange {
        return Err(wrong(field, "unknown field".into()).with_code("unknown_parameter"));
    }
    let mut message = Message::from_object(object.clone())
        .map_err(|(expected, found)| wrong("", format!("expected {expected}, found {found}")))?;
    message.role = role(&message.role).ok_or_else(|| {
        wrong("role", format!("{:?} is not one of system, developer, user, assistant, tool", message.role))
    })?;
    if let Some(refusal) = message.extra.remove("refusal").filter(|_| message.no_content) {
        message.content = refusal.as_str().unwrap_or_default().into();
        message.no_content = false;
    }
    if let Some(calls) = message.extra.get_mut("tool_calls") {
        parse_arguments(calls);
    }
    Ok(message)
}

/// The role as templates know it.
fn role(role: &str) -> Option<String> {
    match role {
        "developer" => Some("system".into()),
        "system" | "user" | "assistant" | "tool" => Some(role.into()),
        _ => None,
    }
}

/// Converts the arguments of calls from JSON text, which clients send, to objects, which templates expect.
pub fn parse_arguments(calls: &mut Value) {
    for call in calls.as_array_mut().into_iter().flatten() {
        let Some(arguments) = call.get_mut("function").and_then(|function| function.get_mut("arguments")) else {
            continue;
        };
        if let Some(Ok(object @ Value::Object(_))) = arguments.as_str().map(serde_json::from_str) {
            *arguments = object;
        }
    }
}

/// Variables of the template.
pub fn render_options(model: &Served, tools: Option<Vec<Value>>, variables: Map<String, Value>) -> RenderOptions {
    let mut options = model.tokenizer.render_options();
    options.tools = tools;
    options.variables.extend(variables);
    options
}

/// The ids of a conversation with tools and further variables for the template.
///
/// # Errors
/// 400 when the template refuses it, or shows no tools although there are some.
pub fn encode(
    model: &Served,
    messages: &[Message],
    tools: Option<Vec<Value>>,
    variables: Map<String, Value>,
) -> Result<Vec<u32>, ApiError> {
    for message in messages.iter().filter(|_| !model.has_every_text) {
        model.tokenizer.try_encode(&message.content).map_err(|error| ApiError::of_tokenizer(&error))?;
    }
    let without = render_options(model, None, variables.clone());
    let plain = model.text.chat_prompt_with(messages, &without).map_err(|error| ApiError::of_text(&error));
    let Some(tools) = tools else { return plain };
    let options = render_options(model, Some(tools), variables);
    let ids = model.text.chat_prompt_with(messages, &options).map_err(|error| ApiError::of_text(&error))?;
    match plain {
        Ok(plain) if plain == ids => {
            Err(ApiError::unsupported("tools", "this model's chat template does not show them"))
        }
        _ => Ok(ids),
    }
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
        let call = json!({"role": "assistant", "content": null, "tool_calls":
            [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]});
        let message = of(&call).unwrap();
        assert_eq!(message.extra["tool_calls"][0]["function"]["arguments"], json!({"x": 1}));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (value, param, expect) in [
            (json!({"role": "robot", "content": "a"}), "messages[3].role", "robot"),
            (json!({"role": "user", "content": "a", "colour": 1}), "messages[3].colour", "unknown field"),
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
